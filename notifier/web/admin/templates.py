"""Templates: the list, the editor with its preview, saving, history, and the page where one is published."""

import json
from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from notifier.domain.errors import Conflict, Fault, NotFound, Refused
from notifier.domain.template import Whole
from notifier.web.admin.diff import compare
from notifier.web.admin.drafts import STARTER, files_of, marks, source_of
from notifier.web.admin.mail import NO_HTML, framed
from notifier.web.admin.office import Office, office_of
from notifier.web.admin.pages import form_of, fragment, go, page
from notifier.web.admin.sessions import VIEWER, Editor, Viewer
from notifier.web.api.templates import known_name
from notifier.web.wire.answers import Json

router = APIRouter()

CLIPPED: Final = 102 * 1024
"""Bytes of HTML after which Gmail clips a mail."""


class _Draft(BaseModel):
    """What the editor sends. `onto` is the version that its author started from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str] = Field(max_length=300)
    sample: str | None = None
    locale: str | None = None
    onto: int | None = None
    note: str | None = Field(None, max_length=1000)


async def _draft(request: Request) -> _Draft:
    try:
        return _Draft.model_validate_json(await request.body())
    except ValidationError as error:
        raise Refused(str(error.errors()[0]["msg"])) from None


def is_shared(name: str) -> bool:
    return name.startswith("_")


@router.get("/templates", dependencies=VIEWER)
async def list_(request: Request) -> Response:
    office = office_of(request)
    found = await office.desk.summaries()
    return page(
        request,
        "templates.html",
        templates=[one for one in found if not is_shared(one.name)],
        shared=[one for one in found if is_shared(one.name)],
        folder=office.templates_folder,
    )


@router.get("/templates/new")
async def new(request: Request, user: Editor) -> Response:
    """An editor on a template that is not saved yet."""
    office = office_of(request)
    name = known_name(request.query_params.get("name", "").strip())
    if name in {one.name for one in await office.desk.summaries()}:
        return go(f"/templates/{name}")
    starter = {"content.html": ""} if is_shared(name) else STARTER
    return _editor_page(request, user.may("editor"), name, starter, None)


@router.post("/frame", dependencies=VIEWER)
async def frame(request: Request) -> Response:
    """A rendered preview on a page of its own that can do nothing, for the frame beside the editor."""
    form = await form_of(request)
    images = await _images(office_of(request), form.get("name", ""), None)
    return framed(form.get("html", "") or NO_HTML, images)


@router.post("/templates/{name:path}/preview", dependencies=VIEWER)
async def preview(request: Request, name: str) -> Response:
    """The mail of what stands in the editor, and everything that is wrong with it."""
    draft = await _draft(request)
    source, faults = source_of(draft.files)
    if faults:
        return Json({"marks": marks(name, faults, "error"), "mail": None})
    try:
        made = await office_of(request).desk.preview(
            name, source, version=None, data=None, sample=draft.sample, locale=draft.locale, timezone=None
        )
    except NotFound:
        raise
    except Refused as error:
        told = error.faults or [Fault("", error.code, error.detail)]
        return Json({"marks": marks(name, told, "error"), "mail": None})
    found = [*marks(name, made.faults, "error"), *marks(name, made.warnings, "warning")]
    if made.faults:
        return Json({"marks": found, "mail": None})
    size = len((made.html or "").encode())
    mail = {"subject": made.subject, "text": made.text, "html": made.html, "size": size, "locale": made.locale}
    return Json({"marks": found, "mail": mail})


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


@router.get("/templates/{name:path}/history", dependencies=VIEWER)
async def history(request: Request, name: str) -> Response:
    """Every version; two of them side by side."""
    desk = office_of(request).desk
    versions = await desk.versions(name)
    published = (await desk.published()).get(name)
    numbers = {one.number for one in versions}
    newer = _number(request.query_params.get("new"), numbers) or versions[0].number
    before = [number for number in numbers if number < newer]
    older = _number(request.query_params.get("old"), numbers) or (max(before) if before else newer)
    files = compare(files_of(await desk.whole(name, older)), files_of(await desk.whole(name, newer)))
    return page(
        request,
        "history.html",
        name=name,
        versions=versions,
        published=published.number if published else None,
        older=older,
        newer=newer,
        files=files,
        shared=is_shared(name),
        writable=office_of(request).templates_folder is None,
    )


def _number(given: str | None, numbers: set[int]) -> int | None:
    wanted = int(given) if given and given.isascii() and given.isdigit() and len(given) < 10 else None
    return wanted if wanted in numbers else None


@router.get("/templates/{name:path}/versions/{number}/mail", dependencies=VIEWER)
async def version_mail(request: Request, name: str, number: int) -> Response:
    """A version as its first sample makes it."""
    office = office_of(request)
    made = await office.desk.preview(
        name, None, version=number, data=None, sample=None, locale=request.query_params.get("locale"), timezone=None
    )
    if made.faults:
        return framed("<p>" + "<br>".join(f"{fault.field} {fault.code}" for fault in made.faults) + "</p>", {})
    return framed(made.html or NO_HTML, await _images(office, name, number))


async def _images(office: Office, name: str, number: int | None) -> dict[str, tuple[str, bytes]]:
    """The inline images of a version, or of the newest; none of a template that is not saved yet."""
    try:
        if number is None:
            number = (await office.desk.versions(name))[0].number
        return dict(await office.images(name, number))
    except Refused:
        return {}


@router.get("/templates/{name:path}/publish/{number}", dependencies=VIEWER)
async def publish_page(request: Request, name: str, number: int) -> Response:
    """What publishing would change, for readers and for callers."""
    return await _publish_page(request, name, number, None)


async def _publish_page(request: Request, name: str, number: int, wrong: Refused | None) -> Response:
    desk = office_of(request).desk
    whole = await desk.whole(name, number)
    published = (await desk.published()).get(name)
    now: Whole | None = await desk.whole(name, published.number) if published else None
    return page(
        request,
        "publish.html",
        409 if wrong else 200,
        name=name,
        version=whole.version,
        published=published.number if published else None,
        breaks=await desk.what_breaks(name, number),
        files=compare(files_of(now), files_of(whole)) if now else [],
        wrong=wrong,
        shared=is_shared(name),
        writable=office_of(request).templates_folder is None,
    )


@router.post("/templates/{name:path}/publish/{number}")
async def publish(request: Request, name: str, number: int, user: Editor) -> Response:
    force = (await form_of(request)).get("force") == "yes"
    try:
        await office_of(request).desk.publish(name, number, author=user.name, force=force)
    except Conflict as error:
        return await _publish_page(request, name, number, error)
    return go(f"/templates/{name}/history", "published")


@router.post("/templates/{name:path}/delete")
async def delete(request: Request, name: str, user: Editor) -> Response:
    await office_of(request).desk.delete(name, author=user.name)
    return go("/templates", "deleted")


@router.get("/templates/{name:path}")
async def editor(request: Request, name: str, user: Viewer) -> Response:
    """The newest version, or the one that was asked for, in the editor."""
    desk = office_of(request).desk
    versions = await desk.versions(name)
    newest = versions[0].number
    shown = _number(request.query_params.get("version"), {one.number for one in versions}) or newest
    return _editor_page(
        request, user.may("editor"), name, files_of(whole := await desk.whole(name, shown)), whole, newest
    )


def _editor_page(
    request: Request, may: bool, name: str, files: Mapping[str, str], whole: Whole | None, newest: int | None = None
) -> Response:
    office = office_of(request)
    writable = may and office.templates_folder is None
    contract = whole.contract if whole else None
    variables = sorted((contract or {}).get("properties", {}))
    settings = json.loads(files.get("settings.json", "{}"))
    return page(
        request,
        "editor.html",
        name=name,
        version=whole.version if whole else None,
        newest=newest,
        shared=is_shared(name),
        writable=writable,
        folder=office.templates_folder,
        clipped=CLIPPED,
        state={
            "name": name,
            "files": dict(files),
            "onto": newest,
            "shown": whole.version.number if whole else None,
            "variables": [*variables, "subject", "now", "locale"],
            "root": settings.get("locale", "en"),
            "shared": is_shared(name),
            "writable": writable,
            "clipped": CLIPPED,
        },
    )
