"""The bodies and answers of /v1/webhooks."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from notifier.domain.webhook import Answer, Webhook, WebhookDelivery
from notifier.web.wire.answers import event_json, instant
from notifier.web.wire.models import EventType, Id

Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Types = Annotated[list[EventType], Field(max_length=50)]
Templates = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=128)]], Field(max_length=100)]

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)


class WebhookBody(BaseModel):
    """An endpoint. No `types` are all types of events, no `templates` all mail."""

    model_config = _STRICT
    url: Url
    types: Types = []
    templates: Templates = []


class WebhookPatch(BaseModel):
    """What is to be different. `rotate_secret` makes a new secret; the one before signs beside it for a day."""

    model_config = _STRICT
    url: Url | None = None
    types: Types | None = None
    templates: Templates | None = None
    enabled: bool | None = None
    rotate_secret: bool = False


class DeliveriesQuery(BaseModel):
    """The log, newest first; `after` takes an id."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    state: Annotated[str, StringConstraints(pattern="^(queued|claimed|done|failed)$")] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Id | None = None


def webhook_json(one: Webhook) -> dict[str, Any]:
    """An endpoint, without what signs."""
    return {
        "object": "webhook",
        "id": one.id,
        "url": one.url,
        "types": list(one.types),
        "templates": list(one.templates),
        "enabled": one.disabled_at is None,
        "disabled_at": instant(one.disabled_at),
        "disabled_reason": one.disabled_reason,
        "failing_since": instant(one.failing_since),
        "created_at": instant(one.created_at),
    }


def delivery_json(one: WebhookDelivery) -> dict[str, Any]:
    return {
        "object": "webhook_delivery",
        "id": one.id,
        "webhook": one.webhook,
        "event": event_json(one.event),
        "state": one.state,
        "attempts": one.attempts,
        "created_at": instant(one.created_at),
        "next_attempt_at": instant(one.due_at),
        "answer_status": one.answer_status,
        "answer": one.answer,
    }


def answer_json(one: Answer) -> dict[str, Any]:
    return {"object": "webhook_test", "delivered": one.taken, "answer_status": one.status, "answer": one.text}
