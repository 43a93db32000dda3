"""Events and the tellings of them, in one transaction: what happened is told, and nothing else is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, select

from notifier.domain.notification import uuid7
from notifier.domain.webhook import Secret, Webhook
from notifier.store.dialect import among
from notifier.store.engine import Tx
from notifier.store.rows import Row
from notifier.store.tables import event, notification, webhook, webhook_delivery

_ACTIVE = select(webhook).where(webhook.c.disabled_at.is_(None))
_TEMPLATES = select(notification.c.id, notification.c.template).where(among(notification.c.id, "ids"))
_INSERT = insert(event)
_INSERT_NUMBERED = insert(event).returning(event.c.seq, sort_by_parameter_order=True)


def add_events(tx: Tx, rows: Sequence[Row]) -> None:
    """Adds rows to timelines, and one to the queue of each webhook that wants it."""
    projects = {row["project"] for row in rows}
    hooks = [hook_of(row) for row in tx.connection.execute(_ACTIVE).mappings() if row["project"] in projects]
    if not hooks:
        tx.connection.execute(_INSERT, rows)
        return
    numbers = tx.connection.execute(_INSERT_NUMBERED, rows).scalars().all()
    templates: dict[str, str | None] = {}
    if any(hook.templates for hook in hooks):
        ids = {row["notification"] for row in rows}
        templates = {row.id: row.template for row in tx.connection.execute(_TEMPLATES, {"ids": ids})}
    waiting = [
        webhook_delivery_row(hook.id, number, tx.now)
        for number, row in zip(numbers, rows, strict=True)
        for hook in hooks
        if hook.project == row["project"] and hook.wants(row["type"], templates.get(row["notification"]))
    ]
    if waiting:
        tx.connection.execute(insert(webhook_delivery), waiting)
        tx.wake_couriers()


def webhook_delivery_row(hook: str, number: int, now: datetime) -> Row:
    return {
        "id": uuid7(),
        "webhook": hook,
        "event": number,
        "state": "queued",
        "due_at": now,
        "owner": None,
        "lease_until": None,
        "lease_no": 0,
        "attempts": 0,
        "answer_status": None,
        "answer": None,
        "created_at": now,
    }


def hook_of(row: RowMapping) -> Webhook:
    return Webhook(
        id=row["id"],
        project=row["project"],
        url=row["url"],
        types=tuple(row["types"]),
        templates=tuple(row["templates"]),
        secrets=tuple(Secret(text, datetime.fromisoformat(until) if until else None) for text, until in row["secrets"]),
        created_at=row["created_at"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
    )


def secrets_json(secrets: Sequence[Secret]) -> list[list[Any]]:
    return [[secret.text, secret.until.isoformat() if secret.until else None] for secret in secrets]


ONE = select(webhook).where(webhook.c.id == bindparam("id"))
