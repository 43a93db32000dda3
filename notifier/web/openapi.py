"""The description of the API (OpenAPI 3.1): bodies, answers, an example for every call, and every refusal."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from notifier.web import examples
from notifier.web.calls import CALLS, Call
from notifier.web.problems import MEDIA_TYPE, title_of
from notifier.web.wire import models, schemas

_REFUSALS: Final[Mapping[int, str]] = {
    401: "No API key, or not a good one.",
    403: "The key may not do this.",
    404: "There is nothing of that id in this project.",
    409: "It is in a state that does not allow it; `errors` says the status.",
    413: "The request is too large.",
    415: "The body is not application/json.",
    422: "The request cannot be taken; `errors` names every fault.",
    429: "The key's rate is used up; see Retry-After and RateLimit-*.",
    500: "Something broke on our side.",
    503: "Not now; try again after Retry-After seconds.",
}
_TEMPLATE: Final = "#/components/schemas/{model}"


def describe(app: FastAPI, public_url: str | None) -> dict[str, Any]:
    """The whole description. A call that is not in `CALLS` has what FastAPI sees of it."""
    found = get_openapi(
        title="notifier",
        version=app.version,
        summary="Ask to notify a person; the mail is rendered, sent and kept an honest record of.",
        routes=app.routes,
        servers=[{"url": public_url or "/"}],
    )
    components = found.setdefault("components", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
    components.setdefault("schemas", {}).update(_schemas())
    components["responses"] = {f"Problem{status}": _refusal(status, text) for status, text in _REFUSALS.items()}
    found["security"] = [{"key": []}]
    for path, methods in found["paths"].items():
        for operation in methods.values():
            call = CALLS.get(operation["operationId"])
            if call is not None:
                _complete(operation, call, path)
            else:
                operation["responses"].pop("422", None)  # FastAPI's own shape, which nobody is ever answered with
                operation["responses"] |= _refusals({401, 403, 404, 413, 415, 422, 429, 500, 503})
    return found


def _schemas() -> dict[str, Any]:
    wanted: set[type[BaseModel]] = {schemas.ProblemSchema, models.Fields}
    for call in CALLS.values():
        wanted |= {model for model in (call.answer, call.body) if model is not None}
    ordered = sorted(wanted, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "validation") for model in ordered], ref_template=_TEMPLATE)
    found: dict[str, Any] = definitions["$defs"]
    # An item of a batch is read with the defaults under it, so its model says nothing of it.
    batch = found["BatchBody"]
    batch["required"] = ["notifications"]
    batch["properties"]["defaults"] = {"anyOf": [_ref(models.Fields), {"type": "null"}]}
    batch["properties"]["notifications"] |= {"items": _ref(models.Fields), "minItems": 1, "maxItems": 1000}
    return found


def _refusal(status: int, text: str) -> dict[str, Any]:
    example = examples.problem(status, title_of(status))
    content = {MEDIA_TYPE: {"schema": _ref(schemas.ProblemSchema), "example": example}}
    return {"description": text, "content": content}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(model=model.__name__)}


def _complete(operation: dict[str, Any], call: Call, path: str) -> None:
    """Adds what FastAPI cannot see, for bodies are read by `web/body.py`."""
    refusals = {500, *call.also}
    if "{" in path:
        refusals.add(404)  # with a line break in it, it is no path of ours
    if call.open:
        operation["security"] = []
    else:
        refusals |= {401, 403, 422, 429, 503}
    if call.body is not None:
        refusals |= {413, 415}
        content = {"application/json": {"schema": _ref(call.body), "example": call.body_example}}
        operation["requestBody"] = {"required": call.body_required, "content": content}
    if call.csv is not None:
        refusals |= {413, 415}
        content = {"text/csv": {"schema": {"type": "string"}, "example": call.csv}}
        operation["requestBody"] = {"required": True, "content": content}
    if call.idempotent:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    operation["responses"] = {
        str(call.status): _answer(operation, call),
        **_refusals(refusals),
    }
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string"}
            parameter["example"] = next((text for mark, text in _PATHS.items() if mark in path), examples.ID)


_PATHS: Final = {
    "{scope}": "all",
    "{name}": "welcome",
    "{address}": "zoe@example.com",
    "{provider}": "postmark",
}
"""Examples of what stands in a path, where it is no id."""


def _refusals(statuses: Collection[int]) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}


_LINKS: Final[Mapping[str, tuple[str, Collection[str]]]] = {
    "send": ("id", ("get", "timeline", "message", "cancel", "retry", "resend")),
    "send_batch": ("batch", ("get_batch",)),
    "create_key": ("id", ("revoke_key",)),
    "create_webhook": ("id", ("get_webhook", "change_webhook", "list_webhook_deliveries", "delete_webhook")),
}
"""Where an answer's id can be taken next."""

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is one notification, for seven days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "example": "order-1001",
}


def _answer(operation: Mapping[str, Any], call: Call) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": str(operation.get("description", "")).split("\n", maxsplit=1)[0] or "Done."
    }
    if call.answer is not None:
        answer["content"] = {"application/json": {"schema": _ref(call.answer), "example": call.example}}
    if links := _LINKS.get(operation["operationId"]):
        source, targets = links
        answer["links"] = {
            target: {"operationId": target, "parameters": {"id": f"$response.body#/{source}"}} for target in targets
        }
    if operation["operationId"] == "message":
        answer["content"]["message/rfc822"] = {"schema": {"type": "string"}}
    if operation["operationId"] == "metrics":
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return answer
