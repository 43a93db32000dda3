"""A backlog of fifty thousand, and what overtakes it: on the real store, with a relay that takes mail one by one."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.app.service import Service
from notifier.domain.acceptance import Acceptance
from notifier.settings import Settings
from notifier.store.store import Store
from tests.support.sink import Sink, mail

BACKLOG = 50_000


async def fill(store: Store) -> None:
    now = datetime.now(UTC)
    for start in range(0, BACKLOG, 2000):
        news = [mail("bulk", "low", f"bulk-{n}@example.com") for n in range(start, start + 2000)]
        await store.accept(Acceptance("bulk", news, now, size=len(news)))


@pytest.fixture(scope="module")
async def relay() -> AsyncIterator[Sink]:
    async with Sink(0.02) as relay:  # 250 mails a second over 5 connections
        yield relay


@pytest.fixture(scope="module")
async def service(relay: Sink, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """The backlog, and the dispatcher in the middle of it."""
    given: dict[str, Any] = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('lanes')}/notifier.db",
        "NOTIFIER_RELAY_CONNECTIONS": 5,
        "NOTIFIER_SHUTDOWN_GRACE": 1.0,
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": relay.port,
    }
    async with Service(Settings(**given)) as service:
        assert service.worker is not None
        await fill(service.store)
        await relay.wait_for("bulk-0@example.com")
        assert await service.store.backlog(BACKLOG) > BACKLOG / 2
        yield service


async def test_high_overtakes_low_and_a_small_project_a_big_one(service: Service, relay: Sink) -> None:
    started = time.monotonic()
    await asyncio.gather(
        service.store.accept(Acceptance("bulk", [mail("bulk", "high", "code@example.com")], datetime.now(UTC))),
        service.store.accept(Acceptance("small", [mail("small", "low", "only@example.com")], datetime.now(UTC))),
    )
    async with asyncio.timeout(10):
        assert await relay.wait_for("code@example.com") - started < 2.0
        assert await relay.wait_for("only@example.com") - started < 2.0


async def test_low_goes_on_while_high_never_ends(service: Service, relay: Sink) -> None:
    news = [mail("bulk", "high", f"code-{n}@example.com") for n in range(1000)]
    await service.store.accept(Acceptance("bulk", news, datetime.now(UTC), size=len(news)))
    await relay.wait_for("code-100@example.com")
    before = sum(address.startswith("bulk") for address in relay.came)
    await relay.wait_for("code-900@example.com")
    low = sum(address.startswith("bulk") for address in relay.came) - before
    assert 800 * 0.02 < low < 800 * 0.2  # a twentieth is meant
