"""Bytes into replies, whatever pieces they come in."""

import asyncio
from collections.abc import Iterable

import pytest

from notifier.mail.relay.wire import LONGEST_LINE, LONGEST_REPLY, Garbled, Lost, RawReply, Silent, Wire


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


async def replies(wire: Wire, count: int) -> list[RawReply]:
    return [await wire.reply(1.0) for _ in range(count)]


def wire() -> Wire:
    return Wire(Pipe(), asyncio.get_running_loop())


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 1000])
async def test_replies_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    data = b"250-first\r\n250-second line\r\n250 third\r\n354 go\r\n250\r\n550 5.1.1 no\n"
    each = wire()
    for piece in pieces(data, size):
        each.data_received(piece)
    expected = [(250, b"first second line third"), (354, b"go"), (250, b""), (550, b"5.1.1 no")]
    assert await replies(each, 4) == expected
    assert each.clean


@pytest.mark.parametrize(
    "line", [b"hello", b"25 ok", b"2500 ok", b"199 low", b"600 high", b"250_ok", b"", b"\x00\x01", b"HTTP/1.1 400 Bad"]
)
async def test_what_is_no_reply_ends_the_session_and_nothing_after_it_counts(line: bytes) -> None:
    each = wire()
    each.data_received(b"250 before\r\n" + line + b"\r\n250 in the same packet\r\n")
    each.data_received(b"250 in the next\r\n")
    assert await replies(each, 1) == [(250, b"before")]
    with pytest.raises(Garbled):
        await each.reply(1.0)
    assert each.ended


async def test_a_line_and_a_reply_without_end_are_cut_off() -> None:
    each = wire()
    each.data_received(b"250 " + b"x" * LONGEST_LINE)
    with pytest.raises(Garbled):
        await each.reply(1.0)
    each = wire()
    for _ in range(LONGEST_REPLY // 100 + 1):
        each.data_received(b"250-" + b"x" * 100 + b"\r\n")
    with pytest.raises(Garbled):
        await each.reply(1.0)


async def test_many_replies_may_be_longer_together_than_one() -> None:
    each = wire()
    for _ in range(10):
        each.data_received(b"250 " + b"x" * 8000 + b"\r\n")
    assert len(await replies(each, 10)) == 10


async def test_a_reply_that_trickles_has_the_time_of_one_reply() -> None:
    each = wire()
    waiting = asyncio.ensure_future(each.reply(0.05))
    for piece in pieces(b"250 ok, and so on and so forth\r\n", 1):
        each.data_received(piece)
        await asyncio.sleep(0.01)
        if waiting.done():
            break
    with pytest.raises(Silent):
        await waiting


async def test_replies_that_came_before_the_end_can_still_be_read() -> None:
    each = wire()
    each.data_received(b"250 ok\r\n")
    each.eof_received()
    assert each.ended
    assert await replies(each, 1) == [(250, b"ok")]
    with pytest.raises(Lost):
        await each.reply(1.0)


async def test_writing_waits_while_the_transport_is_full() -> None:
    each = wire()
    each.pause_writing()
    deadline = asyncio.get_running_loop().time()
    with pytest.raises(Silent):
        await each.drained(deadline + 0.01)
    waiting = asyncio.ensure_future(each.drained(deadline + 10))
    await asyncio.sleep(0)
    assert not waiting.done()
    each.data_received(b"250 early\r\n")
    await asyncio.sleep(0)
    assert not waiting.done()
    each.resume_writing()
    await waiting
