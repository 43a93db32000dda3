"""Five thousand events, an endpoint that fails three times in ten, and five processes that are lost on the way."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.domain.lifecycle import RetryPolicy
from notifier.domain.webhook import Answer, Secret, Told, Webhook, new_secret
from notifier.webhooks.courier import Courier
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Http
from tests.acceptance.feedback.conftest import Endpoint, answered
from tests.contract.conftest import Desk

EVENTS, KILLS = 5000, 5


@pytest.mark.slow
async def test_none_is_missing(tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.webhooks.courier.POLICY", RetryPolicy(first=0.01, longest=0.05))
    rng = random.Random(7)
    endpoint.answers = [
        rng.choice([answered(500), answered(302), b"", b"HTTP/1.1 "]) if rng.random() < 0.3 else answered(200)
        for _ in range(EVENTS * 3)
    ]
    desk = Desk(f"sqlite:///{tmp_path}/notifier.db")
    await desk.store.migrate()
    hook = Webhook("0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e", "default", endpoint.url, ("email.queued",), (),
                   (Secret(new_secret()),), datetime.now(UTC))  # fmt: skip
    await desk.store.add_webhook(hook)
    ids: set[str] = set()
    for _ in range(EVENTS // 500):
        ids.update((await desk.store.accept(desk.batch([None] * 500))).ids)
    taken: set[str] = set()
    news = asyncio.Event()

    def told(one: Told, answer: Answer) -> None:
        if answer.taken:
            taken.add(one.event.notification)
            news.set()

    for life in range(KILLS + 1):
        http = Http(Networks(["127.0.0.0/8"]))
        courier = Courier(desk.store, http, owner=f"life-{life}", alone=True, poll=0.02, told=told)
        running = asyncio.create_task(courier.run())
        wanted = len(ids) if life == KILLS else (life + 1) * EVENTS // (KILLS + 2)
        async with asyncio.timeout(120):
            while len(taken) < wanted:
                await news.wait()
                news.clear()
        running.cancel()  # what it was telling is cut off, and its leases stand
        with suppress(asyncio.CancelledError):
            await running
        await http.aclose()
    assert taken == ids
    heard = {one.json["data"]["notification"] for one in endpoint.received}
    assert heard == ids
    await desk.close()
