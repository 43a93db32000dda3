"""/unsubscribe/{token}: where readers say stop. Looking at it changes nothing, because scanners of links look, too."""

from html import escape

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from notifier.domain.errors import NotFound
from notifier.domain.feedback import Feedback
from notifier.domain.unsubscribe import Stop
from notifier.web.services import Services, services_of

router = APIRouter(include_in_schema=False)

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .5rem 1.5rem }}</style>
<h1>{title}</h1>
<p>{text}</p>
{form}
</html>
"""


@router.get("/unsubscribe/{token}", operation_id="unsubscribe_page")
async def page(request: Request, token: str) -> Response:
    """Asks whether one really wants to."""
    services = services_of(request)
    stop = _read(services, token)
    text = (
        f"{await _brand(services, stop)}Stop mail about <b>{escape(stop.category)}</b> to {escape(stop.address_key)}?"
    )
    return _html("Unsubscribe", text, '<form method="post"><button>Unsubscribe</button></form>')


@router.post("/unsubscribe/{token}", operation_id="unsubscribe")
async def unsubscribe(request: Request, token: str) -> Response:
    """Stops it at once: by the mail program's one click (RFC 8058), or by the button of the page."""
    services = services_of(request)
    stop = _read(services, token)
    one_click = (await request.body()).strip() == b"List-Unsubscribe=One-Click"
    await services.store.hear(
        Feedback(
            "unsubscribed",
            "one-click" if one_click else "page",
            notification=stop.notification,
            address_keys=(stop.address_key,),
            scope=stop.category,
            trusted=True,
        )
    )
    text = f"{escape(stop.address_key)} gets no more mail about <b>{escape(stop.category)}</b>."
    return _html("Unsubscribed", await _brand(services, stop) + text)


def _read(services: Services, token: str) -> Stop:
    stop = services.links.read(token) if services.links else None
    if stop is None:
        raise NotFound("this link is not one of ours, or it was cut off on its way: try the one in the mail itself")
    return stop


async def _brand(services: Services, stop: Stop) -> str:
    """Who wrote the mail, in its own words."""
    record = (await services.store.records([stop.notification])).get(stop.notification)
    if record is None:
        return ""
    sender = record.notification.sender
    return f"{escape(sender.name or sender.email)}<br>"


def _html(title: str, text: str, form: str = "") -> Response:
    return HTMLResponse(_PAGE.format(title=title, text=text, form=form), headers=_HEADERS)
