"""What users of the fixtures rely on, with the real service behind them."""

import smtplib
from datetime import timedelta
from email.message import EmailMessage

import pytest

from notifier.capture import NoSuchMail
from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer

RESET = {"reset_url": "https://app.test/reset?token=abc"}


def test_a_mail_is_waited_for_by_its_notification_and_counts_its_attempts(
    notifier_mail: Mailbox, notifier_client: Notifier
) -> None:
    notifier_mail.fail_next(rcpt="a@x.test", code=451, times=2)
    other = notifier_client.send("welcome", to="c@x.test", data={"name": "Cleo", "start_url": "https://app.test/"})
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET, reference="reset-1")
    mail = notifier_mail.wait_for(notification=sent.id, timeout=30)
    assert (mail.notification, mail.attempts) == (sent.id, 3)
    assert mail.link("reset") == RESET["reset_url"]
    mail.assert_valid()
    assert notifier_mail.wait_for(template="password-reset", reference="reset-1", to="A@X.test").id == mail.id
    assert notifier_mail.wait_for(subject="(?i)welcome").notification == other.id
    notifier_mail.assert_none(to="b@x.test")


def test_the_clock_of_the_service_is_moved_to_what_is_scheduled(
    notifier_mail: Mailbox, notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    at = notifier_server.now() + timedelta(hours=2)
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET, send_at=at)
    assert sent.status == "scheduled"
    notifier_server.advance("1h30m")
    notifier_mail.assert_none(to="a@x.test")
    assert notifier_client.get(sent.id).status == "scheduled"
    assert notifier_server.advance("31m") >= at
    assert notifier_mail.wait_for(notification=sent.id).attempts == 1


def test_moving_the_clock_ends_what_expires(
    notifier_mail: Mailbox, notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    notifier_mail.fail(rcpt="a@x.test", code=451, text="4.7.1 Try again in 2 hours")
    sent = notifier_client.send(
        "password-reset", to="a@x.test", data=RESET, expires_at=notifier_server.now() + timedelta(hours=1)
    )
    put_off = notifier_client.get(sent.id, wait=0.5)
    assert not put_off.final
    notifier_server.advance("1h")
    assert notifier_client.wait_until_final(sent.id, timeout=30).status == "expired"


def test_moving_the_clock_brings_the_next_retry(
    notifier_mail: Mailbox, notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    notifier_mail.fail_next(rcpt="a@x.test", code=451, text="4.7.1 Try again in 20 minutes")
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET)
    with pytest.raises(NoSuchMail):
        notifier_mail.wait_for(notification=sent.id, timeout=0.5)
    notifier_server.advance("21m")
    assert notifier_mail.wait_for(notification=sent.id).attempts == 2


def test_a_relay_that_greylists_gets_the_mail_at_the_second_try(
    notifier_mail: Mailbox, notifier_client: Notifier
) -> None:
    notifier_mail.greylist(rcpt="a@x.test")
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET)
    assert notifier_mail.wait_for(notification=sent.id, timeout=30).attempts == 2


class TestWithABounceAddress:
    @pytest.fixture
    def notifier_settings(self) -> dict[str, object]:
        return {"NOTIFIER_BOUNCE_ADDRESS": "bounces@x.test"}

    def test_a_bounce_comes_back_to_the_sender_of_the_mail(
        self, notifier_mail: Mailbox, notifier_client: Notifier
    ) -> None:
        notifier_mail.bounce("a@x.test", code=552, text="5.2.2 Full")
        sent = notifier_client.send("password-reset", to="a@x.test", data=RESET)
        mail = notifier_mail.wait_for(notification=sent.id, timeout=30)
        bounce = notifier_mail.wait_for(subject="Undelivered", to=mail.mail_from, timeout=30)
        assert mail.mail_from.startswith("bounces+")
        assert (bounce.mail_from, "552 5.2.2 Full" in (bounce.text or "")) == ("", True)


@pytest.mark.parametrize("nonsense", ["two hours", "2", "2h nonsense", ""])
def test_a_step_of_the_clock_has_a_unit(notifier_server: NotifierServer, nonsense: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        notifier_server.advance(nonsense)


def test_the_clock_does_not_go_back(notifier_server: NotifierServer) -> None:
    with pytest.raises(ValueError, match="forward"):
        notifier_server.advance(-1)


async def test_async_tests_wait_without_stopping_their_loop(
    notifier_mail: Mailbox, notifier_server: NotifierServer
) -> None:
    async with notifier_server.async_client() as client:
        sent = await client.send("password-reset", to="a@x.test", data=RESET)
        mail = await notifier_mail.wait_for_async(notification=sent.id)
        assert mail.link("reset") == RESET["reset_url"]
        assert (await client.wait_until_final(sent.id, timeout=30)).status == "sent"


class TestWithOwnSettings:
    @pytest.fixture
    def notifier_settings(self) -> dict[str, object]:
        return {"NOTIFIER_REDIRECT_ALL_TO": "staging@x.test"}

    def test_settings_of_the_service_are_overridden(self, notifier_mail: Mailbox, notifier_client: Notifier) -> None:
        notifier_client.send("password-reset", to="a@x.test", data=RESET)
        assert notifier_mail.wait_for(to="staging@x.test").rcpt_tos == ("staging@x.test",)


def test_the_environment_of_the_developer_has_no_say(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("NOTIFIER_REDIRECT_ALL_TO", "developer@x.test")
    spares = request.getfixturevalue("_notifier_processes")
    spares.end()  # the one that was warmed up before the environment changed
    spares._spare = None
    client: Notifier = request.getfixturevalue("notifier_client")
    client.send("password-reset", to="a@x.test", data=RESET)
    assert request.getfixturevalue("notifier_mail").wait_for(subject="password").rcpt_tos == ("a@x.test",)


def test_a_mailbox_takes_mail_from_any_program(notifier_mail: Mailbox) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app@x.test", "a@x.test", "Your code"
    message.set_content("Your code is 493 201, good for 10 minutes.")
    with smtplib.SMTP(notifier_mail.host, notifier_mail.port) as smtp:
        smtp.send_message(message)
    assert notifier_mail.wait_for(to="a@x.test", subject="code$").code() == "493201"


def test_a_retry_of_another_program_counts_for_its_mail_alone(notifier_mail: Mailbox) -> None:
    def send(subject: str) -> None:
        with smtplib.SMTP(notifier_mail.host, notifier_mail.port) as smtp:
            smtp.sendmail("app@x.test", ["a@x.test"], f"Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nhello")

    notifier_mail.fail_next(stage="dot", rcpt="a@x.test", code=451)
    with pytest.raises(smtplib.SMTPDataError):
        send("one")
    send("one")
    send("two")
    assert [mail.attempts for mail in notifier_mail.mails] == [2, 1]


def test_a_mail_that_should_not_have_come_is_named(notifier_mail: Mailbox) -> None:
    with smtplib.SMTP(notifier_mail.host, notifier_mail.port) as smtp:
        smtp.sendmail("app@x.test", ["a@x.test"], "Subject: surprise\r\n\r\nhello")
    with pytest.raises(AssertionError, match=r"to=a@x\.test.*'surprise' to a@x\.test"):
        notifier_mail.assert_none(to="a@x.test")
