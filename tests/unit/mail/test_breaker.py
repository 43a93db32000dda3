"""How many connections may be had, on a clock driven by hand."""

import random

from notifier.domain.lifecycle import RelayTrouble, Stage
from notifier.mail.relay.breaker import Backoff, Breaker

DOWN = RelayTrouble("unreachable", Stage.CONNECT, "nothing listens")
FULL = RelayTrouble("throttled", Stage.CONNECT, "421 too many connections")


class Dice:
    """Always the middle."""

    def uniform(self, a: float, b: float, /) -> float:
        return (a + b) / 2


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told:
    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, state: str, trouble: RelayTrouble | None) -> None:
        self.states.append(state if trouble is None else f"{state}: {trouble.text}")


def breaker(most: int = 20) -> tuple[Breaker, Clock, Told]:
    clock, told = Clock(), Told()
    return Breaker(most, Backoff(1.0, 60.0), clock, Dice(), told), clock, told


def test_the_first_connection_has_to_succeed_before_there_are_two() -> None:
    each, _, _ = breaker()
    allowed = [each.allowance]
    standing = 0
    while each.allowance < 20:
        for _ in range(each.allowance - standing):
            standing += 1
            each.opened(standing)
        allowed.append(each.allowance)
    assert allowed == [1, 2, 4, 8, 16, 20]


def test_open_it_allows_nothing_but_one_probe_per_backoff() -> None:
    each, clock, told = breaker()
    each.failed(DOWN)
    assert (each.state, each.allowance, each.trouble) == ("open", 0, DOWN)
    assert each.probe_at == clock.now + 1.0
    assert each.blocked
    assert not each.may_probe()
    clock.now += 1.0
    assert not each.blocked
    assert each.may_probe()
    assert each.state == "half_open"
    assert each.blocked
    assert not each.may_probe()
    assert told.states == ["open: nothing listens", "half_open: nothing listens"]


def test_the_backoff_doubles_up_to_its_cap_and_several_failures_at_once_are_one() -> None:
    each, clock, _ = breaker()
    waits = []
    each.failed(DOWN)
    for _ in range(8):
        each.failed(DOWN)
        assert each.probe_at is not None
        waits.append(each.probe_at - clock.now)
        clock.now = each.probe_at
        assert each.may_probe()
        each.failed(DOWN)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_it_comes_back_slowly_and_forgets_its_backoff_only_when_a_message_worked() -> None:
    each, clock, told = breaker()
    for _ in range(3):
        each.opened(1)
    each.failed(DOWN)
    clock.now += 1.0
    assert each.may_probe()
    each.opened(1)
    assert (each.state, each.allowance, each.trouble, each.probe_at) == ("closed", 2, None, None)
    each.failed(DOWN)
    assert each.probe_at == clock.now + 2.0
    clock.now += 2.0
    assert each.may_probe()
    each.opened(1)
    each.worked()
    each.failed(DOWN)
    assert each.probe_at == clock.now + 1.0
    assert told.states[2] == "closed"


def test_a_canceled_probe_may_be_repeated_at_once() -> None:
    each, clock, _ = breaker()
    each.failed(DOWN)
    clock.now += 1.0
    assert each.may_probe()
    each.abandoned()
    assert each.state == "open"
    assert each.may_probe()


def test_a_refusal_while_others_stand_limits_to_those_for_a_while() -> None:
    each, clock, told = breaker()
    for standing in range(1, 11):
        each.opened(standing)
    assert each.allowance == 20
    each.refused(FULL, standing=10)
    each.refused(FULL, standing=10)
    assert (each.state, each.allowance, each.trouble) == ("closed", 10, FULL)
    clock.now += 1.9
    assert each.allowance == 10
    clock.now += 0.1
    assert each.allowance == 11
    each.refused(FULL, standing=10)
    assert each.allowance == 10
    clock.now += 4.0
    for standing in range(11, 21):
        assert each.allowance == standing
        each.opened(standing)
    assert (each.allowance, each.trouble) == (20, None)
    assert told.states == []


def test_a_ceiling_is_not_raised_by_connections_that_replace_others() -> None:
    each, _, _ = breaker()
    for standing in (1, 2, 3):
        each.opened(standing)
    each.refused(FULL, standing=3)
    for _ in range(10):
        each.opened(3)
    assert each.allowance == 3


def test_the_backoff_is_jittered_by_a_fifth() -> None:
    delays = [Backoff(10.0, 60.0).delay(1, random.Random(seed)) for seed in range(200)]
    assert 8.0 <= min(delays) < 8.5
    assert 11.5 < max(delays) <= 12.0
