"""Processes of notifier on one PostgreSQL, callers who do not give up, and a ledger of what came of each mail."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2 as httpx
from sqlalchemy.engine import make_url

from notifier.capture import Capture
from tests.support.process import TEMPLATE, Listening, Serve
from tests.support.proxy import Proxy

CONNECTIONS = 5
"""To the relay, of each worker."""

LEASE = 2
"""Seconds."""

PACE = 0.03
"""Seconds that a caller waits after each answer: a load, and not a flood, while something is broken."""


class Api(Serve):
    command = "api"


class Worker(Serve):
    command = "worker"


@dataclass
class Load:
    """What callers posted: the notification's id by key, and how the other answers were."""

    ids: dict[str, str] = field(default_factory=dict)
    away: int = 0  # 503, with Retry-After
    cut: int = 0  # no answer at all
    wrong: list[str] = field(default_factory=list)  # any other answer


@dataclass
class Tally:
    """What came of a load. A promise that was broken is a sentence in `wrong`."""

    posted: int
    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: Counter[str] = field(default_factory=Counter)  # copies too many, each owned up to in the timeline
    taken_up: int = 0  # times that a lease ran out and others took the mail up
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"posted {self.posted}", *(f"{status} {count}" for status, count in self.statuses.items())]
        parts += [f"lost {len(self.lost)}", f"taken up {self.taken_up}", f"doubled {self.doubled.total()}"]
        return ", ".join([*parts, *self.wrong])


