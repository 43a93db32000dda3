"""Times as text."""

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """``2026-01-31T09:00:00.123456Z`` (RFC 3339): UTC, to the microsecond."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"
