"""Stop and go on."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import NotFound, Refused
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import form_of, go, page
from notifier.web.admin.sessions import VIEWER, Editor
from notifier.web.api.pauses import SCOPE

router = APIRouter()
_LONGEST_REASON: Final = 500


@router.get("/pauses", dependencies=VIEWER)
async def pauses(request: Request) -> Response:
    services, office = services_of(request), office_of(request)
    projects = await office.store.projects()
    return page(
        request,
        "pauses.html",
        pauses=[(name, one) for name in projects for one in await services.store.pauses(name)],
        projects=projects,
        templates=[one.name for one in await office.desk.summaries() if not one.name.startswith("_")],
    )


@router.post("/pauses")
async def stop(request: Request, user: Editor) -> Response:
    form = await form_of(request)
    scope, project = form.get("scope", "").strip(), form.get("project", "default")
    if not SCOPE.fullmatch(scope):
        raise Refused("What is stopped is everything, a template, or a batch by its id.")
    if project not in await office_of(request).store.projects():
        raise NotFound(f"there is no project {project!r}")
    reason = form.get("reason", "").strip()[:_LONGEST_REASON] or None
    await services_of(request).store.add_pause(project, scope, reason)
    await office_of(request).note(user.name, "pause", scope, {"project": project})
    return go("/pauses", "paused")


@router.post("/pauses/end")
async def go_on(request: Request, user: Editor) -> Response:
    form = await form_of(request)
    scope, project = form.get("scope", ""), form.get("project", "default")
    await services_of(request).store.remove_pause(project, scope)
    await office_of(request).note(user.name, "resume", scope, {"project": project})
    services_of(request).wake()
    return go("/pauses", "resumed")
