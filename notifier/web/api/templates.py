"""/v1/templates: drafts, versions, previews, publishing. Names may hold slashes: `_layouts/base.html` is a file that
templates share."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, refused
from notifier.domain.key import Key
from notifier.web.body import read_json
from notifier.web.callers import Needs, actor, require
from notifier.web.services import Desk, services_of
from notifier.web.wire.answers import Json, list_json
from notifier.web.wire.faults import read_model
from notifier.web.wire.templates import (
    PreviewBody,
    PublishBody,
    TemplateBody,
    ValidateBody,
    fault_json,
    preview_json,
    saved_json,
    summary_json,
    version_json,
    whole_json,
)


class _Name(Convertor[str]):
    """A template's name in a path: one segment, or a shared file's. So `welcome/preview` is a call and no name."""

    regex = "_[^/]+(?:/[^/]+)+|[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("template", _Name())
router = APIRouter(tags=["templates"])

READER = [Depends(Needs("templates", "read"))]
Author = Annotated[Key, Depends(Needs("templates"))]
Reader = Annotated[Key, Depends(Needs("templates", "read"))]
Include = Annotated[Literal["assets"] | None, Query()]

_NAME = re.compile(r"(?:_[a-z]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:/[A-Za-z0-9._-]+)*", re.ASCII)
_NAME_LENGTH = 128
_HASH = re.compile("[0-9a-f]{64}")


def known_name(name: str) -> str:
    """A name that could be one. Raises Refused."""
    if len(name) > _NAME_LENGTH or ".." in name or not _NAME.fullmatch(name):
        raise refused([Fault("name", "syntax", "a name has at most 128 letters, digits, dots, dashes and underscores")])
    if "/" in name and not name.startswith("_"):
        raise NotFound("there is nothing at this path")
    return name


def _desk(request: Request) -> Desk:
    return services_of(request).desk


@router.get("/v1/templates", operation_id="list_templates", dependencies=READER)
async def list_templates(request: Request) -> Response:
    """Every template and shared file, by name."""
    return Json(list_json([summary_json(one) for one in await _desk(request).summaries()]))


@router.get("/v1/templates/{name:template}/contract", operation_id="get_contract", dependencies=READER)
async def get_contract(request: Request, name: str) -> Response:
    """What callers send: the declared schema, or the inferred one (then it only informs)."""
    whole = await _desk(request).whole(known_name(name), None)
    return Json({"name": name, "version": whole.version.number, "declared": whole.declared, "contract": whole.contract})


@router.get("/v1/templates/{name:template}/versions", operation_id="list_versions", dependencies=READER)
async def list_versions(request: Request, name: str) -> Response:
    """The history, newest first."""
    desk = _desk(request)
    found = await desk.versions(known_name(name))
    published = (await desk.published()).get(name)
    return Json(list_json([version_json(one, published) for one in found]))


@router.get("/v1/templates/{name:template}/versions/{version}", operation_id="get_version", dependencies=READER)
async def get_version(request: Request, name: str, version: str, include: Include = None) -> Response:
    """One version, by number or content hash, with its parts; `include=assets` gives its assets in base64."""
    name = known_name(name)
    number = version.isascii() and version.isdigit() and len(version) < 10
    if not number and not _HASH.fullmatch(version):
        raise NotFound(f"template {name!r} has no version {version!r}")
    return await _whole(_desk(request), name, int(version) if number else version, include)


@router.post("/v1/templates/{name:template}/publish", operation_id="publish_template")
async def publish_template(request: Request, name: str, caller: Author) -> Response:
    """Makes a version what the name means; an older one is the way back. 409 `breaking_change` lists whom it would
    break; `force` overrides, and is recorded."""
    body = read_model(PublishBody, await read_json(request))
    desk = _desk(request)
    renewed = await desk.publish(known_name(name), body.version, author=actor(caller), force=body.force)
    whole = await desk.whole(name, body.version)
    told = version_json(whole.version, (await desk.published()).get(name))
    more = {"renewed": list(renewed.published), "drafted": list(renewed.drafted)}
    return Json({**told, "name": name, **more})


@router.post("/v1/templates/{name:template}/preview", operation_id="preview_template")
async def preview_template(request: Request, name: str, caller: Reader) -> Response:
    """The mail as it would be sent: of a version, or of parts that are not saved, which takes the scope `templates`."""
    body = read_model(PreviewBody, await read_json(request))
    if body.source is not None:
        require(caller, "templates")
    preview = await _desk(request).preview(
        known_name(name),
        body.source,
        version=body.version,
        data=body.data,
        sample=body.sample,
        locale=body.locale,
        timezone=body.timezone,
    )
    if preview.faults:
        raise refused(preview.faults)
    return Json(preview_json(preview))


@router.post("/v1/templates/{name:template}/validate", operation_id="validate_data", dependencies=READER)
async def validate_data(request: Request, name: str) -> Response:
    """Whether data would be accepted; every fault if not."""
    body = read_model(ValidateBody, await read_json(request))
    faults = await _desk(request).verdict(
        known_name(name), body.data, version=body.version, locale=body.locale, timezone=body.timezone
    )
    return Json({"valid": not faults, "errors": [fault_json(fault) for fault in faults]})


@router.get("/v1/templates/{name:template}", operation_id="get_template", dependencies=READER)
async def get_template(request: Request, name: str, include: Include = None) -> Response:
    """The published version with its parts; a template that was never published: its newest draft. `include=assets`
    gives its assets in base64."""
    return await _whole(_desk(request), known_name(name), None, include)


@router.put("/v1/templates/{name:template}", operation_id="put_template")
async def put_template(
    request: Request,
    name: str,
    caller: Author,
    publish: Annotated[bool, Query()] = False,
    force: Annotated[bool, Query()] = False,
) -> Response:
    """Saves a new draft; `?publish=true` publishes it. With `If-Match: "N"`, 409 if a version newer than N is there."""
    body = read_model(TemplateBody, await read_json(request))
    saved = await _desk(request).save(
        known_name(name),
        body.source,
        author=actor(caller),
        publish=publish,
        force=force,
        onto=_if_match(request),
        note=body.note,
    )
    return Json(saved_json(saved), headers={"etag": f'"{saved.version.number}"'})


@router.delete("/v1/templates/{name:template}", operation_id="delete_template", status_code=204)
async def delete_template(request: Request, name: str, caller: Author) -> Response:
    """Nobody can name it any more. What was accepted is still sent, with its version."""
    await _desk(request).delete(known_name(name), author=actor(caller))
    return Response(status_code=204)


def _if_match(request: Request) -> int | None:
    """The version that a change starts from (RFC 9110 13.1.1). Raises Refused for what is none."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    given = header.strip().removeprefix("W/").strip('"')
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise refused(
            [Fault("If-Match", "syntax", 'is the number of the version that you changed, as in If-Match: "3"')]
        )
    return int(given)


async def _whole(desk: Desk, name: str, wanted: int | str | None, include: str | None) -> Response:
    whole = await desk.whole(name, wanted)
    told = whole_json(whole, (await desk.published()).get(name), contents=include == "assets")
    return Json(told, headers={"etag": f'"{whole.version.number}"'})
