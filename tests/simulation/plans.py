"""What happens in a simulated world, drawn from a seed: seven kinds of trouble, in turn."""

import random
from collections.abc import Callable

from tests.simulation.sky import Weather
from tests.simulation.world import Interruption, Mail, Plan

DAY = 86400.0
HOUR = 3600.0


def plan_of(seed: int) -> Plan:
    rng = random.Random(seed)
    return KINDS[seed % len(KINDS)](rng)


def _mails(rng: random.Random, count: int, spread: float = 0.0) -> tuple[Mail, ...]:
    return tuple(
        Mail(
            number,
            recipients=rng.choice((1, 1, 2, 3)),
            on_unknown=rng.choice(("retry", "retry", "hold")),
            send_at=rng.uniform(0, spread) if spread and rng.random() < 0.7 else 0.0,
        )
        for number in range(count)
    )


def _showers(rng: random.Random, **more: object) -> Weather:
    """A relay that has its moods."""
    moods = {"deferring": rng.choice((0, 0.1, 0.3)), "rejecting": rng.choice((0, 0.05)), "mute": rng.choice((0, 0.1))}
    return Weather(**{**moods, **more})  # type: ignore[arg-type]


def outage(rng: random.Random) -> Plan:
    """The relay is away for an hour."""
    start = rng.uniform(0, 120)
    weather = _showers(rng, outages=((start, start + HOUR),))
    return Plan("outage", weather, _mails(rng, 8, spread=HOUR + 300), horizon=8 * HOUR, idle=300.0)


def lockout(rng: random.Random) -> Plan:
    """The password is wrong for ten minutes."""
    start = rng.uniform(0, 60)
    weather = _showers(rng, lockouts=((start, start + 600),))
    return Plan("535", weather, _mails(rng, 8, spread=900), horizon=8 * HOUR, idle=60.0)


def greylisting(rng: random.Random) -> Plan:
    """Each recipient is put off for a day."""
    weather = Weather(greylisting=DAY)
    return Plan("greylisting", weather, _mails(rng, 3), horizon=3 * DAY, lease=900.0, idle=HOUR)


def given_up(rng: random.Random) -> Plan:
    """Nobody is ever taken."""
    mails = (Mail(0, recipients=rng.choice((1, 2)), on_unknown=rng.choice(("retry", "hold"))),)
    return Plan("give up", Weather(deaf=True), mails, horizon=5 * DAY, lease=900.0, idle=HOUR)


def crashes(rng: random.Random) -> Plan:
    """The worker is dropped at any await, up to three times; a new one takes up what it left."""
    ends = tuple(Interruption("kill", rng.randint(1, 220)) for _ in range(rng.randint(1, 3)))
    return Plan("crashes", _showers(rng), _mails(rng, 8), ends, embedded=rng.random() < 0.5, horizon=8 * HOUR)


def pause(rng: random.Random) -> Plan:
    """The worker stands still for longer than its lease, while another one works."""
    ends = (Interruption("pause", rng.randint(1, 220), rng.uniform(70, 400)),)
    return Plan("pause", _showers(rng), _mails(rng, 8), ends, embedded=False, horizon=8 * HOUR)


def storeless(rng: random.Random) -> Plan:
    """The database is away now and then, and the worker is dropped once."""
    away = tuple((start, start + rng.uniform(1, 300)) for start in (rng.uniform(0, 2), rng.uniform(120, 200)))
    ends = (Interruption("kill", rng.randint(1, 300)),)
    return Plan("database away", _showers(rng, storeless=away), _mails(rng, 6), ends, embedded=False, horizon=8 * HOUR)


KINDS: tuple[Callable[[random.Random], Plan], ...] = (
    outage, lockout, greylisting, given_up, crashes, pause, storeless, crashes,
    pause, crashes, outage, crashes, lockout, pause, storeless, crashes,
)  # fmt: skip
"""In turn, those with more to find more often: the long ones leave little to chance."""
