"""Counts of events as bars: which buckets there are, and where each bar stands in an inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from notifier.domain.admin import KINDS, Kind, Tally

Range = Literal["hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Scale:
    """So many buckets of so many minutes, up to now."""

    title: str
    each: str
    buckets: int
    minutes: int
    label: str  # strftime of a bucket's start


SCALES: Final[dict[Range, Scale]] = {
    "hour": Scale("Last hour", "per minute", 60, 1, "%H:%M"),
    "day": Scale("Last day", "per hour", 24, 60, "%a %H:%M"),
    "month": Scale("Last 30 days", "per day", 30, 1440, "%d %b"),
}
WIDTH: Final = 240
HEIGHT: Final = 56
_GAP = 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars of one kind in a box of WIDTH by HEIGHT; `total` is their sum, `most` the highest."""

    kind: Kind
    total: int
    most: int
    bars: Sequence[Bar]


def plots(tally: Tally, which: Range, now: datetime) -> list[Plot]:
    """One plot for each kind. Times are UTC."""
    scale = SCALES[which]
    last = (int(now.timestamp()) // 60 // scale.minutes + 1) * scale.minutes
    starts = range(last - scale.buckets * scale.minutes, last, scale.minutes)
    counts = tally.counts(starts[0], scale.minutes, scale.buckets)
    return [_plot(kind, counts[kind], starts, scale) for kind in KINDS]


def _plot(kind: Kind, counts: Sequence[int], starts: Sequence[int], scale: Scale) -> Plot:
    most = max(counts)
    step = WIDTH / len(counts)
    bars = []
    for place, (count, start) in enumerate(zip(counts, starts, strict=True)):
        if count:
            height = max(1.5, round(HEIGHT * count / most, 1))
            at = datetime.fromtimestamp(start * 60, UTC).strftime(scale.label)
            title = f"{at}: {count:,}"
            bars.append(Bar(round(place * step, 2), round(HEIGHT - height, 1), round(step - _GAP, 2), height, title))
    return Plot(kind, sum(counts), most, bars)


def counted_since(tally: Tally, which: Range, now: datetime) -> datetime | None:
    """Where counting has got to, while it has not yet reached back to the start of what is shown."""
    if tally.complete or not tally.minutes:
        return None
    since = datetime.fromtimestamp(min(minute for minute, _ in tally.minutes) * 60, UTC)
    scale = SCALES[which]
    return since if since > now - timedelta(minutes=scale.buckets * scale.minutes) else None
