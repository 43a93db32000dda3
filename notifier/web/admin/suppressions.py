"""Whom we leave alone: the list, one more, one less, and all of it as a file."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from notifier.domain.errors import Fault, NotFound, Refused
from notifier.domain.suppression import NewSuppression, SuppressionFilter
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import form_of, go, page
from notifier.web.admin.sessions import VIEWER, Editor, Viewer
from notifier.web.api.suppressions import csv_of
from notifier.web.wire.faults import read_model
from notifier.web.wire.suppressions import REASONS, SuppressionBody, place_text, read_address, read_csv, read_place

router = APIRouter()

_LIMIT: Final = 100
_LONGEST_WHY: Final = 500


@router.get("/suppressions", dependencies=VIEWER)
async def suppressions(request: Request) -> Response:
    return await _list(request, "", [])


async def _list(request: Request, given: str, faults: Sequence[Fault]) -> Response:
    """`given` is a file that was not taken, and why: it is not to be lost."""
    asked = {name: request.query_params.get(name, "").strip() for name in ("q", "reason", "scope")}
    after = request.query_params.get("after")
    wanted = SuppressionFilter(asked["reason"] or None, asked["scope"] or None, asked["q"].lower() or None)
    found = await services_of(request).store.suppressions(wanted, read_place(after) if after else None, _LIMIT)
    return page(
        request,
        "suppressions.html",
        422 if faults else 200,
        entries=found.entries,
        more=place_text(found.next) if found.next else None,
        asked=asked,
        reasons=REASONS,
        given=given,
        faults=faults,
    )


@router.get("/suppressions.csv")
async def export(request: Request, user: Viewer) -> Response:
    """All of them, as import takes them."""
    await office_of(request).note(user.name, "suppression.export", "suppressions.csv", {})
    headers = {"content-disposition": 'attachment; filename="suppressions.csv"'}
    rows = csv_of(services_of(request).store, SuppressionFilter())
    return StreamingResponse(rows, media_type="text/csv", headers=headers)


@router.post("/suppressions")
async def add(request: Request, user: Editor) -> Response:
    """Leaves an address alone from now on; then its page."""
    form = await form_of(request)
    email, key = read_address(form.get("email", "").strip())
    body = read_model(SuppressionBody, {"scope": form.get("scope", "").strip() or "all"})
    why = form.get("why", "").strip()[:_LONGEST_WHY]
    source = f"{user.name}: {why}" if why else user.name
    services = services_of(request)
    await services.store.put_suppression(NewSuppression(key, email, body.scope, body.reason, source))
    services.suppressed("page", 1)
    await office_of(request).note(user.name, "suppression.add", email, {"scope": body.scope, "why": why})
    return go(f"/addresses/{quote(email, safe='')}", "suppressed")


@router.post("/suppressions/lift")
async def lift(request: Request, user: Editor) -> Response:
    """Writes to an address again: to the scope that is named, or all mail."""
    form = await form_of(request)
    email, key = read_address(form.get("email", "").strip())
    scope = form.get("scope", "").strip() or None
    if not await services_of(request).store.lift_suppressions(key, scope):
        raise NotFound(f"{email} is written to already.")
    await office_of(request).note(user.name, "suppression.lift", email, {"scope": scope or "every scope"})
    return go("/suppressions" if form.get("back") == "list" else f"/addresses/{quote(email, safe='')}", "lifted")


@router.post("/suppressions/import")
async def import_(request: Request, user: Editor) -> Response:
    """All of a file, or nothing of it and the lines that are wrong, with the file still in its place."""
    given = (await form_of(request)).get("csv", "")
    try:
        news = read_csv(given.encode(), f"import by {user.name}")
    except Refused as error:
        return await _list(request, given, error.faults)
    services = services_of(request)
    added = await services.store.add_suppressions(news)
    services.suppressed("import", added)
    await office_of(request).note(user.name, "suppression.import", f"{len(news)} lines", {"added": added})
    return go("/suppressions", "imported")
