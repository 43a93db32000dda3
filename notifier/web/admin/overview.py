"""The first page: what goes through, what waits, how the relay is, and what to do where it is not well."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import page
from notifier.web.admin.plots import HEIGHT, SCALES, WIDTH, Range, counted_since, plots
from notifier.web.admin.sessions import VIEWER

router = APIRouter()

_RECENT: Final = 500
"""Notifications that the speed of templates is taken from."""
_SLOWEST: Final = 5

ADVICE: Final[Mapping[str, str]] = {
    "unreachable": "Check MAIL_SERVER and MAIL_PORT, and that a firewall lets this machine out to them.",
    "refused": "The relay answers and does not want us: ask its operator whether this machine may submit mail.",
    "tls": "Check MAIL_STARTTLS and MAIL_SSL_TLS against what the relay offers, and its certificate's name.",
    "auth": "Check MAIL_USERNAME and MAIL_PASSWORD; many providers want an app password or an API key here.",
    "throttled": "The relay asks for patience. Lower NOTIFIER_RELAY_RATE if this comes back.",
}


@router.get("/", dependencies=VIEWER)
async def overview(request: Request, range: Range = "hour") -> Response:
    office, services = office_of(request), services_of(request)
    now, mark = office.clock(), await office.live.mark()
    async with office.counting:
        tally = await office.store.tally(office.tally)
        drawn, since = plots(tally, range, now), counted_since(tally, range, now)
    lanes = await office.lanes()
    waiting = [(project, priority, *lane) for (project, priority), lane in sorted(lanes.items()) if lane[0]]
    return page(
        request,
        "overview.html",
        mark=mark,
        plots=drawn,
        scales=SCALES,
        range=range,
        box=(WIDTH, HEIGHT),
        since=since,
        waiting=waiting,
        total=sum(lane[2] for lane in waiting),
        oldest=max((lane[3] for lane in waiting), default=0.0),
        speeds=(await office.store.speeds(_RECENT))[:_SLOWEST],
        recent=_RECENT,
        relay=relay_told((await services.readiness()).relay),
        pauses=[(name, one) for name in await office.store.projects() for one in await services.store.pauses(name)],
    )


def relay_told(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """None: no mail is sent by this process."""
    if not told:
        return None
    error = told.get("error")
    return {
        **told,
        "well": told["breaker"] == "closed" and error is None,
        "error": error,
        "since": datetime.fromisoformat(told["since"]) if error else None,
        "advice": ADVICE.get(told.get("kind", ""), ""),
        "configuration": bool(told.get("configuration")),
    }
