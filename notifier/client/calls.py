"""The calls of the API: how each is asked and how its answer is read. No input or output; see `exchange`."""

import base64
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypedDict
from urllib.parse import quote
from uuid import uuid4

from notifier.client.answers import Batch, BatchItem, Event, Key, Notification, Preview
from notifier.client.errors import NotFinal
from notifier.client.exchange import Request, Steps, deadline, encode, exchange, instant

LARGEST_BATCH: Final = 1000
LARGEST_BODY: Final = 8 * 1024 * 1024
"""Octets of one batch request: half of what the service takes unless it is set lower."""
LONGEST_WAIT: Final = 20.0
"""Seconds that one request waits for an end."""

_ANSWER_LATE = 10.0  # seconds beyond the wait, until an answer is given up

Addresses = str | Mapping[str, str] | Sequence[str | Mapping[str, str]]
"""``"zoe@example.com"``, ``"Zoë <zoe@example.com>"``, ``{"email": ..., "name": ...}`` or a list of these."""

Progress = Callable[[int, Sequence[BatchItem]], None]
"""Called after each request of a batch with the number of items that are done, and what came of the last ones."""


class Content(TypedDict, total=False):
    """Literal text in place of a template."""

    subject: str
    text: str | None
    html: str | None


class Attachment(TypedDict, total=False):
    """A file; `content` is base64. `attachment` makes one."""

    filename: str
    content_type: str
    content: str
    content_id: str | None


class Fields(TypedDict, total=False):
    """What a notification is asked with, beside its template. `from_` is the API's ``from``, a word of Python's."""

    to: Addresses
    cc: Addresses
    bcc: Addresses
    reply_to: Addresses
    from_: str | Mapping[str, str]
    data: Mapping[str, Any]
    version: int | str
    content: Content
    locale: str
    timezone: str
    send_at: datetime | str
    expires_at: datetime | str
    priority: Literal["high", "normal", "low"]
    on_unknown: Literal["retry", "hold"]
    reference: str
    tags: Sequence[str]
    metadata: Mapping[str, str]
    headers: Mapping[str, str]
    attachments: Sequence[Attachment]


class Filters(TypedDict, total=False):
    """Which notifications; all that is given must hold."""

    status: str
    template: str
    recipient: str
    reference: str
    batch: str
    tag: str
    created_after: datetime | str
    created_before: datetime | str


def attachment(path: str | Path, *, content_type: str | None = None, content_id: str | None = None) -> Attachment:
    """A file as an attachment; with a `content_id` it is shown inline by ``cid:``."""
    path = Path(path)
    guessed = content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content = base64.b64encode(path.read_bytes()).decode()
    return Attachment(filename=path.name, content_type=guessed, content=content, content_id=content_id)


def send(template: str | None, idempotency_key: str | None, fields: Mapping[str, Any]) -> Steps[Notification]:
    body = {**({"template": template} if template is not None else {}), **_spelled(fields)}
    response = yield from exchange(_post("/v1/notifications", body, idempotency_key or _new_key()))
    return Notification.read(response.json(), replayed="idempotent-replayed" in response.headers)


def send_batch(
    items: Iterable[Mapping[str, Any]],
    defaults: Mapping[str, Any] | None,
    idempotency_key: str | None,
    progress: Progress | None,
) -> Steps[list[BatchItem]]:
    key, done = idempotency_key or _new_key(), list[BatchItem]()
    for bodies in _portions(items):
        content = b'{"defaults":%b,"notifications":[%b]}' % (encode(_spelled(defaults or {})), b",".join(bodies))
        request = Request(
            "POST",
            "/v1/notifications/batch",
            content,
            params={"validation": "permissive"},
            headers={"idempotency-key": f"{key}-{len(done)}"},
        )
        response = yield from exchange(request)
        replayed = "idempotent-replayed" in response.headers
        latest = [
            BatchItem.read(len(done) + n, one, replayed=replayed) for n, one in enumerate(response.json()["data"])
        ]
        done += latest
        if progress is not None:
            progress(len(done), latest)
    return done


def _portions(items: Iterable[Mapping[str, Any]]) -> Iterator[list[bytes]]:
    """Items as JSON, so many at a time as one request takes."""
    portion, size = list[bytes](), 0
    for item in items:
        body = encode(_spelled(item))
        if portion and (len(portion) == LARGEST_BATCH or size + len(body) > LARGEST_BODY):
            yield portion
            portion, size = [], 0
        portion.append(body)
        size += len(body) + 1
    if portion:
        yield portion


