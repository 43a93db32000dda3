"""Reading a JSON body: fast where it is good, and with the field's name where it is not."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json
from starlette.requests import Request

from notifier.domain.errors import Fault, Refused, refused

DEEPEST: Final = 40
"""Levels of arrays and objects in a body."""


class Unsupported(Refused):
    status = 415
    code = "unsupported_media_type"


_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s\";]+)")
_MOST_FAULTS = 100
_SUSPICIOUS = re.compile(rb"\\u0000|[0-9][eE]\+?[0-9]{3}|[0-9]{300}")
"""Cheap signs that every value has to be looked at: an escaped NUL, a number beyond what a float holds."""


async def read_json(request: Request) -> Any:
    """The body as plain data. Raises Refused (415 where it is not JSON by its own account, else 422).

    What is in it is safe to store anywhere: no NUL, no half surrogate pair, no NaN, nothing nested beyond `DEEPEST`.
    """
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if media_type.strip() != "application/json":
        raise Unsupported(f"send application/json, not {media_type.strip() or 'a body without Content-Type'}")
    if (charset := _CHARSET.search(parameters)) and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise Unsupported(f"send JSON in UTF-8 (RFC 8259 8.1), not in {charset[1]}")
    if (coding := request.headers.get("content-encoding", "identity").strip().lower()) != "identity":
        raise Unsupported(f"send the body as it is, without Content-Encoding: {coding}")
    return parse(await request.body())


def parse(body: bytes) -> Any:
    """See `read_json`."""
    try:
        value = from_json(body, allow_inf_nan=False)
        suspicious = _SUSPICIOUS.search(body) is not None
        suspicious = suspicious or (body.count(b"{") + body.count(b"[") > DEEPEST and _too_deep(value))
    except ValueError as error:
        value = _leniently(body, error)
        suspicious = True
    if suspicious:
        faults = [fault for fault, _ in zip(_faults(value, "", 1), range(_MOST_FAULTS), strict=False)]
        if faults:
            raise refused(faults)
    return value


def _too_deep(value: Any) -> bool:
    """Whether there are more levels than `DEEPEST`: by levels, so that scalars cost next to nothing."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            entry
            for holder in level
            if type(holder) in (dict, list)
            for entry in (holder.values() if type(holder) is dict else holder)
            if type(entry) in (dict, list)
        ]
        if not level:
            return False
    return True


def _leniently(body: bytes, error: ValueError) -> Any:
    """A second reading that takes NaN and half surrogate pairs, so that their fields can be named."""
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError:
        raise Refused("the body is not UTF-8", code="invalid_json", faults=[_syntax("is not UTF-8")]) from None
    except (ValueError, RecursionError):
        reason = str(error)
        raise Refused(f"the body is not JSON: {reason}", code="invalid_json", faults=[_syntax(reason)]) from None


def _syntax(reason: str) -> Fault:
    return Fault("", "syntax", f"the body is not JSON: {reason}")


def _faults(value: Any, path: str, depth: int) -> Iterator[Fault]:
    match value:
        case str():
            if complaint := _objection(value):
                yield Fault(path, "characters", complaint)
        case float() if not math.isfinite(value):
            yield Fault(path, "not_finite", "is not a finite number")
        case dict() | list() if depth > DEEPEST:
            yield Fault(path, "depth", f"is nested deeper than {DEEPEST} levels")
        case dict():
            for key, entry in value.items():
                shown = key.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")
                field = f"{path}.{shown}" if path else shown
                if complaint := _objection(key):
                    yield Fault(field, "characters", f"the name of this field {complaint}")
                yield from _faults(entry, field, depth + 1)
        case list():
            for n, entry in enumerate(value):
                yield from _faults(entry, f"{path}[{n}]", depth + 1)


def _objection(text: str) -> str | None:
    if "\0" in text:
        return "contains NUL (U+0000)"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair"
    return None
