"""Many simulated worlds, one a seed.

    python -m tests.simulation [--seeds 1000] [--first 0] [--seed N [--trace]]

Prints each seed whose promises were broken, with the command that replays it, and a table. Exit code 1 if any were.
"""

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.plans import plan_of
from tests.simulation.world import Report, World


def simulate(seed: int) -> Report:
    return World(plan_of(seed), seed).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that reached the relay")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    started = time.monotonic()
    broken = 0
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seed, report in zip(seeds, pool.map(simulate, seeds, chunksize=7), strict=True):
            row = table[report.plan.name]
            row.update({"worlds": 1, "copies": report.copies, "twice": report.second_copies, "hours": 0})
            row["hours"] += round(report.seconds / 3600)
            row.update(report.statuses)
            if report.wrong:
                broken += 1
                print(f"seed {seed} ({report.plan.name}): replay with --seed {seed} --trace")
                print("\n".join(f"  ! {sentence}" for sentence in report.wrong), flush=True)
            if given.seed is not None and given.trace:
                print("\n".join(report.trace))
    columns = ("worlds", "hours", "sent", "partial", "failed", "held", "copies", "twice")
    print("".join(["".ljust(16), *(column.rjust(9) for column in columns)]))
    for name, row in table.items():
        print("".join([name.ljust(16), *(str(row[column]).rjust(9) for column in columns)]))
    print(f"{len(seeds)} worlds, {broken} broken, {time.monotonic() - started:.1f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
