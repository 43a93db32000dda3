"""What claiming costs: `python -m benchmarks.ours.claims`, with the settings of the service in the environment. Claims
200 rows and gives them back, as often as it takes; prints the median milliseconds of a claim as JSON."""

import asyncio
import json
import statistics
import time

from notifier.app.storage import open_store
from notifier.settings import read_settings

_ROWS, _TIMES = 200, 50


async def claims() -> None:
    async with open_store(read_settings()) as store:
        took = []
        for turn in range(_TIMES):
            started = time.perf_counter()
            claim = await store.claim("benchmark", 60.0, _ROWS, turn, False)
            took.append(1000 * (time.perf_counter() - started))
            assert len(claim.claimed) == _ROWS
            await asyncio.gather(*(store.hand_back((one.notification.id, one.lease_no)) for one in claim.claimed))
        print(json.dumps({"claim_ms": statistics.median(took[5:])}))


if __name__ == "__main__":
    asyncio.run(claims())
