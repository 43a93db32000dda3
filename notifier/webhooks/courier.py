"""The courier: tells endpoints what happened, each at its own pace, until they have taken it or their time is over."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, Protocol

from standardwebhooks import Webhook as Signer

from notifier import __version__
from notifier.domain.errors import Unavailable
from notifier.domain.lifecycle import Rng
from notifier.domain.notification import Event, Notification
from notifier.domain.times import rfc3339
from notifier.domain.webhook import (
    LONGEST_ANSWER,
    LONGEST_WAIT,
    POLICY,
    Answer,
    Rooms,
    Told,
    Webhook,
    WebhookClaim,
    WebhookFinish,
)
from notifier.webhooks.pace import Pace
from notifier.webhooks.transport import Forbidden, Http

EACH: Final = 10
"""Requests to one endpoint at a time, unless the settings say otherwise."""
MOST: Final = 2000
"""Tellings held at a time: so many that endpoints which never answer do not use them up."""
POLL: Final = 1.0
"""Seconds between looks at the queue without a cause."""
COALESCE: Final = 0.005
"""Seconds in which requests that end are waited for, so that a claim is not made for each."""


class Queue(Protocol):
    """The store, as the courier sees it."""

    async def webhooks_due(self, rooms: Rooms, each: int) -> bool: ...
    async def claim_webhooks(self, owner: str, lease: float, rooms: Rooms, each: int, limit: int) -> WebhookClaim: ...
    async def finish_webhook(self, one: WebhookFinish, /) -> bool: ...
    async def release_webhooks(self, *, every: bool = False, owner: str | None = None) -> int: ...


class Courier:
    """Runs until it is cancelled; then what is under way has `grace` seconds to end, and the rest is given back.
    `each` are the requests to one endpoint at a time; `told` hears of every answer."""

    def __init__(
        self,
        queue: Queue,
        http: Http,
        *,
        owner: str,
        lease: float = 60.0,
        alone: bool = False,
        each: int = EACH,
        poll: float = POLL,
        grace: float = 5.0,
        rng: Rng | None = None,
        told: Callable[[Told, Answer], None] = lambda _told, _answer: None,
        storeless: Callable[[str, Exception], None] = lambda _what, _error: None,
        crashed: Callable[[str, Exception], None] = lambda _what, _error: None,
    ) -> None:
        self._queue = queue
        self._http = http
        self._owner = owner
        self._lease = lease
        self._alone = alone
        self._each = each
        self._poll = poll
        self._grace = grace
        self._rng = rng or random.SystemRandom()
        self._told = told
        self._storeless = storeless
        self._crashed = crashed
        self._paces: dict[str, Pace] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be something to tell."""
        self._news.set()

    async def run(self) -> None:
        every = self._alone  # nobody else can hold a lease on a file of ours
        released = float("-inf")
        try:
            while True:
                self._news.clear()
                try:
                    if time.monotonic() - released >= min(self._lease / 4, self._poll):
                        await self._queue.release_webhooks(every=every)
                        every, released = False, time.monotonic()
                    more = await self._step()
                except Unavailable as error:
                    self._storeless("webhooks", error)
                    more = False
                except Exception as error:  # noqa: BLE001 - whatever it is, other events have to be told
                    self._crashed("webhooks", error)
                    more = False
                if not more:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._poll):
                            await self._news.wait()
                            await asyncio.sleep(COALESCE)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._stopping = True  # whoever waits for its turn sends nothing any more
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._queue.release_webhooks(owner=self._owner)
        except Unavailable as error:  # their leases run out
            self._storeless("webhooks", error)

    async def _step(self) -> bool:
        """One claim, and its tellings started. False where there was nothing to tell, or no room."""
        room = MOST - len(self._tasks)
        rooms = {id_: pace.room() for id_, pace in self._paces.items()}
        if room <= 0 or not await self._queue.webhooks_due(rooms, self._each):
            return False
        started = time.monotonic()
        claim = await self._queue.claim_webhooks(self._owner, self._lease, rooms, self._each, room)
        for told in claim.told:
            pace = self._paces.setdefault(told.webhook.id, Pace(self._each))
            pace.held += 1
            task = asyncio.create_task(self._tell(told, pace, claim.now, started))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, told.webhook.id, pace))
        return bool(claim.told)

    def _ended(self, id_: str, pace: Pace, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        pace.held -= 1
        if not pace.held and len(self._paces) > MOST:  # those that had nothing for long
            del self._paces[id_]
        self._news.set()

    async def _tell(self, told: Told, pace: Pace, now: datetime, claimed: float) -> None:
        async with pace.turns:
            started = time.monotonic()
            waited = started - claimed
            if self._stopping or waited > self._lease / 2:  # it is told by whoever takes it up
                return
            now += timedelta(seconds=waited)
            answer = await send(
                self._http, told.webhook, message_id(told.event), body(told.event, told.notification), now
            )
            pace.took(time.monotonic() - started)
        self._told(told, answer)
        due_at = self._due_again(told, answer, now)
        while True:
            try:
                await self._queue.finish_webhook(WebhookFinish(told, answer, due_at))
                return
            except Unavailable as error:
                self._storeless("webhooks", error)
                await asyncio.sleep(error.retry_after)

    def _due_again(self, told: Told, answer: Answer, now: datetime) -> datetime | None:
        """When to tell it again; None where it was taken, or its three days are over."""
        deadline = POLICY.deadline(told.created_at)
        if answer.taken or answer.gone or now >= deadline:
            return None
        delay = max(POLICY.delay(told.attempts + 1, self._rng), answer.after or 0.0)
        return min(now + timedelta(seconds=delay), deadline)


async def send(http: Http, hook: Webhook, id_: str, content: bytes, now: datetime) -> Answer:
    """Posts one message, signed with every secret that is good (Standard Webhooks 1.0)."""
    sent_at = datetime.now(UTC)
    secrets = [secret.text for secret in hook.secrets if secret.until is None or now < secret.until]
    headers = {
        "content-type": "application/json",
        "user-agent": f"notifier/{__version__}",
        "webhook-id": id_,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Signer(text).sign(id_, sent_at, content.decode()) for text in secrets),
    }
    try:
        status, heard, said = await http.exchange(
            "POST", hook.url, headers=headers, content=content, most=LONGEST_ANSWER
        )
    except (OSError, TimeoutError, Forbidden) as error:
        return Answer(None, str(error)[:LONGEST_ANSWER] or "no answer in time")
    text = said.decode("utf-8", "replace").replace("\0", "\ufffd")
    return Answer(status, text, _wait(heard.get("retry-after"), sent_at))


def _wait(value: str | None, now: datetime) -> float | None:
    """Retry-After (RFC 9110 10.2.3) in seconds: a number, or a date."""
    if value is None:
        return None
    try:
        seconds = (
            float(int(value)) if value.strip().isdecimal() else (parsedate_to_datetime(value) - now).total_seconds()
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def message_id(event: Event) -> str:
    """The same for each try of an event and for each redelivery, so that a receiver can drop what it has."""
    return f"evt_{event.tx}-{event.seq}"


def body(event: Event, one: Notification) -> bytes:
    """What is told: ``{"type", "timestamp", "data"}``."""
    data: Mapping[str, Any] = {
        "id": f"{event.tx}-{event.seq}",
        "notification": one.id,
        "template": one.template,
        "recipient": event.recipient,
        "reference": one.reference,
        "batch": one.batch,
        "tags": list(one.tags),
        "metadata": dict(one.metadata),
        "mode": one.mode,
        "detail": dict(event.detail),
    }
    timestamp = rfc3339(event.at)
    told = {"type": event.type, "timestamp": timestamp, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
