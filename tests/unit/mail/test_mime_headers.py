"""Headers that callers may set: which, with what in them, and what becomes of them."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from notifier.domain.notification import Address
from notifier.mail.mime import Message, build, check_header, check_headers

HELLO = Message(
    sender=Address("shop@example.com"),
    to=(Address("zoe@example.com"),),
    subject="Hello",
    message_id="<0199@example.com>",
    date=datetime(2025, 3, 1, tzinfo=UTC),
    text="Hello",
)
LONG_URL = f"https://example.com/unsubscribe?token={'x' * 300}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Order", "1001"),
        ("x-note", "Zoë  likes   spaces, ümlauts " * 8 + "."),
        ("X-Looks-Encoded", "=?utf-8?q?a?="),
        ("X-" + "Long" * 13, "ünd kein Platz"),
        ("References", "<1@example.com> <2@example.com>"),
        ("In-Reply-To", "<1@example.com>"),
        ("List-Unsubscribe", f"<{LONG_URL}>, <mailto:out@example.com>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-Id", "Orders <orders.example.com>"),
        ("List-Post", "NO"),
    ],
)
def test_an_allowed_header_arrives_as_it_was_given(name: str, value: str) -> None:
    assert check_header(name, value) == []
    wire = build(replace(HELLO, headers={name: value}))
    assert message_from_bytes(wire, policy=policy.default)[name] == value


def test_a_url_is_never_broken_or_encoded_however_long() -> None:
    wire = build(replace(HELLO, headers={"List-Unsubscribe": f"<mailto:out@example.com>, <{LONG_URL}>"}))
    assert f"List-Unsubscribe: <mailto:out@example.com>,\r\n <{LONG_URL}>\r\n".encode() in wire


def test_references_fold_between_message_ids() -> None:
    ids = [f"<{n:020}@example.com>" for n in range(20)]
    wire = build(replace(HELLO, headers={"References": " ".join(ids)}))
    lines = wire.decode().partition("References: ")[2].partition("\r\nContent-Type")[0].split("\r\n")
    assert len(lines) > 5
    assert max(map(len, lines)) <= 76
    assert " ".join(lines).split() == ids


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Bcc", "a@example.com", "reserved"),
        ("FROM", "a@example.com", "reserved"),
        ("message-id", "<1@a>", "reserved"),
        ("Content-Type", "text/html", "reserved"),
        ("Resent-To", "a@example.com", "reserved"),
        ("DKIM-Signature", "v=1", "reserved"),
        ("Precedence", "bulk", "unknown"),
        ("X-", "a", "unknown"),
        ("List-", "a", "unknown"),
        ("", "a", "syntax"),
        ("X Order", "1", "syntax"),
        ("X-Order:", "1", "syntax"),
        ("X-A\r\nBcc", "a@example.com", "syntax"),
        ("X-Ä", "1", "syntax"),
        (".X-A", "1", "unknown"),
        ("X-" + "a" * 53, "1", "length"),
        ("X-A", "b\r\nBcc: c", "syntax"),
        ("X-A", "b\u2028c", "syntax"),
        ("X-A", "b\x85c", "syntax"),
        ("X-A", "b\tc", "syntax"),
        ("X-A", "\udc80", "syntax"),
        ("X-A", "=?utf-8?b?DQpCY2M6IGI=?=", "syntax"),
        ("X-A", "=?utf-7?q?+AA0ACg-?=", "syntax"),
        ("X-A", "=?nobody-knows?q?a=0Ab?=", "syntax"),
        ("X-A", "=?utf-8?q?" + "a" * 2000 + "?=", "syntax"),
        ("X-A", "  ", "syntax"),
        ("X-A", "a " * 5000, "length"),
        ("References", "1@example.com", "syntax"),
        ("References", "<1@example.com>,<2@example.com>", "syntax"),
        ("In-Reply-To", "<1@exämple.com>", "syntax"),
        ("List-Unsubscribe", "https://example.com/out", "syntax"),
        ("List-Unsubscribe", "<https://example.com/a b>", "syntax"),
        ("List-Unsubscribe", f"<https://example.com/{'x' * 900}>", "length"),
        ("List-Id", "Ümläute <orders.example.com>", "syntax"),
    ],
)
def test_a_header_that_is_not_allowed_is_one_fault(name: str, value: str, code: str) -> None:
    (fault,) = check_header(name, value)
    assert (fault.field, fault.code) == (f"headers.{name}", code)
    assert fault.message.endswith(".")


def test_all_headers_are_judged_and_none_comes_twice() -> None:
    faults = check_headers({"X-A": "1", "x-a": "2", "Bcc": "a@example.com", "X-B": "\n"})
    assert [(fault.field, fault.code) for fault in faults] == [
        ("headers.Bcc", "reserved"),
        ("headers.X-B", "syntax"),
        ("headers.x-a", "duplicate"),
    ]
