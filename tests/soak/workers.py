"""1, 2 and 4 workers on one PostgreSQL, to a relay that costs nothing: how much, how often twice, how fair?

    python -m tests.soak.workers [--workers 1,2,4] [--notifications 10000]

On a server of its own, with fsync. A big project has 85 % of the mail and three small ones 5 % each, all due at one
moment. Served in turn, the small ones are done when a fifth of the mail is out. Exit code 1 if a mail came twice or
not at all, or if a small project waited until two fifths were out.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from notifier.domain.acceptance import Acceptance, New
from notifier.domain.notification import Address, Notification, Recipient, uuid7
from notifier.store.engine import open_database
from notifier.store.store import Store
from tests.support.cluster import INSTALL, Cluster, binaries
from tests.support.fast_sink import Came, FastSink
from tests.support.fleet import Fleet, Worker

SHARES: Final = {"big": 0.85, "small-1": 0.05, "small-2": 0.05, "small-3": 0.05}
IDEAL: Final = 0.20
TOLERATED: Final = 0.40
PATIENCE: Final = 600.0

_GO = "UPDATE delivery SET due_at = now()"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """One round. CPU times are milliseconds for each mail."""

    workers: int
    rate: float  # mails a second
    worker_cpu: float
    server_cpu: float
    doubled: int
    lost: int
    waited: float  # share of all mail that was out when the last small project was done

    @property
    def wrong(self) -> bool:
        return bool(self.doubled or self.lost or self.waited > TOLERATED)

    def __str__(self) -> str:
        return (
            f"| {self.workers} | {self.rate:,.0f} | {self.worker_cpu:.2f} | {self.server_cpu:.2f} | {self.doubled} "
            f"| {self.lost} | {self.waited:.0%} |"
        )


_COLUMNS = (
    "workers", "mails/s", "CPU ms a mail, workers", "CPU ms a mail, PostgreSQL", "twice", "lost",
    f"small projects done (ideal {IDEAL:.0%})",
)  # fmt: skip
HEAD: Final = f"| {' | '.join(_COLUMNS)} |\n|{'---:|' * len(_COLUMNS)}"


def _order(project: str, to: str) -> New:
    id_, now = uuid7(), datetime.now(UTC)
    return New(
        Notification(
            id=id_,
            project=project,
            created_at=now,
            message_id=f"<{id_}@example.com>",
            sender=Address("shop@example.com"),
            recipients=(Recipient(0, "to", to, address_key=to),),
            template="order",
            version=1,
            data={"order": to},
            send_at=now + timedelta(hours=1),  # until all workers are there
        )
    )


async def _fill(url: str, notifications: int) -> list[str]:
    """Accepts the mail of all projects; gives whom it goes to."""
    store = Store(open_database(url))
    people: list[str] = []
    try:
        for project, share in SHARES.items():
            addresses = [f"{n}@{project}.example" for n in range(int(notifications * share))]
            people += addresses
            for start in range(0, len(addresses), 500):
                news = tuple(_order(project, to) for to in addresses[start : start + 500])
                await store.accept(Acceptance(project, news, datetime.now(UTC)))
    finally:
        await store.close()
    return people


def _cpu(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _judge(workers: int, came: Came, people: list[str], worker_cpu: float, server_cpu: float) -> Measured:
    copies = Counter(to for _, to in came)
    ranks = [rank for rank, (_, to) in enumerate(came, 1) if "@small" in to]
    return Measured(
        workers,
        rate=(len(came) - 1) / (came[-1][0] - came[0][0]),
        worker_cpu=1000 * worker_cpu / len(came),
        server_cpu=1000 * server_cpu / len(came),
        doubled=sum(count - 1 for count in copies.values()),
        lost=sum(1 for to in people if not copies[to]),
        waited=ranks[-1] / len(came),
    )


async def _round(fleet: Fleet, cluster: Cluster, sink: FastSink, folder: Path, workers: int, many: int) -> Measured:
    people = await _fill(cluster.url, many)
    hands = [Worker(folder, sink, NOTIFIER_DATABASE_URL=cluster.url, NOTIFIER_LOG_LEVEL="info") for _ in range(workers)]
    try:
        await asyncio.gather(*(one.start() for one in hands))
        await sink.came()
        before = _cpu(cluster.pids()), _cpu(one.pid for one in hands)
        async with fleet.beside() as connection, asyncio.timeout(PATIENCE):
            await connection.execute(_GO)
            while await _any(connection):  # noqa: ASYNC110 -- the workers end them
                await asyncio.sleep(0.1)
        after = _cpu(cluster.pids()), _cpu(one.pid for one in hands)
        codes = [await one.stop() for one in hands]
        assert codes == [0] * workers, codes
    finally:
        for one in hands:
            await one.close()
    return _judge(workers, await sink.came(), people, after[1] - before[1], after[0] - before[0])


async def _any(connection: Any) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM delivery)"))


async def measure(counts: Iterable[int], notifications: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="notifier-workers-") as home:
        async with Cluster(durable=True, shared_buffers="256MB") as cluster, FastSink() as sink:
            fleet = Fleet(Path(home), cluster.url, sink, workers=0)
            try:
                await fleet.open(proxied=False)
                measured = []
                print(HEAD)
                for count in counts:
                    measured.append(await _round(fleet, cluster, sink, Path(home), count, notifications))
                    print(measured[-1], flush=True)
                return measured
            finally:
                await fleet.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--notifications", type=int, default=10_000)
    given = parser.parse_args()
    if binaries() is None:
        sys.exit(INSTALL)
    measured = asyncio.run(measure([int(count) for count in given.workers.split(",")], given.notifications))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d}")
    sys.exit(1 if any(one.wrong for one in measured) else 0)


if __name__ == "__main__":
    main()
