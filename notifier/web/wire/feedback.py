"""The shapes of what /v1/webhooks and /v1/feedback answer, for the description of the API alone."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from notifier.web.wire.models import EventType
from notifier.web.wire.schemas import EventSchema, Time, Uuid


class WebhookSchema(BaseModel):
    """An endpoint. No `types` are all types, no `templates` all mail. It took nothing since `failing_since`."""

    object: Literal["webhook"]
    id: Uuid
    url: str
    types: list[EventType]
    templates: list[str]
    enabled: bool
    disabled_at: Time | None
    disabled_reason: str | None
    failing_since: Time | None
    created_at: Time


class WebhookListSchema(BaseModel):
    object: Literal["list"]
    data: list[WebhookSchema]
    has_more: bool


class NewWebhookSchema(WebhookSchema):
    """`secret` is told this once: it verifies what is sent there (Standard Webhooks)."""

    secret: str


class ChangedWebhookSchema(WebhookSchema):
    secret: str | None = Field(default=None, description="Where a new one was asked for, this once.")


class WebhookTestSchema(BaseModel):
    """What the endpoint answered; without a status it could not be asked, and `answer` says why."""

    object: Literal["webhook_test"]
    delivered: bool
    answer_status: int | None
    answer: str


class WebhookDeliverySchema(BaseModel):
    """An event on its way to an endpoint. `answer` begins with what was answered last."""

    object: Literal["webhook_delivery"]
    id: Uuid
    webhook: Uuid
    event: EventSchema
    state: Literal["queued", "claimed", "done", "failed"]
    attempts: int
    created_at: Time
    next_attempt_at: Time | None
    answer_status: int | None
    answer: str | None


class WebhookDeliveryListSchema(BaseModel):
    object: Literal["list"]
    data: list[WebhookDeliverySchema]
    has_more: bool


class RedeliverySchema(BaseModel):
    """The new entry of the log."""

    object: Literal["webhook_delivery"]
    id: Uuid
    state: Literal["queued"]


class FeedbackBody(BaseModel):
    """What the provider posts, as it documents it."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})


class FeedbackSchema(BaseModel):
    """`read`: how many reports it had; `changed`: how many of them changed a status or a suppression."""

    object: Literal["feedback"]
    read: int
    changed: int
