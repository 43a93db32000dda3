"""How a claim is shared: high first, the lower never under a twentieth, projects evenly, nothing left unused."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.delivery import Lane, share_out

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Rows = dict[tuple[str, int], int]


def claim(rows: Rows, limit: int, turn: int = 1) -> Counter[tuple[str, int]]:
    given: Counter[tuple[str, int]] = Counter()
    lanes = [Lane(project, priority, NOW + timedelta(seconds=n)) for n, (project, priority) in enumerate(rows)]

    def take(lane: Lane, share: int) -> int:
        got = min(share, rows[lane.project, lane.priority])
        given[lane.project, lane.priority] += got
        return got

    share_out(lanes, limit, turn, take)
    assert given.total() <= limit
    return given


def test_one_lane_gets_the_whole_claim() -> None:
    assert claim({("a", 1): 1000}, 200) == {("a", 1): 200}


def test_high_goes_first_and_the_lower_keep_a_twentieth_each() -> None:
    assert claim({("a", 0): 1000, ("a", 1): 1000, ("a", 2): 1000}, 200) == {("a", 0): 180, ("a", 1): 10, ("a", 2): 10}


def test_what_high_leaves_goes_to_the_lower() -> None:
    assert claim({("a", 2): 50_000, ("a", 0): 3}, 200) == {("a", 0): 3, ("a", 2): 197}


def test_projects_share_evenly_and_a_short_one_leaves_its_rest() -> None:
    given = claim({("small", 1): 1, ("big", 1): 50_000, ("other", 1): 50_000}, 200)
    assert given[("small", 1)] == 1
    assert abs(given[("big", 1)] - given[("other", 1)]) <= 1
    assert given.total() == 200


def test_a_claim_of_one_serves_low_every_twentieth_time() -> None:
    rows: Rows = {("a", 0): 1000, ("a", 2): 1000}
    served = Counter(next(iter(+claim(rows, 1, turn))) for turn in range(100))
    assert served == {("a", 0): 95, ("a", 2): 5}


@pytest.mark.parametrize("limit", [1, 2, 7, 19])
def test_small_claims_leave_nobody_without_a_twentieth(limit: int) -> None:
    rows: Rows = {("a", 0): 1000, ("a", 1): 1000, ("a", 2): 1000}
    served: Counter[tuple[str, int]] = Counter()
    for turn in range(200):
        served += claim(rows, limit, turn)
    assert served == {("a", 0): 180 * limit, ("a", 1): 10 * limit, ("a", 2): 10 * limit}
