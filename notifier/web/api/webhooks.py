"""/v1/webhooks: endpoints that are told what happens, and the log of what they answered."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from notifier.domain.errors import Conflict, Fault, NotFound, refused
from notifier.domain.key import Key
from notifier.domain.notification import uuid7
from notifier.domain.webhook import Secret, Webhook, WebhookChange, new_secret
from notifier.web.api.ids import known_form
from notifier.web.body import read_json
from notifier.web.callers import Admin, note
from notifier.web.services import Services, services_of
from notifier.web.wire.answers import Json, list_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.webhooks import (
    DeliveriesQuery,
    WebhookBody,
    WebhookPatch,
    answer_json,
    delivery_json,
    webhook_json,
)

router = APIRouter(tags=["webhooks"])

_MOST = 50


@router.get("/v1/webhooks", operation_id="list_webhooks")
async def list_webhooks(request: Request, caller: Admin) -> Response:
    """The project's endpoints, oldest first."""
    return Json(list_json([webhook_json(one) for one in await services_of(request).store.webhooks(caller.project)]))


@router.post("/v1/webhooks", operation_id="create_webhook", status_code=201)
async def create_webhook(request: Request, caller: Admin) -> Response:
    """Adds an endpoint. `secret` is told this once; it verifies what we send (Standard Webhooks)."""
    hook, secret = await add_webhook(services_of(request), caller.project, await read_json(request))
    await note(request, caller, "webhook.create", hook.url, {"id": hook.id})
    return Json({**webhook_json(hook), "secret": secret}, 201, {"location": f"/v1/webhooks/{hook.id}"})


async def add_webhook(services: Services, project: str, raw: Any) -> tuple[Webhook, str]:
    """An endpoint as it was asked for, and its secret. Raises Refused and Conflict."""
    body = read_model(WebhookBody, raw)
    _check(services, body.url)
    if len(await services.store.webhooks(project)) >= _MOST:
        raise Conflict(f"a project has at most {_MOST} webhooks")
    secret = new_secret()
    hook = Webhook(uuid7(), project, body.url, body.types, body.templates, (Secret(secret),), datetime.now(UTC))
    await services.store.add_webhook(hook)
    return hook, secret


@router.get("/v1/webhooks/{id}", operation_id="get_webhook")
async def get_webhook(request: Request, id: str, caller: Admin) -> Response:
    """One endpoint; `disabled_reason` says why it is told nothing any more."""
    return Json(webhook_json(await _found(services_of(request), id, caller)))


@router.patch("/v1/webhooks/{id}", operation_id="change_webhook")
async def change_webhook(request: Request, id: str, caller: Admin) -> Response:
    """Changes what is named; `secret` is told where a new one was asked for."""
    services = services_of(request)
    body = read_model(WebhookPatch, await read_json(request))
    if body.url is not None:
        _check(services, body.url)
    secret = new_secret() if body.rotate_secret else None
    change = WebhookChange(body.url, body.types, body.templates, body.enabled, secret)
    hook = await services.store.change_webhook(caller.project, known_form(id, "webhook"), change)
    if hook is None:
        raise NotFound(f"there is no webhook {id!r}")
    await note(request, caller, "webhook.change", hook.url, {"id": hook.id, "changed": sorted(body.model_fields_set)})
    return Json({**webhook_json(hook), **({"secret": secret} if secret else {})})


@router.delete("/v1/webhooks/{id}", operation_id="delete_webhook", status_code=204)
async def delete_webhook(request: Request, id: str, caller: Admin) -> Response:
    """Forgets an endpoint, its log, and what was still to be told it."""
    services = services_of(request)
    hook = await _found(services, id, caller)
    if not await services.store.remove_webhook(caller.project, hook.id):
        raise NotFound(f"there is no webhook {id!r}")
    await note(request, caller, "webhook.remove", hook.url, {"id": hook.id})
    return Response(status_code=204)


@router.post("/v1/webhooks/{id}/test", operation_id="test_webhook")
async def test_webhook(request: Request, id: str, caller: Admin) -> Response:
    """Sends a `webhook.test` now, once, and tells what was answered."""
    services = services_of(request)
    hook = await _found(services, id, caller)
    await note(request, caller, "webhook.test", hook.url, {"id": hook.id})
    return Json(answer_json(await services.hooks.try_out(hook)))


@router.get("/v1/webhooks/{id}/deliveries", operation_id="list_webhook_deliveries")
async def list_deliveries(
    request: Request, id: str, caller: Admin, query: Annotated[DeliveriesQuery, Query()]
) -> Response:
    """What was told, or waits to be, newest first, with the first kilobyte of each answer."""
    services = services_of(request)
    hook = await _found(services, id, caller)
    found = await services.store.webhook_deliveries(hook.id, query.state, query.after, query.limit + 1)
    data = [delivery_json(one) for one in found[: query.limit]]
    return Json(list_json(data, has_more=len(found) > query.limit))


@router.post("/v1/webhooks/{id}/deliveries/{delivery}/redeliver", operation_id="redeliver_webhook", status_code=202)
async def redeliver(request: Request, id: str, delivery: str, caller: Admin) -> Response:
    """Tells an event once more, under the same `webhook-id`."""
    services = services_of(request)
    hook = await _found(services, id, caller)
    new = await services.store.redeliver_webhook(hook.id, known_form(delivery, "delivery"))
    if new is None:
        raise NotFound(f"there is no delivery {delivery!r}")
    await note(request, caller, "webhook.redeliver", hook.url, {"id": hook.id, "delivery": delivery})
    return Json({"object": "webhook_delivery", "id": new, "state": "queued"}, 202)


async def _found(services: Services, id_: str, caller: Key) -> Webhook:
    hook = await services.store.find_webhook(caller.project, known_form(id_, "webhook"))
    if hook is None:
        raise NotFound(f"there is no webhook {id_!r}")
    return hook


def _check(services: Services, url: str) -> None:
    if complaint := services.hooks.objection(url):
        raise refused([Fault("url", "url", complaint)])
