"""The crash loop of `tests/soak/crash_loop.py`, short: the whole of it has a make target of its own."""

from pathlib import Path

from tests.soak.crash_loop import crash_loop, restart_loop


async def test_killed_five_times_nothing_is_lost_and_each_second_copy_is_explained(tmp_path: Path) -> None:
    tally = await crash_loop(tmp_path, 5, 300, 7, print)
    assert not tally.wrong, tally.table("kill -9")
    assert tally.statuses == {"sent": 300}
    assert sum(tally.ends.values()) == 5


async def test_stopped_three_times_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    tally = await restart_loop(tmp_path, 3, 300, 7, print)
    assert not tally.wrong, tally.table("SIGTERM")
    assert tally.statuses == {"sent": 300}
    assert not tally.doubled
