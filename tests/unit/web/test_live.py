"""When open pages are told to look again."""

import asyncio
from collections.abc import Collection

from notifier.domain.admin import Marks
from notifier.domain.errors import Unavailable
from notifier.web.admin.live import Live


class Source:
    """A store whose marks a test sets. `looks` is what it was asked."""

    def __init__(self) -> None:
        self.whole = 0
        self.of = {"a": 0, "b": 0}
        self.looks: list[set[str]] = []
        self.looked = asyncio.Event()
        self.away = False

    async def __call__(self, ids: Collection[str]) -> Marks:
        self.looks.append(set(ids))
        self.looked.set()
        if self.away:
            raise Unavailable("the database is away")
        return Marks((self.whole,), {id_: (self.of[id_],) for id_ in ids})

    async def next_look(self) -> None:
        self.looked.clear()
        await asyncio.wait_for(self.looked.wait(), 20)


async def _rings(bell: asyncio.Event) -> None:
    await asyncio.wait_for(bell.wait(), 20)
    bell.clear()


async def test_who_has_seen_it_all_is_told_of_the_next_change_alone() -> None:
    source = Source()
    live = Live(source, every=0.001)
    with live.listen(None, await live.mark()) as bell:
        await source.next_look()
        await source.next_look()
        assert not bell.is_set()
        source.whole = 1
        await _rings(bell)
        await source.next_look()
        await source.next_look()
        assert not bell.is_set()


async def test_what_changed_between_a_page_and_its_stream_is_told_at_once() -> None:
    source = Source()
    live = Live(source, every=0.001)
    seen = await live.mark("a")
    source.of["a"] = 1
    with live.listen("a", seen) as bell:
        await _rings(bell)


async def test_a_page_about_one_notification_hears_of_that_one_alone() -> None:
    source = Source()
    live = Live(source, every=0.001)
    with live.listen("a", await live.mark("a")) as of_a, live.listen("b", await live.mark("b")) as of_b:
        source.whole = source.of["b"] = 1
        await _rings(of_b)
        await source.next_look()
        assert not of_a.is_set()


async def test_one_look_serves_everybody_and_nobody_is_asked_while_nobody_listens() -> None:
    source = Source()
    live = Live(source, every=0.001)
    with live.listen("a", ""), live.listen("b", ""), live.listen(None, ""):
        await source.next_look()
    assert source.looks[-1] == {"a", "b"}
    for _ in range(1000):  # the task ends by itself
        if live._task is None:
            break
        await asyncio.sleep(0.01)
    assert live._task is None


async def test_while_the_database_is_away_it_goes_on_and_tells_what_changed_afterwards() -> None:
    source = Source()
    live = Live(source, every=0.001)
    with live.listen(None, await live.mark()) as bell:
        source.away = True
        await source.next_look()
        await source.next_look()
        source.whole, source.away = 1, False
        await _rings(bell)


async def test_closing_wakes_everybody_and_nothing_is_looked_at_any_more() -> None:
    source = Source()
    live = Live(source, every=0.001)
    with live.listen(None, await live.mark()) as bell:
        await source.next_look()
        live.close()
        await _rings(bell)
        assert live.closed
    looks = len(source.looks)
    with live.listen(None, ""):
        await asyncio.sleep(0)
    assert len(source.looks) == looks
