"""Sending what was accepted: claim, attempt, record. Works on the ports of `ports.py`; knows no SQL and no SMTP."""
