"""Refusals of the inbox's API: application/problem+json (RFC 9457)."""

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
_CODES = {400: "malformed", 404: "not_found", 405: "method_not_allowed"}


class FieldFault(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """Why a request was not done. `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class Faulty(Problem):
    """A request that cannot be taken as it is, with everything that is wrong with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank", "title": "invalid request", "status": 422, "code": "invalid_request",
                "detail": "the request cannot be taken as it is",
                "errors": [{"field": "limit", "code": "less_than_equal", "message": "Input should be less than 1000"}],
            }
        }
    )  # fmt: skip

    errors: list[FieldFault] = []


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    return JSONResponse({**body, **more}, status, media_type=MEDIA_TYPE)


async def http_problem(_request: Request, error: Exception) -> Response:
    """For `HTTPException`: 404, 405 and whatever else the framework refuses."""
    if not isinstance(error, HTTPException):
        return problem(500, "internal_error", "internal error")
    status = error.status_code
    answer = problem(status, _CODES.get(status, "invalid_request"), str(error.detail))
    answer.headers.update(error.headers or {})  # Allow, with a 405
    return answer


async def validation_problem(_request: Request, error: Exception) -> Response:
    """For `RequestValidationError`: every fault of the request."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    listed = [
        {"field": ".".join(map(str, fault["loc"][1:])), "code": fault["type"], "message": fault["msg"]}
        for fault in faults
    ]
    return problem(422, "invalid_request", "the request cannot be taken as it is", errors=listed)
