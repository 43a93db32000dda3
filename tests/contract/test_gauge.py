"""What waits, by lane, as the metrics and the overview tell it."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from notifier.store import gauge

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_nothing_waits_in_an_empty_queue(desk: "Desk") -> None:
    assert await desk.store.lanes() == {}


async def test_what_waits_is_told_by_lane_and_what_is_being_sent_does_not_wait(desk: "Desk") -> None:
    await desk.accept()
    await desk.claim()
    await desk.accept(send_at=datetime.now(UTC) + timedelta(hours=1))
    for _ in range(3):
        await desk.accept(project="second", priority="low")
    lanes = await desk.store.lanes()
    assert {lane: rows for lane, (rows, _) in lanes.items()} == {("default", "normal"): 1, ("second", "low"): 3}
    assert lanes["default", "normal"][1] == 0.0


async def test_the_oldest_of_a_lane_says_how_long_it_waits(desk: "Desk") -> None:
    await desk.accept()
    column = "due_at - interval '1 hour'" if desk.is_postgres else "due_at - 3600000000"
    await desk.run(lambda tx: tx.connection.exec_driver_sql(f"UPDATE delivery SET due_at = {column}"))  # noqa: S608
    await desk.accept()
    rows, seconds = (await desk.store.lanes())["default", "normal"]
    assert (rows, 3600 <= seconds < 4200) == (2, True)


async def test_suspects_wait_too(desk: "Desk") -> None:
    await desk.accept()
    await desk.accept(project="second")
    await desk.lose()
    await desk.accept()
    lanes = await desk.store.lanes()
    assert {lane: rows for lane, (rows, _) in lanes.items()} == {("default", "normal"): 2, ("second", "normal"): 1}


async def test_a_lane_is_counted_up_to_a_limit(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None] * 5))
    await desk.lose(2)
    await desk.accept(priority="high")
    for most, counted in ((2, 2), (4, 4), (9, 5)):
        lanes = await desk.database.read(lambda tx, most=most: gauge.backlog(tx, most))  # type: ignore[misc]
        assert {lane: rows for lane, (rows, _) in lanes.items()} == {
            ("default", "normal"): counted,
            ("default", "high"): 1,
        }
