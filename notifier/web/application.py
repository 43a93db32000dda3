"""The front door as one ASGI application."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse

from notifier import __version__
from notifier.web import docs, problems
from notifier.web.api import (
    assets,
    batches,
    control,
    feed,
    feedback,
    health,
    keys,
    notifications,
    pauses,
    suppressions,
    templates,
    unsubscribe,
    webhooks,
)
from notifier.web.envelope import BodyLimit, Envelope
from notifier.web.openapi import describe
from notifier.web.services import Health, Services

_MODULES = (
    batches,
    notifications,
    control,
    feed,
    pauses,
    templates,
    suppressions,
    feedback,
    unsubscribe,
    webhooks,
    keys,
    assets,
    health,
)


def create_app(services: Services) -> FastAPI:
    """Everything under /v1, /livez, /readyz, /metrics and /docs, and whatever `services.mounts` brings."""
    app = FastAPI(
        title="notifier", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url=None
    )
    app.state.services = services
    problems.install(app, [route for module in _MODULES for route in module.router.routes])
    app.add_middleware(BodyLimit, limit=services.limits.body)
    app.add_middleware(Envelope)
    for module in _MODULES:
        app.router.routes.extend(module.router.routes)  # include_router looks each request up twice: 40 us
    docs.install(app, lambda: describe(app, services.public_url))
    for path, mounted in services.mounts.items():
        app.add_route(path, _with_slash, include_in_schema=False)
        app.mount(path, mounted)
    return app


def create_worker_app(health_: Health) -> FastAPI:
    """What a process without an API answers: /livez, /readyz and /metrics."""
    app = FastAPI(title="notifier worker", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = health_
    problems.install(app, list(health.router.routes))
    app.add_middleware(Envelope)
    app.include_router(health.router)
    return app


async def _with_slash(request: Request) -> RedirectResponse:
    """`/inbox` is what people type; the mounted application's pages are below `/inbox/`."""
    return RedirectResponse(f"{request.url.path}/", status_code=308)
