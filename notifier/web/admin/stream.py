"""What an open page listens to: server-sent events without data, after which it asks for itself again."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from notifier.web.admin.live import Live
from notifier.web.admin.office import office_of
from notifier.web.admin.sessions import VIEWER

router = APIRouter()

_LIFE: Final = 300.0
"""Seconds of a stream. The browser comes back by itself, and is asked again who it is."""
_QUIET: Final = 20.0
"""Seconds after which a comment shows everybody between here and there that the stream is alive."""
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@router.get("/live", dependencies=VIEWER)
async def live(request: Request, of: str = "", seen: str = "") -> Response:
    """A stream that says when to look again: at everything, or at the notification `of`."""
    stream = _stream(office_of(request).live, of if _ID.fullmatch(of) else None, seen)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _stream(live: Live, id_: str | None, seen: str) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    end = loop.time() + _LIFE
    yield "retry: 2000\n\n"
    with live.listen(id_, seen) as bell:
        while not live.closed and (left := end - loop.time()) > 0:
            try:
                await asyncio.wait_for(bell.wait(), min(left, _QUIET))
            except TimeoutError:
                yield ": here\n\n"
                continue
            bell.clear()
            if not live.closed:
                yield "data: changed\n\n"
