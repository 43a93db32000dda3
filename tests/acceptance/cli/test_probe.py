"""Testing a relay, against servers that really misbehave."""

import socket
from collections.abc import AsyncIterator

import pytest

from notifier.capture import Capture
from notifier.capture.tls import server_context
from notifier.domain.notification import Address
from notifier.mail.relay import RelaySettings
from notifier.probe import SUBJECT, Finding, probe

SENDER = Address("Hello@corp.local", "Zoë, of Corp")
USERS = {"zoe": "s3cret"}


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with Capture(tls_context=server_context(), users=USERS) as server:
        yield server


def settings(capture: Capture, **more: object) -> RelaySettings:
    """Settings that get through: STARTTLS, credentials, and a certificate that nobody signed."""
    usual: dict[str, object] = {
        "username": "zoe", "password": "s3cret", "use_credentials": True, "starttls": True, "validate_certs": False,
        "timeout": 5.0, "local_hostname": "doctor.test",
    }  # fmt: skip
    return RelaySettings(capture.host, capture.port, **(usual | more))  # type: ignore[arg-type]


async def findings(relay: RelaySettings, to: str | None = "reader@example.test") -> dict[str, Finding]:
    return {finding.step: finding async for finding in probe(relay, SENDER, to)}


def verdicts(found: dict[str, Finding]) -> dict[str, str]:
    return {step: finding.verdict for step, finding in found.items()}


async def test_a_good_relay_takes_a_mail(capture: Capture) -> None:
    found = await findings(settings(capture))
    assert verdicts(found) == {
        "settings": "warning", "dns": "ok", "connect": "ok", "tls": "ok", "auth": "ok", "mail": "ok", "message": "ok",
    }  # fmt: skip
    assert "VALIDATE_CERTS=0" in found["settings"].advice
    mail = await capture.messages.wait(to="reader@example.test", timeout=1)
    assert mail.subject == SUBJECT
    assert mail.mail_from == "Hello@corp.local"
    assert "notifier doctor" in (mail.text or "")
    assert [session.commands[0].line for session in capture.sessions] == ["EHLO doctor.test"] * 2


async def test_that_the_mail_is_not_signed_is_told_where_other_mail_is(capture: Capture) -> None:
    found = [finding async for finding in probe(settings(capture), SENDER, "reader@example.test", signs=True)]
    assert (found[-1].verdict, "not signed with NOTIFIER_DKIM_KEYS" in found[-1].advice) == ("ok", True)
    assert capture.messages[0].header("DKIM-Signature") is None


async def test_without_an_address_no_mail_is_sent(capture: Capture) -> None:
    found = await findings(settings(capture), to=None)
    assert found["mail"].verdict == "ok"
    assert found["message"].verdict == "skipped"
    assert not capture.messages


async def test_the_environment_has_no_say(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEOUT", "never")
    monkeypatch.setenv("MAIL_SERVER", "elsewhere.test")
    assert (await findings(settings(capture)))["message"].verdict == "ok"


async def test_wrong_credentials_are_told_in_the_servers_words(capture: Capture) -> None:
    found = await findings(settings(capture, password="wrong"))
    assert list(found) == ["settings", "dns", "connect", "tls", "auth"]
    assert found["tls"].verdict == "ok"
    assert found["auth"].verdict == "failed"
    assert "535 5.7.8" in found["auth"].said
    assert "MAIL_PASSWORD" in found["auth"].advice
    assert not any("wrong" in finding.said for finding in found.values())


async def test_a_relay_without_starttls(capture: Capture) -> None:
    capture.no_starttls()
    found = await findings(settings(capture))
    assert list(found)[-1] == "tls"
    assert "does not offer STARTTLS" in found["tls"].said
    assert "MAIL_STARTTLS" in found["tls"].advice


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_that_nobody_signed(implicit: bool) -> None:
    async with Capture(tls_context=server_context(), implicit_tls=implicit, users=USERS) as capture:
        found = await findings(settings(capture, validate_certs=True, starttls=not implicit, ssl_tls=implicit))
    assert list(found) == ["settings", "dns", "connect", "tls"]
    assert found["connect"].verdict == "ok"
    assert found["tls"].verdict == "failed"
    assert "self-signed" in found["tls"].said
    assert "MAIL_SERVER" in found["tls"].advice


async def test_tls_where_the_relay_speaks_plainly(capture: Capture) -> None:
    found = await findings(settings(capture, starttls=False, ssl_tls=True))
    assert found["tls"].verdict == "failed"
    assert "MAIL_STARTTLS in place of MAIL_SSL_TLS" in found["tls"].said


async def test_credentials_never_go_in_clear_text(capture: Capture) -> None:
    found = await findings(settings(capture, starttls=False))
    assert found["auth"].verdict == "failed"
    assert "do not go in clear text" in found["auth"].said
    assert not capture.sessions


async def test_a_sender_that_is_refused(capture: Capture) -> None:
    capture.fail_next(stage="mail", code=553, text="5.7.1 Sender address rejected: not owned by user zoe")
    found = await findings(settings(capture))
    assert found["mail"].verdict == "failed"
    assert "MAIL FROM:<Hello@corp.local>: 553 5.7.1 Sender address rejected" in found["mail"].said
    assert "MAIL_FROM" in found["mail"].advice
    assert "message" not in found


async def test_a_reader_that_is_put_off_is_no_failure(capture: Capture) -> None:
    capture.greylist(times=1)
    found = await findings(settings(capture))
    assert found["mail"].verdict == "warning"
    assert "451 4.7.1 Greylisted" in found["mail"].said
    assert not capture.messages


async def test_a_refusal_of_the_message_itself(capture: Capture) -> None:
    capture.fail_next(stage="dot", code=554, text="5.7.1 Spam")
    found = await findings(settings(capture))
    assert found["mail"].verdict == "ok"
    assert found["message"].verdict == "failed"
    assert "554 5.7.1 Spam" in found["message"].said


async def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = await findings(RelaySettings("127.0.0.1", port, timeout=5.0))
    assert list(found) == ["settings", "dns", "connect"]
    assert "nothing listens there" in found["connect"].said


async def test_a_name_that_does_not_resolve() -> None:
    found = await findings(RelaySettings("relay.invalid", 25, timeout=5.0))
    assert list(found) == ["settings", "dns"]
    assert found["dns"].verdict == "failed"
    assert "relay.invalid" in found["dns"].said
