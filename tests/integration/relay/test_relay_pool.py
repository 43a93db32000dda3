"""Many messages: connections shared, bounded, rested and replaced; trouble waited out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifier.capture import Capture
from notifier.domain.lifecycle import Accepted, Deferred, Outcome, RelayTrouble, SendResult, Transaction, Unknown
from notifier.mail.relay.session import Door, Session

MakeClient = Callable[..., Any]
StartScripted = Callable[[Callable[[Any], Awaitable[None]]], Awaitable[Any]]


def outcomes(result: SendResult | None) -> list[Outcome]:
    assert isinstance(result, Transaction), result
    return [result.outcomes[n] for n in sorted(result.outcomes)]


def accepted(result: SendResult | None) -> bool:
    return isinstance(outcomes(result)[0], Accepted)


async def test_connections_are_shared_and_never_more_than_allowed(capture: Capture, client: MakeClient) -> None:
    capture.delay("dot", 0.01)
    each = client(capture, connections=4)
    results = await asyncio.gather(*(each.send(f"u{n}@example.test") for n in range(60)))
    assert all(accepted(result) for result in results)
    assert capture.total_connections == capture.peak_connections == 4
    assert sorted(mail.rcpt_tos[0] for mail in capture.messages) == sorted(f"u{n}@example.test" for n in range(60))
    assert (each.relay.state.open, each.relay.state.idle, each.relay.free()) == (4, 4, 4)


async def test_a_connection_carries_so_many_messages_and_says_goodbye(capture: Capture, client: MakeClient) -> None:
    each = client(capture, connections=1, messages_per_connection=3)
    for _ in range(7):
        assert accepted(await each.send())
    assert [session.verbs.count("MAIL") for session in capture.sessions] == [3, 3, 1]
    assert [session.verbs[-1] for session in capture.sessions] == ["QUIT", "QUIT", "DATA"]
    assert capture.peak_connections == 1


async def test_a_hanging_quit_counts_as_a_connection_for_a_short_time_only(
    capture: Capture, client: MakeClient
) -> None:
    capture.hang_at("quit")
    each = client(capture, connections=1, messages_per_connection=1, quit_timeout=1.0)
    started = time.monotonic()
    assert accepted(await each.send())
    assert time.monotonic() - started < 1
    assert accepted(await each.send())
    assert 0.95 <= time.monotonic() - started < 10  # uvloop counts whole milliseconds
    assert capture.peak_connections == 1


async def test_idle_connections_say_goodbye(capture: Capture, client: MakeClient) -> None:
    each = client(capture, idle_close=0.1)
    assert accepted(await each.send())
    await each.watcher.until(lambda watcher: bool(watcher.closed))
    assert capture.sessions[0].verbs[-1] == "QUIT"
    assert each.relay.state.open == 0
    assert accepted(await each.send())


async def test_connections_closed_while_idle_are_replaced_without_a_word(capture: Capture, client: MakeClient) -> None:
    capture.delay("dot", 0.02, times=3)
    each = client(capture, connections=3)
    await asyncio.gather(*(each.send() for _ in range(3)))
    assert await capture.disconnect() == 3
    assert accepted(await each.send())
    assert len(capture.messages) == 4


@pytest.mark.parametrize("keywords", [(), ("PIPELINING",)])
async def test_a_used_connection_that_dies_at_mail_is_replaced_without_an_attempt(
    scripted: StartScripted, client: MakeClient, keywords: tuple[str, ...]
) -> None:
    """Its end crossed our MAIL on the way."""
    asked = 0

    async def script(peer: Any) -> None:
        await peer.greet(*keywords)
        await peer.take()
        if len(server.peers) == 1:
            await peer.hear("MAIL")
        else:
            await peer.take()

    async def count() -> bool:
        nonlocal asked
        asked += 1
        return True

    server = await scripted(script)
    each = client(server)
    assert accepted(await each.send())
    assert accepted(await each.send(before_body=count))
    assert accepted(await each.send())
    assert asked == 1
    assert len(server.peers) == 2


async def test_a_goodbye_while_idle_is_not_read_as_the_next_reply(scripted: StartScripted, client: MakeClient) -> None:
    idle = asyncio.Event()

    async def script(peer: Any) -> None:
        await peer.greet()
        await peer.take()
        if len(server.peers) == 1:
            await idle.wait()
            peer.say("421 4.4.2 idle too long")
        assert await peer.gone() in (b"", b"QUIT\r\n")

    server = await scripted(script)
    each = client(server)
    assert accepted(await each.send())
    idle.set()
    await each.until(lambda: each.relay.state.open == 0)
    assert accepted(await each.send())
    assert len(server.peers) == 2


async def test_a_goodbye_right_behind_the_250_ends_the_connection(scripted: StartScripted, client: MakeClient) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL", "RCPT", "DATA")
        peer.say("250 ok", "250 ok", "354 go on")
        await peer.reader.readuntil(b"\r\n.\r\n")
        peer.say("250 taken", "421 that was your last")
        assert await peer.gone() == b""

    server = await scripted(script)
    each = client(server)
    assert accepted(await each.send())
    assert accepted(await each.send())
    assert len(server.peers) == 2


@pytest.mark.parametrize("fault", ["hang", "trickle"])
async def test_one_silent_connection_delays_nobody_else(capture: Capture, client: MakeClient, fault: str) -> None:
    if fault == "hang":
        capture.hang_at("dot", rcpt="slow@example.test")
    else:
        capture.trickle("dot", 0.5, rcpt="slow@example.test")
    each = client(capture, connections=2, dot_timeout=30.0)
    slow = asyncio.create_task(each.send("slow@example.test"))
    started = time.monotonic()
    for _ in range(20):
        assert accepted(await each.send())
    assert time.monotonic() - started < 10  # the slow one would hold them up for half a minute
    assert not slow.done()
    await each.relay.aclose()
    assert isinstance(outcomes(await slow)[0], Unknown)


async def test_a_relay_that_allows_few_connections_is_used_within_them(
    scripted: StartScripted, client: MakeClient
) -> None:
    """421 at connect while others stand: the breaker stays closed, everything is sent."""

    async def script(peer: Any) -> None:
        if server.open > 3:
            peer.say("421 4.7.0 too many connections")
            return
        await peer.greet("PIPELINING")
        while True:
            await peer.take()

    server = await scripted(script)
    each = client(server, connections=10, probe_first=0.2, probe_longest=0.2)
    results = await asyncio.gather(*(each.send() for _ in range(200)))
    assert all(accepted(result) for result in results)
    assert each.watcher.breaker == []
    assert {trouble.kind for trouble in each.watcher.troubles} == {"throttled"}
    assert len(each.watcher.troubles) < 12
    assert each.relay.state.open == 3
    assert each.relay.state.trouble is not None
    assert each.relay.free() <= 4


async def test_a_ceiling_is_tried_again_while_all_others_are_silent(capture: Capture, client: MakeClient) -> None:
    capture.hang_at("dot", rcpt="slow@example.test")
    each = client(capture, connections=2, dot_timeout=30.0)
    slow = asyncio.create_task(each.send("slow@example.test"))
    await each.until(lambda: [t.stage for t in capture.ledger] == ["dot"])
    capture.fail_next(stage="connect", code=421)
    async with asyncio.timeout(5):
        assert accepted(await each.send())
    assert len(each.watcher.troubles) == 1
    assert each.watcher.breaker == []
    assert not slow.done()
    await each.relay.aclose()
    await slow


async def test_in_trouble_nothing_is_tried_until_the_probe_and_then_slowly(client: MakeClient) -> None:
    capture = Capture()
    await capture.start()
    await capture.stop()
    each = client(capture, connections=8, probe_first=0.1, probe_longest=0.1)
    for trouble in await asyncio.gather(*(each.send() for _ in range(8))):
        assert isinstance(trouble, RelayTrouble)
        assert (trouble.kind, trouble.stage, trouble.configuration) == ("unreachable", "connect", False)
    assert len(each.watcher.troubles) == 1
    state = each.relay.state
    assert (state.breaker, state.open, each.relay.free()) == ("open", 0, 0)
    assert state.trouble == each.watcher.troubles[0]
    assert state.next_probe_at is not None
    waiting = [asyncio.create_task(each.relay.ready()) for _ in range(5)]
    await each.watcher.until(lambda watcher: len(watcher.troubles) == 3)
    assert not any(waiter.done() for waiter in waiting)
    async with capture:
        await asyncio.gather(*waiting)
        assert capture.total_connections == 1
        assert [s.verbs for s in capture.sessions] == [["EHLO"]]
        assert (each.relay.state.breaker, each.relay.free()) == ("closed", 2)
        assert each.relay.state.trouble is None
        assert each.watcher.breaker == ["open", *["half_open", "open"] * 2, "half_open", "closed"]
        assert all(accepted(result) for result in await asyncio.gather(*(each.send() for _ in range(40))))
        assert each.relay.free() == 8


async def test_a_probe_that_is_canceled_is_taken_up_by_the_next(client: MakeClient, capture: Capture) -> None:
    capture.fail_next(stage="connect", code=450)
    capture.hang_at("ehlo")
    each = client(capture)
    assert isinstance(await each.send(), RelayTrouble)
    first = asyncio.create_task(each.relay.ready())
    await each.until(lambda: [s.verbs for s in capture.sessions] == [[], ["EHLO"]])
    assert each.relay.state.breaker == "half_open"
    assert isinstance(await each.send(), RelayTrouble)
    second = asyncio.create_task(each.relay.ready())
    first.cancel()
    await second
    assert accepted(await each.send())


async def test_a_send_may_be_the_probe(client: MakeClient, capture: Capture) -> None:
    capture.fail_next(stage="connect", code=554)
    each = client(capture, probe_first=0.01)
    assert isinstance(await each.send(), RelayTrouble)
    await asyncio.sleep(0.03)  # the backoff is what is tested
    assert accepted(await each.send())


async def test_a_canceled_wait_for_a_connection_passes_its_turn_on(capture: Capture, client: MakeClient) -> None:
    capture.delay("dot", 0.05)
    each = client(capture, connections=1)
    sending = [asyncio.create_task(each.send(f"u{n}@example.test")) for n in range(6)]
    await each.until(lambda: len(capture.messages) > 0)
    sending[1].cancel()
    sending[3].cancel()
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [n in (1, 3) for n in range(6)]
    assert sorted(mail.rcpt_tos[0][:2] for mail in capture.messages) == ["u0", "u2", "u4", "u5"]


async def test_a_turn_that_crosses_a_cancellation_is_passed_on(capture: Capture, client: MakeClient) -> None:
    each = client(capture, connections=1)
    waiting: list[asyncio.Task[SendResult | None]] = []

    async def first() -> None:
        await each.send()
        waiting[0].cancel()  # its turn was given to it just now, and it has not run since

    sending = asyncio.create_task(first())
    waiting += [asyncio.create_task(each.send()) for _ in range(2)]
    async with asyncio.timeout(5):
        await sending
        assert accepted(await waiting[1])
    assert waiting[0].cancelled()
    assert len(capture.messages) == 2


async def test_after_a_message_that_worked_the_backoff_starts_anew(capture: Capture, client: MakeClient) -> None:
    each = client(capture, probe_first=0.1, probe_longest=10.0, messages_per_connection=1)
    delays = []
    for _ in range(3):
        capture.fail_next(stage="connect", code=450)
        assert isinstance(await each.send(), RelayTrouble)
        delays.append((each.relay.state.next_probe_at - each.relay.state.since).total_seconds())
        await each.relay.ready()
        assert accepted(await each.send())
        await each.until(lambda: each.relay.state.open == 0)
    assert max(delays) < 0.13


async def test_who_waits_is_served_in_the_order_of_coming(capture: Capture, client: MakeClient) -> None:
    each = client(capture, connections=1)
    await asyncio.gather(*(each.send(f"u{n:02}@example.test") for n in range(20)))
    assert [mail.rcpt_tos[0][:3] for mail in capture.messages] == [f"u{n:02}" for n in range(20)]


async def test_messages_are_paced(capture: Capture, client: MakeClient) -> None:
    each = client(capture, rate=50.0)
    started = time.monotonic()
    results = await asyncio.gather(*(each.send() for _ in range(20)))
    assert all(accepted(result) for result in results)
    assert time.monotonic() - started >= 14 / 50  # 20 less the burst of 5, and a timer may come a little early
    assert each.relay.free() == 0
    await each.relay.ready()
    assert each.relay.free() == 1


async def test_shutting_down_cuts_off_with_the_truth(capture: Capture, client: MakeClient) -> None:
    capture.hang_at("dot", rcpt="dot@example.test", keep=True)
    capture.hang_at("rcpt", rcpt="rcpt@example.test")
    each = client(capture, connections=3)
    assert accepted(await each.send())
    sending = [asyncio.create_task(each.send(f"{stage}@example.test")) for stage in ("dot", "rcpt")]
    await each.until(lambda: sorted(t.stage for t in capture.ledger[1:]) == ["dot", "rcpt"])
    await each.relay.aclose()
    dot, rcpt = [outcomes(result)[0] for result in await asyncio.gather(*sending)]
    assert isinstance(dot, Unknown)
    assert isinstance(rcpt, Deferred)
    assert isinstance(await each.send(), RelayTrouble)
    assert each.relay.state.open == each.relay.free() == 0


async def test_shutting_down_ends_connections_that_are_being_made(capture: Capture, client: MakeClient) -> None:
    capture.hang_at("ehlo")
    each = client(capture)
    sending = [asyncio.create_task(each.send()) for _ in range(3)]
    await each.until(lambda: [s.verbs for s in capture.sessions] == [["EHLO"]])
    await each.relay.aclose()
    for trouble in await asyncio.gather(*sending):
        assert isinstance(trouble, RelayTrouble)
        assert "shutting down" in trouble.text
    await each.until(lambda: capture.open_connections == 0)


async def test_shutting_down_says_goodbye_on_idle_connections(capture: Capture, client: MakeClient) -> None:
    each = client(capture)
    assert accepted(await each.send())
    await each.relay.aclose()
    assert capture.sessions[0].verbs[-1] == "QUIT"
    assert each.watcher.opened == len(each.watcher.closed) == 1


async def test_a_defect_while_connecting_is_trouble_that_passes(
    capture: Capture, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(capture, probe_first=0.05, probe_longest=0.1)

    async def broken(_door: Door) -> Session:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(Door, "open", broken)
        found = await each.send()
        assert isinstance(found, RelayTrouble)
        assert "a defect" in found.text
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(each.relay.ready(), 0.5)
    await asyncio.wait_for(each.relay.ready(), 10)
    assert accepted(await each.send())
