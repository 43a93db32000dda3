"""A simulated world: workers that live one after the other on one database, their relay, and what must hold.

A worker is the real dispatcher, attempt, record, lifecycle, janitor and store. What ends its life is not an exception
that it could handle: its loop is simply not run any more, between any two of its steps.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from notifier.delivery.attempt import Workbench
from notifier.delivery.composer import Composer
from notifier.delivery.dispatcher import DatabaseClock, Dispatcher
from notifier.delivery.janitor import Janitor
from notifier.domain.acceptance import Acceptance, New
from notifier.domain.delivery import Claimed, Finish
from notifier.domain.lifecycle import RetryPolicy, SendResult, Status, may_move
from notifier.domain.notification import Address, Attachment, Notification, OnUnknown, Recipient
from notifier.store import acceptance, reading
from notifier.store.store import Store
from tests.simulation.clockwork import Interrupted, VirtualLoop
from tests.simulation.memory import MemoryDatabase, at
from tests.simulation.sky import Ledger, Sky, Weather

POLICY = RetryPolicy()


@dataclass(frozen=True)
class Mail:
    """A notification to be sent, to so many recipients, from `send_at` (seconds) on."""

    number: int
    recipients: int = 1
    on_unknown: OnUnknown = "retry"
    send_at: float = 0.0

    @property
    def id(self) -> str:
        return f"01900000-0000-7000-8000-{self.number:012d}"

    @property
    def addresses(self) -> list[str]:
        return [f"m{self.number}-r{n}@example.com" for n in range(self.recipients)]


@dataclass(frozen=True)
class Interruption:
    """A worker's end after so many rounds of its loop; or a pause in its life, of so many seconds, in which another
    one works; or a sleep of the whole machine."""

    kind: Literal["kill", "pause", "sleep"]
    rounds: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What happens in a world. `embedded`: a worker's start takes up what its predecessor left, as on SQLite; else
    leases have to run out. Times are seconds."""

    name: str
    weather: Weather
    mails: tuple[Mail, ...]
    interruptions: tuple[Interruption, ...] = ()
    embedded: bool = True
    horizon: float = 7200.0
    lease: float = 60.0
    idle: float = 30.0  # how long nothing is looked at when nothing is due


@dataclass
class Report:
    """How a world went. `wrong` are the promises that were broken, a sentence each."""

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    second_copies: int = 0
    rounds: int = 0
    seconds: float = 0.0


