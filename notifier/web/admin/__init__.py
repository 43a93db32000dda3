"""The admin pages under /admin: server-rendered, for people."""
