"""/v1/notifications: posting one, and where it stands."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from notifier.domain.acceptance import Receipt
from notifier.domain.errors import Fault, refused
from notifier.domain.key import Key
from notifier.domain.listing import Filter, Page
from notifier.domain.notification import Notification
from notifier.intake import Request as Asked
from notifier.mail.address import AddressError, check_email, comparison_key
from notifier.web.api.ids import found
from notifier.web.body import read_json
from notifier.web.callers import Needs, Reader, require
from notifier.web.services import Services, services_of
from notifier.web.wire.answers import (
    Json,
    content_json,
    event_json,
    fresh_record,
    list_json,
    message_json,
    notification_json,
    url_of,
)
from notifier.web.wire.models import GetQuery, ListQuery
from notifier.web.wire.requests import header_key, read_request

router = APIRouter(tags=["notifications"])

_SENDER = Needs("send", "send:content")
"""Asked by `send` itself: solving a dependency costs 60 us, and this is the hot path."""


@router.post("/v1/notifications", operation_id="send", status_code=202)
async def send(request: Request) -> Response:
    """Takes a notification. 202 means that it is on disk and that it will render."""
    caller = await _SENDER(request)
    services = services_of(request)
    raw = await read_json(request)
    key, faults = header_key(request.headers.get("idempotency-key"))
    asked = read_request(raw, services.limits, key=key, secret=await services.secret_of(caller))
    require_scope(caller, asked)
    if faults:
        asked = replace(asked, faults=(*faults, *asked.faults))
    return await taken(services, await services.intake.accept(asked, caller), caller)


def require_scope(caller: Key, asked: Asked) -> None:
    """Literal content is a scope of its own: with it, a leaked key could write whatever it liked."""
    require(caller, "send:content" if asked.content is not None else "send")


async def taken(services: Services, receipt: Receipt, caller: Key) -> Response:
    """The 202 of one notification: made from what was stored a moment ago, or read where it is a replay."""
    fresh, headers = receipt.fresh[0], {"location": url_of(receipt.ids[0])}
    if fresh is None:
        record = await found(services, receipt.ids[0], caller)
        headers["idempotent-replayed"] = "true"
    else:
        record = fresh_record(fresh, datetime.now(UTC))
    return Json(notification_json(record), 202, headers)


@router.get("/v1/notifications", operation_id="list")
async def list_(request: Request, caller: Reader, query: Annotated[ListQuery, Query()]) -> Response:
    """Notifications, newest first. `after` and `before` take ids: a page stays right while others are added."""
    page = Page(query.limit, query.after, query.before)
    found = await services_of(request).store.listed(caller.project, _filter(query), page)
    return Json(list_json([notification_json(record) for record in found.records], has_more=found.has_more))


def _filter(query: ListQuery) -> Filter:
    recipient = query.recipient
    if recipient is not None:
        try:
            recipient = comparison_key(check_email(recipient))
        except AddressError as error:
            raise refused([Fault("recipient", "syntax", error.reason)]) from None
    return Filter(
        status=query.status,
        template=query.template,
        recipient=recipient,
        reference=query.reference,
        batch=query.batch,
        tag=query.tag,
        created_after=query.created_after,
        created_before=query.created_before,
    )


@router.get("/v1/notifications/{id}", operation_id="get")
async def get(request: Request, id: str, caller: Reader, query: Annotated[GetQuery, Query()]) -> Response:
    """Where a notification stands; with `wait`, once nothing more will happen or the time is over."""
    services = services_of(request)
    record = await found(services, id, caller)
    if query.wait and not record.final:
        await services.watch.final(record.notification.id, min(query.wait, services.limits.wait))
        record = await found(services, id, caller)
    answer = notification_json(record)
    if query.include == "content":
        composed = await services.composer.compose(record.notification)
        answer["content"] = content_json(composed.rendered)
    return Json(answer)


@router.get("/v1/notifications/{id}/events", operation_id="timeline")
async def timeline(request: Request, id: str, caller: Reader) -> Response:
    """What happened to a notification, oldest first."""
    services = services_of(request)
    record = await found(services, id, caller)
    return Json(list_json([event_json(one) for one in await services.store.events(record.notification.id)]))


@router.get("/v1/notifications/{id}/message", operation_id="message")
async def message(request: Request, id: str, caller: Reader) -> Response:
    """The mail: as JSON, or as it goes over the wire with ``Accept: message/rfc822``. Nobody in bcc stands in it."""
    services = services_of(request)
    one = (await found(services, id, caller)).notification
    composed = await services.composer.compose(one)
    if _prefers_eml(request.headers.get("accept", "")):
        return _eml(one, composed.build(True))
    return Json(message_json(one, composed.rendered))


def _prefers_eml(accept: str) -> bool:
    return any(entry.partition(";")[0].strip().lower() == "message/rfc822" for entry in accept.split(","))


def _eml(one: Notification, octets: bytes) -> Response:
    headers: dict[str, Any] = {"content-disposition": f'attachment; filename="{one.id}.eml"', "vary": "accept"}
    return Response(octets, media_type="message/rfc822", headers=headers)
