"""The line between us and the relay once a session stands: bytes out with backpressure, replies in, in order.

aiosmtplib drops a reply that arrives while nobody waits for one, which rules out pipelining (RFC 2920), and its DATA
writes the body before anyone could say no. So it opens the session (connect, TLS, EHLO, AUTH) and then this protocol
takes over its transport, by the public `set_protocol`. No private member of aiosmtplib is touched.
"""

import asyncio
from collections import deque
from typing import cast

LONGEST_LINE = 8192  # octets; RFC 5321 4.5.3.1.5 asks for 512, some servers send more
LONGEST_REPLY = 32768  # octets of a multiline reply

RawReply = tuple[int, bytes]
"""A reply's code and the text of its lines, joined by a space and not yet decoded."""


class WireError(Exception):
    """The session cannot go on. The text says what happened, for a person."""


class Lost(WireError):
    """The connection ended."""


class Silent(WireError):
    """No (whole) reply came within the time allowed, or the relay stopped reading."""


class Garbled(WireError):
    """What came is not an SMTP reply."""


class Wire(asyncio.Protocol):
    """Replies queue up in the order of their commands, whoever waits and however many came in one packet."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport = transport
        self._replies: deque[RawReply] = deque()
        self._tail = b""
        self._lines: list[bytes] = []
        self._lines_size = 0
        self._failure: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        transport.set_protocol(self)
        if transport.is_closing():
            self.fail(Lost("the relay closed the connection"))

    @property
    def ended(self) -> bool:
        """Nothing can be sent any more."""
        return self._failure is not None or self._transport.is_closing()

    @property
    def clean(self) -> bool:
        """Nothing came that nobody asked for, and the connection stands: the next reply will be the next command's."""
        return not (self.ended or self._replies or self._tail or self._lines)

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        if self._failure is not None:
            return
        lines = (self._tail + data if self._tail else data).split(b"\n")
        self._tail = lines.pop()
        for line in lines:
            if not self._take(line):
                self.fail(Garbled(f"not an SMTP reply: {printable(line)[:80]!r}"))
                return
        if len(self._tail) > LONGEST_LINE:
            self.fail(Garbled("a reply line without end"))
        elif self._replies:
            self._wake()

    def _take(self, line: bytes) -> bool:
        """One line of a reply (RFC 5321 4.2). False: it is none."""
        code, more = line[:3], line[3:4]
        if not (code.isdigit() and b"200" <= code < b"600" and more in (b" ", b"-", b"\r", b"")):
            return False
        self._lines_size += len(line)
        if self._lines_size > LONGEST_REPLY:
            return False
        if more == b"-":
            self._lines.append(line[4:].strip())
            return True
        text = line[4:].strip()
        if self._lines:
            text = b" ".join([*self._lines, text])
            self._lines.clear()
        self._lines_size = 0
        self._replies.append((int(code), text))
        return True

    def eof_received(self) -> bool:
        self.fail(Lost("the relay closed the connection"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(Lost(f"the connection broke: {exc}" if exc else "the relay closed the connection"))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    # What a session calls

    def write(self, data: bytes | memoryview) -> None:
        """Hand bytes to the transport. A lost connection shows at the next `reply` or `drained`."""
        if self._failure is None:
            self._transport.write(data)

    async def reply(self, within: float) -> RawReply:
        """The next reply in order, whole `within` so many seconds, however slowly its bytes trickle in. WireError."""
        if not self._replies:
            deadline = self._loop.time() + within
            while not self._replies:
                await self._wait(deadline, f"no answer within {within:g} s")
        return self._replies.popleft()

    def check(self) -> None:
        """Raises what ended the session, if it ended. A reply that nobody asked for ends it."""
        if self._failure is not None:
            raise self._failure
        if self._replies:
            raise Garbled("a reply that nobody asked for")

    def early(self) -> RawReply | None:
        """A reply that came before its turn, while a body was still on its way."""
        return self._replies.popleft() if self._replies else None

    async def drained(self, deadline: float) -> None:
        """Until the transport takes more, at most up to `deadline` of the loop's clock. WireError."""
        if self._failure is not None:
            raise self._failure
        while self._paused:
            await self._wait(deadline, "the relay stopped reading")

    async def _wait(self, deadline: float, silence: str) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = waiter = self._loop.create_future()
        # Two rounds of the loop later, with a look at the socket between them: uvloop runs timers first, and a process
        # that stood still has its replies there.
        alarm = self._loop.call_at(deadline, self._loop.call_soon, self._loop.call_soon, _expire, waiter)
        try:
            await waiter
        except TimeoutError:
            raise Silent(silence) from None
        finally:
            alarm.cancel()
            self._waiter = None

    def fail(self, error: WireError) -> None:
        """End it: the transport goes away at once, whoever waits is told. Replies that came before stay readable."""
        if self._failure is None:
            self._failure = error
            self._transport.abort()
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _expire(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def take_over(transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop) -> Wire:
    """A wire on a transport that another protocol has used until now."""
    return Wire(cast(asyncio.Transport, transport), loop)


def printable(text: bytes) -> str:
    """A server's bytes as text that is safe to show and to log: controls become spaces."""
    decoded = text.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in decoded)
