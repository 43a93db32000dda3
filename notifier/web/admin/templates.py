"""Templates: the editor with its preview, saving and deleting."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from notifier.domain.admin import User
from notifier.domain.errors import Conflict, Fault, Forbidden, NotFound, Refused
from notifier.domain.template import Whole
from notifier.web.admin import listing, pictures, trials, versions
from notifier.web.admin.diff import compare
from notifier.web.admin.drafts import STARTER, all_marks, files_of, is_shared, marks, source_of
from notifier.web.admin.mail import NO_HTML, framed
from notifier.web.admin.office import office_of
from notifier.web.admin.pages import form_of, fragment, go, page
from notifier.web.admin.pictures import pictures_in
from notifier.web.admin.sessions import VIEWER, Editor, Viewer
from notifier.web.admin.versions import number_in, state_of
from notifier.web.admin.words import FILTERS, NAMES
from notifier.web.api.templates import known_name
from notifier.web.wire.answers import Json

router = APIRouter()
for part in (listing, versions, trials, pictures):  # before the editor, whose address is any name
    router.include_router(part.router)

CLIPPED: Final = 102 * 1024
"""Bytes of HTML after which Gmail clips a mail."""


class _Draft(BaseModel):
    """What the editor sends. `onto` is the version that its author started from; `through` is a template that shows a
    shared file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str] = Field(max_length=300)
    sample: str | None = None
    locale: str | None = None
    onto: int | None = None
    note: str | None = Field(None, max_length=1000)
    through: str | None = None


async def _draft(request: Request) -> _Draft:
    try:
        return _Draft.model_validate_json(await request.body())
    except ValidationError as error:
        raise Refused(str(error.errors()[0]["msg"])) from None


@router.get("/templates/new")
async def new(request: Request, user: Editor) -> Response:
    """An editor on a template that is not saved yet."""
    office = office_of(request)
    name = known_name(request.query_params.get("name", "").strip())
    if name in {one.name for one in await office.desk.summaries()}:
        return go(f"/templates/{name}")
    starter = {"content.html": ""} if is_shared(name) else STARTER
    return _editor_page(request, user, name, starter)


@router.post("/frame", dependencies=VIEWER)
async def frame(request: Request) -> Response:
    """A rendered preview on a page of its own that can do nothing, for the frame beside the editor."""
    form = await form_of(request)
    html = form.get("html", "") or NO_HTML
    return framed(html, await pictures_in(request, html), shown=form.get("images") != "off")


@router.post("/templates/{name:path}/preview", dependencies=VIEWER)
async def preview(request: Request, name: str) -> Response:
    """The mail of what stands in the editor, and everything that is wrong with it. A shared file is seen in the mail
    of a template that uses it."""
    desk, draft = office_of(request).desk, await _draft(request)
    shown = draft.through or "" if is_shared(name) else name
    source, faults = source_of(draft.files)
    if is_shared(name):
        source = (await desk.whole(shown, None)).source
        source = replace(source, shared={**source.shared, name: "".join(draft.files.values())})
    if faults:
        return Json({"marks": marks(name, faults, "error"), "mail": None})
    try:
        made = await desk.preview(
            shown, source, version=None, data=None, sample=draft.sample, locale=draft.locale, timezone=None
        )
    except NotFound:
        raise
    except Refused as error:
        told = error.faults or [Fault("", error.code, error.detail)]
        return Json({"marks": marks(name, told, "error"), "mail": None})
    found = all_marks(name, made.faults, made.warnings)
    if made.faults:
        return Json({"marks": found, "mail": None})
    size = len((made.html or "").encode())
    mail = {"subject": made.subject, "text": made.text, "html": made.html, "size": size, "locale": made.locale}
    return Json({"marks": found, "mail": mail, "contract": made.contract})


@router.post("/templates/{name:path}/save")
async def save(request: Request, name: str, user: Editor) -> Response:
    """A new draft. 409 shows what somebody else saved meanwhile, beside one's own; nothing is overwritten."""
    office = office_of(request)
    draft = await _draft(request)
    source, faults = source_of(draft.files)
    if faults:
        return Json({"marks": marks(name, faults, "error")}, 422)
    known_name(name)
    if draft.onto is None and name in {one.name for one in await office.desk.summaries()}:
        return await _meanwhile(request, name, draft.files)
    try:
        saved = await office.desk.save(
            name,
            source,
            author=user.name,
            publish=False,
            force=False,
            onto=draft.onto,
            origin="pages",
            note=draft.note or None,
        )
    except Conflict as error:
        if error.code != "edited_meanwhile":
            raise
        return await _meanwhile(request, name, draft.files)
    except Refused as error:
        told = error.faults or [Fault("", error.code, error.detail)]
        return Json({"marks": marks(name, told, "error")}, error.status)
    return Json({"version": saved.version.number, "published": saved.published})


async def _meanwhile(request: Request, name: str, mine: Mapping[str, str]) -> Response:
    desk = office_of(request).desk
    theirs = (await desk.versions(name))[0]
    whole = await desk.whole(name, theirs.number)
    shown = fragment("meanwhile.html", theirs=theirs, files=compare(files_of(whole), mine))
    return Json({"version": theirs.number, "by": theirs.author or theirs.origin, "shown": shown}, 409)


@router.post("/templates/{name:path}/delete")
async def delete(request: Request, name: str, user: Editor) -> Response:
    """What is published takes whoever may publish."""
    office = office_of(request)
    if name in await office.desk.published() and not user.may(office.publishers):
        raise Forbidden(f"{name} is published: deleting it takes the role {office.publishers}, as publishing does")
    await office.desk.delete(name, author=user.name)
    return go("/templates", "deleted")


@router.get("/templates/{name:path}")
async def editor(request: Request, name: str, user: Viewer) -> Response:
    """The newest version, or the one that was asked for, in the editor."""
    desk = office_of(request).desk
    versions = await desk.versions(name)
    newest = versions[0].number
    shown = number_in(request.query_params.get("version"), {one.number for one in versions}) or newest
    whole = await desk.whole(name, shown)
    state = state_of(whole.version, (await desk.published()).get(name))
    users = await desk.users(name) if is_shared(name) else ()
    return _editor_page(request, user, name, files_of(whole), whole, newest, state, users)


def _editor_page(
    request: Request,
    user: User,
    name: str,
    files: Mapping[str, str],
    whole: Whole | None = None,
    newest: int | None = None,
    state: str = "draft",
    users: Sequence[str] = (),
) -> Response:
    office = office_of(request)
    writable = user.may("editor") and office.templates_folder is None
    settings = json.loads(files.get("settings.json", "{}"))
    return page(
        request,
        "editor.html",
        name=name,
        version=whole.version if whole else None,
        version_state=state,
        newest=newest,
        shared=is_shared(name),
        seen=bool(users) or not is_shared(name),
        writable=writable,
        folder=office.templates_folder,
        team=office.team,
        redirected_to=office.redirected_to,
        state={
            "name": name,
            "files": dict(files),
            "onto": newest,
            "shown": whole.version.number if whole else None,
            "contract": whole.contract if whole else None,
            "names": list(NAMES.items()),  # in this order
            "filters": list(FILTERS.items()),
            "root": settings.get("locale", "en"),
            "shared": is_shared(name),
            "users": users,
            "writable": writable,
            "clipped": CLIPPED,
        },
    )