class Fleet:
    """One API process and workers on a database without tables. The first worker's way to the server is `proxy`."""

    def __init__(self, folder: Path, url: str, relay: Listening, *, workers: int = 2, **environment: str) -> None:
        server = make_url(url)
        self.url = url
        self.relay = relay
        self.proxy = Proxy(server.host or "127.0.0.1", server.port or 5432)
        self._server = server
        given = {
            "NOTIFIER_DATABASE_URL": url,
            "NOTIFIER_LEASE": f"{LEASE}s",
            "NOTIFIER_RELAY_CONNECTIONS": str(CONNECTIONS),
            "NOTIFIER_RETRY_FIRST": "100ms",
            **environment,
        }
        self._environment = given
        self.api = Api(folder, relay, **given)
        self.workers = [Worker(folder, relay, **given) for _ in range(workers)]
        self._folder = folder

    async def open(self, *, proxied: bool = True) -> None:
        """Migrates, publishes the template `order`, and starts everybody."""
        await self.migrate()
        await self.api.start()
        answer = await self.api.http.put(
            f"{self.api.url}/v1/templates/order", params={"publish": "true"}, json={"parts": dict(TEMPLATE)}
        )
        assert answer.is_success, answer.text
        if proxied:
            await self.proxy.open()
            far = self._server.set(host="127.0.0.1", port=self.proxy.port).render_as_string(hide_password=False)
            self.workers[0] = Worker(self._folder, self.relay, **{**self._environment, "NOTIFIER_DATABASE_URL": far})
        await self.whole()

    async def migrate(self) -> None:
        command = Path(sys.executable).with_name("notifier")
        process = await asyncio.create_subprocess_exec(
            command, "db", "upgrade", env=self._environment, cwd=self._folder, stdout=asyncio.subprocess.DEVNULL
        )
        assert await process.wait() == 0

    async def whole(self) -> None:
        """Starts who does not run."""
        await asyncio.gather(*(one.start() for one in (self.api, *self.workers) if not one.running))

    async def close(self) -> None:
        for one in (self.api, *self.workers):
            await one.close()

    # ---- the callers

    @asynccontextmanager
    async def under_load(self, name: str, callers: int = 8) -> AsyncIterator[Load]:
        """While entered, and a few mails longer, callers post one notification after the other."""
        load, over = Load(), asyncio.Event()
        keys = (f"{name}-{n}" for n in count())

        async def caller() -> None:
            while not over.is_set():
                await self._post_until_taken(next(keys), load)

        posting = [asyncio.create_task(caller()) for _ in range(callers)]
        try:
            yield load
        finally:
            over.set()
            await asyncio.gather(*posting)

    async def post(self, name: str, number: int) -> Load:
        """So many notifications."""
        load = Load()
        await asyncio.gather(*(self._post_until_taken(f"{name}-{n}", load) for n in range(number)))
        return load

    async def _post_until_taken(self, key: str, load: Load) -> None:
        while not await self._post_one(key, load):  # noqa: ASYNC110 -- a caller who comes back later
            await asyncio.sleep(PACE)
        await asyncio.sleep(PACE)

    async def _post_one(self, key: str, load: Load) -> bool:
        body = {"template": "order", "to": f"{key}@example.com", "data": {"order": key}}
        try:
            answer = await self.api.http.post(
                f"{self.api.url}/v1/notifications", json=body, headers={"idempotency-key": key}
            )
        except httpx.TransportError:
            load.cut += 1
            return False
        if answer.status_code == 202:
            load.ids[key] = answer.json()["id"]
            return True
        if answer.status_code == 503 and int(answer.headers.get("retry-after", 0)) > 0:
            load.away += 1
            return False
        load.wrong.append(f"{key} was answered with {answer.status_code}: {answer.text[:200]}")
        return answer.status_code < 500

    # ---- the database, seen from beside

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Any]:
        """A connection of the test's own."""
        connection = await asyncpg.connect(self.url, timeout=10)
        try:
            yield connection
        finally:
            connection.terminate()

    async def terminate_connections(self) -> int:
        async with self.beside() as connection:
            killed: int = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            return killed

    async def all_ended(self, ids: Iterable[str], patience: float = 60.0) -> None:
        """Returns when nothing of these is left to do."""
        wanted = [UUID(id_) for id_ in ids]
        async with asyncio.timeout(patience), self.beside() as connection:
            left = "SELECT count(*) FROM delivery WHERE id = ANY ($1)"
            while await connection.fetchval(left, wanted):  # noqa: ASYNC110 -- other processes end them
                await asyncio.sleep(0.05)

    async def leases_ended(self) -> None:
        """Returns when nobody holds a lease."""
        async with asyncio.timeout(30), self.beside() as connection:
            held = "SELECT EXISTS (SELECT FROM delivery WHERE state = 'claimed' AND lease_until > now())"
            while await connection.fetchval(held):  # noqa: ASYNC110 -- they end by themselves
                await asyncio.sleep(0.05)

    async def claimed(self) -> int:
        """How many mails the workers have in their hands."""
        async with self.beside() as connection:
            return int(await connection.fetchval("SELECT count(*) FROM delivery WHERE state = 'claimed'"))

    async def pass_leases(self, lives: float) -> None:
        """Returns when so many lives of a lease are over, by the clock of the database."""
        async with self.beside() as connection:
            await connection.execute("SELECT pg_sleep($1)", lives * LEASE)

    # ---- the verdict

    async def judge(self, load: Load, capture: Capture) -> Tally:
        """0 lost; and each copy too many is one that a timeline said might come: the outcome of the one before it was
        unknown to the database when its lease ran out, or its reply never came."""
        ids = list(load.ids.values())
        await self.all_ended(ids)
        tally = Tally(len(ids), wrong=list(load.wrong))
        if len(set(ids)) != len(ids):
            tally.wrong.append("two keys were given one notification")
        copies = Counter(mail.header("X-Notifier-Id") or "" for mail in capture.messages)
        wanted = [UUID(id_) for id_ in ids]
        async with self.beside() as connection:
            ended = await connection.fetch("SELECT id, status FROM ended WHERE id = ANY ($1)", wanted)
            unknown = await connection.fetch(
                "SELECT notification, count(*) FROM event WHERE type = 'email.unknown' AND notification = ANY ($1) "
                "GROUP BY notification",
                wanted,
            )
        doubts = {str(row[0]): int(row[1]) for row in unknown}
        tally.taken_up = sum(doubts.values())
        tally.statuses.update(row["status"] for row in ended)
        tally.lost = [id_ for id_ in ids if not copies[id_]]
        tally.wrong.extend(f"{id_} was answered with 202 and never came" for id_ in tally.lost)
        if tally.statuses != {"sent": len(ids)}:
            tally.wrong.append("not all are sent")
        for id_ in ids:
            if (more := copies[id_] - 1) > 0:
                tally.doubled[id_] = more
                if more > doubts.get(id_, 0):
                    tally.wrong.append(f"{id_} came {more + 1} times, and its timeline has {doubts.get(id_, 0)} doubts")
        return tally


@asynccontextmanager
async def opened(folder: Path, url: str, capture: Capture, **more: Any) -> AsyncIterator[Fleet]:
    """A fleet that runs."""
    async with AsyncExitStack() as stack:
        fleet = Fleet(folder, url, capture, **more)
        stack.push_async_callback(fleet.close)
        await fleet.open()
        stack.push_async_callback(fleet.proxy.cut)
        yield fleet
