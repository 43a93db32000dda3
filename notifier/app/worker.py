"""The half that sends: mail through the relay, word of it to endpoints, and what has to be done now and then."""

import asyncio
import random
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from notifier.app.parts import Parts
from notifier.app.relay import relay_settings
from notifier.capture.server import Capture
from notifier.delivery.attempt import Workbench
from notifier.delivery.dispatcher import DatabaseClock, Dispatcher
from notifier.delivery.janitor import Janitor
from notifier.domain.errors import Unavailable
from notifier.domain.lifecycle import RetryPolicy
from notifier.domain.notification import uuid7
from notifier.domain.times import rfc3339
from notifier.domain.webhook import WebhookState
from notifier.mail.relay import Relay
from notifier.mail.return_path import ReturnPath
from notifier.webhooks.courier import Courier

GAUGE_PERIOD: Final = 5.0
"""Seconds between looks at what waits."""


def monotonic() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where the system has one (CLOCK_BOOTTIME of Linux): a
    lease runs on, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class Worker:
    """Sends for as long as it is entered, and drains at the end. Mail goes to `capture`, if there is one, in place of
    the relay. Raises ConfigurationError."""

    def __init__(self, parts: Parts, capture: Capture | None, return_path: ReturnPath | None) -> None:
        settings, telemetry = parts.settings, parts.telemetry
        clock = DatabaseClock(parts.clock, monotonic)
        self._parts = parts
        self.relay = Relay(relay_settings(settings, capture), rng=random.SystemRandom(), observer=telemetry)
        bench = Workbench(
            owner=uuid7(),
            queue=parts.store,
            composer=parts.composer,
            relay=self.relay,
            policy=RetryPolicy(settings.retry_first, settings.retry_max, settings.give_up_after),
            journal=telemetry,
            now=clock,
            monotonic=monotonic,
            rng=random.SystemRandom(),
            redirect_to=settings.redirect_all_to,
            return_path=return_path.of if return_path else None,
        )
        self.dispatcher = Dispatcher(bench, self.relay, clock, lease=settings.lease, grace=settings.shutdown_grace)
        self._courier = Courier(
            parts.store,
            parts.http,
            owner=bench.owner,
            lease=settings.lease,
            alone=settings.is_sqlite,
            each=settings.webhooks_connections,
            grace=min(5.0, settings.shutdown_grace),
            told=telemetry.told,
            storeless=telemetry.storeless,
            crashed=telemetry.crashed,
        )
        self._janitor = Janitor(
            parts.store,
            telemetry,
            period=min(5.0, settings.lease / 4),
            idempotency_ttl=settings.idempotency_ttl,
            renew=self.dispatcher.renew,
            webhooks_kept=settings.webhooks_keep,
            wake=self.dispatcher.wake,
        )
        self.lanes: Mapping[tuple[str, str], tuple[int, float]] = {}
        """What waited when the gauge looked last, by (project, priority): rows, and seconds the oldest has been due."""
        self._webhooks = WebhookState()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Worker":
        telemetry, store = self._parts.telemetry, self._parts.store
        telemetry.watch(lambda: self.dispatcher.in_flight)
        telemetry.watch_backlog(lambda: self.lanes)
        telemetry.watch_webhooks(lambda: self._webhooks)
        # On our own file nobody else can hold a lease: whatever is claimed was left by a process that is gone.
        if self._parts.settings.is_sqlite and (count := await store.reclaim_all()):
            telemetry.chore("reclaimed", count)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.relay.aclose)
            _beside(stack, self._courier.run(), "courier")
            _beside(stack, self._measure(), "backlog-gauge")
            _beside(stack, self._janitor.run(), "janitor")
            await stack.enter_async_context(store.on_work(self.dispatcher.wake, self._courier.wake))
            stack.push_async_callback(self._drained, asyncio.create_task(self.dispatcher.run(), name="dispatcher"))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def relay_state(self) -> dict[str, Any]:
        """How the relay is, as /readyz tells it."""
        state = self.relay.state
        told: dict[str, Any] = {"breaker": state.breaker, "connections": state.open, "idle": state.idle}
        if state.trouble is not None:
            told |= {
                "error": str(state.trouble),
                "kind": state.trouble.kind,
                "configuration": state.trouble.configuration,
                "since": rfc3339(state.since),
            }
        return told

    async def _measure(self) -> None:
        """What waits, looked at now and then: a scrape never asks the database."""
        store, telemetry = self._parts.store, self._parts.telemetry
        while True:
            try:
                self.lanes = await store.lanes()
                self._webhooks = await store.webhook_state()
            except Unavailable as error:
                telemetry.storeless("the backlog gauge", error)
            except Exception as error:  # noqa: BLE001 - a gauge that ends would show its last number for ever
                telemetry.crashed("the backlog gauge", error)
            await asyncio.sleep(GAUGE_PERIOD)

    async def _drained(self, running: "asyncio.Task[None]") -> None:
        self.dispatcher.drain()
        await running


def _beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """Runs until the stack is closed."""
    stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
