"""A database with a million notifications of the last thirty days, filled by the database itself.

Every fifth address gets five mails, one gets every twentieth; 2 % failed, 20,000 are open: deferred, scheduled, and due
but stopped, so that nothing is sent. SQLite and PostgreSQL get the same rows, but for how each writes an id and a time.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

DAYS: Final = 30
OPEN: Final = 20_000
TEMPLATES: Final = ("order", "receipt", "rare")
WEBHOOK: Final = "01990000-0000-7000-8000-00000000abcd"

_SQLITE: Final[Mapping[str, str]] = {
    "series": "(WITH RECURSIVE s (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s WHERE i < {last})"
    " SELECT i FROM s)",
    "id": "printf('%012x70008%015x', {start} + i * {step}, {i})",
    "at": "(({start} + i * {step}) * 1000)",
    "tomorrow": "{tomorrow} * 1000",
    "webhook": "'" + WEBHOOK.replace("-", "") + "'",
    "false": "0",
    "json": "",
}
_POSTGRES: Final[Mapping[str, str]] = {
    "series": "generate_series({first}::bigint, {last}::bigint) AS series (i)",
    "id": "(lpad(to_hex({start} + i * {step}), 12, '0') || '70008' || lpad(to_hex({i}), 15, '0'))::uuid",
    "at": "to_timestamp(({start} + i * {step}) / 1000.0)",
    "tomorrow": "to_timestamp({tomorrow} / 1000.0)",
    "webhook": f"'{WEBHOOK}'::uuid",
    "false": "false",
    "json": "::json",
}
_TEMPLATE: Final = "CASE WHEN i % 10000 = 7 THEN 'rare' WHEN i % 3 = 0 THEN 'receipt' ELSE 'order' END"
_EMAIL: Final = "CASE WHEN i % 20 = 0 THEN 'support@example.com' ELSE 'reader-' || i % 200000 || '@example.com' END"
_STATUS: Final = "CASE WHEN i % 50 = 0 THEN 'failed' WHEN i % 1000 = 1 THEN 'bounced' ELSE 'sent' END"
_REPLY: Final = "CASE WHEN i % 50 = 0 THEN '550 5.1.1 No such user' ELSE '250 2.0.0 Ok: queued' END"
_DETAIL: Final = json.dumps({"attempt": 1, "code": 250, "enhanced": "2.0.0", "text": "Ok", "relay": "mx:25"})

_INSERTS: Final = (
    "INSERT INTO notification (id, project, key, mode, template, version, locale, data, sender, message_id, reference,"
    " batch, tags, priority, on_unknown, send_at, created_at) SELECT [id], 'default', 'k', 'live', {template}, 1, 'en',"
    """ '{{"order": "A-1001"}}', '["shop@example.com", "Shop"]', '<' || i || '@example.com>',"""
    " CASE WHEN i % 3 = 0 THEN 'order-' || i END, CASE WHEN i % 50000 < 1000 THEN [batch] END,"
    """ (CASE WHEN i % 10000 = 7 THEN '["rare"]' WHEN i % 5 = 0 THEN '["orders"]' END)[json], 'normal', 'retry',"""
    " CASE WHEN i >= {open} AND i % 3 = 1 THEN [tomorrow] END, [at]"
    " FROM [series]",
    "INSERT INTO recipient (notification, n, kind, email, name, status, reply, address_key)"
    " SELECT [id], 0, 'to', {email}, '', CASE WHEN i < {open} THEN {status} ELSE 'queued' END,"
    " CASE WHEN i < {open} THEN {reply} END, {email} FROM [series]",
    "INSERT INTO tag (project, tag, notification) SELECT 'default', CASE WHEN i % 10000 = 7 THEN 'rare' ELSE 'orders'"
    " END, [id] FROM [series] WHERE i % 10000 = 7 OR i % 5 = 0",
    "INSERT INTO ended (id, project, status, attempts, lease_no, at) SELECT [id], 'default', {status}, 1, 1, [at]"
    " FROM [series] WHERE i < {open}",
    "INSERT INTO delivery (id, project, priority, state, due_at, on_unknown, lease_no, attempts, crashes, transmitting)"
    " SELECT [id], 'default', 1, 'queued', CASE WHEN i % 3 = 2 THEN [at] ELSE [tomorrow] END, 'retry', 0,"
    " CASE WHEN i % 3 = 0 THEN 1 ELSE 0 END, 0, [false] FROM [series] WHERE i >= {open}",
    "INSERT INTO event (notification, project, type, at, recipient, detail)"
    " SELECT [id], 'default', 'email.queued', [at], NULL, '{{}}' FROM [series]",
    "INSERT INTO event (notification, project, type, at, recipient, detail)"
    " SELECT [id], 'default', 'email.attempted', [at], NULL, '{detail}' FROM [series] WHERE i < {open}",
    "INSERT INTO event (notification, project, type, at, recipient, detail)"
    " SELECT [id], 'default', 'email.' || {status}, [at], {email}, '{detail}' FROM [series] WHERE i < {open}",
    "INSERT INTO suppression (address_key, scope, email, reason, source, created_at) SELECT 'gone-' || i ||"
    " '@example.org', 'all', 'gone-' || i || '@example.org', 'bounced', '550 5.1.1 No such user', [at] FROM [series]"
    " WHERE i % 10 = 0",
    "INSERT INTO audit (id, at, actor, action, subject, detail) SELECT [id], [at], 'mei', 'notification.retry',"
    " 'order-' || i, '{{}}' FROM [series] WHERE i % 10 = 0",
    "INSERT INTO webhook_delivery (id, webhook, event, state, due_at, lease_no, attempts, answer_status, answer,"
    " created_at) SELECT [id], [webhook], i + 1, 'done', [at], 1, 1, 200, 'thanks', [at] FROM [series] WHERE i % 5 = 0",
)
_HOOK: Final = (
    "INSERT INTO webhook (id, project, url, types, templates, secrets, created_at) SELECT [webhook], 'default',"
    """ 'https://example.com/hook', '[]', '[]', '[["whsec_AAAA", null]]', [at] FROM [series]"""
)
_PAUSE: Final = "INSERT INTO pause (project, scope, created_at) SELECT 'default', 'all', [at] FROM [series]"


def _statements(words: Mapping[str, str], rows: int, piece: int) -> Iterator[str]:
    """Piece by piece, so that ids and times ascend as they would have."""
    start = int((datetime.now(UTC) - timedelta(days=DAYS)).timestamp() * 1000)
    known = {
        "start": start,
        "step": DAYS * 86_400_000 // rows,
        "tomorrow": int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000),
        "open": rows - OPEN,
        "template": _TEMPLATE,
        "email": _EMAIL,
        "status": _STATUS,
        "reply": _REPLY,
        "detail": _DETAIL,
    }

    def written(statement: str, first: int, last: int) -> str:
        words_here = {**words, "batch": words["id"].replace("{i}", "i / 50000").replace("+ i *", "+ 0 *")}
        for word, said in words_here.items():
            statement = statement.replace(f"[{word}]", said)
        return statement.format(**known, first=first, last=last, i="i")

    yield written(_HOOK, 0, 0)
    yield written(_PAUSE, 0, 0)
    for first in range(0, rows, piece):
        for statement in _INSERTS:
            yield written(statement, first, min(rows, first + piece) - 1)


def fill_sqlite(path: Path, rows: int, piece: int = 50_000) -> float:
    """Fills a migrated file; answers the seconds that it took."""
    began = time.monotonic()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    for statement in _statements(_SQLITE, rows, piece):
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return time.monotonic() - began


async def fill_postgres(url: str, rows: int, piece: int = 50_000) -> float:
    """Fills a migrated database; answers the seconds that it took."""
    began = time.monotonic()
    connection: Any = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    for statement in _statements(_POSTGRES, rows, piece):
        await connection.execute(statement, timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    await connection.close()
    return time.monotonic() - began
