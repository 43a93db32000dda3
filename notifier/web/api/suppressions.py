"""/v1/suppressions: whom we leave alone. They hold for every project, so changing them is an admin's affair."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from notifier.domain.errors import NotFound
from notifier.domain.suppression import NewSuppression, SuppressionFilter
from notifier.web.body import Unsupported, read_json
from notifier.web.callers import Admin, Needs, note
from notifier.web.services import Store, services_of
from notifier.web.wire.answers import Json, list_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.suppressions import (
    COLUMNS,
    ScopeQuery,
    SuppressionBody,
    SuppressionQuery,
    csv_lines,
    place_text,
    read_address,
    read_csv,
    read_place,
    suppression_json,
)

router = APIRouter(tags=["suppressions"])

ADMIN = [Depends(Needs("admin"))]

_PIECE = 1000


@router.get("/v1/suppressions", operation_id="list_suppressions", dependencies=ADMIN)
async def list_suppressions(request: Request, query: Annotated[SuppressionQuery, Query()]) -> Response:
    """Suppressions by address. Go on with ``?after=`` the `next` of the last answer; with ``Accept: text/csv`` all
    of them come as one file."""
    store = services_of(request).store
    wanted = SuppressionFilter(query.reason, query.scope)
    if _wants_csv(request):
        headers = {"content-disposition": 'attachment; filename="suppressions.csv"', "vary": "accept"}
        return StreamingResponse(csv_of(store, wanted), media_type="text/csv", headers=headers)
    after = read_place(query.after) if query.after else None
    found = await store.suppressions(wanted, after, query.limit)
    answer = list_json([suppression_json(one) for one in found.entries], has_more=found.next is not None)
    return Json({**answer, "next": place_text(found.next) if found.next else None}, headers={"vary": "accept"})


def _wants_csv(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return any(entry.partition(";")[0].strip().lower() == "text/csv" for entry in accept.split(","))


async def csv_of(store: Store, wanted: SuppressionFilter) -> AsyncIterator[str]:
    """All that is wanted, read in pieces."""
    yield ",".join(COLUMNS) + "\r\n"
    after: tuple[str, str] | None = None
    while True:
        found = await store.suppressions(wanted, after, _PIECE)
        yield csv_lines(found.entries)
        if found.next is None:
            return
        after = found.next


@router.post("/v1/suppressions", operation_id="import_suppressions")
async def import_suppressions(request: Request, caller: Admin) -> Response:
    """Takes a CSV with the columns `email` and, if it likes, `scope` and `reason`: all of it, or nothing and the lines
    that are wrong. What stands already stays as it is."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise Unsupported("send text/csv, with a header line that names the column `email`")
    news = read_csv(await request.body(), f"import by {caller.name}")
    services = services_of(request)
    added = await services.store.add_suppressions(news)
    services.suppressed("import", added)
    await note(request, caller, "suppression.import", f"{len(news)} lines", {"added": added})
    return Json({"object": "import", "read": len(news), "added": added})


@router.get("/v1/suppressions/{address:path}", operation_id="get_suppression", dependencies=ADMIN)
async def get_suppression(request: Request, address: str) -> Response:
    """Why this address is left alone: one entry for each scope. 404 where it is not."""
    _, key = read_address(address)
    found = await services_of(request).store.find_suppressions(key)
    if not found:
        raise NotFound(f"{address!r} is not suppressed")
    return Json(list_json([suppression_json(one) for one in found]))


@router.put("/v1/suppressions/{address:path}", operation_id="suppress")
async def suppress(request: Request, address: str, caller: Admin) -> Response:
    """Leaves an address alone from now on. What is being sent at this moment is still sent."""
    body = SuppressionBody() if not await request.body() else read_model(SuppressionBody, await read_json(request))
    email, key = read_address(address)
    new = NewSuppression(key, email, body.scope, body.reason, f"key {caller.name}")
    services = services_of(request)
    put = await services.store.put_suppression(new)
    services.suppressed("api", 1)
    await note(request, caller, "suppression.add", email, {"scope": body.scope})
    return Json(suppression_json(put))


@router.delete("/v1/suppressions/{address:path}", operation_id="unsuppress", status_code=204)
async def unsuppress(request: Request, address: str, caller: Admin, query: Annotated[ScopeQuery, Query()]) -> Response:
    """Lifts the suppression of a scope, or all of this address. What was suppressed before stays so."""
    email, key = read_address(address)
    if not await services_of(request).store.lift_suppressions(key, query.scope):
        raise NotFound(f"{address!r} is not suppressed" + (f" in scope {query.scope!r}" if query.scope else ""))
    await note(request, caller, "suppression.lift", email, {"scope": query.scope or "every scope"})
    return Response(status_code=204)
