"""What doctor says of the DNS records that mail is judged by, from a name server of the test's own."""

import socket
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from notifier.mail.dkim import DkimKey
from notifier.records import Finding, Sending, examine, wanted
from tests.support.names import Records, name_server, resolver_at

DOMAIN = "shop-of-zoe.com"
KEY = DkimKey(DOMAIN, "s2026", Ed25519PrivateKey.generate())
SENDING = Sending(DOMAIN, DOMAIN, "smtp.relay.org", (KEY,))
ZONE: Records = {(DOMAIN, "SOA"): ["ns.example.org. hostmaster.example.org. 1 3600 600 86400 60"]}
GOOD: Records = {
    (DOMAIN, "TXT"): ['"google-site-verification=x"', '"v=spf1 a:smtp.relay.org ~all"'],
    (KEY.name, "TXT"): [f'"{KEY.record}"'],
    (f"_dmarc.{DOMAIN}", "TXT"): ['"v=DMARC1; p=reject"'],
}


async def findings(records: Records, sending: Sending = SENDING) -> dict[str, Finding]:
    async with name_server({**ZONE, **records}) as resolver:
        return {finding.step: finding async for finding in examine(sending, resolver)}


async def changed(name: str, *texts: str, sending: Sending = SENDING) -> dict[str, Finding]:
    """What is found where a name's TXT records are others."""
    return await findings({**GOOD, (name, "TXT"): [f'"{text}"' for text in texts]}, sending)


async def test_good_records_are_good() -> None:
    found = await findings(GOOD)
    assert {step: finding.verdict for step, finding in found.items()} == {"spf": "ok", "dkim": "ok", "dmarc": "ok"}
    assert "SPF and DKIM" in found["dmarc"].said


async def test_what_is_missing_is_told_as_a_line_of_a_zone_file() -> None:
    sending = replace(SENDING, envelope=f"mail.{DOMAIN}", bounces=f"mail.{DOMAIN}")
    found = await findings({}, sending)
    assert {step: finding.verdict for step, finding in found.items()} == {
        "spf": "warning", "dkim": "failed", "dmarc": "warning", "mx": "failed",
    }  # fmt: skip
    assert found["spf"].advice == f'set mail.{DOMAIN}. TXT "v=spf1 a:smtp.relay.org ~all"'
    assert found["dkim"].advice == f'set s2026._domainkey.{DOMAIN}. TXT "{KEY.record}"'
    assert found["dmarc"].advice == f'set _dmarc.{DOMAIN}. TXT "v=DMARC1; p=none"'
    assert "MX" in found["mx"].advice


async def test_what_it_says_to_set_is_good_once_it_is_set() -> None:
    """With a long key, whose record takes two strings."""
    key = replace(KEY, key=generate_private_key(public_exponent=65537, key_size=2048))
    sending = replace(SENDING, keys=(key, replace(KEY, selector="e2026")), relay="email-smtp.eu-west-1.amazonaws.com")
    zone: dict[tuple[str, str], list[str]] = {}
    for _, record in wanted(sending):
        name, type_, value = record.split(" ", 2)
        zone[name.removesuffix("."), type_] = [value]
    assert "include:amazonses.com" in str(zone)
    assert {finding.verdict for finding in (await findings(zone, sending)).values()} == {"ok"}


@pytest.mark.parametrize("relay", [None, "localhost", "10.0.0.1", "[::1]"])
async def test_a_relay_of_ones_own_network_may_send_from_anywhere(relay: str | None) -> None:
    found = await changed(DOMAIN, "v=spf1 ip4:198.51.100.7 -all", sending=replace(SENDING, relay=relay))
    assert found["spf"].verdict == "ok"
    assert "ADDRESS" in wanted(replace(SENDING, relay=relay))[0][1]