def get(id_: str, wait: float | None = None) -> Steps[Notification]:
    params = {} if wait is None else {"wait": f"{wait:g}"}
    timeout = None if wait is None else wait + _ANSWER_LATE
    response = yield from exchange(Request("GET", _path(id_), params=params, timeout=timeout))
    return Notification.read(response.json())


def wait_until_final(id_: str, timeout: float) -> Steps[Notification]:
    left = deadline(timeout)
    while True:
        found = yield from get(id_, wait=max(0.0, min(LONGEST_WAIT, left())))
        if found.final:
            return found
        if left() <= 0:
            raise NotFinal(found, timeout)


def cancel(id_: str) -> Steps[Notification]:
    response = yield from exchange(Request("POST", _path(id_, "/cancel"), safe=False))
    return Notification.read(response.json())


def retry(id_: str) -> Steps[Notification]:
    response = yield from exchange(Request("POST", _path(id_, "/retry"), safe=False))
    return Notification.read(response.json())


def resend(id_: str, to: Addresses, idempotency_key: str | None) -> Steps[Notification]:
    response = yield from exchange(_post(_path(id_, "/resend"), {"to": to}, idempotency_key or _new_key()))
    return Notification.read(response.json(), replayed="idempotent-replayed" in response.headers)


def page(filters: Mapping[str, Any], after: str | None) -> Steps[tuple[list[Notification], str | None]]:
    """A page, newest first, and what the next one comes after; None at the end."""
    params = {name: _text(value) for name, value in filters.items() if value is not None} | {"limit": "200"}
    response = yield from exchange(Request("GET", "/v1/notifications", params=params | _after(after)))
    body = response.json()
    found = [Notification.read(one) for one in body["data"]]
    return found, found[-1].id if found and body["has_more"] else None


def timeline(id_: str) -> Steps[list[Event]]:
    response = yield from exchange(Request("GET", _path(id_, "/events")))
    return [Event.read(one) for one in response.json()["data"]]


def feed(types: Sequence[str], after: str | None) -> Steps[tuple[list[Event], str | None]]:
    """A piece of the feed, oldest first, and where it goes on; None at its present end."""
    params: dict[str, Any] = {"limit": "1000"} | ({"type": list(types)} if types else {})
    response = yield from exchange(Request("GET", "/v1/events", params=params | _after(after)))
    body = response.json()
    return [Event.read(one) for one in body["data"]], body["next"] if body["has_more"] else None


def batch(id_: str) -> Steps[Batch]:
    response = yield from exchange(Request("GET", f"/v1/batches/{_segment(id_)}"))
    return Batch.read(response.json())


def preview(template: str, asked: Mapping[str, Any]) -> Steps[Preview]:
    body = {name: value for name, value in asked.items() if value is not None}
    path = f"/v1/templates/{quote(template)}/preview"
    response = yield from exchange(Request("POST", path, encode(body)))
    return Preview.read(response.json())


def keys() -> Steps[list[Key]]:
    response = yield from exchange(Request("GET", "/v1/keys"))
    return [Key.read(one) for one in response.json()["data"]]


def create_key(fields: Mapping[str, Any]) -> Steps[Key]:
    body = {name: value for name, value in fields.items() if value is not None}
    response = yield from exchange(Request("POST", "/v1/keys", encode(body), safe=False))
    return Key.read(response.json())


def revoke_key(id_: str) -> Steps[None]:
    yield from exchange(Request("DELETE", f"/v1/keys/{_segment(id_)}", safe=False))


def _spelled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by the API's names."""
    return {"from" if name == "from_" else name: value for name, value in fields.items()}


def _post(path: str, body: Mapping[str, Any], idempotency_key: str) -> Request:
    return Request("POST", path, encode(body), headers={"idempotency-key": idempotency_key})


def _path(id_: str, rest: str = "") -> str:
    return f"/v1/notifications/{_segment(id_)}{rest}"


def _segment(text: str) -> str:
    """One step of a path, whatever is in it."""
    return quote(text, safe="") or "-"


def _after(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"after": cursor}


def _text(value: Any) -> str:
    return instant(value) if isinstance(value, datetime) else str(value)


def _new_key() -> str:
    return str(uuid4())
