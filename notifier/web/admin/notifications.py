"""Notifications: search, one with its timeline and its mail, what may be done about it, and all mail of an address."""

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import NotFound, NotifierError, refused
from notifier.domain.key import SCOPES, Key
from notifier.domain.lifecycle import RETRYABLE
from notifier.domain.listing import Filter, Page
from notifier.domain.notification import Record
from notifier.mail.address import AddressError, check_email, comparison_key
from notifier.web.admin.bulk import REACH, reach
from notifier.web.admin.mail import NO_HTML, framed, images_of
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import download, form_of, go, page
from notifier.web.admin.search import ASKED, ID, STATUSES, asked_of, filter_of
from notifier.web.admin.sessions import VIEWER, Editor
from notifier.web.admin.timeline import steps
from notifier.web.api.control import same_mail
from notifier.web.wire.addresses import Addressees

router = APIRouter()

_LIMIT: Final = 50


@router.get("/notifications", dependencies=VIEWER)
async def search(request: Request) -> Response:
    """Newest first; `after` and `before` are ids, so a page stays what it is while mail comes in."""
    asked = asked_of(request.query_params)
    services = services_of(request)
    if (id_ := asked.get("q", "").lower()) and ID.fullmatch(id_) and await services.store.records([id_]):
        return go(f"/notifications/{id_}")
    wanted, wrong = filter_of(asked)
    cursor = Page(_LIMIT, *(asked[name] if ID.fullmatch(asked.get(name, "")) else None for name in ("after", "before")))
    project = asked.get("project", "default")
    mark = await office_of(request).live.mark()
    listed = await services.store.listed(project, wanted, cursor) if wrong is None else None
    records = listed.records if listed else ()
    more = bool(listed and listed.has_more)
    return page(
        request,
        "notifications.html",
        mark=mark,
        records=records,
        older=records[-1].notification.id if records and (more or cursor.before) else None,
        newer=records[0].notification.id if records and (cursor.after or (cursor.before and more)) else None,
        asked={name: asked.get(name, "") for name in ASKED},
        bulk=[action for action in REACH if reach(action, asked)],
        searched=any(name in asked for name in ASKED),
        wrong=wrong,
        statuses=STATUSES,
        projects=await office_of(request).store.projects(),
        project=project,
        live=not asked.get("after") and not asked.get("before"),
    )


async def _record(request: Request, id_: str) -> Record:
    known = ID.fullmatch(id_.lower())
    record = (await services_of(request).store.records([id_.lower()])).get(id_.lower()) if known else None
    if record is None:
        raise NotFound("There is no such notification.")
    return record


@router.get("/notifications/{id}", dependencies=VIEWER)
async def detail(request: Request, id: str) -> Response:
    mark = await office_of(request).live.mark(id.lower()) if ID.fullmatch(id.lower()) else ""
    record = await _record(request, id)
    services = services_of(request)
    one = record.notification
    mail, unmade = None, None
    if "hx-request" not in request.headers:  # what follows along is where it stands; the mail stays what it is
        try:
            mail = (await services.composer.compose(one)).rendered
        except NotifierError as error:
            unmade = str(error)
    return page(
        request,
        "notification.html",
        mark=mark,
        record=record,
        one=one,
        steps=steps(await services.store.events(one.id), record, office_of(request).clock()),
        mail=mail,
        unmade=unmade,
        retryable=any(r.status in RETRYABLE for r in one.recipients),
    )


@router.get("/notifications/{id}/mail", dependencies=VIEWER)
async def mail(request: Request, id: str) -> Response:
    composed = await services_of(request).composer.compose((await _record(request, id)).notification)
    return framed(composed.rendered.html or NO_HTML, images_of(composed.build(True)))


@router.get("/notifications/{id}/eml", dependencies=VIEWER)
async def eml(request: Request, id: str) -> Response:
    one = (await _record(request, id)).notification
    composed = await services_of(request).composer.compose(one)
    return download(composed.build(True), "message/rfc822", f"{one.id}.eml")


@router.post("/notifications/{id}/retry")
async def retry(request: Request, id: str, user: Editor) -> Response:
    one = (await _record(request, id)).notification
    services = services_of(request)
    await services.store.retry(one.project, one.id)
    await office_of(request).note(user.name, "notification.retry", one.id, {})
    services.wake()
    return go(f"/notifications/{one.id}", "retried")


@router.post("/notifications/{id}/cancel")
async def cancel(request: Request, id: str, user: Editor) -> Response:
    one = (await _record(request, id)).notification
    services = services_of(request)
    await services.store.cancel(one.project, one.id)
    await office_of(request).note(user.name, "notification.cancel", one.id, {})
    services.watch.notice()
    return go(f"/notifications/{one.id}", "canceled")


@router.post("/notifications/{id}/resend")
async def resend(request: Request, id: str, user: Editor) -> Response:
    """The same mail to another address, as a new notification that names this one."""
    one = (await _record(request, id)).notification
    services = services_of(request)
    faults: list[Any] = []
    people = Addressees(services.limits.recipients, faults)
    people.add("to", (await form_of(request)).get("to", "").strip())
    people.check()
    if faults:
        raise refused(faults)
    asked = replace(await same_mail(services, one), recipients=tuple(people.recipients), fields=tuple(people.fields))
    caller = Key(
        id=f"admin:{user.id}",
        project=one.project,
        name=user.name,
        prefix="",
        hash="",
        mode=one.mode,
        scopes=frozenset(SCOPES),
        created_at=user.created_at,
    )
    receipt = await services.intake.accept(asked, caller)
    await office_of(request).note(user.name, "notification.resend", one.id, {"as": receipt.ids[0]})
    return go(f"/notifications/{receipt.ids[0]}", "resent")


@router.get("/addresses/{email:path}", dependencies=VIEWER)
async def address(request: Request, email: str) -> Response:
    """Everything about an address: whether it is written to, and its mail."""
    try:
        key = comparison_key(check_email(email))
    except AddressError as error:
        raise NotFound(f"{email} is not an address: {error.reason}") from None
    services = services_of(request)
    project = request.query_params.get("project", "default")
    after = request.query_params.get("after", "")
    cursor = Page(_LIMIT, after=after if ID.fullmatch(after) else None)
    listed = await services.store.listed(project, Filter(recipient=key), cursor)
    return page(
        request,
        "address.html",
        email=email,
        records=listed.records,
        older=listed.records[-1].notification.id if listed.has_more else None,
        suppressions=await services.store.find_suppressions(key),
        projects=await office_of(request).store.projects(),
        project=project,
    )
