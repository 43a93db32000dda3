"""Every statement of the hot paths goes through an index, so that its cost does not grow with the tables."""

# ruff: noqa: S608 - the SQL here is put together from literals of this file

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from notifier.domain.delivery import Finish
from notifier.store import acceptance, chores, gauge, idempotency, queue, reading
from notifier.store.engine import Tx

if TYPE_CHECKING:
    from tests.contract.conftest import Desk

ROWS = 6_000
HOT = ("delivery", "notification", "recipient", "event", "ended", "idempotency", "suppression")


class _RolledBack(Exception):
    pass


async def plans(desk: "Desk", work: Callable[[Tx], Any], explain: str = "") -> dict[str, str]:
    """The plans of the statements that `work` runs, by statement; `work` itself is rolled back."""
    run: list[tuple[str, Any]] = []

    def record(tx: Tx) -> None:
        @event.listens_for(tx.connection, "before_cursor_execute")
        def heard(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            first = parameters[0] if parameters else ()
            run.append((statement, first if isinstance(first, tuple | dict) else parameters))

        work(tx)
        event.remove(tx.connection, "before_cursor_execute", heard)
        raise _RolledBack

    with pytest.raises(_RolledBack):
        await desk.run(record)
    explain = explain or ("EXPLAIN (COSTS OFF)" if desk.is_postgres else "EXPLAIN QUERY PLAN")

    def explained(tx: Tx) -> dict[str, str]:
        found = {}
        for statement, parameters in run:
            if desk.is_postgres:
                # Of a small table a planner rightly reads all; the question is whether it could do without. The queue
                # itself is looked at as it is.
                whole = "on" if "delivery" in statement else "off"
                tx.connection.exec_driver_sql(f"SET LOCAL enable_seqscan = {whole}")
            rows = tx.connection.exec_driver_sql(f"{explain} {statement}", parameters)
            found[statement] = "\n".join(str(row[-1]) for row in rows)
        return found

    return await desk.run(explained)


def scans(desk: "Desk", found: dict[str, str]) -> list[str]:
    """What reads a whole table of the hot ones."""
    whole = [f"Seq Scan on {table}" for table in HOT] if desk.is_postgres else [f"SCAN {table}" for table in HOT]
    lines = [(line, statement) for statement, plan in found.items() for line in plan.splitlines()]
    limited = re.compile("SCAN delivery USING INDEX ix_delivery_(lane|suspect)")  # with LIMIT
    lines = [(line.strip(), statement) for line, statement in lines if limited.search(line) is None]
    return [f"{line} in {statement}" for line, statement in lines if any(scan in line for scan in whole)]


def _execute(statement: str, tx: Tx) -> None:
    tx.connection.execute(text(statement))


async def _fill(desk: "Desk", first: int, last: int, lanes: int) -> None:
    """Rows number `first` to `last` of every hot table; of the queue each fifth is claimed, some are suspects."""
    if desk.is_postgres:
        series = f"generate_series({first}, {last}) AS series (i)"
        id_, json, false = "(lpad(to_hex(i), 32, '0'))::uuid", '\'["a@x.test", ""]\'::json', "false"
        due, later = "now() - interval '1 hour'", "now() + interval '1 day'"
    else:
        numbers = f"SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}"
        series = f"(WITH RECURSIVE n(i) AS ({numbers}) SELECT i FROM n)"
        id_, json, false = "printf('%032x', i)", '\'["a@x.test", ""]\'', "0"
        due, later = "1000000", "4102444800000000"
    project = f"'p' || (i % {lanes})"
    for statement in (
        "INSERT INTO delivery (id, project, priority, state, due_at, expires_at, on_unknown, lease_until, lease_no, "
        f"attempts, crashes, transmitting) SELECT {id_}, {project}, i % 2, "
        f"CASE WHEN i % 5 = 0 THEN 'claimed' ELSE 'queued' END, {due}, CASE WHEN i % 10 = 0 THEN {later} END, 'retry', "
        f"CASE WHEN i % 5 = 0 THEN {later} END, 1, 0, CASE WHEN i % 50 = 1 THEN 1 ELSE 0 END, {false} FROM {series}",
        "INSERT INTO notification (id, project, key, mode, sender, message_id, priority, on_unknown, created_at) "
        f"SELECT {id_}, {project}, '', 'live', {json}, 'm', 'normal', 'retry', {due} FROM {series}",
        "INSERT INTO recipient (notification, n, kind, email, name, status, address_key) "
        f"SELECT {id_}, 0, 'to', 'u' || i, '', 'queued', 'u' || i FROM {series}",
        "INSERT INTO event (notification, project, type, at, detail) "
        f"SELECT {id_}, {project}, 'email.queued', {due}, '{{}}' FROM {series}",
        "INSERT INTO idempotency (project, key, fingerprint, notification, created_at) "
        f"SELECT {project}, 'k' || i, 'f', {id_}, {due} FROM {series}",
        "INSERT INTO suppression (address_key, scope, email, reason, created_at) "
        f"SELECT 's' || i, 'all', 's', 'bounced', {due} FROM {series}",
        "INSERT INTO ended (id, project, status, attempts, lease_no, at) "
        f"SELECT {id_.replace('i)', 'i + 1000000000)')}, {project}, 'sent', 1, 1, {due} FROM {series}",
        "ANALYZE",
    ):
        await desk.run(partial(_execute, statement))


@pytest.fixture
async def crowd(desk: "Desk") -> "Desk":
    """A store with six thousand rows in two hundred lanes."""
    await _fill(desk, 1, ROWS, lanes=100)
    return desk


async def _effort(desk: "Desk", work: Callable[[Tx], Any]) -> int:
    """What `work` costs, rolled back, in the database's own measure: steps of SQLite's machine, in tens, or
    PostgreSQL's buffers touched."""
    steps = 0

    def count(tx: Tx) -> None:
        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        raw = tx.connection.connection.driver_connection
        assert raw is not None
        raw.set_progress_handler(step, 10)
        try:
            work(tx)
        finally:
            raw.set_progress_handler(None, 0)
        raise _RolledBack

    if not desk.is_postgres:
        with pytest.raises(_RolledBack):
            await desk.run(count)
        return steps
    found = await plans(desk, work, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF)")
    roots = (next((line for line in plan.splitlines() if "Buffers: " in line), "") for plan in found.values())
    return sum(int(blocks) for root in roots for blocks in re.findall(r"(?:hit|read)=(\d+)", root))


@pytest.mark.parametrize("suspect", [False, True])
async def test_the_cost_of_a_claim_does_not_grow_with_the_queue(desk: "Desk", suspect: bool) -> None:
    def claim(tx: Tx) -> object:
        return queue.claim(tx, "worker", 60.0, 0 if suspect else 100, 1, suspect)

    await _fill(desk, 1, 1_000, lanes=4)
    small = await _effort(desk, claim)
    await _fill(desk, 1_001, ROWS, lanes=4)
    large = await _effort(desk, claim)
    assert small > 10
    assert large < 1.7 * small, (small, large)


async def test_a_claim_reads_no_whole_table(crowd: "Desk") -> None:
    found = await plans(crowd, lambda tx: queue.claim(tx, "worker", 60.0, 200, 1, True))
    assert len(found) > 4
    assert scans(crowd, found) == []
    lanes = next(plan for statement, plan in found.items() if "RECURSIVE" in statement)
    claim = next(plan for statement, plan in found.items() if statement.lstrip().startswith("WITH due"))
    assert lanes.count("ix_delivery_lane") == 3
    assert "ix_delivery_lane" in claim
    assert "Sort" not in claim
    assert "TEMP B-TREE" not in claim


async def test_a_suspect_is_found_by_the_index_of_suspects(crowd: "Desk") -> None:
    found = await plans(crowd, lambda tx: queue.claim(tx, "worker", 60.0, 0, 1, True))
    claim = next(plan for statement, plan in found.items() if statement.lstrip().startswith("WITH due"))
    assert "ix_delivery_suspect" in claim


async def test_what_needs_no_relay_is_found_by_an_index_of_its_own(crowd: "Desk") -> None:
    found = await plans(crowd, lambda tx: queue.claim_simulated(tx, "worker", 60.0, 200))
    claim = next(plan for statement, plan in found.items() if statement.lstrip().startswith("WITH due"))
    assert "ix_delivery_simulated" in claim


async def test_what_waits_is_counted_in_the_index_of_lanes(crowd: "Desk") -> None:
    found = await plans(crowd, gauge.backlog)
    assert scans(crowd, found) == []
    lanes, suspects = found.values()
    assert lanes.count("ix_delivery_lane") == 4
    assert "ix_delivery_suspect" in suspects


async def test_the_cost_of_counting_what_waits_does_not_grow_with_the_queue(desk: "Desk") -> None:
    await _fill(desk, 1, 1_000, lanes=4)
    small = await _effort(desk, lambda tx: gauge.backlog(tx, 50))
    await _fill(desk, 1_001, ROWS, lanes=4)
    large = await _effort(desk, lambda tx: gauge.backlog(tx, 50))
    assert small > 10
    assert large < 1.7 * small, (small, large)


@pytest.mark.parametrize(
    ("chore", "index"),
    [
        (lambda tx: chores.reclaim(tx, tx.now), "ix_delivery_lease"),
        (chores.expire, "ix_delivery_expires_at"),
        (lambda tx: idempotency.forget(tx, 86400.0 * 365 * 100), "ix_idempotency_created_at"),
    ],
    ids=["reclaim", "expire", "forget"],
)
async def test_a_chore_looks_only_at_what_it_is_about(crowd: "Desk", chore: Callable[[Tx], int], index: str) -> None:
    found = await plans(crowd, chore)
    assert scans(crowd, found) == []
    assert index in "\n".join(found.values())


async def test_finishing_handing_back_and_renewing_go_by_id(crowd: "Desk") -> None:
    claim = await crowd.store.claim("worker", 60.0, 150, 1, False)
    tokens = [(one.notification.id, one.lease_no) for one in claim.claimed]
    finishes: list[Finish] = [crowd.sent(one) for one in claim.claimed[:50]]
    finishes += [crowd.deferred(one, 60.0) for one in claim.claimed[50:]]
    for work in (
        lambda tx: queue.finish(tx, finishes),
        lambda tx: queue.finish(tx, [replace(one, lease_no=one.lease_no + 1) for one in finishes]),
        lambda tx: queue.hand_back(tx, tokens),
        lambda tx: queue.extend(tx, tokens, 60.0),
        lambda tx: queue.mark_transmitting(tx, tokens),
    ):
        assert scans(crowd, await plans(crowd, work)) == []


async def test_accepting_goes_by_keys(crowd: "Desk") -> None:
    asked = [crowd.asked(f"u{n}@x.test", key=f"k{n}", project="p1") for n in range(100)]
    assert scans(crowd, await plans(crowd, lambda tx: acceptance.accept(tx, asked))) == []


async def test_reading_goes_by_id(crowd: "Desk") -> None:
    ids = [f"00000000-0000-0000-0000-{n:012x}" for n in range(1, 100) if n % 5]
    assert scans(crowd, await plans(crowd, lambda tx: reading.events(tx, ids[0]))) == []
    assert scans(crowd, await plans(crowd, lambda tx: reading.records(tx, ids))) == []
