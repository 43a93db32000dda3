"""Domain to JSON. Times are RFC 3339 in UTC, to the microsecond."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from notifier.domain.key import Key
from notifier.domain.lifecycle import OPEN, settled
from notifier.domain.listing import Cursor, Pause
from notifier.domain.notification import Address, Event, Notification, Record
from notifier.domain.times import rfc3339
from notifier.web.services import Rendering


class Json(Response):
    """JSON, written by pydantic-core: plain data in, a few microseconds."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)


def instant(value: datetime | None) -> str | None:
    """``2026-01-31T09:00:00.123456Z``, or null."""
    return None if value is None else rfc3339(value)


def url_of(id_: str) -> str:
    return f"/v1/notifications/{id_}"


def fresh_record(one: Notification, now: datetime) -> Record:
    """Where a notification stands in the moment it was accepted: nobody need read it back."""
    statuses = [r.status for r in one.recipients]
    if not any(status in OPEN for status in statuses):
        return Record(one, settled(statuses), final=True, attempts=0)
    scheduled = one.send_at is not None and one.send_at > now
    due_at = one.send_at if scheduled else one.created_at
    return Record(one, "scheduled" if scheduled else "queued", final=False, attempts=0, next_attempt_at=due_at)


def notification_json(record: Record) -> dict[str, Any]:
    """The answer of DESIGN's section 4."""
    one = record.notification
    created_at = instant(one.created_at)
    due_at = created_at if record.next_attempt_at is one.created_at else instant(record.next_attempt_at)
    template = None
    if one.template is not None:
        template = {"name": one.template, "version": one.version, "locale": one.words or one.locale}
    return {
        "object": "notification",
        "id": one.id,
        "status": record.status,
        "template": template,
        "recipients": [
            {"email": r.email, "name": r.name, "kind": r.kind, "status": r.status.value, "reply": r.reply}
            for r in one.recipients
        ],
        "reference": one.reference,
        "tags": list(one.tags),
        "metadata": dict(one.metadata),
        "mode": one.mode,
        "priority": one.priority,
        "created_at": created_at,
        "send_at": instant(one.send_at),
        "expires_at": instant(one.expires_at),
        "attempts": record.attempts,
        "final": record.final,
        "error": record.error,
        "waits_for": record.waits_for,
        "batch": one.batch,
        "resend_of": one.resend_of,
        "message_id": one.message_id,
        "next_attempt_at": due_at,
        "url": url_of(one.id),
    }


def event_json(one: Event) -> dict[str, Any]:
    return {
        "object": "event",
        "id": cursor_text(Cursor(one.tx, one.seq)),
        "type": one.type,
        "at": instant(one.at),
        "notification": one.notification,
        "recipient": one.recipient,
        "detail": dict(one.detail),
    }


def cursor_text(cursor: Cursor) -> str:
    """A place in the feed, which callers keep and give back as it is."""
    return f"{cursor.tx}-{cursor.seq}"


def content_json(rendered: Rendering) -> dict[str, Any]:
    return {"subject": rendered.subject, "text": rendered.text, "html": rendered.html}


def message_json(one: Notification, rendered: Rendering) -> dict[str, Any]:
    """The mail as its readers see it: nobody in bcc is in it."""
    return {
        "object": "message",
        "id": one.id,
        "message_id": one.message_id,
        "date": instant(one.created_at),
        "from": _address_json(one.sender),
        "to": [_address_json(Address(r.email, r.name)) for r in one.recipients if r.kind == "to"],
        "cc": [_address_json(Address(r.email, r.name)) for r in one.recipients if r.kind == "cc"],
        "reply_to": [_address_json(address) for address in one.reply_to],
        **content_json(rendered),
        "headers": dict(one.headers),
        "attachments": [
            {"filename": ref.filename, "content_type": ref.content_type, "content_id": ref.content_id}
            for ref in one.attachments
        ],
    }


def _address_json(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name}


def pause_json(one: Pause) -> dict[str, Any]:
    return {"object": "pause", "scope": one.scope, "reason": one.reason, "created_at": instant(one.created_at)}


def key_json(key: Key) -> dict[str, Any]:
    """A key without what opens anything."""
    return {
        "object": "key",
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "mode": key.mode,
        "scopes": sorted(key.scopes),
        "rate_limit": key.rate_limit,
        "from_domains": list(key.from_domains),
        "created_at": instant(key.created_at),
        "expires_at": instant(key.expires_at),
        "revoked_at": instant(key.revoked_at),
    }


def list_json(data: Sequence[Any], *, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": has_more}
