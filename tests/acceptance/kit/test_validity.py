"""What `assert_valid` finds in a mail, and that it finds nothing in a good one."""

from datetime import UTC, datetime

import pytest

from notifier.capture import Captured
from notifier.testing.mailbox import Mail
from notifier.testing.validity import CLIPPED, faults_of

HEAD = "From: a@x.test\nTo: b@x.test\nDate: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <1@x.test>\nSubject: Hello\n"
ALTERNATIVE = 'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="b"\n\n'
TEXT = "--b\nContent-Type: text/plain\n\nHello, see https://x.test/\n"
GOOD = HEAD + ALTERNATIVE + TEXT + '--b\nContent-Type: text/html\n\n<a href="https://x.test/">see</a>\n--b--\n'


def mail(text: str) -> Captured:
    return Captured("1", datetime.now(UTC), "a@x.test", ("b@x.test",), text.replace("\n", "\r\n").encode())


def with_html(html: str) -> str:
    return HEAD + ALTERNATIVE + TEXT + f"--b\nContent-Type: text/html\n\n{html}\n--b--\n"


def test_a_good_mail_has_no_faults() -> None:
    assert faults_of(mail(GOOD)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (HEAD.replace("Subject: Hello\n", "") + "\nhello", "there is no header Subject"),
        (HEAD.replace("Hello", " ") + "\nhello", "the subject is empty"),
        (HEAD.replace("Date", "X-Date") + "\nhello", "there is no header Date"),
        (HEAD + "Message-ID: <2@x.test>\n\nhello", "there are 2 headers Message-ID"),
        (HEAD + "Bcc: c@x.test\n\nhello", "the header Bcc shows who got it in secret"),
        (HEAD + "\n", "there is nothing to read in it"),
        (HEAD + "Content-Type: text/html\n\n<p>hello</p>", "there is no text part beside the HTML"),
        (HEAD + "\nDear {{ name }}", "the text has a piece of the template in it: {{ name }}"),
        (HEAD.replace("Hello", "{% if a %}") + "\nhello", "the subject has a piece of the template in it: {% if a %}"),
        (HEAD + "\n" + "x" * 999, "a line has 999 octets"),
        (HEAD + ALTERNATIVE + "--b\nContent-Type: text/html\n\n<p>hi</p>\n" + TEXT + "--b--\n", "text/plain has to be"),
        (HEAD + ALTERNATIVE + TEXT, "malformed: CloseBoundaryNotFoundDefect"),
        (with_html('<img src="https://x.test/a.png">'), "the image https://x.test/a.png has no alt"),
        (with_html('<img alt="" src="cid:logo">'), "the image cid:logo is not in the mail"),
        (with_html('<img alt="" src="/a.png">'), "the image /a.png has no absolute URL"),
        (with_html('<a href="/reset">Reset</a>'), "the link Reset goes to '/reset'"),
        (with_html('<a href="None">Reset</a>'), "the link Reset goes to 'None'"),
        (with_html("<p>hello world</p>\n" * (CLIPPED // 18)), f"and will be clipped at {CLIPPED}"),
    ],
)
def test_a_fault_is_named(text: str, fault: str) -> None:
    assert [found for found in faults_of(mail(text)) if fault in found], faults_of(mail(text))


def test_every_fault_is_in_one_message() -> None:
    bad = Mail.of(mail(HEAD.replace("Hello", "{{ a }}") + "\nDear {{ name }}"), [])
    with pytest.raises(AssertionError) as caught:
        bad.assert_valid()
    assert "{{ a }}" in str(caught.value)
    assert "{{ name }}" in str(caught.value)
