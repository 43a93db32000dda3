"""What the overview says of counts that do not reach back as far as it shows."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.admin import Tally
from notifier.web.admin.plots import Range, counted_since

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HALF_AN_HOUR_AGO = NOW - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("counted_to", "which", "told"),
    [
        (HALF_AN_HOUR_AGO, "hour", HALF_AN_HOUR_AGO),
        (NOW - timedelta(hours=2), "hour", None),
        (NOW - timedelta(hours=2), "day", NOW - timedelta(hours=2)),
    ],
)
def test_a_count_that_is_not_whole_yet_says_so(counted_to: datetime, which: Range, told: datetime | None) -> None:
    tally = Tally(minutes={(int(counted_to.timestamp()) // 60, "sent"): 1})
    assert counted_since(tally, which, NOW) == told
    tally.complete = True
    assert counted_since(tally, which, NOW) is None
