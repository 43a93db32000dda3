"""API keys: made, shown once, revoked."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import NotFound, Refused
from notifier.domain.key import MODES, SCOPES, Key, new_key
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import fields_of, form_of, go, page
from notifier.web.admin.sessions import ADMIN, Admin

router = APIRouter()
_LONGEST_NAME: Final = 128


@router.get("/keys", dependencies=ADMIN)
async def keys(request: Request) -> Response:
    return await _keys_page(request, None, None)


async def _keys_page(request: Request, made: Key | None, secret: str | None) -> Response:
    found = sorted(await services_of(request).store.keys(), key=lambda key: (key.revoked_at is not None, key.id))
    projects = await office_of(request).store.projects()
    return page(
        request, "keys.html", keys=found, made=made, secret=secret, scopes=SCOPES, modes=MODES, projects=projects
    )


@router.post("/keys")
async def create(request: Request, user: Admin) -> Response:
    """The answer shows the key; nothing can show it again."""
    fields = await fields_of(request)
    form = dict(fields)
    scopes = frozenset(scope for scope in SCOPES if ("scope", scope) in fields)
    name = form.get("name", "").strip()[:_LONGEST_NAME]
    mode = next((mode for mode in MODES if mode == form.get("mode")), None)
    project = form.get("project", "default")
    if not name or mode is None or not scopes or project not in await office_of(request).store.projects():
        raise Refused("A key has a name, a mode, at least one scope, and a project that exists.")
    key, secret = new_key(name, mode=mode, project=project, scopes=scopes)
    await services_of(request).store.add_key(key)
    await office_of(request).note(user.name, "key.create", name, {"id": key.id, "scopes": sorted(scopes), "mode": mode})
    return await _keys_page(request, key, secret)


@router.post("/keys/revoke")
async def revoke(request: Request, user: Admin) -> Response:
    id_ = (await form_of(request)).get("id", "")
    found = next((key for key in await services_of(request).store.keys() if key.id == id_), None)
    if found is None or not await services_of(request).store.revoke_key(id_):
        raise NotFound("There is no such key that could be revoked.")
    await office_of(request).note(user.name, "key.revoke", found.name, {"id": id_})
    return go("/keys", "revoked")
