"""What every request and answer pass through: plain ASGI, a few microseconds each."""

import asyncio
import logging
import re
from contextlib import suppress
from random import getrandbits
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifier.web.problems import problem

log = logging.getLogger(__name__)

_LINGER_SECONDS: Final = 5.0
_LINGER_OCTETS: Final = 64 * 1024 * 1024
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Envelope:
    """Gives every request an id (the caller's ``X-Request-ID`` where it is sane), puts it and what the endpoint left
    in ``scope["answer_headers"]`` on the answer, and turns what nobody expected into a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        answer_headers: dict[str, str] = {"x-request-id": request_id, "x-content-type-options": "nosniff"}
        scope["answer_headers"] = answer_headers
        started = False
        if scope["method"] == "HEAD":  # to be had wherever GET is (RFC 9110 9.3.2); the server leaves out the body
            scope = {**scope, "method": "GET"}

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in answer_headers.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("the caller left before the request was read", extra={"request_id": request_id})
        except Exception:  # a defect of ours: it is logged with its id, and the caller is told the id
            log.exception("request failed", extra={"request_id": request_id, "path": scope["path"]})
            if started:
                raise
            detail = f"something broke on our side; the log knows it as {request_id}"
            await problem(Request(scope), 500, detail)(scope, receive, send_with_headers)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode("ascii") if _SANE_ID.fullmatch(value) else _new_id()
    return _new_id()


def _new_id() -> str:
    """32 hex digits. Nothing rests on nobody guessing it, so it need not cost a system call."""
    return f"{getrandbits(128):032x}"


class BodyLimit:
    """Cuts requests whose body is larger than `limit` octets: by what they say, and by what they send.

    A connection that is closed on octets which nobody has read is reset, and a reset takes the answer with it (RFC 9112
    9.6). So what still comes is read and thrown away for a while before the answer ends and the connection with it.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._limit:
                response = problem(Request(scope), 413, self._complaint(), headers={"connection": "close"})
                await response(scope, receive, _lingering(receive, send))
                return
        taken = 0
        answer = send

        async def receive_within_limit() -> Message:
            nonlocal taken, answer
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                if message.get("more_body"):
                    answer = _lingering(receive, send)
                raise HTTPException(413, self._complaint(), headers={"connection": "close"})
            return message

        async def send_answer(message: Message) -> None:
            await answer(message)

        await self._app(scope, receive_within_limit, send_answer)

    def _complaint(self) -> str:
        return f"a request has at most {self._limit} octets"


def _lingering(receive: Receive, send: Send) -> Send:
    """`send` that gives the whole answer at once and ends it when the caller has, or has had enough of our time."""

    async def send_and_read_on(message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        await send({**message, "more_body": True})
        await _read_on(receive)
        await send({"type": "http.response.body"})

    return send_and_read_on


async def _read_on(receive: Receive) -> None:
    ignored = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while ignored < _LINGER_OCTETS and (message := await receive()).get("more_body"):
                ignored += len(message["body"])
