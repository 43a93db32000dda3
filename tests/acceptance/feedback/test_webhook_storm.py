"""A short run of the storm (`make webhook-storm` is the long one)."""

import random
from pathlib import Path

from tests.soak.webhook_storm import storm


async def test_nothing_is_missing_after_a_kill_amid_faults(tmp_path: Path) -> None:
    outcome = await storm(tmp_path, events=240, faults=0.3, kills=1, rng=random.Random(7))
    assert not outcome.wrong, outcome
    assert len(outcome.feed) >= 240, outcome
