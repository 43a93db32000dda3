"""JSON to domain and back. Nothing of the wire's shapes goes further in than this."""
