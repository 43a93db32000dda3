"""/v1/events: everything that happens in a project, as a feed to be read on from where one stopped."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from notifier.domain.listing import Cursor
from notifier.web.callers import Reader
from notifier.web.services import services_of
from notifier.web.wire.answers import Json, cursor_text, event_json, list_json
from notifier.web.wire.models import FeedQuery

router = APIRouter(tags=["events"])


@router.get("/v1/events", operation_id="events")
async def events(request: Request, caller: Reader, query: Annotated[FeedQuery, Query()]) -> Response:
    """The project's events in an order that skips nothing. Go on with ``?after=`` the `next` of the last answer."""
    after = Cursor(*map(int, query.after.split("-"))) if query.after else Cursor()
    feed = await services_of(request).store.feed(caller.project, after, query.type, query.limit)
    answer = list_json([event_json(one) for one in feed.events], has_more=feed.has_more)
    return Json({**answer, "next": cursor_text(feed.next)})
