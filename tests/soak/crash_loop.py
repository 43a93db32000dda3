"""`notifier serve` killed again and again while it takes and delivers mail. Was any lost, was any doubled, and why?

    python -m tests.soak.crash_loop [--kills 50] [--notifications 5000] [--restarts 20] [--seed N]

First kill -9, at times at a chosen stage of a mail (after RCPT, after the final dot, after the 250), then SIGTERM.
Exit code 1 if a promise was broken. A mail that went out twice must have been in the relay's hands, and its outcome
not yet on our disk, when the process died: that is read from the database after each kill, before the next start.
"""

import argparse
import asyncio
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx2 as httpx

from notifier.capture import Capture
from notifier.capture.dialogue import Dialogue
from tests.support.process import Serve

Moment = Literal["any", "rcpt", "dot", "250"]
MOMENTS: tuple[Moment, ...] = ("any", "rcpt", "dot", "250")
PATIENCE = 120.0  # seconds for the queue to become empty at the end
Say = Callable[[str], None]


class Watched(Dialogue):
    """A connection that says how far each mail came."""

    hear: Callable[[Moment], None]

    async def handle_RCPT(self, *given: Any) -> Any:
        answer = await super().handle_RCPT(*given)
        self.hear("rcpt")
        return answer

    async def handle_DATA(self, *given: Any) -> Any:
        answer = await super().handle_DATA(*given)
        self.hear("dot")
        return answer

    async def push(self, status: str | bytes) -> None:
        await super().push(status)
        if self._transaction is not None and self._transaction.stage == "dot":
            self.hear("250")


class Sink(Capture):
    """A relay that takes everything, and calls `trap` when a mail has come to the moment that was asked for.

    `copies` has, for each notification, the life (see `Loop`) of the process that each of its copies came from.
    """

    def __init__(self) -> None:
        super().__init__(keep=1_000_000)
        self._trap: tuple[Moment, int, Callable[[], None]] | None = None

    def set_trap(self, moment: Moment, after: int, act: Callable[[], None]) -> None:
        """`act` is called when the moment came for the so manyth time from now, once."""
        self._trap = (moment, after, act)

    def _hear(self, moment: Moment) -> None:
        if self._trap is None or self._trap[0] != moment:
            return
        wanted, left, act = self._trap
        self._trap = (wanted, left - 1, act) if left > 1 else None
        if left <= 1:
            act()

    def _connected(self) -> Dialogue:
        connection = Watched(self._terms, self.faults, self.messages, self._ledger, self._connections)
        connection.hear = self._hear
        return connection

    async def quiet(self) -> None:
        """Returns when everything that a dead client had still written was read."""
        while self.open_connections:  # noqa: ASYNC110 -- the ledger has no event, and this is over in milliseconds
            await asyncio.sleep(0.005)


@dataclass
class Tally:
    """What came of a loop. A life is the time between a start of the process and its end."""

    posted: int = 0
    reposted: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)  # explained: taken by the relay, not yet recorded
    wrong: list[str] = field(default_factory=list)  # promises that were broken, a sentence each

    def table(self, title: str) -> str:
        rows = {
            "posted (202)": self.posted,
            "posted again, no answer": self.reposted,
            **{f"ended by {how}": count for how, count in sorted(self.ends.items())},
            **{f"status {status}": count for status, count in sorted(self.statuses.items())},
            "lost": len(self.lost),
            "sent twice, taken but not recorded": len(self.doubled),
            "promises broken": len(self.wrong),
        }
        width = max(map(len, rows))
        lines = [f"  {name.ljust(width)}  {value:>6}" for name, value in rows.items()]
        return "\n".join([title, *lines, *(f"  ! {sentence}" for sentence in self.wrong)])


