"""Reading what was received, however it was written."""

import json
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.capture import Captured, Link
from notifier.capture.extraction import codes, links, seen_text


def captured(raw: bytes) -> Captured:
    return Captured("1", datetime.now(UTC), "a@x.test", ("b@x.test",), raw)


def test_headers_are_decoded_and_unfolded() -> None:
    message = captured(
        b"From: =?utf-8?q?M=C3=BCller=2C_Ann?= <ann@x.test>\r\nTo: b@x.test,\r\n  \"C, D\" <c@x.test>\r\n"
        b"Subject: =?utf-8?b?SMOkbGxv?=\r\n =?utf-8?q?_you?=\r\nX-Raw: caf\xc3\xa9\r\n\r\nbody\r\n"
    )  # fmt: skip
    assert message.subject == "Hällo you"
    assert (message.from_, message.to, message.cc) == ("ann@x.test", ("b@x.test", "c@x.test"), ())
    assert message.header("x-raw") == "café"
    assert message.header("X-None") is None
    assert [name for name, _ in message.headers] == ["From", "To", "Subject", "X-Raw"]


def test_text_html_and_attachments_are_told_apart() -> None:
    mail = EmailMessage()
    mail["Subject"] = "parts"
    mail.set_content("grüße\n", cte="base64")
    mail.add_alternative('<p>hi <img src="cid:logo"></p>', subtype="html")
    mail.add_attachment("name;value\n", subtype="csv", filename="é.csv")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner text")
    mail.add_attachment(inner)
    message = captured(mail.as_bytes())
    assert (message.text, message.html) == ("grüße\n", '<p>hi <img src="cid:logo"></p>\n')
    csv, forwarded = message.attachments
    assert (csv.filename, csv.content_type, csv.content, csv.inline) == ("é.csv", "text/csv", b"name;value\n", False)
    assert forwarded.content_type == "message/rfc822"
    assert b"Subject: inner" in forwarded.content


def test_an_unknown_charset_is_read_as_well_as_can_be() -> None:
    assert captured(b"Content-Type: text/plain; charset=klingon\r\n\r\ncaf\xc3\xa9\r\n").text == "café\n"


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "idna", "undefined", "rot13", '"\x00"', "utf-16", ""])
def test_no_charset_makes_reading_fail_or_gives_text_that_cannot_be_told(charset: str) -> None:
    named = charset.encode()
    message = captured(
        b"Subject: =?" + named + b"?q?+2AA-\\ud800=ff?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=" + named + b"\r\n\r\n+2AA- \\ud800 \xff\r\n"
        b"--b\r\nContent-Disposition: attachment; filename*=" + named + b"''%2B2AA-%5Cud800%ff\r\n\r\nx\r\n--b--\r\n"
    )
    told = (message.subject, message.text, message.headers, [part.filename for part in message.attachments])
    assert json.dumps(told, ensure_ascii=False).encode()
    assert len(message.attachments) == 1


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"Subject: {text}\r\nTo: {text}".encode()))
def test_nothing_that_arrives_makes_reading_fail(raw: bytes) -> None:
    message = captured(raw)
    _ = (message.subject, message.from_, message.to, message.cc, message.text, message.html, message.headers)
    _ = (message.attachments, message.links, message.codes, message.message_id)


def test_a_link_is_found_by_its_text_its_url_or_not_at_all() -> None:
    html = '<a href="https://x.test/home"><b>Our</b>\n site</a> <a href="https://x.test/r?t=1&amp;u=2">Reset it</a>'
    message = captured(b"Content-Type: text/html\r\nSubject: Links\r\n\r\n" + html.encode())
    assert message.links == (Link("Our site", "https://x.test/home"), Link("Reset it", "https://x.test/r?t=1&u=2"))
    assert message.link("reset") == "https://x.test/r?t=1&u=2"
    assert message.link("/home") == message.link() == "https://x.test/home"
    with pytest.raises(LookupError, match=r"no link matches 'confirm' in 'Links': Our site -> https://x.test/home;"):
        message.link("confirm")


def test_urls_of_the_text_end_where_the_sentence_goes_on() -> None:
    text = "See https://x.test/a(b), (https://x.test/c) or <https://x.test/d>. Again: https://x.test/c!"
    assert [link.url for link in links(text, None)] == ["https://x.test/a(b)", "https://x.test/c", "https://x.test/d"]


def test_only_the_text_that_is_seen_counts() -> None:
    html = "<head><title>t</title><style>p{}</style></head><p>one <b>two</b><br>three</p><script>four</script>"
    assert seen_text(html) == "one two\nthree"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is 482913.", "482913"),
        ("Your verification code:\n\n482913\n\nIt is good for 10 minutes.", "482913"),
        ("482913 is your login code", "482913"),
        ("Hello,\n\n  8F3K2Q  \n\nthe team", "8F3K2Q"),
        ("Code: 123 456", "123456"),
        ("Use 4821 to sign in. (c) 2026 Example", "4821"),
        ("Order 90210 of 2026-11-21 costs 1299.50. Your PIN is 0042", "0042"),
        ("In 2026, enter 731905 at https://x.test/999999", "731905"),
    ],
)
def test_the_code_is_found(text: str, code: str) -> None:
    assert codes(text)[0] == code


@pytest.mark.parametrize(
    "text", ["Welcome to 2026!", "https://x.test/123456", "SHOUTING IS NO CODE", "Total 1234.50", "+491701234567", ""]
)
def test_what_is_no_code_is_not_taken_for_one(text: str) -> None:
    assert codes(text) == ()


def test_a_mail_without_a_code_says_so() -> None:
    with pytest.raises(LookupError, match="no one-time code in 'Hi'"):
        captured(b"Subject: Hi\r\n\r\nnothing\r\n").code()


def test_the_raw_message_is_saved_as_it_came(tmp_path: Path) -> None:
    message = captured(b"Subject: x\r\n\r\nbody\r\n")
    assert message.save(tmp_path) == tmp_path / "1.eml"
    assert message.save(tmp_path / "other.eml").read_bytes() == (tmp_path / "1.eml").read_bytes() == message.raw
