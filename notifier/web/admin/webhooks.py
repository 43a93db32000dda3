"""Webhooks: who is told what happens, what they answered, and telling them once more."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, Refused
from notifier.domain.webhook import Answer, DeliveryState, Webhook, WebhookChange, new_secret
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import fields_of, form_of, go, page
from notifier.web.admin.search import ID
from notifier.web.admin.sessions import ADMIN, Admin
from notifier.web.api.webhooks import add_webhook
from notifier.web.wire.models import EventType

router = APIRouter()

TYPES: Final[tuple[str, ...]] = get_args(EventType)
STATES: Final[list[str]] = list(get_args(DeliveryState))
_LIMIT: Final = 50


@router.get("/webhooks", dependencies=ADMIN)
async def webhooks(request: Request) -> Response:
    return await _list(request, {}, [])


async def _list(request: Request, given: Mapping[str, Any], faults: Sequence[Fault]) -> Response:
    """`given` is what was asked for and could not be made."""
    projects = await office_of(request).store.projects()
    found = [one for project in projects for one in await services_of(request).store.webhooks(project)]
    return page(
        request,
        "webhooks.html",
        422 if faults else 200,
        hooks=found,
        projects=projects,
        types=TYPES,
        given=given,
        faults=faults,
    )


@router.post("/webhooks")
async def create(request: Request, user: Admin) -> Response:
    """The answer shows the secret; nothing can show it again."""
    fields = await fields_of(request)
    form = dict(fields)
    project = form.get("project", "default")
    if project not in await office_of(request).store.projects():
        raise NotFound(f"there is no project {project!r}")
    asked = {
        "url": form.get("url", "").strip(),
        "types": [value for name, value in fields if name == "type"],
        "templates": form.get("templates", "").replace(",", " ").split(),
    }
    try:
        hook, secret = await add_webhook(services_of(request), project, asked)
    except Refused as error:
        return await _list(request, asked, error.faults or [Fault("", error.code, error.detail)])
    await office_of(request).note(user.name, "webhook.create", hook.url, {"id": hook.id, "project": project})
    return await _show(request, hook, secret=secret)


async def _found(request: Request, id_: str) -> Webhook:
    if ID.fullmatch(id_):
        for project in await office_of(request).store.projects():
            if hook := await services_of(request).store.find_webhook(project, id_):
                return hook
    raise NotFound("There is no such webhook.")


@router.get("/webhooks/{id}", dependencies=ADMIN)
async def show(request: Request, id: str) -> Response:
    """An endpoint and the log of what it was told."""
    return await _show(request, await _found(request, id))


async def _show(
    request: Request, hook: Webhook, *, secret: str | None = None, answer: Answer | None = None
) -> Response:
    state = request.query_params.get("state")
    after = request.query_params.get("after", "")
    log = await services_of(request).store.webhook_deliveries(
        hook.id, state if state in STATES else None, after if ID.fullmatch(after) else None, _LIMIT + 1
    )
    return page(
        request,
        "webhook.html",
        hook=hook,
        log=log[:_LIMIT],
        older=log[_LIMIT - 1].id if len(log) > _LIMIT else None,
        states=STATES,
        state=state,
        secret=secret,
        answer=answer,
    )


@router.post("/webhooks/{id}/enabled")
async def enable(request: Request, id: str, user: Admin) -> Response:
    """Tells it again, or no more. What it was not told while it was off is told once it is on."""
    hook = await _found(request, id)
    enabled = (await form_of(request)).get("enabled") == "yes"
    await services_of(request).store.change_webhook(hook.project, hook.id, WebhookChange(enabled=enabled))
    await office_of(request).note(user.name, "webhook.enable" if enabled else "webhook.disable", hook.url, {"id": id})
    return go(f"/webhooks/{hook.id}", "webhook-changed")


@router.post("/webhooks/{id}/secret")
async def rotate(request: Request, id: str, user: Admin) -> Response:
    """A new secret, shown once; the one before signs beside it for a day."""
    hook, secret = await _found(request, id), new_secret()
    changed = await services_of(request).store.change_webhook(hook.project, hook.id, WebhookChange(secret=secret))
    await office_of(request).note(user.name, "webhook.secret", hook.url, {"id": id})
    return await _show(request, changed or hook, secret=secret)


@router.post("/webhooks/{id}/test")
async def test(request: Request, id: str, user: Admin) -> Response:
    """Sends a `webhook.test` now, once, and shows what was answered."""
    hook = await _found(request, id)
    await office_of(request).note(user.name, "webhook.test", hook.url, {"id": id})
    return await _show(request, hook, answer=await services_of(request).hooks.try_out(hook))


@router.post("/webhooks/{id}/remove")
async def remove(request: Request, id: str, user: Admin) -> Response:
    hook = await _found(request, id)
    await services_of(request).store.remove_webhook(hook.project, hook.id)
    await office_of(request).note(user.name, "webhook.remove", hook.url, {"id": id, "project": hook.project})
    return go("/webhooks", "webhook-removed")


@router.post("/webhooks/{id}/deliveries/{delivery}/redeliver")
async def redeliver(request: Request, id: str, delivery: str, user: Admin) -> Response:
    """Tells an event once more."""
    hook = await _found(request, id)
    new = await services_of(request).store.redeliver_webhook(hook.id, delivery) if ID.fullmatch(delivery) else None
    if new is None:
        raise NotFound("There is no such delivery.")
    await office_of(request).note(user.name, "webhook.redeliver", hook.url, {"id": id, "delivery": delivery})
    return go(f"/webhooks/{hook.id}", "redelivered")
