"""/v1/notifications/{id}/...: what may still be done about one."""

from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Forbidden, Refused
from notifier.domain.notification import Attachment, Mode, Notification
from notifier.intake import Request as Asked
from notifier.web.api.ids import found, known_form
from notifier.web.api.notifications import require_scope, taken
from notifier.web.body import read_json
from notifier.web.callers import Sender
from notifier.web.services import Services, services_of
from notifier.web.wire.addresses import Addressees
from notifier.web.wire.answers import Json, notification_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.models import ResendBody
from notifier.web.wire.requests import fingerprinted, header_key

router = APIRouter(tags=["notifications"])

_REACH: Mapping[Mode, int] = {"test": 0, "team": 1, "live": 2}
"""How far the mail of a mode may go. A retry sends in the mode of the notification, whoever asks for it."""


@router.post("/v1/notifications/{id}/cancel", operation_id="cancel")
async def cancel(request: Request, id: str, caller: Sender) -> Response:
    """Never sends it to those who have not got it yet. 409 says the status where it is too late."""
    services = services_of(request)
    id_ = known_form(id, "notification")
    await services.store.cancel(caller.project, id_)
    services.watch.notice()
    return Json(notification_json(await found(services, id_, caller)))


@router.post("/v1/notifications/{id}/retry", operation_id="retry")
async def retry(request: Request, id: str, caller: Sender) -> Response:
    """Sends again to those where it failed, was held or expired, with a new budget of attempts."""
    services = services_of(request)
    id_ = known_form(id, "notification")
    mode = (await found(services, id_, caller)).notification.mode
    if _REACH[caller.mode] < _REACH[mode]:
        raise Forbidden(f"a {caller.mode} key cannot send what was accepted with a {mode} key")
    await services.store.retry(caller.project, id_)
    services.wake()
    return Json(notification_json(await found(services, id_, caller)))


@router.post("/v1/notifications/{id}/resend", operation_id="resend", status_code=202)
async def resend(request: Request, id: str, caller: Sender) -> Response:
    """The same mail as a new notification to another address: same version, data, sender and files."""
    services = services_of(request)
    one = (await found(services, id, caller)).notification
    raw = await read_json(request)
    key, faults = header_key(request.headers.get("idempotency-key"))
    try:
        to = read_model(ResendBody, raw).to
    except Refused as refusal:
        if not isinstance(raw, dict) or "to" not in raw:
            raise
        to = raw["to"]  # judged all the same, so that one answer names every fault
        faults += refusal.faults
    people = Addressees(services.limits.recipients, faults)
    people.add("to", to)
    people.check()
    asked = replace(
        await same_mail(services, one),
        recipients=tuple(people.recipients),
        fields=tuple(people.fields),
        idempotency=fingerprinted(key, {**raw, "resend_of": one.id}, await services.secret_of(caller)),
        faults=tuple(faults),
    )
    require_scope(caller, asked)
    return await taken(services, await services.intake.accept(asked, caller), caller)


async def same_mail(services: Services, one: Notification) -> Asked:
    """A notification as a request for the same mail. What said when is left out; it is sent now."""
    files = await services.store.files([ref.hash for ref in one.attachments]) if one.attachments else {}
    return Asked(
        template=one.template,
        version=one.version,
        content=one.content,
        sender=one.sender,
        reply_to=one.reply_to,
        locale=one.locale,
        timezone=one.timezone,
        data=one.data,
        priority=one.priority,
        on_unknown=one.on_unknown,
        reference=one.reference,
        tags=one.tags,
        metadata=one.metadata,
        headers=one.headers,
        attachments=tuple(
            Attachment(ref.filename, ref.content_type, files[ref.hash], ref.content_id, ref.hash)
            for ref in one.attachments
        ),
        resend_of=one.id,
    )
