"""Rows to domain objects and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from notifier.domain.delivery import PRIORITIES
from notifier.domain.lifecycle import Status
from notifier.domain.notification import Address, AttachmentRef, Content, Notification, Recipient

Row = dict[str, Any]


def _pair(address: Address) -> list[str]:
    return [address.email, address.name]


def notification_row(one: Notification) -> Row:
    content = one.content
    return {
        "id": one.id,
        "project": one.project,
        "key": one.key,
        "mode": one.mode,
        "template": one.template,
        "version": one.version,
        "category": one.category,
        "locale": one.locale,
        "words": one.words,
        "timezone": one.timezone,
        "data": one.data or None,
        "content": None if content is None else [content.subject, content.text, content.html],
        "sender": _pair(one.sender),
        "reply_to": [_pair(address) for address in one.reply_to] or None,
        "headers": one.headers or None,
        "attachments": [[ref.filename, ref.content_type, ref.content_id, ref.hash] for ref in one.attachments] or None,
        "message_id": one.message_id,
        "reference": one.reference,
        "batch": one.batch,
        "tags": one.tags or None,
        "metadata": one.metadata or None,
        "priority": one.priority,
        "on_unknown": one.on_unknown,
        "send_at": one.send_at,
        "expires_at": one.expires_at,
        "resend_of": one.resend_of,
        "created_at": one.created_at,
    }


def notification_of(row: RowMapping, recipients: Sequence[Recipient]) -> Notification:
    content = row["content"]
    return Notification(
        id=row["id"],
        project=row["project"],
        created_at=row["created_at"],
        message_id=row["message_id"],
        sender=Address(*row["sender"]),
        recipients=tuple(recipients),
        key=row["key"],
        mode=row["mode"],
        template=row["template"],
        version=row["version"],
        category=row["category"],
        locale=row["locale"],
        words=row["words"],
        timezone=row["timezone"],
        data=row["data"] or {},
        content=None if content is None else Content(*content),
        reply_to=tuple(Address(*pair) for pair in row["reply_to"] or ()),
        headers=row["headers"] or {},
        attachments=tuple(AttachmentRef(*ref) for ref in row["attachments"] or ()),
        reference=row["reference"],
        batch=row["batch"],
        tags=tuple(row["tags"] or ()),
        metadata=row["metadata"] or {},
        priority=row["priority"],
        on_unknown=row["on_unknown"],
        send_at=row["send_at"],
        expires_at=row["expires_at"],
        resend_of=row["resend_of"],
    )


def delivery_row(one: Notification, now: datetime) -> Row:
    return {
        "id": one.id,
        "project": one.project,
        "priority": PRIORITIES.index(one.priority),
        "state": "queued",
        "due_at": max(one.send_at, now) if one.send_at else now,
        "expires_at": one.expires_at,
        "give_up_at": None,
        "on_unknown": one.on_unknown,
        "owner": None,
        "lease_until": None,
        "lease_no": 0,
        "attempts": 0,
        "crashes": 0,
        "transmitting": False,
        "simulated": one.simulated,
    }


def recipient_row(notification: str, one: Recipient) -> Row:
    return {
        "notification": notification,
        "n": one.n,
        "kind": one.kind,
        "email": one.email,
        "name": one.name,
        "status": one.status.value,
        "reply": one.reply,
        "address_key": one.address_key,
    }


def recipient_of(row: RowMapping) -> Recipient:
    return Recipient(
        n=row["n"],
        kind=row["kind"],
        email=row["email"],
        name=row["name"],
        status=Status(row["status"]),
        reply=row["reply"],
        address_key=row["address_key"],
    )


def event_row(
    notification: str, project: str, type_: str, at: datetime, recipient: str | None, detail: Mapping[str, Any]
) -> Row:
    return {
        "notification": notification,
        "project": project,
        "type": type_,
        "at": at,
        "recipient": recipient,
        "detail": detail,
    }


def ended_row(id_: str, project: str, status: str, attempts: int, lease_no: int, at: datetime) -> Row:
    return {"id": id_, "project": project, "status": status, "attempts": attempts, "lease_no": lease_no, "at": at}