@pytest.mark.parametrize(
    ("texts", "verdict", "said"),
    [
        (["v=spf1 a:smtp.relay.org ~all", "v=spf1 -all"], "failed", "2 SPF records"),
        (["v=spf1 a:smtp.relay.org +all"], "failed", "lets everybody send"),
        (["v=spf1 a:smtp.relay.org all"], "failed", "lets everybody send"),
        (["v=spf1 -all"], "warning", "does not name smtp.relay.org"),
        (["v=spf1 " + " ".join(f"include:{n}.org" for n in range(11)) + " -all"], "failed", "ask 11 times"),
        (["v=spf10 something"], "warning", "has no SPF record"),
    ],
)
async def test_spf_is_looked_at(texts: list[str], verdict: str, said: str) -> None:
    spf = (await changed(DOMAIN, *texts))["spf"]
    assert spf.verdict == verdict
    assert said in spf.said


async def test_the_key_in_the_dns_must_be_the_one_that_signs() -> None:
    other = replace(KEY, key=Ed25519PrivateKey.generate())
    for text, said in ((other.record, "another key"), ("v=DKIM1; k=ed25519; p=", "revoked")):
        dkim = (await changed(KEY.name, text))["dkim"]
        assert (dkim.verdict, said in dkim.said, KEY.record in dkim.advice) == ("failed", True, True)
    spaced = KEY.record.replace("; ", " ;  ").replace("p=", "p= ")
    assert (await changed(KEY.name, spaced))["dkim"].verdict == "ok"


@pytest.mark.parametrize(
    ("policy", "sending", "verdict"),
    [
        ("v=DMARC1; p=reject", {"envelope": "bounces.relay.org"}, "ok"),  # by DKIM
        ("v=DMARC1; p=reject", {"keys": ()}, "ok"),  # by SPF
        ("v=DMARC1; p=reject", {"keys": (), "envelope": f"mail.{DOMAIN}"}, "ok"),
        ("v=DMARC1; p=reject; aspf=s", {"keys": (), "envelope": f"mail.{DOMAIN}"}, "failed"),
        ("v=DMARC1; p=reject", {"keys": (), "envelope": "bounces.relay.org"}, "failed"),
        ("v=DMARC1; p=none", {"keys": (), "envelope": "bounces.relay.org"}, "warning"),
        ("v=DMARC1; p=maybe", {}, "failed"),
    ],
)
async def test_somebody_must_vouch_for_the_domain_that_readers_see(
    policy: str, sending: dict[str, object], verdict: str
) -> None:
    given = replace(SENDING, **sending)  # type: ignore[arg-type]
    assert (await changed(f"_dmarc.{DOMAIN}", policy, sending=given))["dmarc"].verdict == verdict


async def test_a_subdomain_has_the_policy_of_the_domain_above_it() -> None:
    sending = replace(SENDING, domain=f"news.{DOMAIN}", keys=(), envelope=f"mail.{DOMAIN}")
    found = await changed(f"_dmarc.{DOMAIN}", "v=DMARC1; p=reject; sp=none", sending=sending)
    assert found["dmarc"].verdict == "ok"


async def test_where_no_name_server_answers_all_is_said_and_nothing_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.records._PATIENCE", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    found = [finding async for finding in examine(SENDING, resolver_at(port))]
    assert [finding.step for finding in found] == ["spf", "dkim", "dmarc"]
    for finding in found:
        assert finding.verdict == "skipped"
        assert "the DNS cannot be asked from here" in finding.said
        assert finding.advice.startswith("set ")


async def test_name_servers_of_a_closed_network_prove_nothing() -> None:
    async with name_server({("corp.example.org", "SOA"): []}) as resolver:
        found = [finding async for finding in examine(SENDING, resolver)]
    assert {finding.verdict for finding in found} == {"skipped"}
    assert f"do not know {DOMAIN} at all" in found[0].said


@pytest.mark.parametrize("domain", ["localhost", "example.com", "mail.example.org", "corp.local", "shop.test"])
async def test_names_that_nobody_has_are_not_asked_for(domain: str) -> None:
    (finding,) = [finding async for finding in examine(Sending(domain, domain, None))]
    assert (finding.step, finding.verdict) == ("records", "skipped")
