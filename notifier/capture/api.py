"""The inbox over HTTP, for tests in any language: messages, waiting, and the scripted faults."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from notifier.capture.faults import Fault, FaultPlan, Stage
from notifier.capture.filters import Filter
from notifier.capture.message import Captured
from notifier.capture.script import Scripted
from notifier.capture.store import MessageStore, NoSuchMail

_LONGEST_WAIT = 120.0  # seconds


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """An answer of application/problem+json (RFC 9457)."""
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    return JSONResponse({**body, **more}, status, media_type="application/problem+json")


async def http_problem(_request: Request, error: Exception) -> Response:
    """For `HTTPException`: 404, 405 and whatever else the framework refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "internal error"
    return problem(status, {404: "not_found", 405: "method_not_allowed"}.get(status, "invalid_request"), detail)


async def validation_problem(_request: Request, error: Exception) -> Response:
    """For `RequestValidationError`: every fault of the request."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    listed = [
        {"field": ".".join(map(str, fault["loc"][1:])), "code": fault["type"], "message": fault["msg"]}
        for fault in faults
    ]
    return problem(422, "invalid_request", "the request cannot be taken as it is", errors=listed)


def as_json(message: Captured, *, whole: bool) -> dict[str, Any]:
    """A message as the API shows it; `whole` adds what is inside."""
    envelope: dict[str, Any] = {
        "id": message.id,
        "received_at": message.received_at.isoformat(),
        "mail_from": message.mail_from,
        "rcpt_tos": list(message.rcpt_tos),
        "from": message.from_,
        "to": list(message.to),
        "cc": list(message.cc),
        "subject": message.subject,
        "message_id": message.message_id,
        "size": len(message.raw),
    }
    if not whole:
        return envelope
    return envelope | {
        "headers": [list(header) for header in message.headers],
        "text": message.text,
        "html": message.html,
        "links": [link._asdict() for link in message.links],
        "codes": list(message.codes),
        "attachments": [
            {
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "content_id": attachment.content_id,
                "inline": attachment.inline,
                "size": len(attachment.content),
            }
            for attachment in message.attachments
        ],
    }


def asked_for(
    to: str | None = None,
    subject: str | None = None,
    notification: str | None = None,
    reference: str | None = None,
    template: str | None = None,
    after: str | None = None,
) -> Filter:
    """The filter of a query string. `subject` is text to be found (no regular expression: one from outside could run
    for ever), `after` a time (RFC 3339) or the id of a message."""
    return Filter(
        predicate=None if subject is None else lambda message: subject.casefold() in message.subject.casefold(),
        to=to,
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


def messages_api(messages: MessageStore) -> APIRouter:
    """``/api/messages``: read, wait, delete."""
    router = APIRouter(prefix="/api/messages")

    def found(id: str) -> Captured:
        if (message := messages.get(id)) is None:
            raise HTTPException(404, f"no message {id}")
        return message

    @router.get("")
    async def listed(wanted: Asked, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> JSONResponse:
        """Newest first."""
        chosen = messages.find(wanted)[::-1]
        data = [as_json(message, whole=False) for message in chosen[:limit]]
        return JSONResponse(
            {"object": "list", "data": data, "has_more": len(chosen) > limit, "dropped": messages.dropped}
        )

    @router.get("/wait")
    async def wait(
        wanted: Asked,
        timeout: Annotated[float, Query(ge=0, le=_LONGEST_WAIT)] = 10.0,  # noqa: ASYNC109 -- part of the HTTP API
    ) -> JSONResponse:
        """The first that matches, or 504 with what came instead and why it did not match."""
        try:
            return JSONResponse(as_json(await messages.wait_for(wanted, timeout=timeout), whole=True))
        except NoSuchMail as error:
            near = [as_json(message, whole=False) | {"why_not": reason} for message, reason in error.near[-20:]]
            return problem(504, "no_such_mail", str(error), near=near)

    @router.get("/{id}")
    async def one(id: str) -> JSONResponse:
        return JSONResponse(as_json(found(id), whole=True))

    @router.get("/{id}/raw")
    async def raw(id: str) -> Response:
        return Response(found(id).raw, media_type="message/rfc822")

    @router.delete("")
    async def delete(wanted: Asked) -> JSONResponse:
        """Deletes what matches; everything, without a filter."""
        return JSONResponse({"deleted": messages.delete(wanted)})

    return router


class FaultRequest(BaseModel):
    """A fault as the API takes it: the `kind` is the word that Python tests use, the rest its arguments."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        "fail", "drop", "hang", "delay", "trickle", "garbage", "reject_auth", "no_starttls", "greylist", "bounce"
    ]
    stage: Stage = "rcpt"
    rcpt: str | None = None
    sender: str | None = None
    code: int = Field(451, ge=400, le=599)
    text: str | None = None
    times: Annotated[int, Field(ge=1)] | None = 1
    seconds: float = Field(0.0, ge=0)
    keep: bool = False


