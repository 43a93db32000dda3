"""The caller of an endpoint, as a dependency: authenticated, within its rate, and with the scope that is needed."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request

from notifier.domain.errors import Forbidden
from notifier.domain.key import Key, Scope
from notifier.web.auth import Limited
from notifier.web.services import services_of


class Needs:
    """A dependency that answers the caller's key, or refuses: 401, 429, 403, in this order."""

    def __init__(self, *scopes: Scope) -> None:
        self._scopes = scopes

    async def __call__(self, request: Request) -> Key:
        services = services_of(request)
        key = await services.authenticator(request.headers.get("authorization"))
        answer_headers = request.scope["answer_headers"]
        try:
            answer_headers.update(services.rate_limiter.take(key))
        except Limited as error:
            answer_headers.update(error.headers)
            raise
        require(key, *self._scopes)
        return key


def require(key: Key, *scopes: Scope) -> None:
    """Raises Forbidden unless the key has one of the scopes."""
    if not any(key.may(scope) for scope in scopes):
        raise Forbidden(f"this key has no scope {' or '.join(scopes)}; it has {', '.join(sorted(key.scopes))}")


async def note(request: Request, caller: Key, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Writes into the audit log what a key changed, by the words that the admin pages have for it."""
    detail = {**detail, "project": caller.project}
    await services_of(request).store.note(actor(caller), action, subject, detail)


def actor(caller: Key) -> str:
    """How histories and the audit log name a key: nobody signs in by such a name. As long as an author's may be."""
    return f"key {caller.name}"[:128]


Sender = Annotated[Key, Depends(Needs("send", "send:content"))]
Reader = Annotated[Key, Depends(Needs("read"))]
Admin = Annotated[Key, Depends(Needs("admin"))]
