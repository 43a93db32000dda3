"""The shapes of requests, compiled once. Strict: no coercion, no unknown fields.

Addresses are read by `wire/addresses.py`, whose faults name the caller's own path; here they are only described.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from notifier.mail.words import objection

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_HASH = re.compile("[0-9a-f]{64}")
_LARGEST_NUMBER = 2**31 - 1
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})
"""Files and folders beside the zones: what this machine is set to, which another one is not, or seconds that nobody
else counts."""


def _instant(value: Any) -> datetime | None:
    """RFC 3339 with any offset, in UTC."""
    if value is None:
        return None
    if not isinstance(value, str) or not (found := _RFC3339.fullmatch(value)):
        raise PydanticCustomError("time", "must be an RFC 3339 time such as 2030-01-31T09:00:00+01:00")
    if not found[3]:
        raise PydanticCustomError("offset", "has no UTC offset, so nobody knows when it is; add Z or +01:00")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time", "is not a time that exists") from None


Instant = Annotated[
    datetime | None,
    BeforeValidator(_instant),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]


def _line(value: str) -> str:
    if complaint := objection(value):
        raise PydanticCustomError("characters", "{complaint}", {"complaint": complaint})
    return value


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    if name.partition("/")[0] in _NO_PLACES:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _zone(value: str) -> str:
    if not _is_zone(value):
        raise PydanticCustomError("unknown", "is not a time zone of the IANA database, such as Europe/Paris")
    return value


def _version(value: Any) -> int | str | None:
    if value is None or (type(value) is int and 1 <= value <= _LARGEST_NUMBER):
        return value
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value
    raise PydanticCustomError("type", "must be a version's number or its content hash (SHA-256, hex)")


LiteralText = Annotated[str, StringConstraints(max_length=1_000_000)]
"""As much as a template's part may come to."""
Version = Annotated[
    int | str | None,
    BeforeValidator(_version),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _LARGEST_NUMBER},
                {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                {"type": "null"},
            ]
        }
    ),
]
Line = Annotated[str, AfterValidator(_line)]
TemplateName = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_line)]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8})*$")]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_line)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_line)]
IdempotencyKeyText = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MetadataName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=1024)]

Domain = Annotated[
    str,
    StringConstraints(
        max_length=253, to_lower=True, pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*$"
    ),
]
StatusName = Literal[
    "scheduled", "sending", "queued", "deferred", "partial", "sent", "failed", "held", "suppressed", "canceled",
    "expired", "delivered", "bounced", "complained",
]  # fmt: skip
EventType = Literal[
    "email.queued", "email.scheduled", "email.attempted", "email.deferred", "email.sent", "email.unknown",
    "email.failed", "email.held", "email.bounced", "email.complained", "email.delivered", "email.suppressed",
    "email.canceled", "email.expired", "email.unsubscribed", "email.feedback",
]  # fmt: skip

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)

_ADDRESS_OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"email": {"type": "string"}, "name": {"type": "string", "maxLength": 256}},
    "required": ["email"],
    "additionalProperties": False,
}
_ADDRESS: dict[str, Any] = {"anyOf": [{"type": "string"}, _ADDRESS_OBJECT]}
_ADDRESSES: dict[str, Any] = {"anyOf": [*_ADDRESS["anyOf"], {"type": "array", "items": _ADDRESS, "maxItems": 50}]}
_NULL: dict[str, Any] = {"type": "null"}

To = Annotated[Any, WithJsonSchema(_ADDRESSES)]
Others = Annotated[Any, WithJsonSchema({"anyOf": [*_ADDRESSES["anyOf"], _NULL]})]
One = Annotated[Any, WithJsonSchema({"anyOf": [*_ADDRESS["anyOf"], _NULL]})]


Id = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class ContentBody(BaseModel):
    """Literal text in place of a template."""

    model_config = _STRICT
    subject: Line
    text: LiteralText | None = None
    html: LiteralText | None = None


class AttachmentBody(BaseModel):
    """A file; `content` is base64. With a `content_id` it is inline, shown by ``cid:`` in the HTML."""

    model_config = _STRICT
    filename: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    content_type: Annotated[str, StringConstraints(min_length=3, max_length=255)] = "application/octet-stream"
    content: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    content_id: str | None = None


class Fields(BaseModel):
    """What a notification and a batch's defaults have in common: everything, and all of it may be left out."""

    model_config = _STRICT
    template: TemplateName | None = None
    version: Version = None
    content: ContentBody | None = None
    to: To = None
    cc: Others = None
    bcc: Others = None
    reply_to: Others = None
    from_: One = Field(None, alias="from")
    locale: Locale | None = None
    timezone: Zone | None = None
    data: dict[str, Any] | None = None
    send_at: Instant = None
    expires_at: Instant = None
    priority: Literal["high", "normal", "low"] | None = None
    on_unknown: Literal["retry", "hold"] | None = None
    reference: Reference | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    metadata: Annotated[dict[MetadataName, MetadataValue], Field(max_length=50)] | None = None
    headers: Annotated[dict[str, str], Field(max_length=50)] | None = None
    attachments: Annotated[list[AttachmentBody], Field(max_length=20)] | None = None
    idempotency_key: IdempotencyKeyText | None = None


class BatchBody(BaseModel):
    """Up to a thousand notifications; `defaults` stands under each of them."""

    model_config = _STRICT
    defaults: dict[str, Any] | None = None
    notifications: list[Any] = Field(default_factory=list)


class ResendBody(BaseModel):
    """Whom the notification should have gone to."""

    model_config = _STRICT
    to: To


class PauseBody(BaseModel):
    """Why something is stopped, for those who wonder."""

    model_config = _STRICT
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None


class KeyBody(BaseModel):
    """A key to be made. Without `rate_limit` (requests a minute) there is none, without `from_domains` any will do."""

    model_config = _STRICT
    name: Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_line)]
    mode: Literal["live", "team", "test"] = "live"
    scopes: Annotated[list[Literal["send", "send:content", "read", "templates", "admin"]], Field(min_length=1)] = [
        "send",
        "read",
    ]
    rate_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    from_domains: Annotated[list[Domain], Field(max_length=100)] = []
    expires_at: Instant = None


class ListQuery(BaseModel):
    """Filters of a list: all that are given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    status: StatusName | None = None
    template: TemplateName | None = None
    recipient: Annotated[str, StringConstraints(max_length=320)] | None = None
    reference: Reference | None = None
    batch: Id | None = None
    tag: Tag | None = None
    created_after: Instant = None
    created_before: Instant = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Id | None = None
    before: Id | None = None


class FeedQuery(BaseModel):
    """A piece of the feed: behind `after`, of these types (all of them)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    after: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")] | None = None
    type: Annotated[list[EventType], Field(max_length=20)] = []
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class GetQuery(BaseModel):
    """`wait`: answer when nothing more will happen, or after so many seconds. `include`: what else to tell."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
    include: Literal["content"] | None = None


class BatchQuery(BaseModel):
    """`strict` takes all or nothing; `permissive` takes what is good."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    validation: Literal["strict", "permissive"] = "strict"
