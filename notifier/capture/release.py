"""Letting a captured mail go to a real relay over HTTP. Who sends it is handed in: nothing here can."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from notifier.capture.answers import Released
from notifier.capture.api import MALFORMED, MISSING, REFUSALS, Found
from notifier.capture.message import Captured
from notifier.capture.problems import Problem, problem


class NoRelease(Exception):
    """Nothing was sent to anybody. The text says why, `status` whether it can be mended here (409) or not (502)."""

    def __init__(self, why: str, *, status: int) -> None:
        super().__init__(why)
        self.status = status


Release = Callable[[Captured, Sequence[str]], Awaitable[Released]]
"""Sends a message to these addresses and to nobody else. Raises `NoRelease`."""


class ReleaseRequest(BaseModel):
    """Whom the mail really goes to. Those it was written to have to be named, too."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"to": ["me@example.com"]}})

    to: Annotated[list[str], Field(min_length=1, max_length=50)]


async def release_of(request: Request) -> Release:
    """Who sends for the inbox that is asked."""
    release: Release = request.app.state.release
    return release


Sender = Annotated[Release, Depends(release_of)]
router = APIRouter(prefix="/api/messages", tags=["messages"], responses=REFUSALS)


@router.post(
    "/{id}/release",
    summary="Send it to a real relay",
    response_model=Released,
    responses={
        **MALFORMED,
        **MISSING,
        409: {"model": Problem, "description": "No relay is named, or it may not be used."},
        502: {"model": Problem, "description": "The relay cannot be used; nothing was sent."},
    },
)
async def let_go(release: Sender, message: Found, asked: ReleaseRequest) -> Released | JSONResponse:
    """As it came, by the relay of MAIL_SERVER and its like, to the addresses of `to` and to nobody else."""
    try:
        return await release(message, asked.to)
    except NoRelease as error:
        return problem(error.status, "no_relay" if error.status == 409 else "relay_trouble", str(error))
