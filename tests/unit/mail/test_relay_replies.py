"""What replies mean: tables."""

import pytest

from notifier.domain.lifecycle import Accepted, Deferred, Rejected, Stage
from notifier.mail.relay.replies import (
    LONGEST_TEXT,
    needs_session,
    outcome,
    read,
    recipient_outcome,
    trouble,
    wait_asked,
)
from notifier.mail.relay.wire import RawReply


@pytest.mark.parametrize(
    ("raw", "enhanced", "text", "shown"),
    [
        ((250, b"2.0.0 Ok: queued as 4F1"), "2.0.0", "Ok: queued as 4F1", "250 2.0.0 Ok: queued as 4F1"),
        ((550, b"5.1.1 no such 5.1.1 user here"), "5.1.1", "no such user here", "550 5.1.1 no such user here"),
        ((250, b"ok"), None, "ok", "250 ok"),
        ((250, b""), None, "", "250"),
        ((250, b"2.0.0"), "2.0.0", "", "250 2.0.0"),
        ((550, b"5.1.1.1 no code"), None, "5.1.1.1 no code", "550 5.1.1.1 no code"),
        ((451, b"3.0.0 no class"), None, "3.0.0 no class", "451 3.0.0 no class"),
        ((550, b"bell \x07 and \x1b[31m red"), None, "bell   and  [31m red", "550 bell   and  [31m red"),
        ((550, "für Zoë".encode()), None, "für Zoë", "550 für Zoë"),
        ((550, b"latin \xe9"), None, "latin �", "550 latin �"),
    ],
)
def test_a_reply_is_read_and_safe_to_show(raw: RawReply, enhanced: str | None, text: str, shown: str) -> None:
    reply = read(raw)
    assert (reply.enhanced, reply.text, str(reply)) == (enhanced, text, shown)


def test_a_long_reply_is_cut() -> None:
    assert len(read((550, b"x" * 5000)).text) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Greylisted, try again in 300 seconds", 300.0),
        ("please try again in 5 minutes", 300.0),
        ("Please retry after 10m", 600.0),
        ("Recipient greylisted for 120s.", 120.0),
        ("Rate limit exceeded. Wait 1 hour.", 3600.0),
        ("try again in 00:04:30", 270.0),
        ("Greylisting in effect, please come back and try again in 04:30", 270.0),
        ("delayed for 90 sec", 90.0),
        ("try again in 90 days and 4000 hours", 86400.0),
        ("Try again later", None),
        ("4.7.0 [203.0.113.7] blocked", None),
        ("try again later (id 4821)", None),
        ("Mailbox full, 100 mails waiting", None),
        ("try again in 0 seconds", None),
        ("message 12 seconds old", None),
    ],
)
def test_the_wait_that_a_server_names_is_heard(text: str, seconds: float | None) -> None:
    assert wait_asked(text) == seconds


@pytest.mark.parametrize(
    ("raw", "stage", "fate"),
    [
        ((250, b"2.0.0 Ok"), Stage.DOT, Accepted),
        ((451, b"4.7.1 later"), Stage.RCPT, Deferred),
        ((550, b"5.1.1 no"), Stage.RCPT, Rejected),
        ((554, b"5.7.1 spam"), Stage.DOT, Rejected),
        ((421, b"4.3.2 bye"), Stage.DOT, Deferred),
        ((503, b"5.5.1 nested MAIL"), Stage.MAIL, Deferred),
        ((250, b"ok"), Stage.DATA, Deferred),
        ((354, b"go on"), Stage.MAIL, Deferred),
    ],
)
def test_the_class_of_a_reply_decides(raw: RawReply, stage: Stage, fate: type) -> None:
    got = outcome(raw, stage)
    assert type(got) is fate
    assert got.reply is not None
    assert got.reply.code == raw[0]
    if not isinstance(got, Accepted):
        assert got.stage is stage


@pytest.mark.parametrize(
    ("raw", "others", "split"),
    [
        ((452, b"4.5.3 Too many recipients"), True, True),
        ((452, b"Too many recipients received this hour"), True, True),
        ((552, b"5.5.3 too many rcpt"), True, True),
        ((452, b"4.5.3 Too many recipients"), False, False),
        ((452, b"4.2.2 Mailbox full"), True, False),
        ((450, b"4.5.3 odd"), True, False),
    ],
)
def test_too_many_recipients_split_only_when_others_were_taken(raw: RawReply, others: bool, split: bool) -> None:
    got = recipient_outcome(raw, others)
    assert isinstance(got, Deferred)
    assert got.split is split


def test_a_full_mailbox_by_552_is_rejected() -> None:
    assert isinstance(recipient_outcome((552, b"5.2.2 Mailbox full"), True), Rejected)


def test_530_is_not_the_messages_fault() -> None:
    got = needs_session((530, b"5.7.0 Authentication required"))
    assert got is not None
    assert got.configuration
    assert needs_session((550, b"5.7.1 no")) is None


@pytest.mark.parametrize(
    ("stage", "code", "kind", "configuration"),
    [
        (Stage.CONNECT, 421, "throttled", False),
        (Stage.CONNECT, 450, "throttled", False),
        (Stage.CONNECT, 554, "refused", False),
        (Stage.EHLO, 550, "refused", False),
        (Stage.STARTTLS, 454, "tls", False),
        (Stage.STARTTLS, 501, "tls", True),
        (Stage.AUTH, 535, "auth", True),
        (Stage.AUTH, 534, "auth", True),
        (Stage.AUTH, 454, "auth", False),
        (Stage.AUTH, 421, "throttled", False),
    ],
)
def test_a_refusal_before_any_message_is_trouble_of_a_kind(
    stage: Stage, code: int, kind: str, configuration: bool
) -> None:
    got = trouble(stage, code, b"whatever it says")
    assert (got.kind, got.configuration, got.stage) == (kind, configuration, stage)
    assert got.text.startswith(f"{code} whatever it says: ")


def test_trouble_says_what_to_do() -> None:
    got = trouble(Stage.AUTH, 535, b"5.7.8 Authentication failed")
    assert got.text == "535 5.7.8 Authentication failed: the relay does not accept MAIL_USERNAME/MAIL_PASSWORD"
