"""Pages: Jinja templates of our own, what they may use, and small things about HTTP that all of them share."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from notifier.domain.errors import Refused
from notifier.web.admin.office import BASE, office_of, services_of

FOLDER: Final = Path(__file__).parent
MENU: Final = (
    ("/", "Overview"),
    ("/notifications", "Notifications"),
    ("/templates", "Templates"),
    ("/suppressions", "Suppressions"),
    ("/pauses", "Pauses"),
)
"""What everybody who is signed in may look at."""
SAID: Final[Mapping[str, str]] = {
    "retried": "It is queued again.",
    "canceled": "It is canceled.",
    "resent": "A new notification was made of it; this is where it stands.",
    "paused": "Stopped.",
    "resumed": "It goes on.",
    "saved": "The draft is saved.",
    "published": "Published. New mail uses it from now on.",
    "deleted": "Deleted.",
    "revoked": "The key opens nothing any more.",
    "password": "The password is set. Other sessions of yours have ended.",
    "changed": "Changed. Their sessions have ended.",
    "lifted": "The address is written to again.",
    "suppressed": "The address is left alone from now on. What is being sent at this moment is still sent.",
    "imported": "All of the file is taken. What stood already stays as it was.",
    "webhook-changed": "Changed.",
    "webhook-removed": "The webhook is gone, and what was to be told it.",
    "redelivered": "It is told once more.",
}
"""What a page says after a change, by the word in its address: nobody else's text gets on a page this way."""


@cache
def static_version() -> str:
    """Changes when a static file does, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted((FOLDER / "static").rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def when(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(value: float | timedelta) -> str:
    """A length of time in two words at most: ``420 ms``, ``12 s``, ``3 min 5 s``, ``2 h``, ``4 d 3 h``."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    words: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size or words:
            words.append(f"{left // size} {unit}" if left // size else "")
            left %= size
    return " ".join(word for word in words[:2] if word)


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def query(request: Request, **changes: str | None) -> str:
    """This page's query with some of it changed."""
    kept = {name: value for name, value in request.query_params.items() if name not in ("said", "after", "before")}
    merged = {name: value for name, value in {**kept, **changes}.items() if value}
    return "?" + urlencode(merged) if merged else "?"


_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(FOLDER / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"when": when, "span": span, "plural": plural, "segment": lambda name: quote(str(name))}
_ENVIRONMENT.globals |= {"base": BASE, "menu": MENU, "query": query}


def page(request: Request, template: str, status: int = 200, **data: Any) -> HTMLResponse:
    """A page of a signed-in user, or of nobody."""
    text = _ENVIRONMENT.get_template(template).render(
        request=request,
        user=getattr(request.state, "user", None),
        nonce=request.scope["nonce"],
        static=f"{BASE}/static/{static_version()}",
        said=SAID.get(request.query_params.get("said", "")),
        inbox="/inbox" in services_of(request).mounts,
        now=office_of(request).clock(),
        **data,
    )
    return HTMLResponse(text, status)


def fragment(template: str, **data: Any) -> str:
    """A piece of a page, for a script of ours to show."""
    return _ENVIRONMENT.get_template(template).render(**data)


def go(path: str, said: str | None = None) -> RedirectResponse:
    """To another page, after a change."""
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{BASE}{path}{f'{mark}said={said}' if said else ''}", 303)


_LARGEST_FORM = 4 * 1024 * 1024


async def fields_of(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, in order."""
    body = await request.body()
    if len(body) > _LARGEST_FORM:
        raise Refused("this form is too large")
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise Refused("this form has too many fields") from None


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; of a name that comes twice, the last."""
    return dict(await fields_of(request))


def download(content: bytes, media_type: str, filename: str) -> Response:
    return Response(
        content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{filename}"'}
    )