class World:
    """One run of a plan."""

    def __init__(self, plan: Plan, seed: int, policy: RetryPolicy = POLICY) -> None:
        self.plan = plan
        self.policy = policy
        self.report = Report(plan)
        self.ledger = Ledger()
        self.rng = random.Random(seed)
        self.loop = VirtualLoop(0.0)
        self._done = asyncio.Event()
        self._ids = {address: mail.id for mail in plan.mails for address in mail.addresses}
        self._dropped: Counter[str] = Counter()  # transactions whose worker died before it had recorded them
        self._allowed: Counter[str] = Counter()  # copies that a worker paused in mid-body may send, by address
        self._workers = 0
        self._buried: list[VirtualLoop] = []
        self.database = MemoryDatabase(lambda: self.loop.now, self._is_storeless, self._is_full, self._committed)
        self.store = Store(self.database)
        self.sky = self._sky()

    def _is_storeless(self) -> bool:
        return self.plan.weather.is_storeless(self.loop.now)

    def _is_full(self) -> bool:
        return self.plan.weather.is_full(self.loop.now)

    def _sky(self) -> Sky:
        return Sky(self.plan.weather, self.ledger, self.rng, lambda: self.loop.now, self._ids)

    # ---- the course of events

    def run(self) -> Report:
        self._accept()
        try:
            self._live()
            self._judge()
        finally:
            self.report.rounds += self.loop.rounds
            self.report.seconds = self.loop.now
            self.report.trace = self.ledger.trace
            for loop in (*self._buried, self.loop):
                loop.bury()
        return self.report

    def _live(self) -> None:
        life = self._new_life()
        for interruption in self.plan.interruptions:
            rounds = self.loop.rounds + interruption.rounds
            loop = self.loop
            loop.interrupt_when(lambda loop=loop, rounds=rounds: loop.rounds >= rounds)  # type: ignore[misc]
            try:
                return self.loop.run_until_complete(life)
            except Interrupted:
                if interruption.kind != "sleep":
                    self._excuse(interruption.kind)
                self.ledger.trace.append(f"{self.loop.now:.6f} {interruption.kind}")
                if interruption.kind == "kill":
                    self._drop()
                    self._buried.append(self.loop)
                    self.loop = VirtualLoop(self.loop.now)
                    life = self._new_life()
                elif interruption.kind == "sleep":
                    self.loop.now += interruption.seconds
                else:
                    self._pause(interruption.seconds)
        self.loop.interrupt_when(None)
        return self.loop.run_until_complete(life)

    def _new_life(self) -> "asyncio.Task[None]":
        self.sky = self._sky()
        return self.loop.create_task(self._work(self.plan.horizon))

    def _pause(self, seconds: float) -> None:
        """Another worker lives for a while; then the one that was paused goes on where it was."""
        paused, sky, done = self.loop, self.sky, self._done
        self.loop = VirtualLoop(paused.now)
        self.sky = self._sky()
        self.loop.run_until_complete(self._work(self.loop.now + seconds))
        paused.now = max(self.loop.now, paused.now + seconds)
        self._buried.append(self.loop)
        self.loop, self.sky, self._done = paused, sky, done
        self._committed()

    async def _work(self, until: float) -> None:
        """A worker, from its start to the end of all work, or to the time `until`; then it drains."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: self.report.wrong.append(f"nobody heard of {context}"))
        self._done = asyncio.Event()
        self._workers += 1
        store = Store(self.database)
        if self.plan.embedded:
            await store.reclaim_all()
        clock = DatabaseClock(lambda: at(loop.time()), loop.time)
        bench = Workbench(
            owner=f"worker-{self._workers}",
            queue=store,
            composer=Composer(self, self.store),
            relay=self.sky,
            policy=self.policy,
            journal=self,
            now=clock,
            monotonic=loop.time,
            rng=self.rng,
        )
        dispatcher = Dispatcher(bench, self.sky, clock, lease=self.plan.lease, grace=25.0, poll=self.plan.idle)
        janitor = Janitor(
            store,
            self,
            period=self.plan.idle,
            idempotency_ttl=7 * 86400.0,
            renew=dispatcher.renew,
            wake=dispatcher.wake,
        )
        sending, tidying = asyncio.create_task(dispatcher.run()), asyncio.create_task(janitor.run())
        self._committed()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._done.wait()
        dispatcher.drain()
        await sending
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)

    def _accept(self) -> None:
        asked = [Acceptance("default", [New(notification(mail))], at(0)) for mail in self.plan.mails]
        receipts = self.database.run(lambda tx: acceptance.accept(tx, asked))
        assert not [one for one in receipts if isinstance(one, Exception)], receipts

    def _committed(self) -> None:
        if not self._open():
            self._done.set()

    def _open(self) -> int:
        found: int = self.database.raw.execute("SELECT count(*) FROM delivery").fetchone()[0]
        return found

    # ---- what the product asks of the rest of its house

    async def rendered(self, one: Notification) -> "Letter":
        await asyncio.sleep(0)
        return Letter(f"Order of {one.id}")

    async def may_unsubscribe(self, one: Notification) -> bool:
        return one.category is not None

    def attempted(self, claimed: Claimed, result: SendResult, finish: Finish | None, seconds: float) -> None: ...
    def claimed(self, count: int, seconds: float) -> None: ...
    def composed(self, seconds: float) -> None: ...
    def storeless(self, what: str, error: Exception) -> None: ...
    def chore(self, name: str, count: int) -> None: ...

    def lost(self, claimed: Claimed, what: str) -> None:
        if not (self._interrupted("pause") or self._interrupted("sleep")):
            self.report.wrong.append(f"{claimed.notification.id} lost its lease, and nobody was paused: {what}")

    def crashed(self, what: str, error: Exception) -> None:
        self.report.wrong.append(f"a defect in {what}: {error!r}")

    # ---- what is noted when a worker is interrupted

    def _interrupted(self, kind: str) -> bool:
        return any(interruption.kind == kind for interruption in self.plan.interruptions)

    def _excuse(self, kind: str) -> None:
        """DESIGN 2.6: who is gone, or away for longer than its lease, after the relay's 250 and before our commit."""
        for mail in self.plan.mails:
            record = self._record(mail)
            for person in record.notification.recipients:
                copies = self.ledger.copies[person.email]
                if copies and person.status in (Status.QUEUED, Status.DEFERRED):
                    copies[-1].excused = copies[-1].excused or f"{kind} before it was recorded"
        if kind == "pause":
            self._allowed.update(self.sky.in_body)

    def _drop(self) -> None:
        for mail in self.plan.mails:
            self._dropped[mail.id] = self.ledger.transactions[mail.id] - len(self._events(mail, "email.attempted"))

    # ---- what must hold in the end

    def _record(self, mail: Mail) -> Any:
        return self.database.run(lambda tx: reading.records(tx, [mail.id]))[mail.id]

    def _events(self, mail: Mail, type_: str) -> list[Any]:
        return [one for one in self.database.run(lambda tx: reading.events(tx, mail.id)) if one.type == type_]

    def _judge(self) -> None:
        wrong = self.report.wrong
        for old, new in self.database.raw.execute("SELECT old, new FROM move"):
            if not may_move(Status(old), Status(new)):
                wrong.append(f"an illegal move: {old} to {new}")
        if left := self._open():
            wrong.append(f"{left} are not over after {self.plan.horizon:g} s")
        for mail in self.plan.mails:
            record = self._record(mail)
            self.report.statuses[record.status] += 1
            self._judge_attempts(mail, record)
            for person in record.notification.recipients:
                self._judge_recipient(mail, person)
                self._judge_copies(mail, person)

    def _judge_attempts(self, mail: Mail, record: Any) -> None:
        told = self._events(mail, "email.attempted")
        counted = len([one for one in told if "late" not in one.detail])
        seen = self.ledger.transactions[mail.id]
        if record.attempts != counted:
            self.report.wrong.append(f"{mail.id} has {record.attempts} attempts and {counted} in its timeline")
        if seen != len(told) + self._dropped[mail.id]:
            self.report.wrong.append(
                f"{mail.id}: the relay saw {seen} transactions, {len(told)} are told of, "
                f"{self._dropped[mail.id]} died with their worker"
            )

    def _judge_recipient(self, mail: Mail, person: Recipient) -> None:
        copies, wrong = self.ledger.copies[person.email], self.report.wrong
        match person.status:
            case Status.SENT if not copies:
                wrong.append(f"{person.email} is called sent and never came")
            case Status.FAILED if (person.reply or "").startswith("given up"):
                self._judge_giving_up(mail, person)
            case Status.FAILED if person.email not in self.ledger.refused:
                wrong.append(f"{person.email} failed: {person.reply}")
            case Status.HELD if mail.on_unknown != "hold":
                wrong.append(f"{person.email} is held, and nobody asked for it")
            case Status.SUPPRESSED if person.email not in self.ledger.refused:
                wrong.append(f"{person.email} is suppressed, and the relay never refused it")
            case Status.SENT | Status.FAILED | Status.HELD | Status.SUPPRESSED:
                pass
            case status:
                wrong.append(f"{person.email} ended as {status}")

    def _judge_giving_up(self, mail: Mail, person: Recipient) -> None:
        first: datetime = self._events(mail, "email.attempted")[0].at
        last = next(one.at for one in self._events(mail, "email.failed") if one.recipient == person.email)
        if last - first < timedelta(seconds=POLICY.give_up_after):
            self.report.wrong.append(f"{person.email} was given up after {last - first}")

    def _judge_copies(self, mail: Mail, person: Recipient) -> None:
        copies = self.ledger.copies[person.email]
        self.report.copies += len(copies)
        self.report.second_copies += max(0, len(copies) - 1)
        excused = sum(1 for copy in copies[:-1] if copy.excused) + self._allowed[person.email]
        if len(copies) - 1 > excused:
            self.report.wrong.append(f"{person.email} was sent {len(copies)} times, {excused} of them excused")
        if mail.on_unknown == "hold" and len(copies) > 1:
            self.report.wrong.append(f"{person.email} asked to be held and was sent {len(copies)} times")


@dataclass(frozen=True)
class Letter:
    """What a template was rendered to."""

    subject: str
    text: str | None = "On its way."
    html: str | None = None
    inline: tuple[Attachment, ...] = ()


def notification(mail: Mail) -> Notification:
    people = [Recipient(n, "to", email, address_key=email) for n, email in enumerate(mail.addresses)]
    return Notification(
        id=mail.id,
        project="default",
        created_at=at(0),
        message_id=f"<{mail.id}@example.com>",
        sender=Address("shop@example.com"),
        recipients=tuple(people),
        on_unknown=mail.on_unknown,
        send_at=at(mail.send_at) if mail.send_at else None,
    )
