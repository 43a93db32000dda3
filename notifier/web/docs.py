"""/docs and /openapi.json: everything is served by us, so that it works without the network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from notifier.web.wire.answers import Json

_SWAGGER = Path(__file__).parent / "static" / "swagger"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>notifier: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<div id="ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/static/start.js"></script>
</html>
"""


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY})


def install(app: FastAPI, describe: Callable[[], dict[str, Any]]) -> None:
    """Adds the pages. The description is made when it is first asked for, and kept."""
    kept: dict[str, Any] = {}

    async def openapi(_: Request) -> Response:
        if not kept:
            kept.update(describe())
        return Json(kept)

    app.router.routes.extend(
        [
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/docs", _page, methods=["GET"]),
            Mount("/docs/static", StaticFiles(directory=_SWAGGER)),
        ]
    )
