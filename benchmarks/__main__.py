"""`python -m benchmarks`: everybody in turn, several rounds, medians and ratios."""

import argparse
import json
import os
import sys
from datetime import UTC, datetime

from benchmarks.install import HERE, enter, install


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 messages, one round; writes nothing")
    parser.add_argument("--rounds", type=int, help="3 unless given, 1 with --quick")
    parser.add_argument("--count", type=int, help="messages a measurement: 20,000 unless given, 2,000 with --quick")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large backlog")
    parser.add_argument("--only", default="", help="contenders whose names have this in them")
    asked = parser.parse_args()
    install()
    enter()
    count = asked.count or (2_000 if asked.quick else 20_000)
    run(count, asked.rounds or (1 if asked.quick else 3), 0 if asked.quick else asked.rows, asked.only, not asked.quick)


def run(count: int, rounds: int, rows: int, only: str, write: bool) -> None:
    from benchmarks import machine, measure, report
    from benchmarks.contenders import EVERYBODY
    from benchmarks.stage import stage

    found: dict[str, list[measure.Figures]] = {}
    limits: list[measure.Figures] = []
    deep: measure.Figures = {}
    missing: list[str] = []
    with stage() as place:
        place.start_postgres()
        place.start_redis()
        fdatasync = machine.fdatasync_ms(place.folder)
        loads = []
        for number in range(1, rounds + 1):
            loads.append(os.getloadavg()[0])
            place.fresh()
            limits.append(measure.replay(place, count))
            for kind in EVERYBODY:
                one = kind(place)
                if only not in one.name:
                    continue
                if one.missing:
                    missing.append(f"{one.name}: needs {one.missing}")
                    continue
                figures: measure.Figures = {}
                for step in (
                    measure.accept,
                    measure.accept_batches,
                    measure.backlog,
                    measure.together,
                    measure.idle,
                ):
                    _say(f"round {number} of {rounds}: {one.name}: {step.__name__}")
                    try:
                        place.fresh()
                        figures |= step(one, max(50, count // 100) if step is measure.idle else count)
                    except (RuntimeError, TimeoutError) as error:
                        missing.append(f"{one.name}: {step.__name__} failed: {str(error).splitlines()[0]}")
                        _say(f"    failed: {error}")
                found.setdefault(one.name, []).append(figures)
                rates = [f"{name} {figures[name]:,.0f}" for name in figures if name.endswith((".rate", "delivery.cpu"))]
                _say("    " + ", ".join(rates))
        if rows and not only:
            _say(f"claims and memory with {rows:,} rows waiting (takes minutes)")
            deep = measure.deep(place, 1_000, rows)

    middle = {name: report.medians(rounds_) for name, rounds_ in found.items()}
    limit = report.medians(limits)
    figures_file = HERE / "figures.json"
    told = [
        f"{datetime.now(UTC):%Y-%m-%d}, medians of {rounds} rounds of {count:,} messages. {machine.described()}. "
        f"A 4 KiB fdatasync takes {fdatasync[0]:.2f} ms, p99 {fdatasync[1]:.2f} ms. "
        f"Load of the machine when each round began: {', '.join(f'{load:.1f}' for load in loads)}.",
        "",
        f"{machine.versions()}.",
        "",
        report.table(middle),
        "",
        f"Limits: a prebuilt message replayed over 20 pipelined connections from Python {limit['replay.rate']:,.0f}/s "
        f"({limit['replay.cpu']:.0f} µs of CPU each); Postfix smtp-source to smtp-sink {limit['source.rate']:,.0f}/s.",
        "",
        *([f"With {rows:,} rows waiting: a claim of 200 takes {deep['claim.deep_ms']:.1f} ms, with 1,000 rows "
           f"{deep['claim.shallow_ms']:.1f} ms; `serve` delivers {deep['deep.rate']:,.0f}/s and peaks at "
           f"{deep['deep.memory']:.0f} MiB.", ""] if deep else []),
        *report.targets(middle, limit, deep, fdatasync[1]),
        "",
        report.processes(middle),
        *["", *missing],
    ]  # fmt: skip
    print("\n".join(told))
    if write and not only:
        report.write("\n".join(told))
        figures_file.write_text(json.dumps({"rounds": found, "limits": limits, "deep": deep}, indent=1), "utf-8")
        report.PLOT.write_text(report.plot(middle), "utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
