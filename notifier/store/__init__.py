"""The only SQL. One set of tables and statements serves SQLite and PostgreSQL; what differs is in `engine.py`."""