class _Script(Scripted):
    def __init__(self, faults: FaultPlan) -> None:
        self.faults = faults

    def add(self, asked: FaultRequest) -> Fault:
        """ValueError for what could never happen."""
        stage, rcpt, times = asked.stage, asked.rcpt, asked.times
        match asked.kind:
            case "fail" if times is None:
                return self.fail(stage=stage, rcpt=rcpt, sender=asked.sender, code=asked.code, text=asked.text)
            case "fail":
                return self.fail_next(
                    stage=stage, rcpt=rcpt, sender=asked.sender, code=asked.code, text=asked.text, times=times or 1
                )
            case "drop":
                return self.drop_at(stage, times, rcpt=rcpt, keep=asked.keep)
            case "hang":
                return self.hang_at(stage, times, rcpt=rcpt, keep=asked.keep)
            case "garbage":
                return self.garbage(stage, times, rcpt=rcpt, keep=asked.keep)
            case "delay":
                return self.delay(stage, asked.seconds, times, rcpt=rcpt)
            case "trickle":
                return self.trickle(stage, asked.seconds, times, rcpt=rcpt)
            case "reject_auth":
                return self.reject_auth(asked.code if "code" in asked.model_fields_set else 535, asked.text, times)
            case "no_starttls":
                return self.no_starttls()
            case "greylist":
                return self.greylist(times=times or 1, seconds=asked.seconds, rcpt=rcpt)
            case "bounce":
                if rcpt is None:
                    raise ValueError("a bounce needs an rcpt")
                more: Mapping[str, Any] = asked.model_dump(include={"code", "text"}, exclude_unset=True)
                return self.bounce(rcpt, times=times, **more)


def faults_api(faults: FaultPlan) -> APIRouter:
    """``/api/faults``: script, see and take back."""
    router = APIRouter(prefix="/api/faults")
    script = _Script(faults)

    @router.post("")
    async def add(asked: FaultRequest) -> JSONResponse:
        try:
            return JSONResponse(_fault_json(script.add(asked)), 201)
        except ValueError as error:
            return problem(422, "impossible_fault", str(error))

    @router.get("")
    async def listed() -> JSONResponse:
        return JSONResponse({"object": "list", "data": [_fault_json(fault) for fault in faults]})

    @router.delete("")
    async def clear() -> JSONResponse:
        count = len(faults)
        faults.clear()
        return JSONResponse({"deleted": count})

    @router.delete("/{id}")
    async def remove(id: int) -> JSONResponse:
        for fault in faults:
            if fault.id == id:
                fault.remove()
                return JSONResponse({"deleted": 1})
        raise HTTPException(404, f"no fault {id}")

    return router


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "kind": type(fault.action).__name__.lower(),
        "stage": fault.stage,
        "rcpt": fault.rcpt,
        "sender": fault.sender,
        "left": fault.left,
        "hits": fault.hits,
    }
