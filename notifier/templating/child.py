"""Where an author's text is first compiled: a child process with a memory limit and a deadline.

The budgets bound what a template does when it runs. What a parser, a compiler or a regular expression does with a
hostile text they do not bound: that happens here first, and what survives is compiled by the service.

`Workshop` keeps one process that has everything imported and forks for each job (some milliseconds), so that a
preview while typing is quick. The process has one thread, so forking is safe, and it dies with its standard input.
"""

import asyncio
import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from notifier.domain.errors import Fault, Unavailable
from notifier.templating.bundle import Bundle
from notifier.templating.closure import close
from notifier.templating.faults import TemplateBroken
from notifier.templating.lint import lint
from notifier.templating.render import compile_bundle

MEMORY = 256 * 1024 * 1024
"""Bytes of address space a job may have."""
DEADLINE = 2.0
"""Seconds of CPU time a job may take: a busy machine makes no template slow."""
PATIENCE = 10.0
"""Seconds that a job may take by the clock."""
_LONGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a job. `faults` break the template (the job then has nothing else) or refuse the data;
    `closure` are the paths of all files and assets that the template reaches."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    contract: Mapping[str, Any] | None = None
    declared: bool = False
    locales: tuple[str, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    locale: str | None = None
    broken: bool = False
    closure: tuple[str, ...] = ()


class Workshop:
    """Compiles, lints and renders what an author wrote, away from the service. One job at a time.

    Use as an async context manager, or call `close` at the end. The process starts with the first job.
    """

    def __init__(self, *, memory: int = MEMORY, deadline: float = DEADLINE, public_url: str | None = None) -> None:
        self._public_url = public_url
        self._memory = memory
        self._deadline = deadline
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "Workshop":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def check(
        self,
        name: str,
        files: Mapping[str, str],
        assets: Mapping[str, bytes],
        *,
        data: Mapping[str, Any] | None = None,
        sample: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
        at: datetime,
    ) -> Checked:
        """Close, compile and lint the template `name` out of a pool of files, and render it with `data` or a sample.

        Never raises for what the author wrote. Raises Unavailable if no process can be started.
        """
        job = {
            "bundle": Bundle(name, files, assets).to_wire(),
            "data": data, "sample": sample, "locale": locale, "timezone": timezone, "at": at.isoformat(),
            "memory": self._memory, "deadline": self._deadline, "public_url": self._public_url,
        }  # fmt: skip
        async with self._turn:
            try:
                answer = await self._ask(json.dumps(job))
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._drop()
                raise Unavailable(f"the template checker does not answer: {error}") from error
            except BaseException:
                await self._drop()  # cancelled in mid-answer: the next job must not read this one's
                raise
        return _checked(name, json.loads(answer))

    async def _ask(self, job: str) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "notifier.templating.child",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST,
            )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - both are pipes, for mypy
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(job.encode() + b"\n")
        await process.stdin.drain()
        return await process.stdout.readuntil(b"\n")

    async def _drop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the process."""
        await self._drop()


def _checked(name: str, answer: Mapping[str, Any]) -> Checked:
    if "ended" in answer:
        return Checked((Fault(f"{name}:1:1", "budget", answer["ended"]),), broken=True)
    lists = {key: tuple(Fault(**fault) for fault in answer[key]) for key in ("faults", "warnings")}
    return Checked(**{**answer, **lists, "locales": tuple(answer["locales"]), "closure": tuple(answer["closure"])})


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """One job, in the child."""
    pool = Bundle.from_wire(job["bundle"])
    try:
        bundle = close(pool.name, pool.files, pool.assets)
        template = compile_bundle(bundle, public_url=job["public_url"])
    except TemplateBroken as broken:
        return asdict(Checked(broken.faults, broken=True))
    contract, data = template.contract, job["data"]
    if data is None:
        data = template.samples.get(job["sample"] or "default")
    closure = (*bundle.files, *bundle.assets)
    about = Checked((), lint(template), dict(contract), contract.declared, template.locales, closure=closure)
    if data is None:
        return asdict(about)
    at = datetime.fromisoformat(job["at"])
    verdict = template.verdict(data, locale=job["locale"], timezone=job["timezone"], at=at)
    mail = verdict.rendered
    if mail is None:
        return asdict(replace(about, faults=verdict.faults))
    return asdict(replace(about, subject=mail.subject, text=mail.text, html=mail.html, locale=mail.locale))


def _serve() -> None:
    """Read jobs, one JSON object a line; fork for each; write its answer, or how it ended."""
    while line := sys.stdin.buffer.readline():
        limits = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _job(line, writer, int(limits["memory"]), float(limits["deadline"]))
        os.close(writer)
        answer = _await(child, reader, float(limits["deadline"]))
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _job(line: bytes, writer: int, memory: int, deadline: float) -> None:
    """In the fork: limit, work, answer, and never return."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process, in the middle of C code, too
    signal.setitimer(signal.ITIMER_PROF, deadline)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))  # should the process that watches it be killed itself
        answer = json.dumps(work(json.loads(line))).encode()
    except MemoryError:
        answer = json.dumps({"ended": "the template needs more memory than is allowed"}).encode()
    except Exception as error:  # noqa: BLE001 - whatever the author's text caused is the answer
        answer = json.dumps({"ended": f"the template cannot be checked: {type(error).__name__}"}).encode()
    with open(writer, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def _await(child: int, reader: int, deadline: float) -> bytes:
    """The fork's answer, or why there is none: past its CPU time it ends itself, past our patience it is killed."""
    ends = time.monotonic() + PATIENCE
    chunks: list[bytes] = []
    in_time = True
    while in_time := (left := ends - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            continue
        chunk = os.read(reader, 1 << 20)
        if not chunk:
            break
        chunks.append(chunk)
    os.close(reader)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    answer = b"".join(chunks)
    if not in_time or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF):
        return json.dumps({"ended": f"the template takes longer than {deadline:g} s"}).encode()
    return answer or json.dumps({"ended": "the template ended the process that checked it"}).encode()


if __name__ == "__main__":
    _serve()
