"""Sessions: the cookie, who is behind it, and one-time sign-in links."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.responses import Response

from notifier.domain.admin import Role, User
from notifier.domain.errors import Forbidden, NotifierError
from notifier.web.admin.office import BASE, AdminStore, Office, office_of, services_of
from notifier.web.admin.passwords import hash_password, is_password

LIFE: Final = timedelta(hours=12)
LINK_LIFE: Final = timedelta(hours=1)
INVITATION_LIFE: Final = timedelta(days=3)
FIRST: Final = "admin"
"""The user that the settings and the terminal let in."""


class SignedOut(NotifierError):
    """Nobody is signed in; the page is shown after signing in."""


def is_https(request: Request) -> bool:
    """Whether the browser sees this service over TLS: it says so itself, or the operator does."""
    return request.url.scheme == "https" or (services_of(request).public_url or "").startswith("https:")


def cookie_name(request: Request) -> str:
    """With the prefix, browsers take it over TLS alone, for this host and no path but / (RFC 6265bis 4.1.3.2)."""
    return "__Host-notifier_session" if is_https(request) else "notifier_session"


def session_hash(request: Request) -> str | None:
    cookie = request.cookies.get(cookie_name(request))
    return _hash(f"session:{cookie}") if cookie else None


async def begin(request: Request, response: Response, user: User) -> None:
    """A new session, whatever there was: nobody can hand a session to somebody who then signs in with it."""
    office = office_of(request)
    await end(request, response)
    token = secrets.token_urlsafe(32)
    await office.store.add_session(_hash(f"session:{token}"), user.id, office.clock() + LIFE)
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(LIFE.total_seconds()),
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",
    )


async def end(request: Request, response: Response) -> None:
    if hash_ := session_hash(request):
        await office_of(request).store.take_session(hash_)
    response.delete_cookie(cookie_name(request), path="/", secure=is_https(request), httponly=True, samesite="lax")


async def signed_in(request: Request) -> User | None:
    hash_ = session_hash(request)
    return await office_of(request).store.find_session(hash_) if hash_ else None


def needs(role: Role) -> Callable[[Request], object]:
    """Who is signed in, if they may do what takes this role. Raises SignedOut or Forbidden."""

    async def check(request: Request) -> User:
        user = await signed_in(request)
        if user is None:
            raise SignedOut
        if not user.may(role):
            raise Forbidden(f"this takes the role {role}, and {user.name} is {user.role}")
        request.state.user = user
        return user

    return check


VIEWER: Final = [Depends(needs("viewer"))]
ADMIN: Final = [Depends(needs("admin"))]
Viewer = Annotated[User, Depends(needs("viewer"))]
Editor = Annotated[User, Depends(needs("editor"))]
Admin = Annotated[User, Depends(needs("admin"))]


async def new_link(store: AdminStore, office: Office, user: User, life: timedelta = LINK_LIFE) -> str:
    """The path of a page that signs somebody in, once."""
    token = secrets.token_urlsafe(24)
    await store.add_session(_hash(f"link:{token}"), user.id, office.clock() + life)
    return f"{BASE}/sign-in/{token}"


async def take_link(office: Office, token: str) -> User | None:
    """Whom a link signs in; it is used up. None if it was used before, or is over."""
    return await office.store.take_session(_hash(f"link:{token}"))


async def first_link(office: Office) -> str | None:
    """The one-time link for the first admin; None where an admin can sign in with a password."""
    if any(user.may("admin") and user.has_password for user in await office.store.users()):
        return None
    return await new_link(office.store, office, await office.store.add_user(FIRST, "admin"))


async def set_first_password(office: Office, password: str) -> None:
    """The settings' password is that of the user `admin`, who is made if need be; a new one ends their sessions."""
    user = await office.store.add_user(FIRST, "admin")
    found = await office.store.find_user(FIRST)
    if found is None or not await is_password(found[1], password):
        await office.store.set_password(user.id, await hash_password(password))
        await office.note("settings", "user.password", FIRST, {})


def _hash(token: str) -> str:
    """Of a token after its kind: links and cookies lie in one table, and neither is to pass for the other."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
