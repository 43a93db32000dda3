"""A notification's events as steps that a person reads: what happened, in the server's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from notifier.domain.notification import Event, Record

Tone = Literal["neutral", "good", "wait", "bad"]

_TITLES: Final[Mapping[str, tuple[str, Tone]]] = {
    "email.queued": ("Queued", "neutral"),
    "email.scheduled": ("Scheduled", "neutral"),
    "email.attempted": ("Tried", "neutral"),
    "email.deferred": ("Deferred", "wait"),
    "email.sent": ("Sent", "good"),
    "email.unknown": ("No reply after the final dot", "wait"),
    "email.failed": ("Failed", "bad"),
    "email.held": ("Held", "wait"),
    "email.bounced": ("Bounced", "bad"),
    "email.complained": ("Complained", "bad"),
    "email.delivered": ("Delivered", "good"),
    "email.suppressed": ("Suppressed", "bad"),
    "email.canceled": ("Canceled", "neutral"),
    "email.expired": ("Expired", "bad"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """`gap` is the time since the step before; `said` the reply as it came; `why` a sentence about what follows."""

    title: str
    tone: Tone
    at: datetime
    gap: timedelta | None
    recipient: str | None
    said: str
    why: str


def steps(events: Sequence[Event], record: Record, now: datetime) -> list[Step]:
    """Oldest first. An attempt's own row is left out where its recipients' rows tell the same."""
    told: list[Step] = []
    before: datetime | None = None
    for place, one in enumerate(events):
        if one.type == "email.attempted" and _is_told(one, events[place + 1 :]):
            continue
        told.append(_step(one, before))
        before = one.at
    if record.next_attempt_at is not None and record.waits_for is None and record.next_attempt_at > now:
        title = "Will be sent" if record.status == "scheduled" else "Will be tried again"
        told.append(Step(title, "wait", record.next_attempt_at, record.next_attempt_at - now, None, "", ""))
    if record.waits_for is not None:
        told.append(Step("Stopped", "wait", now, None, None, "", f"by the pause {record.waits_for}"))
    return told


def _is_told(attempted: Event, following: Sequence[Event]) -> bool:
    number = attempted.detail.get("attempt")
    return any(one.detail.get("attempt") == number and one.type != "email.attempted" for one in following)


def _step(one: Event, before: datetime | None) -> Step:
    title, tone = _TITLES.get(one.type, (one.type.removeprefix("email.").capitalize(), "neutral"))
    detail = one.detail
    if "attempt" in detail:
        title = f"Try {detail['attempt']}: {title[0].lower()}{title[1:]}"
    gap = one.at - before if before is not None else None
    return Step(title, tone, one.at, gap, one.recipient, _said(detail), _why(one.at, detail))


def _said(detail: Mapping[str, Any]) -> str:
    return " ".join(str(detail[name]) for name in ("code", "enhanced", "text") if detail.get(name))


def _why(at: datetime, detail: Mapping[str, Any]) -> str:
    words = [f"at {str(detail['stage']).upper()}" if detail.get("stage") not in (None, "dot") else ""]
    if detail.get("next_attempt_at"):
        wait = datetime.fromisoformat(detail["next_attempt_at"]) - at
        asked = "; the server asked for it" if "the server asked" in str(detail.get("reason")) else ""
        words.append(f"waits {round(max(0.0, wait.total_seconds())):,} s{asked}")
    elif detail.get("reason") and str(detail["reason"]) != _said(detail):
        words.append(str(detail["reason"]))
    if detail.get("relay"):
        words.append(f"via {detail['relay']}")
    return ", ".join(word for word in words if word)
