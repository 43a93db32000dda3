"""How fast endpoints are told, and whose fault it is when one is not."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from notifier.webhooks import transport
from notifier.webhooks.courier import Courier
from notifier.webhooks.networks import Networks
from notifier.webhooks.pace import Pace
from notifier.webhooks.transport import Http, SystemResolver
from tests.acceptance.conftest import MakeHouse
from tests.acceptance.feedback.conftest import OPEN, Endpoint, answered, hook

HERE = Networks(["127.0.0.0/8"])


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The courier looks at its queue when it is woken, and else not for as long as a test takes."""
    defaults = Courier.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(Courier.__init__, "__kwdefaults__", {**defaults, "poll": 3600.0})


@pytest.mark.usefixtures("patient")
async def test_what_happens_is_told_without_waiting_for_the_next_look(
    make_house: MakeHouse, endpoint: Endpoint
) -> None:
    house = await make_house(**OPEN)
    await hook(house, endpoint, types=["email.queued", "email.sent"])
    for count in range(1, 4):
        await house.send()
        await endpoint.until(2 * count)


@pytest.mark.usefixtures("patient")
async def test_on_postgresql_too(make_house: MakeHouse, endpoint: Endpoint, postgres_url: str) -> None:
    house = await make_house(**OPEN, NOTIFIER_DATABASE_URL=postgres_url)
    await hook(house, endpoint, types=["email.queued", "email.sent"])
    for count in range(1, 4):
        await house.send()
        await endpoint.until(2 * count)


async def test_connections_are_kept_and_no_more_than_the_setting(make_house: MakeHouse, endpoint: Endpoint) -> None:
    house = await make_house(**OPEN, NOTIFIER_WEBHOOKS_CONNECTIONS=2)
    await hook(house, endpoint, types=["email.queued"])
    items = [{"to": f"u{n}@example.com"} for n in range(60)]
    body = {"defaults": {"template": "hello", "data": {"name": "Zoë", "code": "1"}}, "notifications": items}
    assert (await house.http.post("/v1/notifications/batch", json=body)).status_code == 202
    await endpoint.until(60)
    assert endpoint.connections <= 2


async def test_more_than_ten_at_a_time_where_the_setting_says_so(make_house: MakeHouse, endpoint: Endpoint) -> None:
    endpoint.answers = [None] * 100
    house = await make_house(**OPEN, NOTIFIER_WEBHOOKS_CONNECTIONS=25)
    await hook(house, endpoint, types=["email.queued"])
    for _ in range(30):
        await house.send()
    assert len(await endpoint.until(25)) == 25


async def test_a_slow_endpoint_delays_nobody_else(make_house: MakeHouse, endpoint: Endpoint, another: Endpoint) -> None:
    endpoint.answers = [None] * 100
    house = await make_house(**OPEN)
    await hook(house, endpoint, types=["email.sent"])
    await hook(house, another, types=["email.sent"])
    for _ in range(15):
        await house.send()
    assert len(await another.until(15)) == 15
    assert len(await endpoint.until(10)) == 10


async def test_a_name_that_cannot_be_looked_up_delays_nobody_else(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Look-ups that hang are as many as there are names, and never keep others from theirs."""
    answers = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> Sequence[tuple[object, ...]]:
        asked.append(host)
        if host != "good.example":
            asyncio.run_coroutine_threadsafe(answers.wait(), loop).result()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    http = Http(HERE, timeout=60.0)
    hanging = [
        asyncio.create_task(http.exchange("POST", f"http://hangs-{n % 20}.example:{endpoint.port}/")) for n in range(80)
    ]
    for _ in range(3):
        assert (await http.exchange("POST", f"http://good.example:{endpoint.port}/"))[0] == 200
    assert len(asked) <= 20 + 3
    answers.set()
    assert {answer[0] for answer in await asyncio.gather(*hanging)} == {200}
    await http.aclose()


async def test_two_names_at_one_address_share_no_connection(endpoint: Endpoint) -> None:
    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    http = Http(HERE, resolver=here)
    for name in ("a.example", "b.example", "a.example", "b.example"):
        await http.exchange("POST", f"http://{name}:{endpoint.port}/")
    await http.aclose()
    assert endpoint.connections == 2
    assert [one.headers["host"].partition(":")[0] for one in endpoint.received] == ["a.example", "b.example"] * 2


async def test_a_connection_that_its_server_closed_meanwhile_is_made_anew(endpoint: Endpoint) -> None:
    http = Http(HERE)
    endpoint.answers = [answered(200), b"", answered(201), b""]
    assert (await http.exchange("POST", endpoint.url))[0] == 200
    assert (await http.exchange("POST", endpoint.url))[0] == 201  # after one that was closed without a word
    endpoint.answers = [b""] * 2
    with pytest.raises(OSError, match="disconnected"):  # not for ever: over a connection of its own it is the answer
        await http.exchange("POST", endpoint.url)
    await http.aclose()
    assert len(endpoint.received) == 5


async def test_what_went_wrong_is_told_by_its_cause() -> None:
    http = Http(HERE)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"ConnectError: .*refused"):
            await http.exchange("POST", f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with pytest.raises(OSError, match=r"nowhere\.invalid cannot be looked up"):
        await Http(HERE, resolver=_nowhere).exchange("POST", "http://nowhere.invalid/")
    await http.aclose()


async def test_a_host_is_reached_at_any_of_its_addresses(endpoint: Endpoint) -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]  # the endpoint listens at the second alone

    http = Http(HERE, resolver=two)
    assert (await http.exchange("POST", f"http://two.example:{endpoint.port}/"))[0] == 200
    await http.aclose()


async def _nowhere(_host: str, _port: int) -> list[str]:
    raise socket.gaierror(-2, "Name or service not known")


async def test_a_pool_without_requests_closes_its_connections(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "KEPT", 0.05)
    http = Http(HERE)
    await http.exchange("POST", endpoint.url)
    async with asyncio.timeout(20):
        await endpoint.left.wait()
    await http.aclose()


async def test_whoever_gives_up_a_look_up_leaves_it_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = asyncio.Event()
    loop = asyncio.get_running_loop()

    def getaddrinfo(_host: str, port: int, **_: object) -> Sequence[tuple[object, ...]]:
        asyncio.run_coroutine_threadsafe(answers.wait(), loop).result()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = SystemResolver()
    gone, waits = (asyncio.create_task(_looked_up(resolver)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    answers.set()
    assert await waits == ["127.0.0.1"]
    with pytest.raises(asyncio.CancelledError):
        await gone
    resolver.close()


async def _looked_up(resolver: SystemResolver) -> Sequence[str]:
    return await resolver("x.example", 80)


def test_more_is_taken_ahead_of_who_is_fast() -> None:
    pace = Pace(10)
    assert pace.room() == 10
    pace.held = 10
    pace.took(1.0)
    assert pace.room() == 2
    for _ in range(100):
        pace.took(0.001)
    assert pace.room() == 100
    pace.held = 61  # more than half of what was taken ahead still waits
    assert pace.room() == 0
    pace.held = 60
    assert pace.room() == 50
