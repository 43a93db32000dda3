"""What Django code sends arrives as it was meant."""

from email.mime.image import MIMEImage

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives

from notifier.client import Invalid, Notifier
from notifier.testing.mailbox import Mailbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def test_text_with_people_of_all_kinds(notifier_mail: Mailbox) -> None:
    message = EmailMessage(
        "Ünïcode & <tags>",
        "Dear Zoë,\n\n1 < 2\n",
        from_email="Ann <ann@example.com>",
        to=["Zoë <zoe@example.com>", "tom@example.com"],
        cc=["cleo@example.com"],
        bcc=["audit@example.com"],
        reply_to=["orders@example.com"],
        headers={"X-Order": "1001"},
    )
    assert message.send() == 1
    got = notifier_mail.wait_for(to="zoe@example.com", timeout=20)
    assert got.subject == "Ünïcode & <tags>"
    assert (got.text or "").rstrip() == "Dear Zoë,\n\n1 < 2"
    assert got.html is None
    assert set(got.rcpt_tos) == {"zoe@example.com", "tom@example.com", "cleo@example.com", "audit@example.com"}
    assert got.cc == ("cleo@example.com",)
    assert (got.header("From"), got.header("Reply-To")) == ("Ann <ann@example.com>", "orders@example.com")
    assert got.header("X-Order") == "1001"
    assert got.header("Bcc") is None


def test_an_alternative_in_html_with_attachments(notifier_mail: Mailbox) -> None:
    message = EmailMultiAlternatives("Your invoice", "In text.", to=["zoe@example.com"])
    message.attach_alternative('<p>In <b>HTML</b>. <img src="cid:logo" alt="The shop"></p>', "text/html")
    message.attach("facture-été.csv", "plat;prix\ncafé;3\n", "text/csv")
    message.attach("invoice.pdf", b"%PDF-1.7", "application/pdf")
    logo = MIMEImage(PNG, "png")
    logo.add_header("Content-ID", "<logo>")
    message.attach(logo)
    assert message.send() == 1
    got = notifier_mail.wait_for(subject="^Your invoice$", timeout=20)
    assert got.header("From") == "The shop <shop@example.com>"
    assert (got.text or "").strip() == "In text."
    assert "<b>HTML</b>" in (got.html or "")
    found = {one.filename: (one.content_type, one.content, one.content_id) for one in got.attachments}
    assert found["facture-été.csv"] == ("text/csv", "plat;prix\ncafé;3\n".encode(), None)
    assert found["invoice.pdf"] == ("application/pdf", b"%PDF-1.7", None)
    assert ("image/png", PNG, "logo") in found.values()


def test_html_alone(notifier_mail: Mailbox) -> None:
    assert mail.send_mail("News", "", None, ["zoe@example.com"], html_message="<p>Hello</p>") == 1
    message = EmailMessage("More news", "<p>Hello again</p>", to=["tom@example.com"])
    message.content_subtype = "html"
    assert message.send() == 1
    assert "<p>Hello</p>" in (notifier_mail.wait_for(to="zoe@example.com", timeout=20).html or "")
    assert "<p>Hello again</p>" in (notifier_mail.wait_for(to="tom@example.com", timeout=20).html or "")


def test_readers_in_bcc_alone_get_a_mail_each(notifier_mail: Mailbox) -> None:
    people = ["zoe@example.com", "tom@example.com"]
    assert EmailMessage("News", "Hello", bcc=people).send() == 1
    for one in people:
        mail = notifier_mail.wait_for(to=one, timeout=20)
        assert (mail.to, mail.rcpt_tos) == ((one,), (one,))


def test_a_message_is_forwarded_as_a_file(notifier_mail: Mailbox) -> None:
    message = EmailMessage("Fwd: Hello", "", to=["zoe@example.com"])
    message.attach("hello.eml", EmailMessage("Hello", "Hello, Tom", to=["tom@example.com"]), "message/rfc822")
    assert message.send() == 1
    [forwarded] = notifier_mail.wait_for(to="zoe@example.com", timeout=20).attachments
    assert forwarded.filename == "hello.eml"
    assert b"Hello, Tom" in forwarded.content


def test_many_over_one_connection(notifier_mail: Mailbox) -> None:
    people = [f"reader-{n}@example.com" for n in range(5)]
    assert mail.send_mass_mail([("Hello", "Hello", None, [one]) for one in people]) == 5
    for one in people:
        notifier_mail.wait_for(to=one, timeout=20)


def test_what_cannot_be_sent_is_named(notifier_client: Notifier) -> None:
    with pytest.raises(Invalid, match=r"to\[0\]"):
        mail.send_mail("Hello", "Hello", None, ["zoe@@example.com"])
    assert mail.send_mail("Hello", "Hello", None, ["zoe@@example.com"], fail_silently=True) == 0
    invitation = EmailMultiAlternatives("Come", "Come!", to=["zoe@example.com"])
    invitation.attach_alternative("BEGIN:VCALENDAR", "text/calendar")
    with pytest.raises(ValueError, match="text/calendar"):
        invitation.send()
    assert list(notifier_client.list()) == []
