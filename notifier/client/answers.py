"""What the service answers, as frozen data. Fields that a newer service adds are in `raw`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from notifier.client.errors import Refused, error_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where one reader's mail stands; `reply` is what the relay said last."""

    email: str
    kind: str
    status: str
    name: str = ""
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """The template that a notification is rendered from; `locale` is the one it had words for."""

    name: str
    version: int | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Where a notification stands. Times have an offset (UTC). `replayed` says that an earlier call with the same
    idempotency key made it."""

    id: str
    status: str
    final: bool
    recipients: tuple[Recipient, ...]
    created_at: datetime
    attempts: int = 0
    template: Template | None = None
    reference: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    send_at: datetime | None = None
    expires_at: datetime | None = None
    next_attempt_at: datetime | None = None
    error: str | None = None
    batch: str | None = None
    message_id: str | None = None
    replayed: bool = False
    raw: Json = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, body: Json, *, replayed: bool = False) -> Self:
        template = body.get("template")
        return cls(
            id=body["id"],
            status=body["status"],
            final=body["final"],
            recipients=tuple(
                Recipient(one["email"], one["kind"], one["status"], one.get("name") or "", one.get("reply"))
                for one in body["recipients"]
            ),
            created_at=datetime.fromisoformat(body["created_at"]),
            attempts=body.get("attempts", 0),
            template=Template(template["name"], template.get("version"), template.get("locale")) if template else None,
            reference=body.get("reference"),
            tags=tuple(body.get("tags") or ()),
            metadata=body.get("metadata") or {},
            send_at=_instant(body.get("send_at")),
            expires_at=_instant(body.get("expires_at")),
            next_attempt_at=_instant(body.get("next_attempt_at")),
            error=body.get("error"),
            batch=body.get("batch"),
            message_id=body.get("message_id"),
            replayed=replayed,
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What came of one item of `send_batch`: a notification, or why it was refused. `index` counts from 0 over all
    items that were given."""

    index: int
    notification: Notification | None = None
    refusal: Refused | None = None

    @classmethod
    def read(cls, index: int, body: Json, *, replayed: bool) -> Self:
        if "problem" in body:
            refusal = error_of(int(body["status"]), body["problem"])
            return cls(index, refusal=refusal if isinstance(refusal, Refused) else None)
        return cls(index, Notification.read(body["notification"], replayed=replayed))


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a batch stands: notifications by status."""

    id: str
    total: int
    refused: int
    counts: Mapping[str, int]
    final: bool

    @classmethod
    def read(cls, body: Json) -> Self:
        return cls(body["id"], body["total"], body.get("refused", 0), body["counts"], body["final"])


@dataclass(frozen=True, slots=True)
class Event:
    """A row of a timeline or of the feed. `id` is a place in the feed: go on from there with ``feed(after=id)``."""

    id: str
    type: str
    at: datetime
    notification: str
    recipient: str | None
    detail: Json

    @classmethod
    def read(cls, body: Json) -> Self:
        at = datetime.fromisoformat(body["at"])
        where = body.get("recipient")
        return cls(str(body.get("id", "")), body["type"], at, body["notification"], where, body.get("detail") or {})


@dataclass(frozen=True, slots=True)
class Preview:
    """A template rendered, and what its author should know."""

    subject: str
    text: str | None
    html: str | None
    warnings: tuple[Any, ...] = ()

    @classmethod
    def read(cls, body: Json) -> Self:
        return cls(body["subject"], body.get("text"), body.get("html"), tuple(body.get("warnings") or ()))


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. `secret` is what opens it, told once: when it is made."""

    id: str
    name: str
    mode: str
    prefix: str
    scopes: tuple[str, ...]
    revoked: bool
    secret: str | None = None

    @classmethod
    def read(cls, body: Json) -> Self:
        scopes: Sequence[str] = body.get("scopes") or ()
        revoked = body.get("revoked_at") is not None
        secret = body.get("secret")
        return cls(body["id"], body["name"], body["mode"], body.get("prefix", ""), tuple(scopes), revoked, secret)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
