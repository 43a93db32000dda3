"""A `notifier serve` in a process of its own (or `api`, or `worker`), as an operator runs it, and what tests ask of it
over HTTP."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx2 as httpx

API_KEY = "ntf_live_a-key-for-tests-0123456789abcd"
TEMPLATE: Mapping[str, str] = {
    "subject.txt": "Order {{ order }}",
    "body.txt": "Dear reader, order {{ order }} is on its way.\n",
    "body.html": "<p>Dear reader, order <b>{{ order }}</b> is on its way.</p>\n",
}
START = 60.0  # seconds; a start takes one on an idle machine, and more beside other tests


class Listening(Protocol):
    """A relay, wherever it runs."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class Serve:
    """One service on one folder: its SQLite file, its templates. It can be killed and started again, on the same data.

    `environment` is added to the settings that these tests have in common: the relay, a bootstrap key, fast retries.
    """

    command = "serve"
    program: tuple[str, ...] = (str(Path(sys.executable).with_name("notifier")),)

    def __init__(self, folder: Path, relay: Listening, **environment: str) -> None:
        self.folder = folder
        self.database = folder / "notifier.db"
        self.lines: deque[str] = deque(maxlen=200)
        self.url = ""
        self._environment = {
            "MAIL_SERVER": relay.host,
            "MAIL_PORT": str(relay.port),
            "MAIL_FROM": "shop@example.com",
            "NOTIFIER_API_KEY": API_KEY,
            "NOTIFIER_DATABASE_URL": f"sqlite:///{self.database}",
            "NOTIFIER_TEMPLATES_DIR": str(templates(folder)),
            "NOTIFIER_RETRY_FIRST": "50ms",
            "NOTIFIER_LOG_FORMAT": "json",
            "PYTHONFAULTHANDLER": "1",
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self.http = httpx.AsyncClient(
            headers={"authorization": f"Bearer {API_KEY}"}, timeout=30, trust_env=False, verify=False
        )

    # ---- the process

    async def start(self) -> None:
        """Returns when it listens."""
        self._listening.clear()
        self.url = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MAIL_"))}
        self._process = await asyncio.create_subprocess_exec(
            *self.program, self.command, "--port", "0",
            env={**kept, **self._environment}, cwd=self.folder, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(START):
                await self._listening.wait()
        except TimeoutError:
            self.signal(signal.SIGABRT)  # faulthandler tells where it is
            await self.ended()
        assert self.url, "it does not listen:\n" + "\n".join(self.lines)

    async def _read(self) -> None:
        """Follows the log: it says where the service listens."""
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode().rstrip())
            if b'"listening"' in line:
                self.url = json.loads(line)["url"]
                self._listening.set()
        self._listening.set()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """At once, and without waiting for what comes of it."""
        if self.running:
            assert self._process is not None
            self._process.send_signal(number)

    async def ended(self) -> int:
        """The exit code, once it has one."""
        assert self._process is not None
        assert self._reading is not None
        code = await self._process.wait()
        await self._reading
        return code

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def close(self) -> None:
        if self.running:
            await self.kill()
        await self.http.aclose()

    # ---- what callers do

    async def post(self, to: str | list[str] = "zoe@example.com", *, key: str | None = None, **fields: Any) -> str:
        """Posts a notification that has to be taken, and gives its id."""
        body = {"template": "order", "to": to, "data": {"order": "A-1"}, **fields}
        headers = {"idempotency-key": key} if key else {}
        answer = await self.http.post(f"{self.url}/v1/notifications", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        id_: str = answer.json()["id"]
        return id_

    async def post_many(self, count: int, **fields: Any) -> list[str]:
        """Posts so many in batches, to `reader-0@example.com` and so on, and gives their ids in order."""
        items = [{"to": f"reader-{n}@example.com", "data": {"order": str(n)}} for n in range(count)]
        ids: list[str] = []
        for start in range(0, count, 1000):
            body = {"defaults": {"template": "order", **fields}, "notifications": items[start : start + 1000]}
            answer = await self.http.post(f"{self.url}/v1/notifications/batch", json=body)
            assert answer.status_code == 202, answer.text
            ids.extend(item["id"] for item in answer.json()["data"])
        return ids

    async def record(self, id_: str, *, wait: float = 0) -> dict[str, Any]:
        """Where a notification stands; with `wait`, when it is final or after so many seconds."""
        answer = await self.http.get(f"{self.url}/v1/notifications/{id_}", params={"wait": wait} if wait else {})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def final(self, id_: str) -> dict[str, Any]:
        """Where a notification ended."""
        found = await self.record(id_, wait=20)
        assert found["final"], f"{found}\n{await self.events(id_)}"
        return found

    async def all_final(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Where each of these ended."""
        wanted, ended = set(ids), {one["id"]: one async for one in self._all() if one["final"]}
        return {id_: ended.get(id_) or await self.final(id_) for id_ in wanted}

    async def _all(self) -> AsyncIterator[dict[str, Any]]:
        """Every notification, newest first."""
        page: dict[str, Any] = {"limit": 200}
        while True:
            answer = await self.http.get(f"{self.url}/v1/notifications", params=page)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            for one in told["data"]:
                yield one
            if not told["has_more"]:
                return
            page["after"] = told["data"][-1]["id"]

    async def events(self, id_: str) -> list[dict[str, Any]]:
        """Its timeline, oldest first."""
        answer = await self.http.get(f"{self.url}/v1/notifications/{id_}/events")
        assert answer.status_code == 200, answer.text
        timeline: list[dict[str, Any]] = answer.json()["data"]
        return timeline

    async def relay_state(self) -> dict[str, Any]:
        """What `/readyz`, which has to be 200, says of the relay."""
        answer = await self.http.get(f"{self.url}/readyz")
        assert answer.status_code == 200, answer.text
        relay: dict[str, Any] = answer.json()["relay"]
        return relay


def templates(folder: Path) -> Path:
    """Writes the template `order`; gives the folder to name in the settings."""
    parts = folder / "templates" / "order"
    parts.mkdir(parents=True, exist_ok=True)
    for name, text in TEMPLATE.items():
        (parts / name).write_text(text, "utf-8")
    return parts.parent


def types(events: list[dict[str, Any]]) -> list[str]:
    """The types of a timeline, less their common prefix."""
    return [event["type"].removeprefix("email.") for event in events]
