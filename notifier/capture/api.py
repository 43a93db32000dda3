"""The inbox over HTTP, for tests in any language: messages and waiting for them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from notifier.capture.answers import Codes, Deleted, Links, LinkTold, Mail, Mails, Near, NoSuchMailProblem, Summary
from notifier.capture.filters import Filter
from notifier.capture.message import Captured
from notifier.capture.problems import Faulty, Problem, problem
from notifier.capture.store import MessageStore, NoSuchMail

_LONGEST_WAIT = 120.0  # seconds
_NEAR = 20
_ASKED = frozenset({"to", "subject", "notification", "reference", "template", "after", "limit", "timeout"})
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")  # re.escape would clutter what is told of a wait in vain

REFUSALS: dict[int | str, dict[str, Any]] = {
    422: {"model": Faulty, "description": "The request cannot be taken; `errors` names every fault."}
}
MALFORMED: dict[int | str, dict[str, Any]] = {400: {"model": Problem, "description": "The body is not JSON."}}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is nothing of that id."}}


async def asked_for(
    request: Request,
    to: Annotated[str | None, Query(description="An address of the envelope, of To or of Cc.")] = None,
    subject: Annotated[str | None, Query(description="Text to be found in the subject, no matter the case.")] = None,
    notification: Annotated[str | None, Query(description="The id of a notification of notifier's.")] = None,
    reference: Annotated[str | None, Query(description="The reference that a notification was sent with.")] = None,
    template: Annotated[str | None, Query(description="The template that it was rendered from.")] = None,
    after: Annotated[str | None, Query(description="A time (RFC 3339) or the id of a message: later ones.")] = None,
) -> Filter:
    """The filter of a query string. Its `subject` is no regular expression: one from outside could run for ever.
    Other words are refused: a filter that is misspelt would fit everything, and delete it."""
    if unknown := [name for name in request.query_params if name not in _ASKED]:
        message = "no such parameter; a filter is one of to, subject, notification, reference, template and after"
        faults = [{"type": "extra_forbidden", "loc": ("query", name), "msg": message} for name in unknown]
        raise RequestValidationError(faults)
    return Filter(
        to=to,
        subject=None if subject is None else re.compile(_SPECIAL.sub(r"\\\g<0>", subject), re.IGNORECASE),
        notification=notification,
        reference=reference,
        template=template,
        after=_moment(after),
    )


def _moment(after: str | None) -> datetime | str | None:
    if after is None:
        return None
    try:
        moment = datetime.fromisoformat(after.replace(" ", "+"))  # an unescaped "+" of the offset arrives as a space
    except ValueError:
        return after
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Asked = Annotated[Filter, Depends(asked_for)]


async def messages_of(request: Request) -> MessageStore:
    """What the application that is asked shows."""
    messages: MessageStore = request.app.state.messages
    return messages


Messages = Annotated[MessageStore, Depends(messages_of)]


async def found(messages: Messages, id: Annotated[str, Path(description="The id of a message.")]) -> Captured:
    """The message that a path names. Raises HTTPException (404)."""
    if (message := messages.get(id)) is None:
        raise HTTPException(404, f"no message {id}")
    return message


Found = Annotated[Captured, Depends(found)]

router = APIRouter(prefix="/api/messages", tags=["messages"], responses=REFUSALS)


@router.get("", summary="List")
async def listed(messages: Messages, wanted: Asked, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Mails:
    """What matches, newest first; everything, without a filter."""
    chosen = messages.find(wanted)[::-1]
    data = [Summary.of(message) for message in chosen[:limit]]
    return Mails(data=data, has_more=len(chosen) > limit, dropped=messages.dropped)


@router.get(
    "/wait",
    summary="Wait for a mail",
    response_model=Mail,
    responses={504: {"model": NoSuchMailProblem, "description": "None came in time."}},
)
async def wait(
    messages: Messages,
    wanted: Asked,
    timeout: Annotated[  # noqa: ASYNC109 -- part of the HTTP API
        float, Query(ge=0, le=_LONGEST_WAIT, description="Seconds.")
    ] = 10.0,
) -> Mail | JSONResponse:
    """The first that matches, of those that came before and those that come within `timeout` seconds."""
    try:
        return Mail.whole(await messages.wait_for(wanted, timeout=timeout))
    except NoSuchMail as error:
        near = [Near.of(message, why_not=reason) for message, reason in error.near[-_NEAR:]]
        told = [one.model_dump(mode="json", by_alias=True) for one in near]
        return problem(504, "no_such_mail", str(error), near=told)


@router.get("/{id}", summary="One, with what is inside", responses=MISSING)
async def one(message: Found) -> Mail:
    return Mail.whole(message)


@router.get(
    "/{id}/raw",
    summary="As it came",
    responses={**MISSING, 200: {"content": {"message/rfc822": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
async def raw(message: Found) -> Response:
    return Response(message.raw, media_type="message/rfc822")


@router.get("/{id}/links", summary="Its links", responses=MISSING)
async def links(
    message: Found, match: Annotated[str, Query(description="Text to be found in a link's text or URL.")] = ""
) -> Links:
    """Those of the HTML first, in order."""
    part = match.casefold()
    fitting = [link for link in message.links if any(part in value.casefold() for value in link)]
    return Links(data=[LinkTold.of(link) for link in fitting])


@router.get("/{id}/codes", summary="Its one-time codes", responses=MISSING)
async def codes(message: Found) -> Codes:
    """What may be one, the likeliest first: 4 to 8 digits, or capitals with digits."""
    return Codes(data=list(message.codes))


@router.delete("", summary="Delete")
async def delete(messages: Messages, wanted: Asked) -> Deleted:
    """Deletes what matches; everything, without a filter."""
    return Deleted(deleted=messages.delete(wanted))


@router.delete("/{id}", summary="Delete one", responses=MISSING)
async def delete_one(messages: Messages, message: Found) -> Deleted:
    return Deleted(deleted=messages.delete(Filter(predicate=lambda one: one.id == message.id)))
