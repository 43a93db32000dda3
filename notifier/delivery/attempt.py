"""One attempt, top to bottom: compose, send, decide, record."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from notifier.delivery import simulator
from notifier.delivery.composer import Composed, Composer, redirected
from notifier.delivery.ports import BeforeBody, Journal, Queue, Sender
from notifier.delivery.record import Feedback, record, refused
from notifier.domain.delivery import Claimed, Envelope, Finish
from notifier.domain.errors import Refused, Unavailable
from notifier.domain.lifecycle import OPEN, RelayTrouble, RetryPolicy, Rng, SendResult, Stage, Transaction
from notifier.domain.notification import is_simulated
from notifier.mail.mime import MimeError

T = TypeVar("T")


@dataclass(slots=True)
class Lease:
    """What a worker holds while it sends. `deadline` is on the monotonic clock, and moves as the lease is renewed;
    `over` says that sending has ended, one way or the other, and only the recording is left."""

    claimed: Claimed
    deadline: float
    over: bool = False

    @property
    def token(self) -> tuple[str, int]:
        return self.claimed.notification.id, self.claimed.lease_no


class Contact:
    """Whether outcomes can be written, as far as is known. While they cannot, no body is begun: whoever is cut off
    beyond a lease would send what others take up."""

    def __init__(self) -> None:
        self._standing = asyncio.Event()
        self._standing.set()

    def lost(self) -> None:
        self._standing.clear()

    def found(self) -> None:
        self._standing.set()

    async def wait(self, most: float) -> None:
        """Until it stands. Raises Unavailable after so many seconds."""
        if self._standing.is_set():
            return
        try:
            async with asyncio.timeout(most):
                await self._standing.wait()
        except TimeoutError:
            raise Unavailable("no outcome can be written now") from None


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every attempt needs, and does not change."""

    owner: str
    queue: Queue
    composer: Composer
    relay: Sender
    policy: RetryPolicy
    journal: Journal
    now: Callable[[], datetime]  # the database's time
    monotonic: Callable[[], float]
    rng: Rng
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    redirect_to: str | None = None
    return_path: Callable[[str], str] | None = None  # of a notification's id: where its bounces go
    contact: Contact = field(default_factory=Contact)


async def attempt(bench: Workbench, lease: Lease) -> None:
    """Sends what `lease` holds to those still open, and records what came of it. Where nothing was offered whole, it
    hands the lease back, as far as that is still ours; cancelled after that, it ends with `unknown`."""
    claimed, started = lease.claimed, bench.monotonic()
    finish: Finish | None = None
    try:
        result, feedback = await _send(bench, lease)
    except (asyncio.CancelledError, Unavailable):
        result, feedback = _UNTOUCHED, None
    lease.over = True
    if result is None or isinstance(result, RelayTrouble):
        result = result or _LATE
        if not await _persist(bench, "hand back", bench.queue.hand_back, lease.token):
            bench.journal.lost(claimed, "the lease ended before the message was sent; another may send it")
    else:
        believed = bench.redirect_to is None
        finish = record(claimed, bench.owner, result, bench.policy, bench.now(), bench.rng, feedback, believed=believed)
        if not await _persist(bench, "finish", bench.queue.finish, finish):
            bench.journal.lost(claimed, "the lease ended before the outcome was recorded; another may have sent it too")
    bench.journal.attempted(claimed, result, finish, bench.monotonic() - started)


_UNTOUCHED = RelayTrouble("unreachable", Stage.LOCAL, "stopped before anything was sent")
_LATE = RelayTrouble("unreachable", Stage.LOCAL, "the time of the lease was over before the body was sent")


async def _persist(bench: Workbench, what: str, write: Callable[[T], Awaitable[bool]], item: T) -> bool:
    """Writes what happened, however long the database is away: it happened, and forgetting it would send twice."""
    while True:
        try:
            written = await write(item)
        except Unavailable as error:
            bench.contact.lost()
            bench.journal.storeless(what, error)
            await bench.sleep(error.retry_after)
        else:
            bench.contact.found()
            return written


async def _send(bench: Workbench, lease: Lease) -> tuple[SendResult | None, Feedback | None]:
    one = lease.claimed.notification
    people = {r.n: r.email for r in one.recipients if r.status in OPEN}
    try:
        started = bench.monotonic()
        composed = await bench.composer.compose(one)
        bench.journal.composed(bench.monotonic() - started)
        simulated = {n: email for n, email in people.items() if one.mode == "test" or is_simulated(email)}
        real = {n: email for n, email in people.items() if n not in simulated}
        sent = await _through_relay(bench, lease, composed, real) if real else None
        if real and not isinstance(sent, Transaction):
            return sent, None
        if not simulated:
            return sent, None
        stand_in = simulator.Simulator(lease.claimed.attempts)
        # Once the relay has had the message, nothing may come between that and the record.
        guard = _guard(bench, lease) if sent is None else _freely
        played = await stand_in.send(Envelope(one.sender.email, simulated), composed.build, guard)
        return _together(sent, played), {n: simulator.feedback_of(email) for n, email in simulated.items()}
    except (Refused, MimeError) as error:
        return refused(lease.claimed, Stage.RENDER, str(error), "none"), None


async def _through_relay(
    bench: Workbench, lease: Lease, composed: Composed, people: Mapping[int, str]
) -> SendResult | None:
    one = lease.claimed.notification
    composed, to = _redirected(bench, composed, people)
    sender = bench.return_path(one.id) if bench.return_path else one.sender.email
    return _spread(await bench.relay.send(Envelope(sender, to), composed.build, _guard(bench, lease)), people)


def _together(sent: SendResult | None, played: SendResult | None) -> SendResult | None:
    """The real recipients' outcomes and the simulated ones', as one attempt. The relay has what it has, whatever
    became of the play."""
    if not isinstance(sent, Transaction) or not isinstance(played, Transaction):
        return sent or played
    return Transaction(sent.relay, {**sent.outcomes, **played.outcomes})


async def _freely() -> bool:
    return True


def _guard(bench: Workbench, lease: Lease) -> BeforeBody:
    """What is asked right before the body: does the durable mark stand, can an outcome be written, and is the lease
    still ours?"""

    async def may_send() -> bool:
        hold = lease.claimed.notification.on_unknown == "hold"
        if hold and not await bench.queue.mark_transmitting(lease.token):
            return False
        await bench.contact.wait(lease.deadline - bench.monotonic())
        return bench.monotonic() < lease.deadline

    return may_send


def _redirected(bench: Workbench, composed: Composed, people: Mapping[int, str]) -> tuple[Composed, Mapping[int, str]]:
    """Staging: one mail to the one mailbox, whoever it was meant for."""
    if bench.redirect_to is None:
        return composed, people
    message = redirected(composed.message, bench.redirect_to, list(people.values()))
    return replace(composed, message=message), {min(people): bench.redirect_to}


def _spread(sent: SendResult | None, people: Mapping[int, str]) -> SendResult | None:
    """The outcome of a redirected mail is everybody's."""
    if not isinstance(sent, Transaction) or sent.outcomes.keys() == people.keys():
        return sent
    (outcome,) = sent.outcomes.values()
    return Transaction(sent.relay, dict.fromkeys(people, outcome))
