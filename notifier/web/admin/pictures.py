"""Pictures that templates show: the list beside the editor, uploads, and the page of one of them.

A shared picture is a shared file like any other, under ``_assets/``: each upload is a version of it. A name that is not
taken is published at once, for no mail shows it yet; another picture under a name that is taken is a draft, and
publishing it makes new versions of the templates that show it.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import Conflict, NotFound, Refused
from notifier.domain.template import Source
from notifier.web.admin.office import BASE, Bench, office_of, services_of
from notifier.web.admin.pages import page
from notifier.web.admin.sessions import VIEWER, Editor, Viewer
from notifier.web.wire.answers import Json

router = APIRouter()

LARGEST: Final = 1024 * 1024
"""Bytes of a picture: it travels inside every mail that shows it."""
_HOME: Final = "_assets/"
_KINDS: Final[Mapping[str, tuple[bytes, tuple[str, ...]]]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n", ("png",)),
    "image/jpeg": (b"\xff\xd8\xff", ("jpg", "jpeg")),
    "image/gif": (b"GIF8", ("gif",)),
}
"""What every mail program shows: the bytes that it starts with, and how its name ends."""
_OTHERS: Final = ((b"RIFF", "WebP"), (b"<svg", "SVG"), (b"<?xml", "SVG"), (b"BM", "BMP"), (b"%PDF", "PDF"))
_BEGINNING: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LONGEST: Final = 80


def kind_of(content: bytes) -> str | None:
    """The media type, by the first bytes: a name may say anything."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[:256].lstrip().startswith((b"<svg", b"<?xml")):
        return "image/svg+xml"
    return next((kind for kind, (magic, _) in _KINDS.items() if content.startswith(magic)), None)


def identity(content: bytes) -> str:
    """What a picture is asked for by: the beginning of its SHA-256, as in its Content-ID and its hosted address."""
    return hashlib.sha256(content).hexdigest()[:32]


def picture_url(content: bytes) -> str:
    return f"{BASE}/pictures/{identity(content)}"


async def pictures_in(request: Request, html: str) -> dict[str, tuple[str, bytes]]:
    """The pictures of ours that a mail shows, inline or hosted: (type, content) by the address in it."""
    services = services_of(request)
    hosted = re.escape(services.public_url) + r"/assets/(?P<b>[0-9a-f]{32})/[\w.-]+" if services.public_url else r"(?!)"
    found: dict[str, tuple[str, bytes]] = {}
    for one in re.finditer(rf"cid:(?P<a>[0-9a-f]{{32}})@assets\.notifier|{hosted}", html):
        if one[0] not in found and (content := await services.store.find_asset(one.groupdict()["a"] or one["b"])):
            found[one[0]] = (kind_of(content) or "application/octet-stream", content)
    return found


@router.get("/pictures/{beginning}", dependencies=VIEWER)
async def picture(request: Request, beginning: str) -> Response:
    """The bytes of any version of any picture, for these pages alone."""
    content = await services_of(request).store.find_asset(beginning) if _BEGINNING.fullmatch(beginning) else None
    kind = kind_of(content) if content else None
    if content is None or kind is None:
        raise NotFound("There is no such picture.")
    headers = {
        "cache-control": "private, max-age=31536000, immutable",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",  # an SVG is a document
    }
    return Response(content, media_type=kind, headers=headers)


@router.get("/templates/{name:path}/pictures", dependencies=VIEWER)
async def listed(request: Request, name: str) -> Response:
    """What `asset()` finds for a template: its own pictures and, by other names, the shared ones."""
    desk = office_of(request).desk
    found = await _shared(desk)
    if not name.startswith("_") and name in {one.name for one in await desk.summaries()}:
        newest = (await desk.versions(name))[0].number
        own = (await desk.whole(name, newest)).source.assets or {}
        found |= {path.removeprefix("assets/"): content for path, content in own.items() if path.startswith("assets/")}
    told = [
        {"name": short, "url": picture_url(content), "size": len(content)}
        for short, content in sorted(found.items())
        if kind_of(content)
    ]
    return Json({"pictures": told})


async def _shared(desk: Bench) -> dict[str, bytes]:
    """The published shared pictures, by the name that `asset()` takes."""
    return {
        name.removeprefix(_HOME): await _content(desk, name, published.number)
        for name, published in (await desk.published()).items()
        if name.startswith(_HOME)
    }


async def _content(desk: Bench, name: str, number: int) -> bytes:
    return next(iter(((await desk.whole(name, number)).source.assets or {}).values()), b"")


@router.post("/pictures/{given:path}")
async def upload(request: Request, given: str, user: Editor) -> Response:
    """The body is the picture. A name that is taken is refused, unless `?replace=yes`: then it is a draft."""
    content = await request.body()
    try:
        _check(content)
        name = _HOME + clean_name(given, content)
        told = await _take(office_of(request).desk, name, content, user.name, "replace" in request.query_params)
    except Refused as error:
        return Json({"message": _sentence(error)}, error.status)
    return Json(told)


async def _take(desk: Bench, name: str, content: bytes, author: str, replace: bool) -> dict[str, Any]:
    published = (await desk.published()).get(name)
    told = {"name": name.removeprefix(_HOME), "url": picture_url(content), "size": len(content)}
    if published is not None and not replace:
        if await _content(desk, name, published.number) == content:
            return told
        raise Conflict(f"there is another picture called {told['name']}; give this one another name, or replace that")
    source = Source({}, assets={name.rpartition("/")[2]: content})
    saved = await desk.save(name, source, author=author, origin="pages", publish=published is None)
    return {**told, "publish": f"{BASE}/templates/{name}/publish/{saved.version.number}"}


def _check(content: bytes) -> None:
    """Raises Refused in words for whoever chose the file."""
    if not content:
        raise Refused("this file is empty")
    if len(content) > LARGEST:
        size = f"{len(content) / 1024 / 1024:.1f} MB"
        raise Refused(f"this picture has {size}, and 1 MB is the most, for it travels in every mail: make it smaller")
    if kind_of(content) not in _KINDS:
        begins = content[:256].lstrip()
        other = next((name for magic, name in _OTHERS if begins.startswith(magic)), "none of these")
        raise Refused(f"mail programs show PNG, JPEG and GIF, and this file is {other}")


def clean_name(given: str, content: bytes) -> str:
    """A file's name as a path has it: no blanks, and an ending that says what it is."""
    stem, _, ending = given.replace("\\", "/").rpartition("/")[2].rpartition(".")
    kind = kind_of(content) or ""
    endings = _KINDS[kind][1]
    if not stem or ending.lower() not in endings:
        stem, ending = (f"{stem}.{ending}" if stem and len(ending) > 4 else stem or ending), endings[0]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")
    return f"{stem[:_LONGEST] or 'picture'}.{ending.lower()}"


def _sentence(error: Refused) -> str:
    return error.faults[0].message if error.faults else error.detail


@router.get("/templates/_assets/{short:path}")
async def picture_page(request: Request, short: str, user: Viewer) -> Response:
    """One shared picture: what it shows, who uses it, and another one in its place."""
    office = office_of(request)
    desk, name = office.desk, _HOME + short
    versions = await desk.versions(name)
    published = (await desk.published()).get(name)
    shown = published.number if published else versions[0].number
    content = await _content(desk, name, shown)
    return page(
        request,
        "picture.html",
        name=name,
        short=short,
        shown=shown,
        newest=versions[0],
        published=published.number if published else None,
        url=picture_url(content),
        size=len(content),
        kind=kind_of(content),
        users=await desk.users(name),
        writable=user.may("editor") and office.templates_folder is None,
    )
