"""What a worker was lost with is sent alone, one by one; and still soon, however much waits beside it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from notifier.app.service import Service
from notifier.domain.acceptance import Acceptance
from notifier.settings import Settings
from notifier.store.engine import open_database
from notifier.store.store import Store
from tests.support.sink import Sink, mail

SUSPECTS, BACKLOG = 60, 4000


async def fill(store: Store, name: str, count: int) -> None:
    now = datetime.now(UTC)
    news = [mail("default", "normal", f"{name}-{n}@example.com") for n in range(count)]
    await store.accept(Acceptance("default", news, now, size=count))


async def test_suspects_do_not_wait_for_the_end_of_a_backlog(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/notifier.db"
    store = Store(open_database(url))
    await store.migrate()
    await fill(store, "suspect", SUSPECTS)
    lost = await store.claim("a worker that is gone", 60.0, SUSPECTS, 1, False)
    assert len(lost.claimed) == SUSPECTS
    await fill(store, "other", BACKLOG)
    await store.close()
    async with Sink(0.005) as sink:
        given: dict[str, Any] = {"NOTIFIER_DATABASE_URL": url, "MAIL_SERVER": "127.0.0.1", "MAIL_PORT": sink.port}
        async with Service(Settings(**given)):
            for n in range(SUSPECTS):
                await sink.wait_for(f"suspect-{n}@example.com")
            others = sum(address.startswith("other") for address in sink.came)
    assert 0 < others < BACKLOG / 2, f"{others} of {BACKLOG} others were sent first"
