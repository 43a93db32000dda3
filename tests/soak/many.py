"""An API process and three workers on one PostgreSQL, and everything that can go wrong between them, again and again.

    python -m tests.soak.many [--rounds 5] [--mails 500]

Each round has every fault once, each under load, with so many mails before and after it. Prints what came of each;
exit code 1 if a mail was lost, or came twice without a timeline that owned up to it before.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from notifier.capture import Capture
from tests.support.cluster import INSTALL, Cluster, binaries
from tests.support.fleet import Fleet, Tally, opened

LEASES = 3.0
"""Lives of a lease that a fault which takes a worker away lasts."""


class Trouble:
    """The faults, by name."""

    def __init__(self, fleet: Fleet, cluster: Cluster, relay: Capture, mails: int) -> None:
        self._fleet = fleet
        self._cluster = cluster
        self._relay = relay
        self._mails = mails
        self.all: dict[str, Callable[[], Awaitable[None]]] = {
            "a worker killed": self._fleet.workers[0].kill,
            "a worker stopped past its lease": self._stopped,
            "a worker cut off from the database": self._cut,
            "the server restarted ten times": self._restarted,
            "connections terminated ten times": self._terminated,
            "the API killed": self._api_killed,
        }

    async def came(self, count: int) -> None:
        wanted = len(self._relay.messages) + count
        async with asyncio.timeout(300):
            with self._relay.messages.watch() as bell:
                while len(self._relay.messages) < wanted:
                    bell.clear()
                    await bell.wait()

    async def _stopped(self) -> None:
        self._fleet.workers[0].signal(signal.SIGSTOP)
        await self._fleet.pass_leases(LEASES)
        self._fleet.workers[0].signal(signal.SIGCONT)

    async def _cut(self) -> None:
        await self._fleet.proxy.cut()
        await self._fleet.pass_leases(LEASES)
        await self._fleet.proxy.open()

    async def _restarted(self) -> None:
        for _ in range(10):
            await self.came(self._mails // 20)
            await self._cluster.restart()

    async def _terminated(self) -> None:
        for _ in range(10):
            await self.came(self._mails // 20)
            await self._fleet.terminate_connections()

    async def _api_killed(self) -> None:
        await self._fleet.api.kill()
        await self._fleet.api.start()


async def soak(folder: Path, rounds: int, mails: int) -> list[Tally]:
    tallies = []
    async with (
        Cluster() as cluster,
        Capture(keep=1_000_000) as relay,
        opened(folder, cluster.url, relay, workers=3) as fleet,
    ):
        relay.delay("dot", 0.1)
        trouble = Trouble(fleet, cluster, relay, mails)
        for number in range(rounds):
            for name, happen in trouble.all.items():
                async with fleet.under_load(f"{number}-{name.replace(' ', '-')}") as load:
                    await trouble.came(mails)
                    await happen()
                    await trouble.came(mails)
                tally = await fleet.judge(load, relay)
                print(f"{number + 1}  {name}: {tally}; answered 503 {load.away}, not at all {load.cut}", flush=True)
                tallies.append(tally)
                await fleet.whole()
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mails", type=int, default=500)
    given = parser.parse_args()
    if binaries() is None:
        sys.exit(INSTALL)
    with tempfile.TemporaryDirectory(prefix="notifier-many-") as home:
        tallies = asyncio.run(soak(Path(home), given.rounds, given.mails))
    sys.exit(1 if any(one.wrong for one in tallies) else 0)


if __name__ == "__main__":
    main()
