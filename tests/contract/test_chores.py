"""What is done now and then."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_what_nobody_may_send_any_more_ends(desk: "Desk") -> None:
    over = datetime.now(UTC) - timedelta(seconds=1)
    later = datetime.now(UTC) + timedelta(days=1)
    expired = await desk.accept(expires_at=over, send_at=later)
    standing = [await desk.accept(expires_at=later), await desk.accept()]
    assert await desk.store.expire() == 1
    assert await desk.store.expire() == 0
    assert [await desk.status(id_) for id_ in (expired, *standing)] == ["expired", "queued", "queued"]
    assert await desk.timeline(expired) == ["email.scheduled", "email.expired"]
    assert await desk.delivery(expired) is None


async def test_what_is_being_sent_is_left_to_its_worker(desk: "Desk") -> None:
    id_ = await desk.accept(expires_at=datetime.now(UTC) + timedelta(days=1))
    (claimed,) = await desk.claim()
    column = "now() - interval '1 hour'" if desk.is_postgres else "1"
    await desk.run(lambda tx: tx.connection.exec_driver_sql(f"UPDATE delivery SET expires_at = {column}"))  # noqa: S608
    assert await desk.store.expire() == 0
    assert await desk.store.finish(desk.sent(claimed))
    assert await desk.status(id_) == "sent"


async def test_chores_of_two_processes_share_the_work(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    over = datetime.now(UTC) - timedelta(seconds=1)
    await asyncio.gather(*(desk.store.accept(desk.asked(key=f"k{n}", expires_at=over)) for n in range(1200)))
    stores = [desk.store, desk.another()]

    async def all_of(chore: str, *arguments: float) -> int:
        async def until_done(n: int) -> int:
            total = 0
            while count := await getattr(stores[n], chore)(*arguments):
                total += count
            return total

        return sum(await asyncio.gather(*map(until_done, range(2))))

    assert await all_of("expire") == 1200
    assert await all_of("forget", -1.0) == 1200
    assert await desk.count("ended") == 1200
