"""/v1/pauses: stop and go on. What waits meanwhile is `queued` and says for which pause."""

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, refused
from notifier.domain.key import Key
from notifier.web.body import read_json
from notifier.web.callers import Reader, Sender, note, require
from notifier.web.services import services_of
from notifier.web.wire.answers import Json, list_json, pause_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.models import PauseBody

router = APIRouter(tags=["pauses"])

SCOPE: Final = re.compile(
    r"all|template:[A-Za-z0-9][A-Za-z0-9._/-]{0,127}|batch:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII
)


@router.get("/v1/pauses", operation_id="list_pauses")
async def list_pauses(request: Request, caller: Reader) -> Response:
    """What is stopped."""
    return Json(list_json([pause_json(one) for one in await services_of(request).store.pauses(caller.project)]))


@router.get("/v1/pauses/{scope}", operation_id="get_pause")
async def get_pause(request: Request, scope: str, caller: Reader) -> Response:
    """Whether this is stopped, and why."""
    for one in await services_of(request).store.pauses(caller.project):
        if one.scope == scope:
            return Json(pause_json(one))
    raise NotFound(f"{scope!r} is not stopped")


@router.put("/v1/pauses/{scope}", operation_id="pause")
async def put_pause(request: Request, scope: str, caller: Sender) -> Response:
    """Stops `all`, `template:NAME` or `batch:ID`. What is being sent at this moment is still sent."""
    _check(caller, scope)
    await _check_batch(request, caller, scope)
    body = PauseBody() if not await request.body() else read_model(PauseBody, await read_json(request))
    pause = await services_of(request).store.add_pause(caller.project, scope, body.reason)
    await note(request, caller, "pause", scope, {})
    return Json(pause_json(pause))


@router.delete("/v1/pauses/{scope}", operation_id="resume", status_code=204)
async def delete_pause(request: Request, scope: str, caller: Sender) -> Response:
    """Lets it go on."""
    _check(caller, scope)
    services = services_of(request)
    if not await services.store.remove_pause(caller.project, scope):
        raise NotFound(f"{scope!r} is not stopped")
    services.wake()
    await note(request, caller, "resume", scope, {})
    return Response(status_code=204)


async def _check_batch(request: Request, caller: Key, scope: str) -> None:
    """A mistyped id would stop nothing, and say so nowhere."""
    kind, _, id_ = scope.partition(":")
    if kind == "batch" and await services_of(request).store.find_batch(caller.project, id_) is None:
        raise NotFound(f"there is no batch {id_}")


def _check(caller: Key, scope: str) -> None:
    """A batch is its sender's to stop; the rest is everybody's mail, and an admin's decision."""
    if not SCOPE.fullmatch(scope):
        raise refused([Fault("scope", "syntax", "must be all, template:NAME or batch:ID")])
    require(caller, "send" if scope.startswith("batch:") else "admin")
