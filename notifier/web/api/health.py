"""For machines: alive, ready, metrics. No key is asked for."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.web.problems import problem
from notifier.web.services import services_of
from notifier.web.wire.answers import Json

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="livez")
async def livez() -> Response:
    """The process answers. Nothing else is asked."""
    return Json({"status": "ok"})


@router.get("/readyz", operation_id="readyz")
async def readyz(request: Request) -> Response:
    """Whether requests can be taken: the database answers and its schema is the one this code knows. How the relay is
    doing is told too; trouble there only makes mail wait."""
    found = await services_of(request).readiness()
    state = {
        "database": "ok" if found.database else "unavailable",
        "schema": "ok" if found.schema else "not current",
        "relay": dict(found.relay),
    }
    if found.database and found.schema:
        return Json({"status": "ok", **state})
    detail = "the database does not answer" if not found.database else "the schema is not current: notifier db upgrade"
    return problem(request, 503, detail, headers={"Retry-After": "1"}, more=state)


@router.get("/metrics", operation_id="metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(services_of(request).metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")
