"""Out to callers' endpoints over HTTP: never to an address that is not everybody's, and never anybody waiting for
somebody else's server."""
