"""Opening a session: TLS, AUTH, and what is never sent in clear text; and cleaning one up for the next message."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from notifier.capture import Capture
from notifier.capture import Stage as CaptureStage
from notifier.capture.tls import DEFAULT_NAMES, certificate, server_context
from notifier.domain.lifecycle import Accepted, Deferred, Outcome, Rejected, RelayTrouble, SendResult, Transaction

MakeClient = Callable[..., Any]
StartScripted = Callable[..., Awaitable[Any]]

LOGIN = {"username": "u", "password": "p", "use_credentials": True}


def outcomes(result: SendResult | None) -> list[Outcome]:
    assert isinstance(result, Transaction), result
    return [result.outcomes[n] for n in sorted(result.outcomes)]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine trusts the test server's certificate."""
    path = tmp_path / "ca.pem"
    path.write_bytes(certificate(DEFAULT_NAMES, False)[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.usefixtures("trusted")
async def test_over_tls_with_a_valid_certificate_and_credentials(
    client: MakeClient, implicit: bool, pipelining: bool
) -> None:
    tls = {"ssl_tls": True} if implicit else {"starttls": True}
    async with Capture(
        tls_context=server_context(), implicit_tls=implicit, require_tls=not implicit, users={"u": "p"}
    ) as capture:
        each = client(capture, pipelining=pipelining, **tls, **LOGIN)
        for _ in range(3):
            assert isinstance(outcomes(await each.send(body=b"QUJD\r\n" * 100_000))[0], Accepted)
        (session,) = capture.sessions
        assert (session.tls, session.auth) == (True, "u")
        assert [len(mail.raw) for mail in capture.messages] == [600_000] * 3


@pytest.mark.parametrize("names", [("localhost", "127.0.0.1"), ("elsewhere.test",)])
async def test_a_bad_certificate_is_the_relays_trouble(client: MakeClient, names: tuple[str, ...]) -> None:
    """Signed by nobody whom this machine knows."""
    for implicit in (True, False):
        async with Capture(tls_context=server_context(names), implicit_tls=implicit, users={"u": "p"}) as capture:
            tls = {"ssl_tls": True} if implicit else {"starttls": True}
            trouble = await client(capture, **tls, **LOGIN).send()
            assert isinstance(trouble, RelayTrouble)
            assert (trouble.kind, trouble.stage, trouble.configuration) == ("tls", "starttls", True)
            assert "certificate" in trouble.text
            assert "self-signed" in trouble.text.replace(" ", "-")
            assert not [verb for session in capture.sessions for verb in session.verbs if verb in ("AUTH", "MAIL")]


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_host_is_the_relays_trouble(
    client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "other.pem"
    path.write_bytes(certificate(("elsewhere.test",), False)[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with Capture(tls_context=server_context(("elsewhere.test",))) as capture:
        trouble = await client(capture, starttls=True).send()
        assert isinstance(trouble, RelayTrouble)
        assert trouble.kind == "tls"
        assert "elsewhere" in trouble.text or "127.0.0.1" in trouble.text
        assert isinstance(outcomes(await client(capture, starttls=True, validate_certs=False).send())[0], Accepted)


async def test_tls_at_a_port_that_speaks_plain_smtp_names_the_setting(capture: Capture, client: MakeClient) -> None:
    trouble = await client(capture, ssl_tls=True).send()
    assert isinstance(trouble, RelayTrouble)
    assert (trouble.kind, trouble.configuration) == ("tls", True)
    assert "MAIL_STARTTLS" in trouble.text


async def test_when_starttls_is_gone_nothing_goes_in_clear_text(client: MakeClient) -> None:
    async with Capture(tls_context=server_context(), users={"u": "p"}) as capture:
        capture.no_starttls()
        trouble = await client(capture, starttls=True, **LOGIN).send()
        assert isinstance(trouble, RelayTrouble)
        assert (trouble.kind, trouble.stage, trouble.configuration) == ("tls", "starttls", True)
        assert capture.sessions[0].verbs == ["EHLO"]


async def test_credentials_without_tls_do_not_even_connect_unless_told_so(client: MakeClient) -> None:
    async with Capture(users={"u": "p"}) as capture:
        trouble = await client(capture, **LOGIN).send()
        assert isinstance(trouble, RelayTrouble)
        assert (trouble.kind, trouble.configuration) == ("tls", True)
        assert "MAIL_STARTTLS" in trouble.text
        assert capture.total_connections == 0
        assert isinstance(outcomes(await client(capture, allow_plaintext_auth=True, **LOGIN).send())[0], Accepted)


async def test_a_wrong_password_is_offered_once_however_many_mails_wait(client: MakeClient) -> None:
    async with Capture(tls_context=server_context(), users={"u": "right"}) as capture:
        each = client(capture, starttls=True, validate_certs=False, probe_first=60.0, probe_longest=60.0, **LOGIN)
        for trouble in await asyncio.gather(*(each.send() for _ in range(20))):
            assert isinstance(trouble, RelayTrouble)
            assert (trouble.kind, trouble.stage, trouble.configuration) == ("auth", "auth", True)
            assert trouble.reply is not None
            assert trouble.reply.code == 535
            assert trouble.text.endswith("the relay does not accept MAIL_USERNAME/MAIL_PASSWORD")
        assert [session.verbs.count("AUTH") for session in capture.sessions] == [1]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("CRAM-MD5 LOGIN PLAIN", "CRAM-MD5"),
        ("LOGIN PLAIN", "PLAIN"),
        ("XOAUTH2 LOGIN", "LOGIN"),
        ("CRAM-MD5", "CRAM-MD5"),
    ],
)
async def test_the_best_mechanism_offered_is_used(
    scripted: StartScripted, client: MakeClient, offered: str, chosen: str
) -> None:
    """In clear text, where that was allowed, CRAM-MD5 comes first; over TLS it comes last."""

    async def script(peer: Any) -> None:
        await peer.greet(f"AUTH {offered}")
        line = await peer.hear(f"AUTH {chosen}")
        if chosen == "PLAIN":
            assert base64.b64decode(line.split()[2]) == b"\0u\0p"
        else:
            peer.say("334 " + base64.b64encode(b"<1@x>").decode())
            proof = base64.b64decode(await peer.hear(""))
            digest = hmac.new(b"p", b"<1@x>", hashlib.md5).hexdigest()
            assert proof == (b"p" if chosen == "LOGIN" else b"u " + digest.encode())
        peer.say("235 2.7.0 welcome")
        await peer.take()
        await peer.hear("QUIT")

    each = client(await scripted(script), allow_plaintext_auth=True, **LOGIN)
    assert isinstance(outcomes(await each.send())[0], Accepted)


async def test_over_tls_plain_comes_before_cram_md5(scripted: StartScripted, client: MakeClient) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("AUTH CRAM-MD5 LOGIN PLAIN")
        await peer.hear("AUTH PLAIN")
        peer.say("235 2.7.0 welcome")
        await peer.take()
        await peer.hear("QUIT")

    server = await scripted(script, server_context())
    assert isinstance(outcomes(await client(server, ssl_tls=True, validate_certs=False, **LOGIN).send())[0], Accepted)


async def test_no_mechanism_that_we_know_is_a_configuration_error(scripted: StartScripted, client: MakeClient) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("AUTH GSSAPI NTLM")
        assert await peer.gone() == b""

    trouble = await client(await scripted(script), allow_plaintext_auth=True, **LOGIN).send()
    assert isinstance(trouble, RelayTrouble)
    assert (trouble.kind, trouble.configuration) == ("auth", True)
    assert "GSSAPI, NTLM" in trouble.text


async def test_a_server_from_before_esmtp_is_spoken_to(scripted: StartScripted, client: MakeClient) -> None:
    async def script(peer: Any) -> None:
        peer.say("220 old.test")
        await peer.hear("EHLO")
        peer.say("500 what")
        await peer.hear("HELO client.test")
        peer.say("250 old.test")
        await peer.hear("MAIL FROM:<notifier@example.test>")
        assert "SIZE" not in peer.lines[-1]
        peer.say("250 ok")
        await peer.hear("RCPT")
        peer.say("250 ok")
        await peer.hear("DATA")
        peer.say("354 go on")
        await peer.reader.readuntil(b"\r\n.\r\n")
        peer.say("250 taken")
        await peer.hear("QUIT")

    (outcome,) = outcomes(await client(await scripted(script)).send())
    assert isinstance(outcome, Accepted)


async def test_a_name_that_does_not_resolve_says_which_setting(capture: Capture, client: MakeClient) -> None:
    capture.host = "no-such-host.invalid"
    trouble = await client(capture).send()
    capture.host = "127.0.0.1"
    assert isinstance(trouble, RelayTrouble)
    assert (trouble.kind, trouble.stage) == ("unreachable", "connect")
    assert "no-such-host.invalid" in trouble.text
    assert "MAIL_SERVER" in trouble.text


# Pipelining (RFC 2920)


async def test_a_354_with_nobody_accepted_gets_a_lone_dot_and_the_session_goes_on(
    scripted: StartScripted, client: MakeClient
) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL", "RCPT", "RCPT", "DATA")
        peer.say("250 ok", "550 5.1.1 who", "450 4.2.1 later", "354 go on")
        assert await peer.hear("") == "."
        peer.say("554 5.5.1 no valid recipients")
        await peer.hear("RSET")
        peer.say("250 ok")
        await peer.hear("MAIL", "RCPT", "DATA")
        peer.say("250 ok", "250 ok", "354 go on")
        await peer.reader.readuntil(b"\r\n.\r\n")
        peer.say("250 2.0.0 taken")
        await peer.hear("QUIT")

    server = await scripted(script)
    each = client(server, connections=1)
    no, later = outcomes(await each.send("a@example.test", "b@example.test"))
    assert isinstance(no, Rejected)
    assert isinstance(later, Deferred)
    assert isinstance(outcomes(await each.send())[0], Accepted)
    assert len(server.peers) == 1


async def test_a_354_after_a_refused_mail_with_a_recipient_taken_hangs_up(
    scripted: StartScripted, client: MakeClient
) -> None:
    """A dot would send an empty mail."""

    async def script(peer: Any) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL", "RCPT", "DATA")
        peer.say("550 5.7.1 not you", "250 ok", "354 go on")
        assert await peer.gone() == b""

    server = await scripted(script)
    each = client(server)
    (outcome,) = outcomes(await each.send())
    assert isinstance(outcome, Rejected)
    assert outcome.stage == "mail"
    await each.watcher.until(lambda watcher: bool(watcher.closed))


async def test_a_421_in_the_middle_of_pipelined_replies_defers_those_left(
    scripted: StartScripted, client: MakeClient
) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL", "RCPT", "RCPT", "RCPT", "DATA")
        peer.say("250 ok", "250 ok", "550 5.1.1 who", "421 4.7.0 enough, try again in 90 seconds")
        assert await peer.gone() == b""

    first, second, third = outcomes(await client(await scripted(script)).send("a@x.test", "b@x.test", "c@x.test"))
    assert isinstance(first, Deferred)
    assert (first.stage, first.after) == ("rcpt", 90.0)
    assert isinstance(second, Rejected)
    assert isinstance(third, Deferred)


async def test_a_mail_that_is_refused_leaves_the_session_for_the_next(capture: Capture, client: MakeClient) -> None:
    refusals: tuple[tuple[CaptureStage, int], ...] = (("mail", 550), ("rcpt", 550), ("data", 554), ("dot", 554))
    for stage, code in refusals:
        capture.fail_next(stage=stage, code=code)
    each = client(capture, connections=1)
    for _ in range(4):
        assert isinstance(outcomes(await each.send())[0], Rejected)
    assert isinstance(outcomes(await each.send())[0], Accepted)
    assert capture.total_connections == 1
    assert capture.sessions[0].pipelined


async def test_garbage_at_the_dot_is_not_read_as_a_reply(scripted: StartScripted, client: MakeClient) -> None:
    """A code of no class, or a 354: nothing that a dot can be answered with."""
    for answer in ("999 what", "354 go on", "2500 ok", "25"):

        async def script(peer: Any, answer: str = answer) -> None:
            await peer.greet()
            await peer.to_body()
            await peer.reader.readuntil(b"\r\n.\r\n")
            peer.say(answer)
            await peer.gone()

        (outcome,) = outcomes(await client(await scripted(script)).send())
        assert type(outcome).__name__ == "Unknown", (answer, outcome)
