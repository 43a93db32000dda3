"""The shapes of answers, for the description of the API alone: nothing is checked against them at run time."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from notifier.web.wire.models import EventType, Fields, StatusName

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
RecipientStatus = Literal[
    "queued", "deferred", "sent", "failed", "held", "suppressed", "canceled", "expired", "delivered", "bounced",
    "complained",
]  # fmt: skip


class NotificationBody(Fields):
    """What to send, and to whom. Either `template` or `content` is given."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["to"], "anyOf": [{"required": ["template"]}, {"required": ["content"]}]}
    )


class FaultSchema(BaseModel):
    """One thing that is wrong: `field` is a path in the request (`to[1]`, `data.order_id`), `code` is stable."""

    field: str
    code: str
    message: str


class ProblemSchema(BaseModel):
    """What went wrong (RFC 9457). `code` is stable; `errors` names every fault of the request."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FaultSchema]


class TemplateSchema(BaseModel):
    """What the mail was rendered from: `locale` is the one whose words it has."""

    name: str
    version: int
    locale: str | None


class RecipientSchema(BaseModel):
    email: str
    name: str
    kind: Literal["to", "cc", "bcc"]
    status: RecipientStatus
    reply: str | None = Field(description="What the relay said, or why.")


class ContentSchema(BaseModel):
    subject: str
    text: str | None
    html: str | None


class NotificationSchema(BaseModel):
    """Where a notification stands. `final`: nothing more will happen by itself."""

    object: Literal["notification"]
    id: Uuid
    status: StatusName
    template: TemplateSchema | None
    recipients: list[RecipientSchema]
    reference: str | None
    tags: list[str]
    metadata: dict[str, str]
    mode: Literal["live", "team", "test"]
    priority: Literal["high", "normal", "low"]
    created_at: Time
    send_at: Time | None
    expires_at: Time | None
    attempts: int
    final: bool
    error: str | None
    waits_for: str | None = Field(description="The pause that holds it.")
    batch: Uuid | None
    resend_of: Uuid | None
    message_id: str
    next_attempt_at: Time | None
    url: str
    content: ContentSchema | None = Field(default=None, description="With `?include=content`.")


class NotificationListSchema(BaseModel):
    object: Literal["list"]
    data: list[NotificationSchema]
    has_more: bool


class EventSchema(BaseModel):
    """A row of a timeline. `id` is its place in the feed."""

    object: Literal["event"]
    id: str
    type: EventType
    at: Time
    notification: Uuid
    recipient: str | None
    detail: dict[str, Any]


class TimelineSchema(BaseModel):
    object: Literal["list"]
    data: list[EventSchema]
    has_more: bool


class FeedSchema(TimelineSchema):
    """`next` is what to give as `after` to go on."""

    next: str


class AddressSchema(BaseModel):
    email: str
    name: str


class FileSchema(BaseModel):
    filename: str
    content_type: str
    content_id: str | None


class MessageSchema(ContentSchema):
    """The mail as its readers see it."""

    object: Literal["message"]
    id: Uuid
    message_id: str
    date: Time
    from_: AddressSchema = Field(alias="from")
    to: list[AddressSchema]
    cc: list[AddressSchema]
    reply_to: list[AddressSchema]
    headers: dict[str, str]
    attachments: list[FileSchema]


class TakenItemSchema(BaseModel):
    status: Literal[202]
    notification: NotificationSchema


class RefusedItemSchema(BaseModel):
    status: Literal[422]
    problem: ProblemSchema


class TakenBatchSchema(BaseModel):
    """In the order of the request. `permissive` says of each item whether it was taken."""

    batch: Uuid
    data: list[NotificationSchema] | list[TakenItemSchema | RefusedItemSchema]


class BatchSchema(BaseModel):
    """How many stand where."""

    object: Literal["batch"]
    id: Uuid
    created_at: Time
    total: int
    refused: int
    counts: dict[StatusName, int]
    final: bool
    url: str


class PauseSchema(BaseModel):
    object: Literal["pause"]
    scope: str
    reason: str | None
    created_at: Time


class PauseListSchema(BaseModel):
    object: Literal["list"]
    data: list[PauseSchema]
    has_more: bool


class KeySchema(BaseModel):
    object: Literal["key"]
    id: Uuid
    name: str
    prefix: str
    mode: Literal["live", "team", "test"]
    scopes: list[Literal["send", "send:content", "read", "templates", "admin"]]
    rate_limit: int | None
    from_domains: list[str]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None


class NewKeySchema(KeySchema):
    """`secret` is told this once."""

    secret: str


class KeyListSchema(BaseModel):
    object: Literal["list"]
    data: list[KeySchema]
    has_more: bool


class LiveSchema(BaseModel):
    status: Literal["ok"]


class ReadySchema(BaseModel):
    status: Literal["ok"]
    database: str
    schema_: str = Field(alias="schema")
    relay: dict[str, Any]
