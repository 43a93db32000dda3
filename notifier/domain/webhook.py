"""Webhooks: whom we tell of events, what is waiting to be told, and what came of it."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from notifier.domain.lifecycle import RetryPolicy
from notifier.domain.notification import Event, Notification

POLICY: Final = RetryPolicy(first=5.0, longest=6 * 3600.0, give_up_after=3 * 86400.0)
"""Doubling from five seconds to six hours, with jitter, for three days."""
DISABLED_AFTER: Final = timedelta(hours=120)
"""An endpoint that took nothing for so long is told nothing more."""
ROTATION: Final = timedelta(hours=24)
"""For how long a secret that was replaced signs beside the new one."""
LONGEST_WAIT: Final = 86400.0
"""Seconds that an endpoint may ask for by Retry-After."""
LONGEST_ANSWER: Final = 1024
"""Octets of an endpoint's answer that are kept."""

DeliveryState = Literal["queued", "claimed", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs (``whsec_`` and base64, Standard Webhooks), until when it does."""

    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint of a project. No `types` are all types, no `templates` all mail."""

    id: str
    project: str
    url: str
    types: Sequence[str]
    templates: Sequence[str]
    secrets: Sequence[Secret]
    created_at: datetime
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None

    def wants(self, type_: str, template: str | None) -> bool:
        return (not self.types or type_ in self.types) and (not self.templates or template in self.templates)


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way to one endpoint: what the log of deliveries shows. `answer` begins with what the endpoint
    said, or says why it could not be asked."""

    id: str
    webhook: str
    event: Event
    state: DeliveryState
    attempts: int
    created_at: datetime
    due_at: datetime | None
    answer_status: int | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery under a lease: to be told now, to be finished with the same `lease_no`."""

    delivery: str
    lease_no: int
    attempts: int
    created_at: datetime
    webhook: Webhook
    event: Event
    notification: Notification


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered; without a status it could not be asked. `after` is its Retry-After in seconds."""

    status: int | None
    text: str
    after: float | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == 410


@dataclass(frozen=True, slots=True)
class WebhookClaim:
    """What a claim brought, and the database's time."""

    told: Sequence[Told]
    now: datetime


@dataclass(frozen=True, slots=True)
class WebhookState:
    """How the telling goes: seconds for which the event that waits longest has been due, and how many endpoints are
    disabled."""

    lag: float = 0.0
    disabled: int = 0


@dataclass(frozen=True, slots=True)
class WebhookFinish:
    """How one telling ended; with `due_at` it is tried again then."""

    told: Told
    answer: Answer
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What is to be different about a webhook: only what is not None."""

    url: str | None = None
    types: Sequence[str] | None = None
    templates: Sequence[str] | None = None
    enabled: bool | None = None
    secret: str | None = None


Rooms = Mapping[str, int]
"""How many more tellings may be claimed, by webhook."""


def new_secret() -> str:
    """A fresh secret: 32 random octets."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
