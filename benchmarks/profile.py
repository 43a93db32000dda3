"""Where the time of `serve` goes, by steps of ours: `python -m benchmarks.profile` writes profile.md.

py-spy looks 500 times a second at whichever thread holds the interpreter's lock; a sample belongs to the innermost
step that is on its stack.
"""

import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.contenders import Sqlite
from benchmarks.install import HERE, PYTHON, enter, install
from benchmarks.process import Process, wait_until
from benchmarks.stage import Stage, stage

_COUNT = 20_000
_SECONDS = 8

DELIVERY: Mapping[str, str] = {
    "dead_links": "render: looking for dead links",
    "html_text": "render: a text part from the HTML",
    "data_faults": "render: is the data plain JSON",
    "Composer.compose": "render: Jinja, amounts, budgets",
    "build": "MIME: build",
    "Wire.write": "relay: writing to the socket",
    "Relay.send": "relay: the dialogue, the pool",
    "Wire.data_received": "relay: reading replies",
    "claim": "store: claim",
    "finish": "store: finish",
    "SqliteDatabase._in_transaction": "store: begin, commit",
    "record": "what to record",
    "Telemetry.attempted": "log and metrics",
    "attempt": "the attempt itself",
    "Dispatcher.run": "dispatcher",
    "Group._run": "group commit",
}
ACCEPT: Mapping[str, str] = {
    "dead_links": "render: looking for dead links",
    "data_faults": "render: is the data plain JSON",
    "Template.verdict": "render: Jinja, amounts, budgets",
    "read_json": "reading JSON",
    "read_request": "checking the request",
    "Judge.__call__": "judging: everything but the render",
    "Json.render": "writing JSON",
    "notification_json": "the answer",
    "Authenticator.__call__": "authentication",
    "accept": "store: accept",
    "SqliteDatabase._in_transaction": "store: begin, commit",
    "claim": "store: claim",
    "Group._run": "group commit",
    "HttpToolsProtocol.data_received": "uvicorn: reading",
    "Envelope.__call__": "Starlette, FastAPI, middleware, the endpoint",
    "Dispatcher.run": "dispatcher",
}


def main() -> None:
    install()
    enter("benchmarks.profile")
    parts = [
        f"# Where the time goes\n\n{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.profile`. {machine.described()}."
    ]
    with stage() as place:
        place.fresh()
        parts.append(_section("A delivery, off a backlog", delivery(place), DELIVERY))
        place.fresh()
        parts.append(_section("A POST, 64 connections, the relay away", accept(place), ACCEPT))
    (HERE / "profile.md").write_text("\n\n".join(parts) + "\n", "utf-8")


def delivery(place: Stage) -> tuple[Counter[tuple[str, ...]], float]:
    one = Sqlite(place)
    one.prepare()
    one.fill(_COUNT)
    (serve,) = one.start(api=True, worker=True)
    wait_until(lambda: place.sink.count() > 100, "the first mails")
    cpu, before = serve.cpu(), place.sink.count()
    samples = _samples(serve, place.folder / "samples")
    return samples, (serve.cpu() - cpu) / (place.sink.count() - before)


def accept(place: Stage) -> tuple[Counter[tuple[str, ...]], float]:
    one = Sqlite(place)
    one.prepare()
    (serve,) = one.start(api=True, worker=True, relay=False)
    asked = ["--key", one.key, "--connections", "64"]
    command: list[str | Path] = [PYTHON, "-m", "benchmarks.load", str(one.port), one.path, str(_COUNT), *asked]
    load = place.run("load", command, {})
    time.sleep(3)
    samples = _samples(serve, place.folder / "samples")
    load.wait()
    return samples, serve.cpu() / _COUNT


def _samples(process: Process, file: Path) -> Counter[tuple[str, ...]]:
    """Stacks (outermost function first) and how often each was seen."""
    spy: list[str | Path] = [
        PYTHON.with_name("py-spy"),
        "record",
        "--gil",
        "-r",
        "500",
        "-d",
        str(_SECONDS),
        "-f",
        "raw",
        "-o",
        file,
    ]
    subprocess.run([*spy, "-p", str(process.pid)], check=True, capture_output=True)
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(frame.partition(" (")[0] for frame in stack.split(";"))] += int(count)
    return stacks


def _section(title: str, found: tuple[Counter[tuple[str, ...]], float], steps: Mapping[str, str]) -> str:
    stacks, cpu = found
    by_step: Counter[str] = Counter()
    for stack, count in stacks.items():
        step = next((steps[function] for function in reversed(stack) if function in steps), "the rest")
        by_step[step] += count
    total = sum(by_step.values())
    lines = [
        f"## {title}",
        "",
        f"{cpu:,.0f} microseconds of CPU each, py-spy looking on.",
        "",
        "| step | share |",
        "|---|---|",
    ]
    lines += [f"| {step} | {100 * count / total:.1f} % |" for step, count in by_step.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
