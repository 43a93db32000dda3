"""The timeline of a notification, drawn for a terminal."""

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import TextIO

from notifier.client import Event, NotFinal, Notification, Notifier
from notifier.client.exchange import deadline

_MARKS = {
    "sent": "●", "delivered": "●", "failed": "✗", "bounced": "✗", "complained": "✗", "expired": "✗", "suppressed": "✗",
    "canceled": "✗", "held": "‖", "unknown": "?", "deferred": "↻",
}  # fmt: skip
_LOOK = 1.0  # seconds that one request waits for an end; what happens in between is shown then


def draw(one: Notification, events: Iterable[Event], to: TextIO) -> None:
    """Everything at once."""
    _head(one, to)
    for event in events:
        print(_line(event), file=to)
    _foot(one, to)


def follow(client: Notifier, one: Notification, timeout: float, *, quiet: bool) -> Notification:
    """Draws events as they come until nothing more happens, and returns the end. Raises `NotFinal` after `timeout`
    seconds. With `quiet` nothing is drawn."""
    to, shown, left = sys.stdout, 0, deadline(timeout)
    if not quiet:
        _head(one, to)
    while True:
        one = client.get(one.id, wait=max(0.0, min(_LOOK, left())))
        if not quiet:
            events = client.events(one.id)
            for event in events[shown:]:
                print(_line(event), file=to, flush=True)
            shown = len(events)
        if one.final:
            if not quiet:
                _foot(one, to)
            return one
        if left() <= 0:
            raise NotFinal(one, timeout)


def _head(one: Notification, to: TextIO) -> None:
    template = f"{one.template.name} v{one.template.version}" if one.template else "literal content"
    print(f"{one.id}  {template}  to {', '.join(r.email for r in one.recipients)}", file=to, flush=True)


def _foot(one: Notification, to: TextIO) -> None:
    next_one = f", next attempt {_clock(one.next_attempt_at)}" if one.next_attempt_at and not one.final else ""
    attempts = f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"
    print(f"{one.status}  after {attempts}{next_one}", file=to, flush=True)


def _line(event: Event) -> str:
    word = event.type.removeprefix("email.")
    told = event.detail
    reply = " ".join(str(told[name]) for name in ("code", "enhanced", "text") if told.get(name))
    why = reply or str(told.get("reason") or "")
    if word == "attempted":
        why = f"no. {told.get('attempt')} through {told.get('relay')}"
    if again := told.get("next_attempt_at"):
        why = f"{why}; again {_clock(datetime.fromisoformat(again))}"
    return "  ".join(part for part in (f"  {_MARKS.get(word, '○')} {_clock(event.at)}", f"{word:<10}",
                                       event.recipient or "", why) if part).rstrip()  # fmt: skip


def _clock(at: datetime) -> str:
    """The local time; the day too, where it is not today."""
    local = at.astimezone()
    day = "" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d} "
    return f"{day}{local:%H:%M:%S}"
