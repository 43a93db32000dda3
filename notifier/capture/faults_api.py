"""The scripted faults over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from notifier.capture.answers import Deleted, Faults, FaultTold
from notifier.capture.api import MALFORMED, MISSING, REFUSALS
from notifier.capture.faults import Fault, FaultPlan, Stage
from notifier.capture.problems import problem
from notifier.capture.script import Scripted

_LONGEST_PAUSE = 3600.0  # seconds


class FaultRequest(BaseModel):
    """A fault as the API takes it: the `kind` is the word that Python tests use, the rest its arguments."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": "fail", "rcpt": "zoe@x.test", "code": 451, "times": 2}},
    )

    kind: Literal[
        "fail", "drop", "hang", "delay", "trickle", "garbage", "reject_auth", "no_starttls", "greylist", "bounce"
    ]
    stage: Stage = "rcpt"
    rcpt: str | None = None
    sender: str | None = None
    code: int = Field(451, ge=400, le=599)
    text: str | None = None
    times: Annotated[int, Field(ge=1)] | None = 1
    seconds: float = Field(0.0, ge=0, le=_LONGEST_PAUSE)
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
                more: Mapping[str, Any] = asked.model_dump(
                    include={"code", "text"}, exclude_unset=True, exclude_none=True
                )
                return self.bounce(rcpt, times=times, **more)


async def faults_of(request: Request) -> FaultPlan:
    """That of the server whose inbox is asked."""
    faults: FaultPlan = request.app.state.faults
    return faults


Plan = Annotated[FaultPlan, Depends(faults_of)]
router = APIRouter(prefix="/api/faults", tags=["faults"], responses=REFUSALS)


@router.post("", summary="Script a fault", status_code=201, response_model=FaultTold, responses=MALFORMED)
async def add(faults: Plan, asked: FaultRequest) -> FaultTold | JSONResponse:
    """What the server shall do wrong, at which stage, for whom (`rcpt`, `sender`) and how often (`times`, null for
    ever). The first that fits a command happens, in the order in which they were added."""
    try:
        return FaultTold.of(_Script(faults).add(asked))
    except ValueError as error:
        return problem(422, "impossible_fault", str(error), errors=[])


@router.get("", summary="List")
async def listed(faults: Plan) -> Faults:
    return Faults(data=[FaultTold.of(fault) for fault in faults])


@router.delete("", summary="Take all back")
async def clear(faults: Plan) -> Deleted:
    count = len(faults)
    faults.clear()
    return Deleted(deleted=count)


@router.delete("/{id}", summary="Take one back", responses=MISSING)
async def remove(faults: Plan, id: Annotated[int, Path(description="The id of a fault.")]) -> Deleted:
    for fault in faults:
        if fault.id == id:
            fault.remove()
            return Deleted(deleted=1)
    raise HTTPException(404, f"no fault {id}")
