"""Services in processes of their own, each with a relay that misbehaves as it is told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from notifier.capture import Capture
from tests.support.process import Serve

MakeServe = Callable[..., Awaitable[Serve]]


@pytest.fixture
async def relay() -> AsyncIterator[Capture]:
    async with Capture(keep=10_000) as capture:
        yield capture


@pytest.fixture
async def make_serve(tmp_path: Path, relay: Capture) -> AsyncIterator[MakeServe]:
    """``serve = await make_serve(NOTIFIER_LEASE="2s")``: running, with these settings."""
    made: list[Serve] = []

    async def make(**environment: str) -> Serve:
        serve = Serve(tmp_path, relay, **environment)
        made.append(serve)
        await serve.start()
        return serve

    yield make
    for serve in made:
        await serve.close()


@pytest.fixture
async def serve(make_serve: MakeServe) -> Serve:
    return await make_serve()
