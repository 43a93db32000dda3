"""`notifier serve` tells an endpoint that fails three times in ten, and is killed again and again. Was all told?

    python -m tests.soak.webhook_storm [--events 5000] [--faults 0.3] [--kills 5] [--seed N]

Callers post while mail is sent and its events are told; each kill is a real `kill -9`, at a moment when some of the
tellings are on their way. At the end the feed of events is compared with what the endpoint took. Exit code 1 if an
event is missing, or was made up. One that came more than once came under the same `webhook-id`.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from notifier.capture import Capture
from tests.support.process import API_KEY, Serve

PATIENCE = 300.0  # seconds for everything to be told
PER_MAIL = 3  # events of a mail that is taken at once: queued, attempted, sent
_IMPATIENT = """
import sys
from notifier.domain.lifecycle import RetryPolicy
from notifier.webhooks import courier
courier.POLICY = RetryPolicy(first=0.05, longest=0.5)
from notifier.cli import main
sys.argv[0] = "notifier"
main()
"""
_FAULTS = (
    b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 3\r\n\r\nno!",
    b"HTTP/1.1 200 ",  # and closes
    b"",
)
_TAKEN = b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"


class Impatient(Serve):
    """The command, but for webhooks that are tried again within half a second in place of six hours."""

    program = (sys.executable, "-c", _IMPATIENT)


@dataclass
class Endpoint:
    """Somebody's server. `taken` counts what it answered 200 to, by the event's id."""

    rng: random.Random
    faults: float
    port: int = 0
    verifier: Verifier | None = None
    taken: Counter[str] = field(default_factory=Counter)
    webhook_ids: dict[str, set[str]] = field(default_factory=dict)
    refused: int = 0
    cut_off: int = 0
    forged: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = _TAKEN
        try:
            while b"content-length" in answer:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                answer = await self._answer(headers, await reader.readexactly(int(headers["content-length"])))
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError as error:
            self.cut_off += bool(error.partial)
        except ConnectionError:
            self.cut_off += 1
        writer.close()

    async def _answer(self, headers: dict[str, str], body: bytes) -> bytes:
        assert self.verifier is not None
        try:
            told: Any = self.verifier.verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return _FAULTS[0]
        if self.rng.random() < self.faults:
            self.refused += 1
            return self.rng.choice(_FAULTS)
        id_ = told["data"]["id"]
        async with self.news:
            self.taken[id_] += 1
            self.webhook_ids.setdefault(id_, set()).add(headers["webhook-id"])
            self.news.notify_all()
        return _TAKEN

    async def until(self, count: int) -> None:
        async with self.news:
            await self.news.wait_for(lambda: len(self.taken) >= count)


@dataclass
class Outcome:
    """What came of a storm."""

    mails: int
    feed: set[str]
    endpoint: Endpoint
    kills: int
    seconds: float

    @property
    def missing(self) -> set[str]:
        return self.feed - self.endpoint.taken.keys()

    @property
    def wrong(self) -> list[str]:
        invented = self.endpoint.taken.keys() - self.feed
        renamed = [id_ for id_, names in self.endpoint.webhook_ids.items() if len(names) > 1]
        return [
            *(f"event {id_} was not told" for id_ in sorted(self.missing)),
            *(f"event {id_} was told, and is not in the feed" for id_ in sorted(invented)),
            *(f"event {id_} came under more than one webhook-id" for id_ in renamed),
            *([f"{self.endpoint.forged} requests had no good signature"] if self.endpoint.forged else []),
        ]

    def __str__(self) -> str:
        taken = self.endpoint.taken
        again = sum(count - 1 for count in taken.values())
        return "\n".join(
            (
                f"  mails               {self.mails:>7}",
                f"  events in the feed  {len(self.feed):>7}",
                f"  taken               {len(taken):>7}",
                f"  came again          {again:>7}",
                f"  faults answered     {self.endpoint.refused:>7}",
                f"  cut off in mid-way  {self.endpoint.cut_off:>7}",
                f"  kill -9             {self.kills:>7}",
                f"  seconds             {self.seconds:>7.1f}",
                f"  missing             {len(self.missing):>7}",
                *(f"  ! {sentence}" for sentence in self.wrong[:20]),
            )
        )


async def storm(folder: Path, *, events: int, faults: float, kills: int, rng: random.Random) -> Outcome:
    started = time.monotonic()
    endpoint = Endpoint(rng, faults)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    mails = -(-events // PER_MAIL)
    async with Capture() as relay:
        serve = Impatient(
            folder, relay, NOTIFIER_WEBHOOKS_ALLOW_HTTP="1", NOTIFIER_WEBHOOKS_ALLOW_NETWORKS="127.0.0.0/8"
        )
        try:
            await serve.start()
            body = {"url": f"http://127.0.0.1:{endpoint.port}/"}
            made = (await serve.http.post(f"{serve.url}/v1/webhooks", json=body)).json()
            endpoint.verifier = Verifier(made["secret"])
            posting = asyncio.create_task(_post(serve, mails))
            async with asyncio.timeout(PATIENCE):
                for number in range(kills):
                    await endpoint.until(rng.randint(number * events + 1, (number + 1) * events) // (kills + 1))
                    await serve.kill()
                    await serve.start()
                await serve.all_final(await posting)
                feed = await _feed(serve)
                while not feed <= endpoint.taken.keys():
                    await endpoint.until(len(endpoint.taken) + 1)
        finally:
            await serve.close()
            server.close()
    return Outcome(mails, feed, endpoint, kills, time.monotonic() - started)


async def _post(serve: Serve, mails: int) -> list[str]:
    """Batches of at most a hundred, each repeated under its key until it is answered."""
    ids: list[str] = []
    for start in range(0, mails, 100):
        items = [
            {"to": f"reader-{n}@example.com", "data": {"order": str(n)}} for n in range(start, min(mails, start + 100))
        ]
        body = {"defaults": {"template": "order"}, "notifications": items}
        while True:
            with suppress(httpx.HTTPError):
                headers = {"authorization": f"Bearer {API_KEY}", "idempotency-key": f"batch-{start}"}
                answer = await serve.http.post(f"{serve.url}/v1/notifications/batch", json=body, headers=headers)
                if answer.status_code == 202:
                    ids.extend(item["id"] for item in answer.json()["data"])
                    break
            await asyncio.sleep(0.05)  # nobody is there just now
    return ids


async def _feed(serve: Serve) -> set[str]:
    """The ids of all events, from the beginning."""
    found: set[str] = set()
    page: dict[str, Any] = {"limit": 200}
    while True:
        told = (await serve.http.get(f"{serve.url}/v1/events", params=page)).json()
        found |= {event["id"] for event in told["data"]}
        if not told["has_more"]:
            return found
        page["after"] = told["next"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--faults", type=float, default=0.3)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(
            storm(
                Path(folder), events=given.events, faults=given.faults, kills=given.kills,
                rng=random.Random(given.seed),
            )
        )  # fmt: skip
    print(outcome)
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
