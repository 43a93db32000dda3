"""Versions of a template: the history, two of them side by side, and the page where one is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Conflict, Fault, Forbidden, Refused
from notifier.domain.template import Consequences, Preview, Published, Version, Whole
from notifier.web.admin.diff import FileDiff, compare
from notifier.web.admin.drafts import files_of, is_shared
from notifier.web.admin.mail import NO_HTML, framed
from notifier.web.admin.office import Bench, office_of
from notifier.web.admin.pages import form_of, go, page
from notifier.web.admin.pictures import picture_url, pictures_in
from notifier.web.admin.sessions import VIEWER, Editor, Viewer

router = APIRouter()

State = Literal["published", "published before", "draft"]


def state_of(version: Version, published: Published | None) -> State:
    """In an author's words. The API knows `draft` for both of the latter."""
    if published is not None and version.number == published.number:
        return "published"
    return "draft" if version.published_at is None else "published before"


def number_in(given: str | None, numbers: set[int]) -> int | None:
    """A version's number out of an address, if there is such a version."""
    wanted = int(given) if given and given.isascii() and given.isdigit() and len(given) < 10 else None
    return wanted if wanted in numbers else None


@dataclass(frozen=True)
class _Reader:
    """For whom two versions are rendered: one sample's data and one locale for both."""

    sample: str | None
    locale: str | None
    data: Mapping[str, Any]


def _reader(request: Request, whole: Whole) -> _Reader:
    samples, asked = whole.source.samples or {}, request.query_params
    first = "default" if "default" in samples else next(iter(samples), None)
    sample = asked.get("sample") if asked.get("sample") in samples else first
    locale = asked.get("locale") if asked.get("locale") in whole.locales else next(iter(whole.locales), None)
    return _Reader(sample, locale, samples[sample] if sample else {})


@router.get("/templates/{name:path}/history", dependencies=VIEWER)
async def history(request: Request, name: str) -> Response:
    """Every version; two of them side by side, as they are written and as they are read."""
    office = office_of(request)
    desk, asked = office.desk, request.query_params
    versions = await desk.versions(name)
    published = (await desk.published()).get(name)
    numbers = {one.number for one in versions}
    newer = number_in(asked.get("new"), numbers) or versions[0].number
    before = [number for number in numbers if number < newer]
    older = number_in(asked.get("old"), numbers) or (max(before) if before else newer)
    old, new = await desk.whole(name, older), await desk.whole(name, newer)
    reader = _reader(request, new)
    return page(
        request,
        "history.html",
        name=name,
        versions=[(one, state_of(one, published)) for one in versions],
        published=published.number if published else None,
        older=older,
        newer=newer,
        files=_compared(old, new),
        read=[] if is_shared(name) or older == newer else await _read_side_by_side(desk, name, older, newer, reader),
        reader=reader,
        samples=sorted(new.source.samples or {}),
        locales=new.locales,
        pictures=_pictures(old, new),
        shared=is_shared(name),
        writable=office.templates_folder is None,
    )


def _compared(old: Whole, new: Whole) -> list[FileDiff]:
    """What an author wrote, and what of it stands in shared files."""
    return compare({**old.source.shared, **files_of(old)}, {**new.source.shared, **files_of(new)})


def _pictures(old: Whole, new: Whole) -> list[tuple[str, str | None, str | None]]:
    """Pictures that differ: the path, and where to see it then and now."""
    then, now = [
        {path: picture_url(content) for path, content in (whole.source.assets or {}).items()} for whole in (old, new)
    ]
    return [(path, then.get(path), now.get(path)) for path in sorted({*then, *now}) if then.get(path) != now.get(path)]


async def _read_side_by_side(desk: Bench, name: str, older: int, newer: int, reader: _Reader) -> list[FileDiff]:
    """Subject and text of both, as one reader gets them."""
    then, now = [
        _words(
            await desk.preview(
                name, None, version=number, data=reader.data, sample=None, locale=reader.locale, timezone=None
            )
        )
        for number in (older, newer)
    ]
    return compare(then, now)


def _words(made: Preview) -> dict[str, str]:
    if made.faults:
        return {"Text": _refusal(made.faults)}
    return {"Subject": made.subject or "", "Text": made.text or ""}


def _refusal(faults: Sequence[Fault]) -> str:
    return "\n".join(["This version cannot be made with that sample:", *(fault.message for fault in faults)])


@router.get("/templates/{name:path}/versions/{number}/mail", dependencies=VIEWER)
async def version_mail(request: Request, name: str, number: int) -> Response:
    """A version as a sample makes it: one of its own, or of the version `of`."""
    desk, asked = office_of(request).desk, request.query_params
    of = number_in(asked.get("of"), {one.number for one in await desk.versions(name)}) or number
    reader = _reader(request, await desk.whole(name, of))
    made = await desk.preview(
        name, None, version=number, data=reader.data, sample=None, locale=reader.locale, timezone=None
    )
    if made.faults:
        return framed(f"<pre>{_escaped(_refusal(made.faults))}</pre>", {})
    return framed(made.html or NO_HTML, await pictures_in(request, made.html or ""))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@router.get("/templates/{name:path}/publish/{number}")
async def publish_page(request: Request, name: str, number: int, user: Viewer) -> Response:
    """What publishing would change, for readers and for callers."""
    return await _publish_page(request, name, number, user.may(office_of(request).publishers), None)


async def _publish_page(request: Request, name: str, number: int, may: bool, wrong: Refused | None) -> Response:
    office = office_of(request)
    desk = office.desk
    whole = await desk.whole(name, number)
    published = (await desk.published()).get(name)
    now: Whole | None = await desk.whole(name, published.number) if published else None
    consequences = Consequences()
    try:
        consequences = await desk.consequences(name, number)
    except Conflict as error:
        wrong = error
    return page(
        request,
        "publish.html",
        409 if wrong else 200,
        name=name,
        version=whole.version,
        published=published.number if published else None,
        consequences=consequences,
        files=_compared(now, whole) if now else [],
        pictures=_pictures(now, whole) if now else [],
        wrong=wrong,
        shared=is_shared(name),
        publishers=office.publishers,
        may=may,
        writable=office.templates_folder is None,
    )


@router.post("/templates/{name:path}/publish/{number}")
async def publish(request: Request, name: str, number: int, user: Editor) -> Response:
    office = office_of(request)
    if not user.may(office.publishers):
        raise Forbidden(f"publishing takes the role {office.publishers} here, and {user.name} is {user.role}")
    force = (await form_of(request)).get("force") == "yes"
    try:
        await office.desk.publish(name, number, author=user.name, force=force)
    except Conflict as error:
        return await _publish_page(request, name, number, may=True, wrong=error)
    return go(f"/templates/{name}/history", "published")
