"""Twenty-five worlds, a crash at every await of a small one, and whether the simulation itself can be believed.

`python -m tests.simulation` runs a thousand.
"""

from itertools import count as naturals
from itertools import islice

import pytest

from notifier.delivery.dispatcher import Dispatcher
from notifier.domain.lifecycle import RetryPolicy
from tests.simulation.__main__ import simulate
from tests.simulation.plans import plan_of
from tests.simulation.sky import Weather
from tests.simulation.world import Interruption, Mail, Plan, Report, World

SMALL = (Mail(0, recipients=2), Mail(1, on_unknown="hold"), Mail(2, send_at=0.5))


@pytest.mark.parametrize("seed", range(25))
def test_every_promise_holds_in_a_world(seed: int) -> None:
    report = simulate(seed)
    assert not report.wrong, f"replay with `python -m tests.simulation --seed {seed} --trace`"
    assert report.copies or report.plan.name == "give up"


def world(*interruptions: Interruption, embedded: bool = True) -> Report:
    plan = Plan("small", Weather(), SMALL, interruptions, embedded=embedded, idle=15.0)
    return World(plan, seed=1).run()


def seeds_of(name: str, count: int) -> list[int]:
    """The first seeds whose plan has this name."""
    return list(islice((seed for seed in naturals() if plan_of(seed).name == name), count))


def rounds_of_a_quiet_life() -> int:
    report = world()
    assert (report.wrong, report.copies, report.second_copies) == ([], 4, 0)
    return report.rounds


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "fleet"])
def test_a_worker_may_die_at_every_await(embedded: bool) -> None:
    rounds = rounds_of_a_quiet_life()
    second_copies = 0
    for number in range(1, rounds):
        report = world(Interruption("kill", number), embedded=embedded)
        assert not report.wrong, f"dropped after {number} of {rounds} rounds"
        second_copies += report.second_copies
    assert rounds > 40
    assert 0 < second_copies < rounds, "some deaths fall between the relay's 250 and our commit, and most do not"


def test_a_worker_may_stand_still_at_every_await_for_longer_than_its_lease() -> None:
    for number in range(1, rounds_of_a_quiet_life()):
        report = world(Interruption("pause", number, 200.0), embedded=False)
        assert not report.wrong, f"paused after {number} rounds"


def test_a_machine_may_sleep_at_every_await_for_longer_than_a_lease_and_nothing_is_doubled_or_held() -> None:
    for number in range(1, rounds_of_a_quiet_life()):
        report = world(Interruption("sleep", number, 200.0))
        assert not report.wrong, f"asleep after {number} rounds"
        assert (report.statuses, report.second_copies) == ({"sent": 3}, 0), f"asleep after {number} rounds"


def test_the_same_seed_is_the_same_world() -> None:
    seeds = [*seeds_of("crashes", 2), *seeds_of("pause", 1), *seeds_of("database away", 1)]
    traces = [simulate(seed).trace for seed in seeds]
    assert traces == [simulate(seed).trace for seed in seeds]
    assert traces[0] != traces[1]


def test_three_days_of_refusals_take_many_attempts_and_no_longer_than_they_must() -> None:
    report = simulate(*seeds_of("give up", 1))
    assert 72 * 3600 <= report.seconds < 73 * 3600
    assert 72 < sum(" MAIL " in line for line in report.trace) < 100


def test_in_an_outage_nothing_reaches_the_relay_and_soon_after_it_everything_does() -> None:
    mails = tuple(Mail(number) for number in range(20))
    plan = Plan("outage", Weather(outages=((0.0, 3600.0),)), mails, idle=300.0)
    report = World(plan, seed=1).run()
    assert not report.wrong
    assert report.statuses == {"sent": 20}
    times = [float(line.split()[0]) for line in report.trace]
    assert min(times) >= 3600
    assert max(times) < 3600 + 90  # a probe a minute


@pytest.mark.parametrize("start", [0.1 * step for step in range(1, 10)])
def test_a_database_that_is_away_for_longer_than_a_lease_doubles_nothing(start: float) -> None:
    weather = Weather(storeless=((start, 213.3),))
    plan = Plan("away", weather, SMALL, embedded=False, idle=15.25)  # the janitor is there first: at 213.5
    report = World(plan, seed=1).run()
    assert not report.wrong
    assert (report.statuses, report.second_copies) == ({"sent": 3}, 0)


@pytest.mark.parametrize("start", [0.1 * step for step in range(1, 10)])
def test_a_disk_that_is_full_for_longer_than_a_lease_doubles_nothing(start: float) -> None:
    weather = Weather(full=((start, 198.1),))  # the janitor is there first: at 198.25
    report = World(Plan("full", weather, SMALL, idle=15.25), seed=1).run()
    assert not report.wrong
    assert (report.statuses, report.second_copies) == ({"sent": 3}, 0)


# ---- a simulation that finds nothing has to show that it could


def broken(*names: str) -> set[str]:
    """What is found wrong in the first worlds of these names."""
    return {sentence for name in names for seed in seeds_of(name, 20) for sentence in simulate(seed).wrong}


def test_it_finds_a_lease_that_is_not_looked_at_before_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    async def yes() -> bool:
        return True

    monkeypatch.setattr("notifier.delivery.attempt._guard", lambda _bench, _lease: yes)
    found = broken("pause", "crashes")
    assert any("times" in sentence for sentence in found), found


def test_it_finds_a_fence_that_lets_everyone_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "notifier.store.queue._held_leases",
        lambda tx, leases: {
            row["id"]: row
            for row in tx.connection.exec_driver_sql("SELECT * FROM delivery").mappings()
            if row["id"] in leases
        },
    )
    assert broken("pause")


def test_it_finds_mail_that_is_given_up_too_early() -> None:
    (seed,) = seeds_of("give up", 1)
    report = World(plan_of(seed), seed, RetryPolicy(give_up_after=70 * 3600.0)).run()
    assert any("given up after" in sentence for sentence in report.wrong)


def test_it_finds_a_dispatcher_that_never_renews_its_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_self: Dispatcher) -> None: ...

    monkeypatch.setattr(Dispatcher, "renew", never)
    plan = Plan("mute", Weather(mute=1.0), (Mail(0),), embedded=False, idle=15.0)
    assert any("lost its lease" in sentence for sentence in World(plan, 1).run().wrong)


def test_seeds_draw_all_kinds_of_trouble() -> None:
    assert len({plan_of(seed).name for seed in range(25)}) == 7
    assert plan_of(8) == plan_of(8)
