"""Waiting: told at once, polled otherwise, and nothing asked while nobody waits."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from notifier.domain.errors import Unavailable
from notifier.domain.lifecycle import NotificationStatus
from notifier.web.watch import Watch


class Statuses:
    """A store of statuses that counts how often it is asked."""

    def __init__(self) -> None:
        self.known: dict[str, NotificationStatus] = {}
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.away = False

    async def __call__(self, ids: Sequence[str]) -> Mapping[str, NotificationStatus]:
        self.asked += 1
        self.was_asked.set()
        if self.away:
            raise Unavailable("away")
        return {id_: self.known.get(id_, "queued") for id_ in ids}


async def test_a_notice_ends_the_wait_long_before_the_next_poll() -> None:
    statuses = Statuses()
    watch = Watch(statuses, poll=60)
    waiting = asyncio.create_task(watch.final("a", 30))
    await statuses.was_asked.wait()
    statuses.known["a"] = "sent"
    watch.notice()
    async with asyncio.timeout(5):
        await waiting


async def test_without_a_notice_the_poll_ends_it() -> None:
    statuses = Statuses()
    watch = Watch(statuses, poll=0.01)
    waiting = asyncio.create_task(watch.final("a", 30))
    await statuses.was_asked.wait()
    statuses.known["a"] = "failed"
    async with asyncio.timeout(5):
        await waiting


async def test_a_thousand_who_wait_are_one_question() -> None:
    statuses = Statuses()
    watch = Watch(statuses, poll=60)
    waiting = [asyncio.create_task(watch.final(str(n % 10), 30)) for n in range(1000)]
    await statuses.was_asked.wait()
    statuses.known = dict.fromkeys(map(str, range(10)), "sent")
    watch.notice()
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert statuses.asked <= 3


async def test_the_time_is_kept_and_nothing_is_asked_after_it() -> None:
    statuses = Statuses()
    watch = Watch(statuses, poll=0.01)
    await watch.final("a", 0.05)
    assert not watch._waiting
    watch.notice()
    assert not watch._told.is_set()


async def test_one_who_gives_up_does_not_end_anothers_wait() -> None:
    statuses = Statuses()
    watch = Watch(statuses, poll=60)
    first, second = (asyncio.create_task(watch.final("a", 30)) for _ in range(2))
    await statuses.was_asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not second.done()
    statuses.known["a"] = "sent"
    watch.notice()
    async with asyncio.timeout(5):
        await second


async def test_a_store_that_is_away_ends_the_wait() -> None:
    statuses = Statuses()
    statuses.away = True
    async with asyncio.timeout(5):
        await Watch(statuses).final("a", 30)
