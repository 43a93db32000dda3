"""/v1/keys: API keys of the caller's project. A key itself is shown once, when it is made."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, refused
from notifier.domain.key import new_key
from notifier.web.api.ids import known_form
from notifier.web.body import read_json
from notifier.web.callers import Admin, note
from notifier.web.services import services_of
from notifier.web.wire.answers import Json, key_json, list_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.models import KeyBody

router = APIRouter(tags=["keys"])


@router.get("/v1/keys", operation_id="list_keys")
async def list_keys(request: Request, caller: Admin) -> Response:
    """The project's keys, revoked ones too, oldest first."""
    return Json(list_json([key_json(key) for key in await services_of(request).store.keys(caller.project)]))


@router.post("/v1/keys", operation_id="create_key", status_code=201)
async def create_key(request: Request, caller: Admin) -> Response:
    """Makes a key. `secret` is told this once and kept nowhere."""
    body = read_model(KeyBody, await read_json(request))
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise refused([Fault("expires_at", "past", "is in the past: nobody could use the key")])
    key, secret = new_key(
        body.name,
        mode=body.mode,
        project=caller.project,
        scopes=body.scopes,
        rate_limit=body.rate_limit,
        from_domains=body.from_domains,
        expires_at=body.expires_at,
    )
    await services_of(request).store.add_key(key)
    told = {"id": key.id, "scopes": sorted(key.scopes), "mode": key.mode}
    await note(request, caller, "key.create", key.name, told)
    return Json({**key_json(key), "secret": secret}, 201, {"location": f"/v1/keys/{key.id}"})


@router.delete("/v1/keys/{id}", operation_id="revoke_key", status_code=204)
async def revoke_key(request: Request, id: str, caller: Admin) -> Response:
    """Ends a key: within a second nobody gets in with it."""
    store = services_of(request).store
    id_ = known_form(id, "key")
    if not await store.revoke_key(id_, caller.project):
        raise NotFound(f"there is no key {id!r} that could be revoked")
    name = next((key.name for key in await store.keys(caller.project) if key.id == id_), id_)
    await note(request, caller, "key.revoke", name, {"id": id_})
    return Response(status_code=204)
