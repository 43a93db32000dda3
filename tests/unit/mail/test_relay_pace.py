"""The rate limit, on a clock driven by hand."""

import math

from notifier.mail.relay.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


async def test_without_a_rate_there_is_no_limit() -> None:
    pace = Pace(None, Clock())
    for _ in range(1000):
        await pace.turn()
    assert (pace.free(), pace.wait()) == (math.inf, 0.0)


async def test_a_tenth_of_a_seconds_worth_may_go_at_once_and_comes_back_in_time() -> None:
    clock = Clock()
    pace = Pace(50.0, clock)
    assert pace.free() == 5
    for left in (4, 3, 2, 1, 0):
        assert pace.wait() == 0
        await pace.turn()
        assert pace.free() == left
    assert math.isclose(pace.wait(), 0.02)
    clock.now += 0.021
    assert pace.free() == 1
    clock.now += 60.0
    assert pace.free() == 5


async def test_a_slow_rate_is_one_at_a_time() -> None:
    clock = Clock()
    pace = Pace(0.5, clock)
    assert pace.free() == 1
    await pace.turn()
    assert pace.free() == 0
    assert math.isclose(pace.wait(), 2.0)
    clock.now += 1.5
    assert math.isclose(pace.wait(), 0.5)
