"""What has to be done now and then: leases that ran out, mail whose time is over, idempotency keys past their life."""

import asyncio
from collections.abc import Awaitable, Callable

from notifier.delivery.ports import Chores, Journal
from notifier.domain.errors import Unavailable


class Janitor:
    """Looks round every `period` seconds. Any number of processes may: rows are locked, and skipped when locked.

    `renew` renews the leases of what this process sends itself.
    """

    def __init__(
        self,
        store: Chores,
        journal: Journal,
        *,
        period: float,
        idempotency_ttl: float,
        renew: Callable[[], Awaitable[None]],
        webhooks_kept: float = 30 * 86400.0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._period = period
        self._ttl = idempotency_ttl
        self._renew = renew
        self._webhooks_kept = webhooks_kept
        self._wake = wake

    async def run(self) -> None:
        """Until cancelled. While the database is away leases run out and nobody can renew them: after it is back, two
        periods pass before anybody is called lost, in which those who live renew."""
        away = False
        while True:
            try:
                await self.tidy()
                if not away:
                    await self.reclaim()
                pause, away = self._period * (2 if away else 1), False
            except Unavailable as error:
                self._journal.storeless("the janitor", error)
                pause, away = self._period, True
            except Exception as error:  # noqa: BLE001 - whatever it is, leases have to be looked after
                self._journal.crashed("the janitor", error)
                pause = self._period
            await asyncio.sleep(pause)

    async def reclaim(self) -> None:
        """Takes up what lost workers left. What we send ourselves is not lost, however late its lease: after a full
        disk or a machine that slept we may be the first to look."""
        await self._renew()
        if reclaimed := await self._store.reclaim():
            self._journal.chore("reclaimed", reclaimed)
            self._wake()

    async def tidy(self) -> None:
        """Ends what nobody may send any more, lets go on what no pause holds, forgets what nobody asks for."""
        while expired := await self._store.expire():
            self._journal.chore("expired", expired)
        if resumed := await self._store.resume():  # a claim may have read a pause just before it was lifted
            self._journal.chore("resumed", resumed)
            self._wake()
        while forgotten := await self._store.forget(self._ttl):
            self._journal.chore("forgotten idempotency keys", forgotten)
        while forgotten := await self._store.forget_webhooks(self._webhooks_kept):
            self._journal.chore("forgotten webhook deliveries", forgotten)
