"""What PostgreSQL does for a claim, with a thousand rows queued and with a million: EXPLAIN (ANALYZE, BUFFERS).

    python -m tests.soak.plans [--write docs/plans.md]

On a server of its own. The statements are those that the store runs; they are rolled back. Exit code 1 if a claim of
the many touches more than twice what a claim of the few does.
"""

import argparse
import asyncio
import platform
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import event

from notifier.domain.notification import uuid7
from notifier.store import queue, schema
from notifier.store.engine import Database, Tx, open_database
from tests.support.cluster import INSTALL, Cluster, binaries

SIZES: Final = (1_000, 1_000_000)
PROJECTS: Final = 4
CLAIMED: Final = 50
TOLERATED: Final = 2.0
Plans = Mapping[str, str]

_FILL = """\
INSERT INTO delivery (id, project, priority, state, due_at, on_unknown, lease_no, attempts, crashes, transmitting)
SELECT gen_random_uuid(), 'project-' || (i % 4), i / 4 % 3, 'queued', now() - interval '1 hour' + i * interval '1 ms',
'retry', 0, 0, 0, false FROM generate_series($1::int, $2::int) AS series (i)"""

_HEAD = """\
# What a claim costs

A claim finds the lanes that have something due (`lanes`), and takes rows of each in turn (`one lane`, here {claimed}
rows). With {projects} projects in three priorities, on PostgreSQL {version}, everything in memory. A buffer is a
page of 8 KiB that was looked at. Written by `python -m tests.soak.plans --write docs/plans.md` on {date} ({machine}),
which fails where a claim at {many:,} queued rows touches more than {tolerated:g} times the buffers of one at {few:,}.

| queued rows | lanes: buffers | lanes: ms | one lane: buffers | one lane: ms |
|---:|---:|---:|---:|---:|
"""


class _RolledBack(Exception):
    pass


def _lanes(tx: Tx) -> None:
    tx.connection.execute(queue.LANES)


def _one_lane(tx: Tx) -> None:
    lane = {"b_project": "project-1", "b_priority": 1, "b_limit": CLAIMED}
    lease = {"b_now": tx.now, "b_owner": uuid7(), "b_lease_until": tx.now + timedelta(seconds=60)}
    tx.connection.execute(queue._CLAIM_LANE, {**lane, **lease})


async def explained(database: Database, work: Callable[[Tx], None]) -> str:
    """The plan of the one statement that `work` runs; its second run counts, when everything is in memory."""
    plan = ""

    def run(tx: Tx) -> None:
        nonlocal plan
        found: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            found.append((statement, parameters))

        event.listen(tx.connection, "before_cursor_execute", note)
        savepoint = tx.connection.begin_nested()
        work(tx)
        savepoint.rollback()
        event.remove(tx.connection, "before_cursor_execute", note)
        ((statement, parameters),) = [one for one in found if "delivery" in one[0]]
        rows = tx.connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
        plan = "\n".join(str(row[0]) for row in rows)
        raise _RolledBack

    with suppress(_RolledBack):
        await database.write(run)
    return plan


async def measured(url: str) -> tuple[str, dict[int, Plans]]:
    """The server's version, and by the number of queued rows: the plans by name."""
    database = open_database(url)
    connection = await asyncpg.connect(url)
    try:
        await database.migrate(schema.upgrade)
        found: dict[int, Plans] = {}
        there = 0
        for size in SIZES:
            await connection.execute(_FILL, there, size - 1, timeout=600)
            there = size
            await connection.execute("VACUUM ANALYZE delivery", timeout=600)
            found[size] = {
                "lanes": await explained(database, _lanes),
                "one lane": await explained(database, _one_lane),
            }
        return await connection.fetchval("SHOW server_version"), found
    finally:
        await connection.close()
        await database.close()


def buffers(plan: str) -> int:
    """Pages that the whole statement touched: the first line of the plan that counts them is of its root."""
    root = next(line for line in plan.splitlines() if "Buffers: " in line)
    return sum(int(count) for count in re.findall(r"(?:hit|read)=(\d+)", root))


def milliseconds(plan: str) -> float:
    found = re.search(r"Execution Time: ([\d.]+) ms", plan)
    assert found is not None
    return float(found[1])


def page(version: str, found: Mapping[int, Plans]) -> str:
    few, many = SIZES
    head = _HEAD.format(
        claimed=CLAIMED, projects=PROJECTS, version=version, date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{platform.machine()}, Python {platform.python_version()}", few=few, many=many, tolerated=TOLERATED,
    )  # fmt: skip
    rows = [
        f"| {size:,} | {buffers(plans['lanes'])} | {milliseconds(plans['lanes'])} "
        f"| {buffers(plans['one lane'])} | {milliseconds(plans['one lane'])} |"
        for size, plans in found.items()
    ]
    parts = [
        f"\n## {name}, {size:,} rows queued\n\n```\n{plan}\n```\n"
        for name in ("lanes", "one lane")
        for size, plan in ((size, plans[name]) for size, plans in found.items())
    ]
    return head + "\n".join(rows) + "\n" + "".join(parts)


async def _run() -> tuple[str, dict[int, Plans]]:
    async with Cluster(shared_buffers="512MB", max_wal_size="4GB", autovacuum="off") as cluster:
        return await measured(cluster.url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="The page to write; standard output without it.")
    given = parser.parse_args()
    if binaries() is None:
        sys.exit(INSTALL)
    version, found = asyncio.run(_run())
    text = page(version, found)
    if given.write:
        given.write.write_text(text, "utf-8")
    else:
        print(text)
    few, many = (found[size] for size in SIZES)
    dear = [name for name in few if buffers(many[name]) > TOLERATED * buffers(few[name])]
    if dear:
        sys.exit(f"the cost grows with the queue: {', '.join(dear)}")


if __name__ == "__main__":
    main()
