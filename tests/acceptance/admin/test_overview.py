"""The first page: counts, what waits, and how the relay is."""

import re
from datetime import UTC, datetime, timedelta

from notifier.domain.admin import KINDS, Tally
from notifier.store.admin import AdminStore
from notifier.store.engine import open_database
from tests.acceptance.admin.conftest import Visit
from tests.acceptance.conftest import House


def _totals(page: str) -> dict[str, int]:
    found = re.findall(r'<h2>(\w+)</h2>\s*<p class="total">([\d,]+)</p>', page)
    return {kind: int(total) for kind, total in found}


async def test_what_went_through_is_counted_and_what_waits_is_told(house: House, visit: Visit) -> None:
    client = await visit("admin")
    house.capture.fail_next(stage="rcpt", code=550, text="5.7.1 Not from here")
    for _ in range(3):
        await house.final((await house.send())["id"])
    for scale in ("hour", "day", "month"):
        page = (await client.get("/admin/", params={"range": scale})).text
        assert _totals(page) == {"accepted": 3, "sent": 2, "deferred": 0, "failed": 1}
    await house.stop()
    assert "stopped" in (await client.get("/admin/")).text


async def test_events_are_counted_once_whenever_they_are_looked_at(house: House) -> None:
    now = datetime.now(UTC)
    database = open_database(house.service.settings.database_url, clock=lambda: now)
    store, tally = AdminStore(database), Tally()

    async def sent() -> int:
        counted = (await store.tally(tally)).counts(0, 1 << 40, 1)
        assert set(counted) == set(KINDS)
        return sum(counted["sent"])

    try:
        for expected in (1, 2, 3):
            await house.final((await house.send())["id"])
            assert await sent() == expected
            now += timedelta(minutes=2)  # what is there is settled; what comes next is older than this clock
            assert await sent() == expected
            assert await sent() == expected
        assert tally.complete
    finally:
        await database.close()


async def test_trouble_of_the_relay_is_told_in_its_words_with_what_to_do(house: House, visit: Visit) -> None:
    client = await visit("admin")
    house.capture.fail(stage="connect", code=554, text="5.7.1 Go away")
    sent = await house.send()
    worker = house.service.worker
    assert worker is not None
    while worker.relay.state.trouble is None:
        await (await visit()).get("/livez")
    page = (await client.get("/admin/")).text
    assert "554 5.7.1 Go away" in page
    assert "ask its operator" in page
    assert (await client.get(f"/admin/notifications/{sent['id']}")).status_code == 200


async def test_how_long_mail_of_a_template_takes_is_told(house: House, visit: Visit) -> None:
    await house.final((await house.send())["id"])
    page = (await (await visit("admin")).get("/admin/")).text
    table = page.partition("<h2>Slowest templates</h2>")[2].partition("</section>")[0]
    assert re.findall(r"\?template=(\w+)", table) == ["hello"]
