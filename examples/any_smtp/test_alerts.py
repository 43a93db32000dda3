"""`notifier_mail` is a mail server of each test's own: whatever sends SMTP is pointed at its host and port."""

import smtplib

import pytest
from alerts import alert

from notifier.testing.mailbox import Mailbox

ON_CALL = "zoe@example.com"


def test_the_one_on_call_is_told(notifier_mail: Mailbox) -> None:
    alert(notifier_mail.host, notifier_mail.port, ON_CALL, "disk full")
    mail = notifier_mail.wait_for(to=ON_CALL, subject="disk full", timeout=20)
    assert mail.link("status") == "https://status.example.com/alerts/1"
    assert mail.code() == "4821"
    notifier_mail.assert_none(to="tom@example.com")


def test_a_greylisted_alert_comes_through(notifier_mail: Mailbox) -> None:
    notifier_mail.greylist(rcpt=ON_CALL)
    alert(notifier_mail.host, notifier_mail.port, ON_CALL, "disk full", pause=0)
    assert notifier_mail.wait_for(to=ON_CALL, timeout=20).attempts == 2


def test_a_connection_that_is_cut_is_tried_again(notifier_mail: Mailbox) -> None:
    notifier_mail.drop_at("data")
    alert(notifier_mail.host, notifier_mail.port, ON_CALL, "disk full", pause=0)
    assert notifier_mail.wait_for(to=ON_CALL, timeout=20).attempts == 2


def test_a_mailbox_that_does_not_exist_is_an_error(notifier_mail: Mailbox) -> None:
    notifier_mail.fail(rcpt=ON_CALL, code=550, text="5.1.1 No such user")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        alert(notifier_mail.host, notifier_mail.port, ON_CALL, "disk full", pause=0)
    notifier_mail.assert_none()
