"""Which message is meant: by envelope, subject, headers and time."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from notifier.capture.message import Captured, Pattern


@dataclass(frozen=True, slots=True)
class Filter:
    """What a message must be to match; what is None or empty asks nothing.

    `to` is an address of the envelope or of To and Cc (no matter the case), `subject` a regular expression to be found
    in it, `headers` maps names to exact values or compiled patterns, `after` is a time or the id of a message.
    `notification`, `reference` and `template` are the headers ``X-Notifier-Id``, ``X-Notifier-Reference`` and
    ``X-Notifier-Template``; a message without the header does not match.
    """

    predicate: Callable[[Captured], bool] | None = None
    to: str | None = None
    subject: Pattern | None = None
    headers: Mapping[str, Pattern] = field(default_factory=dict)
    notification: str | None = None
    reference: str | None = None
    template: str | None = None
    after: datetime | str | None = None

    def why_not(self, message: Captured) -> str | None:
        """Why the message does not match, in a few words; None if it does. `after` an id is the store's to know."""
        if self.to is not None and self.to.lower() not in _recipients(message):
            return f"to {', '.join(message.rcpt_tos) or 'nobody'}"
        if self.subject is not None and not re.search(self.subject, message.subject):
            return f"subject {message.subject!r}"
        if isinstance(self.after, datetime) and message.received_at <= self.after:
            return f"received at {message.received_at:%H:%M:%S.%f}, not after {self.after:%H:%M:%S.%f}"
        for name, wanted in self._wanted_headers().items():
            value = message.header(name)
            if value is None:
                return f"no header {name}"
            if not (wanted.search(value) if isinstance(wanted, re.Pattern) else wanted == value):
                return f"{name}: {value}"
        if self.predicate is not None and not self.predicate(message):
            return "the predicate says no"
        return None

    def _wanted_headers(self) -> dict[str, Pattern]:
        known = {
            "X-Notifier-Id": self.notification,
            "X-Notifier-Reference": self.reference,
            "X-Notifier-Template": self.template,
        }
        return {**{name: value for name, value in known.items() if value is not None}, **self.headers}

    def __str__(self) -> str:
        asked = {
            "to": self.to,
            "subject": getattr(self.subject, "pattern", self.subject),
            "after": self.after,
            "notification": self.notification,
            "reference": self.reference,
            "template": self.template,
            **{name: getattr(value, "pattern", value) for name, value in self.headers.items()},
            "predicate": getattr(self.predicate, "__name__", self.predicate),
        }
        return ", ".join(f"{name}={value!s}" for name, value in asked.items() if value is not None) or "anything"


def _recipients(message: Captured) -> set[str]:
    return {address.lower() for address in (*message.rcpt_tos, *message.to, *message.cc)}
