"""What is searched for: the fields of a search as a filter of notifications, and as words."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, get_args

from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.listing import Filter
from notifier.mail.address import AddressError, check_email, comparison_key

STATUSES: Final[tuple[NotificationStatus, ...]] = get_args(NotificationStatus)
ASKED: Final = ("q", "status", "template", "tag", "batch", "from", "to")
ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def asked_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that say something."""
    return {name: value.strip() for name, value in fields.items() if value.strip()}


def words_of(asked: Mapping[str, str]) -> str:
    """What is asked for, for people: ``status failed, template welcome``."""
    return ", ".join(f"{'about' if name == 'q' else name} {asked[name]}" for name in ASKED if asked.get(name))


def filter_of(asked: Mapping[str, str]) -> tuple[Filter, str | None]:
    """What was asked for, or what is wrong with it. `q` is an address, an id, or a reference."""
    q = asked.get("q")
    recipient = reference = None
    batch = asked.get("batch")
    if q and "@" in q:
        try:
            recipient = comparison_key(check_email(q))
        except AddressError as error:
            return Filter(), f"{q} is not an address: {error.reason}"
    elif q and ID.fullmatch(q.lower()):
        batch = q.lower()
    elif q:
        reference = q
    if batch and not ID.fullmatch(batch.lower()):
        return Filter(), f"{batch} is not the id of a batch."
    status = asked.get("status")
    try:
        after, before = _day(asked.get("from")), _day(asked.get("to"))
    except ValueError:
        return Filter(), "A date is written as 2026-01-31."
    return (
        Filter(
            status=next((one for one in STATUSES if one == status), None),
            template=asked.get("template"),
            recipient=recipient,
            reference=reference,
            batch=batch.lower() if batch else None,
            tag=asked.get("tag"),
            created_after=after - timedelta(microseconds=1) if after and after.date() > date.min else None,
            created_before=before + timedelta(days=1) if before and before.date() < date.max else None,
        ),
        None,
    )


def _day(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else None
