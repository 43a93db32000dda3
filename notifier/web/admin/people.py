"""Users of these pages, and what they did."""

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.admin import ROLES, Role, User
from notifier.domain.errors import Conflict, NotFound, Refused
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import form_of, go, page
from notifier.web.admin.sessions import ADMIN, INVITATION_LIFE, Admin, new_link

router = APIRouter()
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}", re.ASCII)
_ENTRIES: Final = 100
_ID: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)


@router.get("/users", dependencies=ADMIN)
async def users(request: Request) -> Response:
    return await _users_page(request, None, None)


async def _users_page(request: Request, invited: User | None, link: str | None) -> Response:
    found = await office_of(request).store.users()
    return page(request, "users.html", users=found, invited=invited, link=link, roles=ROLES, life=INVITATION_LIFE)


@router.post("/users")
async def invite(request: Request, user: Admin) -> Response:
    """A new user, or a new link for one who is there: they choose their password themselves."""
    office = office_of(request)
    form = await form_of(request)
    name = form.get("name", "").strip().lower()
    role: Role = next((role for role in ROLES if role == form.get("role")), "viewer")
    if not _NAME.fullmatch(name):
        raise Refused("A name is made of letters, digits and . _ @ + - ; an address is a good one.")
    invited = await office.store.add_user(name, role)
    if invited.disabled_at is not None:
        raise Conflict(f"{name} may not sign in; let them first.")
    await office.note(user.name, "user.invite", name, {"role": invited.role})
    path = await new_link(office.store, office, invited, INVITATION_LIFE)
    where = services_of(request).public_url or f"{request.url.scheme}://{request.url.netloc}"
    return await _users_page(request, invited, where + path)


@router.post("/users/change")
async def change(request: Request, user: Admin) -> Response:
    """Role, and whether they may sign in."""
    office = office_of(request)
    form = await form_of(request)
    other = next((one for one in await office.store.users() if one.id == form.get("id")), None)
    role = next((role for role in ROLES if role == form.get("role")), None)
    if other is None or role is None:
        raise NotFound("There is no such user.")
    disabled = form.get("disabled") == "yes"
    if not await office.store.change_user(other.id, role, disabled):
        raise Conflict("Somebody has to stay admin.")
    await office.note(user.name, "user.change", other.name, {"role": role, "disabled": disabled})
    return go("/users", "changed")


@router.get("/audit", dependencies=ADMIN)
async def audit(request: Request) -> Response:
    """What was changed and by whom, newest first."""
    after = request.query_params.get("after", "")
    entries = await office_of(request).store.audit_page(after if _ID.fullmatch(after) else None, _ENTRIES)
    older = entries[-1].id if len(entries) == _ENTRIES else None
    return page(request, "audit.html", entries=entries, older=older)