class Loop:
    """One service on one folder, its callers, and its relay."""

    def __init__(self, folder: Path, sink: Sink, rng: random.Random, say: Say, **environment: str) -> None:
        self.serve = Serve(folder, sink, **environment)
        self.sink = sink
        self.rng = rng
        self.say = say
        self.tally = Tally()
        self.ids: dict[str, str] = {}  # by idempotency key
        self._life = 0
        self._seen = 0
        self._copies: dict[str, list[int]] = defaultdict(list)
        self._open_at_end: list[frozenset[str]] = []  # by life: what the database had no outcome for

    async def kill_again_and_again(self, kills: int, notifications: int) -> Tally:
        """kill -9, a quarter of them at any moment, the others at a chosen stage of a mail."""
        await self.serve.start()
        posting = asyncio.create_task(self._post(notifications))
        for number in range(kills):
            moment = MOMENTS[number % len(MOMENTS)]
            await self._die_at(moment, await self._progress(number + 1, kills, notifications))
            self.tally.ends[f"kill -9 at {moment}"] += 1
            await self._restart(number + 1, kills)
        await posting
        return await self._judge()

    async def stop_again_and_again(self, restarts: int, notifications: int) -> Tally:
        """SIGTERM, under load."""
        await self.serve.start()
        posting = asyncio.create_task(self._post(notifications))
        for number in range(restarts):
            await self._progress(number + 1, restarts, notifications)
            code = await self.serve.stop()
            self.tally.ends[f"SIGTERM, exit code {code}"] += 1
            if code != 0:
                self.tally.wrong.append(f"SIGTERM number {number + 1} ended with {code}: {self.serve.lines[-1]}")
            await self._restart(number + 1, restarts)
        await posting
        tally = await self._judge()
        tally.wrong.extend(f"{id_} was sent twice, and nothing was killed" for id_ in tally.doubled)
        return tally

    # ---- the callers

    async def _post(self, count: int) -> None:
        """Ten callers, each with its share, each repeating a request under its key until it is answered."""
        keys = iter([f"order-{n}" for n in range(count)])

        async def caller() -> None:
            for key in keys:
                await self._post_one(key)

        await asyncio.gather(*(caller() for _ in range(10)))

    async def _post_one(self, key: str) -> None:
        while True:
            try:
                id_ = await self.serve.post(f"{key}@example.com", key=key, data={"order": key})
            except (httpx.HTTPError, AssertionError):  # nobody there, cut off, or told to come back later
                self.tally.reposted += 1
                await asyncio.sleep(0.05)
                continue
            self.ids[key] = id_
            self.tally.posted += 1
            return

    async def _progress(self, number: int, of: int, notifications: int) -> int:
        """Waits until a fair part of the mail has come, and says how many mails the next end is away."""
        share = notifications // (of + 1)
        with self.sink.messages.watch() as bell:
            while len(self.sink.messages) < min(share * number, notifications - share):
                bell.clear()
                await bell.wait()
        return self.rng.randint(1, max(1, share // 2))

    # ---- the process

    async def _die_at(self, moment: Moment, after: int) -> None:
        def kill() -> None:
            self.serve.signal(signal.SIGKILL)

        if moment == "any":
            await asyncio.sleep(self.rng.uniform(0, 0.2))
            kill()
        else:
            self.sink.set_trap(moment, after, kill)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):  # where no mail came to that moment any more
                await self.serve.ended()
        await self.serve.kill()

    async def _restart(self, number: int, of: int) -> None:
        await self.sink.quiet()
        self._end_of_life()
        await self.serve.start()
        doubled = sum(1 for lives in self._copies.values() if len(lives) > 1)
        self.say(f"  {number}/{of}  posted {self.tally.posted}  received {self._seen}  of them twice {doubled}")

    def _end_of_life(self) -> None:
        """Notes which copies came in this life, and of what the database has no outcome at its end."""
        self._note_copies()
        with closing(sqlite3.connect(f"file:{self.serve.database}?mode=ro", uri=True)) as connection:
            self._open_at_end.append(
                frozenset(str(UUID(row[0])) for row in connection.execute("SELECT id FROM delivery"))
            )
        self._life += 1

    def _note_copies(self) -> None:
        messages = self.sink.messages[self._seen :]
        for mail in messages:
            self._copies[mail.header("X-Notifier-Id") or ""].append(self._life)
        self._seen += len(messages)

    # ---- the verdict

    async def _judge(self) -> Tally:
        tally = self.tally
        async with asyncio.timeout(PATIENCE):
            ended = await self.serve.all_final(self.ids.values())
        code = await self.serve.stop()
        if code != 0:
            tally.wrong.append(f"the last SIGTERM ended with {code}")
        self._note_copies()
        tally.statuses.update(found["status"] for found in ended.values())
        tally.lost = [id_ for id_ in self.ids.values() if id_ not in self._copies]
        tally.wrong.extend(f"{id_} was answered with 202 and never came" for id_ in tally.lost)
        tally.wrong.extend(
            f"{id_} ended as {found['status']}: {found['error']}"
            for id_, found in ended.items()
            if found["status"] != "sent"
        )
        if len(set(self.ids.values())) != len(self.ids):
            tally.wrong.append("two keys were given one notification")
        if strangers := self._copies.keys() - set(self.ids.values()):
            tally.wrong.append(f"{len(strangers)} notifications came that nobody was told of")
        for id_, lives in self._copies.items():
            self._judge_copies(id_, lives)
        return tally

    def _judge_copies(self, id_: str, lives: list[int]) -> None:
        for life, following in pairwise(lives):
            self.tally.doubled.append(id_)
            if life == following:
                self.tally.wrong.append(f"{id_} was sent twice by one process")
            elif id_ not in self._open_at_end[life]:
                self.tally.wrong.append(f"{id_} was sent again after its outcome was on the disk")


async def crash_loop(folder: Path, kills: int, notifications: int, seed: int, say: Say) -> Tally:
    async with Sink() as sink:
        loop = Loop(folder, sink, random.Random(seed), say)
        try:
            return await loop.kill_again_and_again(kills, notifications)
        finally:
            await loop.serve.close()


async def restart_loop(folder: Path, restarts: int, notifications: int, seed: int, say: Say) -> Tally:
    async with Sink() as sink:
        loop = Loop(folder, sink, random.Random(seed), say)
        try:
            return await loop.stop_again_and_again(restarts, notifications)
        finally:
            await loop.serve.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--notifications", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    say(f"seed {given.seed}")
    tallies = []
    with tempfile.TemporaryDirectory(prefix="notifier-crash-") as home:
        for title, ends, loop in (
            (f"{given.kills} times kill -9", given.kills, crash_loop),
            (f"{given.restarts} times SIGTERM", given.restarts, restart_loop),
        ):
            say(title)
            folder = Path(home) / title.split()[-1]
            folder.mkdir()
            tallies.append((title, asyncio.run(loop(folder, ends, given.notifications, given.seed, say))))
    for title, tally in tallies:
        say("\n" + tally.table(title))
    sys.exit(1 if any(tally.wrong for _, tally in tallies) else 0)


if __name__ == "__main__":
    main()
