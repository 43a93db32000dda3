"""The measurements. Each takes a contender, starts what it needs, and answers figures by name; a rate is per second,
`cpu.PROCESS` is microseconds per message."""

import http.client
import json
import select
import subprocess
import time
from collections.abc import Sequence

from benchmarks.contenders import Contender, Sqlite
from benchmarks.install import POSTFIX
from benchmarks.message import body
from benchmarks.process import Process, wait_until
from benchmarks.stage import Stage

Figures = dict[str, float]

PATIENCE = 45.0
"""Seconds after which a slow contender's rate is taken from what it has done so far."""
_WARM = 200


def accept(one: Contender, count: int) -> Figures:
    """POST at 64 connections, and nothing is sent meanwhile (but by those who have no queue)."""
    if not one.path:
        return {}
    one.prepare()
    processes = one.start(api=True, worker=False, relay=False)
    _load(one, _WARM, first=10**6)
    cpu = _Cpu(one, processes)
    figures = {f"accept.{name}": value for name, value in _load(one, count).items()}
    return figures | cpu.per(count, "accept.") | {"accept.memory": _memory(processes)}


def accept_batches(one: Contender, count: int) -> Figures:
    """The same, a hundred in each request."""
    if not one.batch_path:
        return {}
    one.prepare()
    processes = one.start(api=True, worker=False, relay=False)
    _load(one, _WARM, first=10**6)
    cpu = _Cpu(one, processes)
    figures = {f"batch.{name}": value for name, value in _load(one, count, batch=100).items()}
    return figures | cpu.per(count, "batch.")


def backlog(one: Contender, count: int) -> Figures:
    """Workers are started on a backlog. Time, CPU and messages count from the first hundred that went out."""
    if not one.queued:
        return {}
    one.prepare()
    one.fill(count)
    processes = one.start(api=False, worker=True)
    sink = one.stage.sink
    wait_until(
        lambda: all(process.check() for process in processes) and sink.count() >= 100, f"{one.name}: the first mails"
    )
    started, before, cpu = time.monotonic(), sink.count(), _Cpu(one, processes)
    samples = sink.reaches(count, PATIENCE)
    spent = cpu.per(samples[-1][1] - before, "delivery.")
    at, done = samples[-1]
    return {"delivery.rate": (done - before) / (at - started), "delivery.memory": _memory(processes)} | spent


def together(one: Contender, count: int) -> Figures:
    """Posting and delivering at once: from the first POST to the last final dot."""
    if not (one.path and one.delivers):
        return {}
    one.prepare()
    processes = one.start(api=True, worker=True)
    sink = one.stage.sink
    _load(one, _WARM, first=10**6)
    sink.reaches(_WARM, 30)
    cpu, started = _Cpu(one, processes), time.monotonic()
    posted = _load(one, count)
    samples = sink.reaches(_WARM + count, PATIENCE)
    at, done = next(one for one in samples if one[1] == samples[-1][1])  # the last that came: some may be lost
    done -= _WARM
    figures = {"together.rate": done / (at - started), "together.post_p99_ms": posted["p99_ms"]}
    figures["together.missing"] = count - done
    return figures | cpu.per(done, "together.") | {"together.memory": _memory(processes)}


def idle(one: Contender, count: int) -> Figures:
    """From the first octet of a POST to the final dot of its mail, one at a time."""
    if not (one.path and one.delivers):
        return {}
    one.prepare()
    one.start(api=True, worker=True)
    sink = one.stage.sink
    _load(one, 20, connections=1)
    sink.reaches(20, 30)
    connection = http.client.HTTPConnection("127.0.0.1", one.port)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {one.key}"}
    took = []
    for n in range(count):
        time.sleep(0.02)
        wanted = sink.count() + 1
        content = json.dumps(body(n))
        started = time.perf_counter()
        connection.request("POST", one.path, content, headers)
        connection.getresponse().read()
        while sink.count() < wanted:
            if not select.select([sink.output], [], [], 30)[0]:
                raise TimeoutError(f"{one.name}: a mail did not arrive within 30 s")
        took.append(1000 * (time.perf_counter() - started))
    took.sort()
    return {"idle.p50_ms": took[len(took) // 2], "idle.p99_ms": took[int(len(took) * 0.99)]}


def replay(stage: Stage, count: int) -> Figures:
    """What is possible in Python, and what in C: to the same sink."""
    told = json.loads(stage.python("benchmarks.replay", stage.sink.port, count))
    wait_until(lambda: stage.sink.count() >= count, "the replay")
    started = time.monotonic()
    source = [POSTFIX / "usr/sbin/smtp-source", "-s", 20, "-m", count, "-l", int(told["octets"]), "-d"]
    command = [*source, "-f", "a@example.com", "-t", "b@example.com", f"127.0.0.1:{stage.sink.port}"]
    subprocess.run(
        [str(part) for part in command], env={"LD_LIBRARY_PATH": str(POSTFIX / "usr/lib/postfix")}, check=True
    )
    took = time.monotonic() - started
    return {"replay.rate": told["rate"], "replay.cpu": told["cpu_us"], "source.rate": count / took}


def deep(stage: Stage, shallow: int, rows: int) -> Figures:
    """What a claim costs with few and with many rows waiting, and the memory of `serve` on the many."""
    figures: Figures = {}
    one = Sqlite(stage)
    for name, count in (("shallow", shallow), ("deep", rows)):
        stage.fresh()
        one.prepare()
        one.fill(count)
        told = json.loads(stage.python("benchmarks.ours.claims", env=one.settings()))
        figures[f"claim.{name}_ms"] = told["claim_ms"]
    (process,) = one.start(api=True, worker=True)
    sink = stage.sink
    wait_until(lambda: sink.count() >= 100, "the first mails", 120)
    started, before = time.monotonic(), sink.count()
    at, done = sink.reaches(rows, 30)[-1]
    stage.end()
    return figures | {"deep.rate": (done - before) / (at - started), "deep.memory": process.peak}


def _load(one: Contender, count: int, *, batch: int = 0, first: int = 0, connections: int = 64) -> Figures:
    path = one.batch_path if batch else one.path
    asked: list[str | int] = ["--key", one.key, "--batch", batch, "--first", first, "--connections", connections]
    told = json.loads(one.stage.python("benchmarks.load", one.port, path, count, *asked))
    wrong = {status: n for status, n in told["statuses"].items() if status not in ("200", "202")}
    if wrong:
        raise RuntimeError(f"{one.name} answers {wrong}")
    return {
        "rate": count / told["seconds"],
        "p50_ms": told["p50_ms"],
        "p99_ms": told["p99_ms"],
        "caller_cpu": told["own_cpu_us"] * told["requests"] / count,
    }


def _memory(processes: Sequence[Process]) -> float:
    return sum(process.peak_memory() for process in processes)


class _Cpu:
    """CPU of a contender's processes, and of the server behind it, from now on."""

    def __init__(self, one: Contender, processes: Sequence[Process]) -> None:
        servers = [server for name in one.servers() if (server := one.stage.server(name))]
        self._own = [(process, process.cpu()) for process in processes]
        self._servers = [(server, server.cpu()) for server in servers]

    def per(self, count: int, prefix: str) -> Figures:
        """Microseconds per message: each process, and `cpu` for the contender's own together."""
        spent = {process.name: (process.cpu() - before) / max(1, count) for process, before in self._own}
        beside = {server.name: (server.cpu() - before) / max(1, count) for server, before in self._servers}
        each = {f"{prefix}cpu.{name}": value for name, value in (spent | beside).items()}
        return each | {f"{prefix}cpu": sum(spent.values())}
