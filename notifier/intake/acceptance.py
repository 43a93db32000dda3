"""`Intake`: judges requests at the door and hands what is good to the store, in one commit."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from notifier.domain.acceptance import Acceptance, Earlier, IdempotencyKey, Receipt
from notifier.domain.errors import Fault, Refused, refused, summary
from notifier.domain.key import Key
from notifier.domain.notification import Address, Notification, uuid7
from notifier.intake.backlog import Backlog
from notifier.intake.judgement import Judge, Judged
from notifier.intake.ports import Addresses, Objection, Store, Templates
from notifier.intake.request import Request

_BREATH = 20
"""Items of a batch that are judged before others get a turn in the loop: about two milliseconds' work. One that is
refused may have taken a second, to name what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one item of a permissive batch was not taken. `fields` of its faults are the item's own."""

    faults: tuple[Fault, ...]
    code: str = Refused.code
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """What came of a batch: for each item in order the id of its notification or its refusal, and by place what is
    stored of it where it is new (None: a replay). `replayed` says that all of it is an earlier batch; then the rest
    is empty."""

    batch: str
    ids: Sequence[str | None] = ()
    fresh: Mapping[int, Notification | None] = field(default_factory=dict)
    refusals: Sequence[Refusal | None] = ()
    replayed: bool = False


class Intake:
    """Everything between a valid request and a durable row.

    `objection` says what may not be in a header. `sender` is who writes where neither request nor template says.
    `team` holds the addresses and domains that keys of mode ``team`` may write to. From `largest_backlog` open
    deliveries on, nothing is taken (0: always).
    """

    def __init__(
        self,
        store: Store,
        templates: Templates,
        addresses: Addresses,
        objection: Objection,
        *,
        sender: Address,
        team: Collection[str] = (),
        largest_backlog: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._judge = Judge(templates, addresses, objection, sender, team)
        self._backlog = Backlog(store.backlog, largest_backlog)
        self._clock = clock

    async def accept(self, request: Request, caller: Key) -> Receipt:
        """Takes one request. Raises Refused with every fault, or Unavailable."""
        await self._backlog.check()
        now = self._clock()
        judged = await self._judge(request, caller, now)
        if judged.new is not None:
            return await self._store.accept(Acceptance(caller.project, (judged.new,), now))
        # A request that was taken once is answered as it was, whatever became of its template since.
        earlier = await self._earlier(caller.project, [request.idempotency])
        if request.idempotency and (found := earlier.get(request.idempotency.key)):
            if found.fingerprint == request.idempotency.fingerprint and found.notification:
                return Receipt((found.notification,), (None,))
            raise reused("Idempotency-Key", request.idempotency.key)
        raise refused(judged.faults)

    async def accept_batch(
        self,
        requests: Sequence[Request],
        caller: Key,
        *,
        idempotency: IdempotencyKey | None = None,
        permissive: bool = False,
        faults: Sequence[Fault] = (),
    ) -> BatchReceipt:
        """Takes a batch: all of it or nothing, or what is good of it (`permissive`). Raises Refused with every fault
        of every item, those with the batch itself (`faults`) first; or Unavailable."""
        await self._backlog.check()
        now, batch = self._clock(), uuid7()
        judged = await self._judge_all(requests, caller, now, batch)
        earlier = await self._earlier_where_needed(caller.project, requests, judged, idempotency, faults)
        if idempotency and (found := earlier.get(idempotency.key)):
            if found.fingerprint == idempotency.fingerprint and found.batch:
                return BatchReceipt(found.batch, replayed=True)
            raise reused("Idempotency-Key", idempotency.key)
        known = _replays(requests, judged, earlier)
        refusals = [
            None if place in known else _refusal(*pair, earlier)
            for place, pair in enumerate(zip(requests, judged, strict=True))
        ]
        if faults or (not permissive and any(refusals)):
            raise refused([*faults, *_numbered(refusals)])
        positions = [place for place, one in enumerate(judged) if one.new is not None]
        acceptance = Acceptance(
            caller.project,
            tuple(one.new for one in judged if one.new is not None),
            now,
            batch=batch,
            idempotency=idempotency,
            positions=positions,
            size=len(requests),
            known=known,
        )
        receipt = await self._store.accept(acceptance)
        if receipt.batch:
            return BatchReceipt(receipt.batch, replayed=True)
        ids = {**known, **dict(zip(positions, receipt.ids, strict=True))}
        fresh = dict(zip(positions, receipt.fresh, strict=True))
        return BatchReceipt(batch, [ids.get(n) for n in range(len(requests))], fresh, refusals)

    async def _judge_all(self, requests: Sequence[Request], caller: Key, now: datetime, batch: str) -> list[Judged]:
        judged = []
        for place, request in enumerate(_without_doubled_keys(requests)):
            judged.append(await self._judge(request, caller, now, batch))
            if place % _BREATH == _BREATH - 1 or judged[-1].new is None:
                await asyncio.sleep(0)
        return judged

    async def _earlier_where_needed(
        self,
        project: str,
        requests: Sequence[Request],
        judged: Sequence[Judged],
        idempotency: IdempotencyKey | None,
        faults: Sequence[Fault],
    ) -> dict[str, Earlier]:
        """What keys stand for already, asked only where it changes the answer: something is refused."""
        keys = [request.idempotency for request, one in zip(requests, judged, strict=True) if one.new is None]
        if keys or faults:
            return await self._earlier(project, [idempotency, *keys])
        return {}

    async def _earlier(self, project: str, keys: Sequence[IdempotencyKey | None]) -> dict[str, Earlier]:
        wanted = [key.key for key in keys if key is not None]
        return dict(await self._store.earlier(project, wanted)) if wanted else {}


def _replays(requests: Sequence[Request], judged: Sequence[Judged], earlier: Mapping[str, Earlier]) -> dict[int, str]:
    """Ids of the items that would be refused now and were taken before, by their place."""
    return {
        place: found.notification
        for place, (request, one) in enumerate(zip(requests, judged, strict=True))
        if one.new is None and (key := request.idempotency) and (found := earlier.get(key.key))
        if found.fingerprint == key.fingerprint and found.notification
    }


def _refusal(request: Request, judged: Judged, earlier: Mapping[str, Earlier]) -> Refusal | None:
    if judged.new is not None:
        return None
    if request.idempotency and request.idempotency.key in earlier:
        again = reused("idempotency_key", request.idempotency.key)
        return Refusal((*again.faults, *judged.faults), again.code, again.detail)
    return Refusal(judged.faults, detail=summary(judged.faults))


def _without_doubled_keys(requests: Sequence[Request]) -> list[Request]:
    """Two items under one key are one mail; with two bodies the later one is at fault."""
    seen: dict[str, str] = {}
    checked = []
    for request in requests:
        key = request.idempotency
        if key and seen.setdefault(key.key, key.fingerprint) != key.fingerprint:
            message = f"the idempotency key {key.key!r} stands at an earlier item with another content"
            fault = Fault("idempotency_key", "idempotency_key_reused", message)
            request = replace(request, faults=(*request.faults, fault))
        checked.append(request)
    return checked


def _numbered(refusals: Sequence[Refusal | None]) -> list[Fault]:
    return [
        fault.under(f"notifications[{place}]")
        for place, refusal in enumerate(refusals)
        if refusal
        for fault in refusal.faults
    ]


def reused(field: str, key: str) -> Refused:
    message = f"the idempotency key {key!r} was used before with another request"
    return Refused(message, code="idempotency_key_reused", faults=[Fault(field, "idempotency_key_reused", message)])
