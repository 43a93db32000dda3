"""The relay of a simulation and its weather, and a ledger of everything that reached it."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from notifier.delivery.ports import BeforeBody, Content
from notifier.domain.delivery import Envelope
from notifier.domain.lifecycle import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    RelayTrouble,
    Reply,
    SendResult,
    Stage,
    Transaction,
    Unknown,
)

NAME = "relay.sim:25"
CONNECTIONS = 4
TAKEN = Reply(250, "2.0.0", "taken")
LATER = Reply(451, "4.7.1", "not now")
NEVER = Reply(550, "5.1.1", "nobody here")
PROBE_LONGEST = 60.0
SILENCE = 600.0  # seconds until a missing reply to the dot is given up


@dataclass(frozen=True)
class Weather:
    """What is wrong, and when (seconds). Shares are of transactions."""

    outages: tuple[tuple[float, float], ...] = ()  # nothing listens
    lockouts: tuple[tuple[float, float], ...] = ()  # AUTH says 535
    storeless: tuple[tuple[float, float], ...] = ()  # the database is away
    full: tuple[tuple[float, float], ...] = ()  # the database's disk is full: it can be read, and takes no change
    greylisting: float = 0.0  # 451 to a recipient until so long after its first RCPT
    deaf: bool = False  # 451 to everybody, for ever
    deferring: float = 0.0
    rejecting: float = 0.0
    mute: float = 0.0  # the reply to the dot is lost, whether the mail was taken or not

    def trouble(self, now: float) -> RelayTrouble | None:
        if any(start <= now < end for start, end in self.outages):
            return RelayTrouble("unreachable", Stage.CONNECT, "refused connection")
        if any(start <= now < end for start, end in self.lockouts):
            reply = Reply(535, "5.7.8", "bad credentials")
            return RelayTrouble("auth", Stage.AUTH, str(reply), reply, configuration=True)
        return None

    def is_storeless(self, now: float) -> bool:
        return any(start <= now < end for start, end in self.storeless)

    def is_full(self, now: float) -> bool:
        return any(start <= now < end for start, end in self.full)


@dataclass
class Copy:
    """A mail in the relay's hands, for one recipient. `excused` says why another one may follow it (DESIGN 2.6)."""

    at: float
    excused: str = ""


@dataclass
class Ledger:
    """What reached the relay, whatever became of the worker that sent it."""

    copies: defaultdict[str, list[Copy]] = field(default_factory=lambda: defaultdict(list))  # by address
    transactions: Counter[str] = field(default_factory=Counter)  # MAIL commands, by notification
    first_rcpt: dict[str, float] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # addresses that were told 5xx
    trace: list[str] = field(default_factory=list)


class Sky:
    """The relay as one worker reaches it. Weather and ledger are the world's; connections are the worker's own."""

    def __init__(
        self, weather: Weather, ledger: Ledger, rng: random.Random, clock: Callable[[], float], ids: Mapping[str, str]
    ) -> None:
        self._weather = weather
        self._ledger = ledger
        self._rng = rng
        self._clock = clock
        self._ids = ids  # of notifications, by address
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._busy = 0
        self.in_body: Counter[str] = Counter()  # addresses whose mail is being written at this moment

    def free(self) -> int:
        return 0 if self._weather.trouble(self._clock()) else CONNECTIONS - self._busy

    async def ready(self) -> None:
        probe = 1.0
        while self._weather.trouble(self._clock()):
            await asyncio.sleep(probe)
            probe = min(PROBE_LONGEST, 2 * probe)

    async def send(self, envelope: Envelope, content: Content, before_body: BeforeBody, /) -> SendResult | None:
        async with self._connections:
            self._busy += 1
            try:
                return await self._transaction(envelope, content, before_body)
            finally:
                self._busy -= 1

    async def _transaction(self, envelope: Envelope, content: Content, before_body: BeforeBody) -> SendResult | None:
        await self._travel()
        if trouble := self._weather.trouble(self._clock()):
            return trouble
        id_ = self._ids[next(iter(envelope.recipients.values()))]
        body = content(True)
        self._ledger.transactions[id_] += 1
        self._note(f"MAIL {id_}")
        await self._travel()
        if self._weather.trouble(self._clock()):
            return self._all(envelope, Deferred(Stage.RCPT, "cut off at RCPT"))
        outcomes = {n: self._rcpt(email) for n, email in envelope.recipients.items()}
        accepted = {n: envelope.recipients[n] for n, outcome in outcomes.items() if outcome is None}
        refused = {n: outcome for n, outcome in outcomes.items() if outcome is not None}
        await self._travel()
        if not accepted:
            return Transaction(NAME, refused)
        may_send = False
        try:
            if not (may_send := await before_body()):
                return None
        finally:
            if not may_send:
                self._ledger.transactions[id_] -= 1  # closed without a word, for a reason of ours: it is no attempt
        return Transaction(NAME, {**refused, **await self._body(accepted, body)})

    async def _body(self, accepted: Mapping[int, str], body: bytes) -> dict[int, Outcome]:
        self.in_body.update(accepted.values())
        try:
            return await self._dot(accepted, body)
        finally:
            self.in_body.subtract(accepted.values())

    async def _dot(self, accepted: Mapping[int, str], body: bytes) -> dict[int, Outcome]:
        """From here on nobody can take it back: cancelled, the outcome is unknown."""
        assert body.endswith(b"\r\n")
        try:
            await self._travel()
            if self._weather.trouble(self._clock()):
                return dict.fromkeys(accepted, Unknown("no reply to the final dot: cut off"))
            dice = self._rng.random()
            mute = dice < self._weather.mute
            if not mute and dice < self._weather.mute + self._weather.deferring / 2:
                return dict.fromkeys(accepted, Deferred(Stage.DOT, str(LATER), LATER))
            taken = not mute or self._rng.random() < 0.5
            if taken:
                self._take(accepted, "no reply was given" if mute else "")
            if mute:
                await asyncio.sleep(SILENCE)
                return dict.fromkeys(accepted, Unknown("no reply to the final dot"))
            await self._travel()
            return dict.fromkeys(accepted, Accepted(TAKEN))
        except asyncio.CancelledError:
            for email in accepted.values():
                for copy in self._ledger.copies[email][-1:]:
                    copy.excused = "the worker stopped waiting for the reply"
            return dict.fromkeys(accepted, Unknown("canceled while waiting for it"))

    def _take(self, accepted: Mapping[int, str], excused: str) -> None:
        for email in accepted.values():
            self._ledger.copies[email].append(Copy(self._clock(), excused))
            self._note(f"TAKEN {email}")

    def _rcpt(self, email: str) -> Outcome | None:
        """What RCPT says to an address; None is 250."""
        now = self._clock()
        first = self._ledger.first_rcpt.setdefault(email, now)
        if self._weather.deaf or now - first < self._weather.greylisting:
            return Deferred(Stage.RCPT, str(LATER), LATER)
        dice = self._rng.random()
        if dice < self._weather.rejecting:
            self._ledger.refused.add(email)
            return Rejected(Stage.RCPT, str(NEVER), NEVER)
        if dice < self._weather.rejecting + self._weather.deferring:
            return Deferred(Stage.RCPT, str(LATER), LATER)
        return None

    async def _travel(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.001, 0.2))

    def _all(self, envelope: Envelope, outcome: Outcome) -> Transaction:
        return Transaction(NAME, dict.fromkeys(envelope.recipients, outcome))

    def _note(self, what: str) -> None:
        self._ledger.trace.append(f"{self._clock():.6f} {what}")
