"""Workers that die, stop, or lose the database, and a server that goes away: nothing is lost, and each copy too many is
one that the timeline owned up to before it went out."""

import asyncio
import signal

from notifier.capture import Capture
from tests.support.cluster import Cluster
from tests.support.fleet import CONNECTIONS, Fleet


async def came(relay: Capture, count: int) -> None:
    """Waits for so many more mails from now."""
    wanted = len(relay.messages) + count
    async with asyncio.timeout(30):
        with relay.messages.watch() as bell:
            while len(relay.messages) < wanted:
                bell.clear()
                await bell.wait()


async def test_a_worker_killed_is_replaced_by_the_others(fleet: Fleet, relay: Capture) -> None:
    relay.delay("dot", 0.25)
    async with fleet.under_load("killed") as load:
        await came(relay, 40)
        await fleet.workers[0].kill()
        await came(relay, 40)
    relay.faults.clear()
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert tally.taken_up > 0, "nothing was in its hands when it was killed"
    assert (load.away, load.cut) == (0, 0)


async def test_a_worker_stopped_past_its_lease_and_continued_sends_nothing_that_others_took_up(
    fleet: Fleet, relay: Capture
) -> None:
    relay.delay("dot", 0.25)
    async with fleet.under_load("stopped") as load:
        await came(relay, 40)
        fleet.workers[0].signal(signal.SIGSTOP)
        await came(relay, 40)
    relay.faults.clear()
    await fleet.all_ended(load.ids.values())
    fleet.workers[0].signal(signal.SIGCONT)
    after = await fleet.post("continued", 100)
    tally = await fleet.judge(after, relay)
    assert not tally.wrong, str(tally)
    assert not tally.doubled
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert tally.taken_up > 0, "nothing was in its hands when it was stopped"


async def test_a_worker_cut_off_from_the_database_is_replaced_and_goes_on_when_it_is_back(
    fleet: Fleet, relay: Capture
) -> None:
    relay.delay("dot", 0.25)
    async with fleet.under_load("cut") as load:
        await came(relay, 40)
        await fleet.proxy.cut()
        await came(relay, 40)
    relay.faults.clear()
    await fleet.all_ended(load.ids.values())
    await fleet.proxy.open()
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert tally.taken_up > 0, "nothing was in its hands when it was cut off"
    await fleet.workers[1].stop()
    tally = await fleet.judge(await fleet.post("back", 50), relay)
    assert not tally.wrong, str(tally)


async def test_a_worker_cut_off_begins_no_mail_whose_outcome_it_could_not_write(fleet: Fleet, relay: Capture) -> None:
    for worker in fleet.workers:
        await worker.stop()
    load = await fleet.post("alone", 300)
    relay.delay("dot", 0.05)
    await fleet.workers[0].start()
    await came(relay, 100)
    await fleet.proxy.cut()
    before, in_its_hands = len(relay.messages), await fleet.claimed()
    await fleet.leases_ended()
    came_since = len(relay.messages) - before
    await fleet.proxy.open()
    relay.faults.clear()
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert came_since <= 3 * CONNECTIONS
    assert in_its_hands > came_since, "it had no more than it was sending"


async def test_connections_terminated_under_load_double_nothing(fleet: Fleet, relay: Capture) -> None:
    killed = 0
    async with fleet.under_load("terminated") as load:
        for _ in range(6):
            await came(relay, 30)
            killed += await fleet.terminate_connections()
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert not tally.doubled
    assert killed > 6
    assert load.cut == 0


async def test_a_server_restarted_ten_times_under_load_is_told_with_503_and_found_again(
    fleet: Fleet, relay: Capture, cluster: Cluster
) -> None:
    async with fleet.under_load("restarted") as load:
        for _ in range(10):
            await came(relay, 15)
            await cluster.restart()
    tally = await fleet.judge(load, relay)
    assert not tally.wrong, str(tally)
    assert load.away > 0
    assert load.cut == 0


async def test_while_the_database_is_away_the_api_answers_503_and_recovers_by_itself(
    fleet: Fleet, cluster: Cluster
) -> None:
    body = {"template": "order", "to": "zoe@example.com", "data": {"order": "1"}}
    await fleet.api.post()
    await cluster.stop()
    answer = await fleet.api.http.post(f"{fleet.api.url}/v1/notifications", json=body)
    ready = await fleet.api.http.get(f"{fleet.api.url}/readyz")
    alive = await fleet.api.http.get(f"{fleet.api.url}/livez")
    await cluster.start()
    assert (answer.status_code, ready.status_code, alive.status_code) == (503, 503, 200)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert (await fleet.api.final(await fleet.api.post()))["status"] == "sent"


async def test_a_snapshot_left_open_spoils_nothing(fleet: Fleet, relay: Capture) -> None:
    async with fleet.beside() as reader, reader.transaction(isolation="repeatable_read"):
        before = await reader.fetchval("SELECT count(*) FROM ended")
        async with fleet.under_load("snapshot") as load:
            await came(relay, 200)
        tally = await fleet.judge(load, relay)
        assert await reader.fetchval("SELECT count(*) FROM ended") == before
    assert not tally.wrong, str(tally)
    assert not tally.doubled
