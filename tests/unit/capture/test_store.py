"""Finding and waiting for messages by what they are."""

import asyncio
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from notifier.capture import Captured, MessageStore, NoSuchMail


def add(store: MessageStore, subject: str = "Hello", to: str = "b@x.test", headers: str = "") -> Captured:
    raw = f"To: Bob <{to}>\r\nCc: carol@x.test\r\nSubject: {subject}\r\n{headers}\r\nhi\r\n"
    return store.add("a@x.test", [to], raw.encode())


def test_a_store_is_a_sequence_with_the_newest_last() -> None:
    store = MessageStore()
    first, second = add(store, "1"), add(store, "2")
    assert list(store) == [first, second]
    assert (store[-1], len(store), store[:1]) == (second, 2, (first,))
    assert store.get(first.id) is first
    assert store.get("nothing") is None


def test_a_store_keeps_the_newest_and_counts_the_dropped() -> None:
    store = MessageStore(keep=2)
    for number in range(5):
        add(store, str(number))
    assert ([message.subject for message in store], store.dropped) == (["3", "4"], 3)
    assert store.clear() == 2
    assert (len(store), store.dropped) == (0, 0)


async def test_wait_finds_mail_that_came_before_the_oldest_first() -> None:
    store = MessageStore()
    first, _ = add(store), add(store)
    assert await store.wait(to="B@X.test") is first


async def test_wait_finds_mail_that_comes_later() -> None:
    store = MessageStore()
    waiting = asyncio.create_task(store.wait(subject="Welcome"))
    await asyncio.sleep(0)
    add(store)
    expected = add(store, "Welcome, Ann")
    assert await waiting is expected


async def test_wait_hears_of_mail_added_by_another_thread() -> None:
    store = MessageStore()
    waiting = asyncio.create_task(store.wait(subject="threaded"))
    await asyncio.sleep(0)
    began = time.monotonic()
    threading.Timer(0.05, add, [store, "threaded"]).start()  # when the loop is asleep in its select
    assert (await waiting).subject == "threaded"
    assert time.monotonic() - began < 4, "it was found when the time ran out, not when it came"


@pytest.mark.parametrize(
    "wanted",
    [
        {"to": "b@x.test"},
        {"to": "carol@x.test"},
        {"subject": "^Wel"},
        {"subject": re.compile("WELCOME", re.IGNORECASE)},
        {"headers": {"x-order": "1001"}},
        {"headers": {"X-Order": re.compile(r"^\d+$")}},
        {"notification": "n-1", "reference": "r-1", "template": "welcome"},
        {"predicate": lambda message: message.text == "hi\n"},
        {"after": datetime.now(UTC) - timedelta(days=1)},
    ],
)
async def test_each_filter_chooses(wanted: dict[str, object]) -> None:
    store = MessageStore()
    store.add("a@x.test", ["z@x.test"], b"Subject: other\r\nDate: x\r\n\r\nother\r\n")
    if "after" in wanted:
        store.clear()
    headers = "X-Order: 1001\r\nX-Notifier-Id: n-1\r\nX-Notifier-Reference: r-1\r\nX-Notifier-Template: welcome\r\n"
    expected = add(store, "Welcome", headers=headers)
    assert await store.wait(**wanted, timeout=0) is expected  # type: ignore[arg-type]


async def test_after_an_id_means_what_came_later() -> None:
    store = MessageStore()
    first, second = add(store), add(store)
    assert await store.wait(after=first.id, timeout=0) is second
    with pytest.raises(NoSuchMail):
        await store.wait(after=second.id, timeout=0)


async def test_after_an_id_that_was_dropped_means_everything() -> None:
    store = MessageStore(keep=1)
    first, second = add(store), add(store)
    assert await store.wait(after=first.id, timeout=0) is second


async def test_a_wait_that_runs_out_shows_what_came_and_why_it_was_not_meant() -> None:
    store = MessageStore()
    add(store, "Welcome", to="ann@x.test")
    add(store, "Reset", to="bob@x.test")
    add(store, "Welcome", to="bob@x.test")
    with pytest.raises(NoSuchMail) as failed:
        await store.wait(to="bob@x.test", subject="Welcome", headers={"X-Order": "7"}, timeout=0.01)
    assert [reason for _, reason in failed.value.near] == ["to ann@x.test", "subject 'Reset'", "no header X-Order"]
    text = str(failed.value)
    assert text.startswith("no mail matched to=bob@x.test, subject=Welcome, X-Order=7 within 0.01 s\nreceived ")
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3}  bob@x\.test +Reset +subject 'Reset'", text)


async def test_a_wait_in_vain_says_that_nothing_came() -> None:
    with pytest.raises(NoSuchMail, match="no mail came at all"):
        await MessageStore().wait(timeout=0)


async def test_closing_ends_every_wait_at_once() -> None:
    store = MessageStore()
    waiting = asyncio.create_task(store.wait(timeout=3600))
    await asyncio.sleep(0)
    store.close()
    with pytest.raises(NoSuchMail, match="before the server stopped"):
        await waiting
