"""Greylisting by time, on a clock of the test's."""

from notifier.capture import FaultPlan
from notifier.capture.faults import Greylist


def test_a_pair_is_taken_when_its_time_has_passed() -> None:
    now = 0.0
    plan = FaultPlan(clock=lambda: now)
    plan.add("rcpt", Greylist(tries=1, seconds=60), times=None)

    def is_grey(rcpt: str) -> bool:
        return plan.next("rcpt", "a@x.test", [rcpt]) is not None

    assert is_grey("b@x.test")
    now = 59.0
    assert is_grey("b@x.test")
    assert is_grey("c@x.test")
    now = 60.0
    assert not is_grey("B@x.test")
    assert is_grey("c@x.test")
