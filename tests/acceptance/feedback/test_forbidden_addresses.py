"""Whatever somebody writes as the URL of an endpoint, nothing of ours is reached by it: a canary would hear of it."""

import asyncio

import pytest

from notifier.capture.tls import client_context, server_context
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Forbidden, Http
from tests.acceptance.feedback.conftest import Endpoint, answered

FORBIDDEN = [
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",  # noqa: S104
    "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0:0", "0:0:0:0:0:ffff:c0a8:0001", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:10::1", "2001:20::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "ff05::2", "", "localhost", "2130706433", "0x7f.1", "127.1",
]  # fmt: skip


def test_there_are_sixty_forms() -> None:
    assert len(set(FORBIDDEN)) >= 60


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_no_request_goes_to_an_address_that_is_not_everybodys(endpoint: Endpoint, address: str) -> None:
    """Whatever the name resolves to is what decides; the canary is on this machine, at the port that is asked for."""

    async def lead(_host: str, _port: int) -> list[str]:
        return [address]

    http = Http(Networks(), resolver=lead)
    with pytest.raises(Forbidden):
        await http.exchange("POST", f"http://innocent.example:{endpoint.port}/hook")
    await http.aclose()
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]", "0"],
)
async def test_however_this_machine_is_spelled_it_is_not_reached(endpoint: Endpoint, host: str) -> None:
    http = Http(Networks())
    with pytest.raises((Forbidden, OSError)):
        await http.exchange("POST", f"http://{host}:{endpoint.port}/hook")
    await http.aclose()
    assert endpoint.connections == 0


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::1.1.1.1"])
def test_public_addresses_are_reached(address: str) -> None:
    assert Networks().may_reach(address)


def test_what_the_settings_open_is_reached_and_nothing_beside_it() -> None:
    networks = Networks(["10.1.0.0/16", "fd00:1::/32"])
    assert networks.may_reach("10.1.2.3")
    assert networks.may_reach("::ffff:10.1.2.3")
    assert networks.may_reach("fd00:1::5")
    assert not networks.may_reach("10.2.0.1")


async def test_a_name_that_changes_its_mind_leads_nowhere_else(endpoint: Endpoint) -> None:
    """Rebinding: the first answer is what is checked and what is connected to; there is no second question."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["192.0.2.1"] if len(asked) == 1 else ["127.0.0.1"]

    http = Http(Networks(["192.0.2.0/24"]), timeout=0.3, resolver=rebinding)
    with pytest.raises((OSError, TimeoutError)):
        await http.exchange("POST", f"http://rebind.example:{endpoint.port}/hook")
    with pytest.raises(Forbidden):
        await http.exchange("POST", f"http://rebind.example:{endpoint.port}/hook")
    await http.aclose()
    assert len(asked) == 2
    assert endpoint.connections == 0


async def test_one_forbidden_address_among_good_ones_rules_a_host_out(endpoint: Endpoint) -> None:
    async def mixed(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    http = Http(Networks(), resolver=mixed)
    with pytest.raises(Forbidden):
        await http.exchange("POST", f"http://mixed.example:{endpoint.port}/")
    await http.aclose()


async def test_a_redirect_is_not_followed_and_the_environments_proxy_not_asked(
    endpoint: Endpoint, another: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", another.url)
    monkeypatch.setenv("ALL_PROXY", another.url)
    endpoint.answers = [answered(307, location=another.url, set_cookie="a=b"), answered(200)]
    http = Http(Networks(["127.0.0.0/8"]))
    assert (await http.exchange("POST", endpoint.url))[0] == 307
    assert (await http.exchange("POST", endpoint.url))[0] == 200
    await http.aclose()
    assert "cookie" not in endpoint.received[1].headers
    assert endpoint.received[1].headers["host"] == f"127.0.0.1:{endpoint.port}"
    assert another.connections == 0


async def test_a_name_is_looked_at_again_for_each_connection(endpoint: Endpoint) -> None:
    """What was checked is good for the connection that was made to it, and for no other."""
    addresses = iter(["127.0.0.1", "10.0.0.1"])

    async def moving(_host: str, _port: int) -> list[str]:
        return [next(addresses)]

    http = Http(Networks(["127.0.0.1/32"]), resolver=moving)
    url = f"http://moving.example:{endpoint.port}/"
    for _ in range(2):  # over one connection
        assert (await http.exchange("POST", url))[0] == 200
    endpoint.answers = [b""]
    with pytest.raises(Forbidden):
        await http.exchange("POST", url)
    await http.aclose()
    assert endpoint.connections == 1


@pytest.mark.parametrize(
    ("host", "trusted", "taken"),
    [("hook.example", True, True), ("other.example", True, False), ("127.0.0.1", True, False),
     ("hook.example", False, False)],
)  # fmt: skip
async def test_tls_is_for_the_name_and_not_for_the_address(host: str, trusted: bool, taken: bool) -> None:
    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    tls = client_context(("hook.example",)) if trusted else None
    heard = Endpoint()
    server = await asyncio.start_server(heard.serve, "127.0.0.1", 0, ssl=server_context(("hook.example",)))
    url = f"https://{host}:{server.sockets[0].getsockname()[1]}/"
    http = Http(Networks(["127.0.0.0/8"]), resolver=here, tls=tls)
    try:
        if taken:
            assert (await http.exchange("POST", url))[0] == 200
        else:
            with pytest.raises(OSError, match="certificate verify failed"):
                await http.exchange("POST", url)
    finally:  # uvloop does not end over a server that still listens
        await http.aclose()
        server.close()
    assert len(heard.received) == taken
