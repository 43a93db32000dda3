"""The built message, line by line where the line matters, and as the standard library reads it elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from notifier.domain.notification import Address, Attachment
from notifier.mail.mime import Message, MimeError, build

HELLO = Message(
    sender=Address("shop@example.com", "Shop"),
    to=(Address("zoe@example.com"),),
    subject="Hello",
    message_id="<0199@example.com>",
    date=datetime(2025, 3, 1, 12, 30, 15, tzinfo=UTC),
    text="Hello",
)
PDF = Attachment("a.pdf", "application/pdf", b"%PDF")
LOGO = Attachment("logo.png", "image/png", b"\x89PNG", "logo@notifier")


def read(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def tree(part: Any) -> Any:
    """``(type, [children])`` of a multipart, the type of anything else."""
    kind = part.get_content_type()
    return (kind, [tree(child) for child in part.iter_parts()]) if part.is_multipart() else kind


def header_lines(wire: bytes, name: str) -> list[str]:
    """The lines of the first header called `name`."""
    lines = wire.decode().partition("\r\n\r\n")[0].split("\r\n")
    start = next(at for at, line in enumerate(lines) if line.startswith(f"{name}:"))
    end = next((at for at, line in enumerate(lines) if at > start and not line.startswith(" ")), len(lines))
    return lines[start:end]


def test_the_least_message_byte_by_byte() -> None:
    assert build(HELLO) == (
        b"From: Shop <shop@example.com>\r\n"
        b"To: zoe@example.com\r\n"
        b"Subject: Hello\r\n"
        b"Date: Sat, 01 Mar 2025 12:30:15 +0000\r\n"
        b"Message-ID: <0199@example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Auto-Submitted: auto-generated\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b"\r\n"
        b"SGVsbG8=\r\n"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "text/plain"),
        ({"text": None, "html": "<p>"}, "text/html"),
        ({"html": "<p>"}, ("multipart/alternative", ["text/plain", "text/html"])),
        ({"text": None, "html": "<p>", "inline": (LOGO,)}, ("multipart/related", ["text/html", "image/png"])),
        ({"inline": (LOGO,)}, ("multipart/mixed", ["text/plain", "image/png"])),
        (
            {"html": "<p>", "inline": (LOGO,), "attachments": (PDF, PDF)},
            (
                "multipart/mixed",
                [
                    ("multipart/alternative", ["text/plain", ("multipart/related", ["text/html", "image/png"])]),
                    "application/pdf",
                    "application/pdf",
                ],
            ),
        ),
    ],
)
def test_each_level_of_the_tree_is_there_only_when_it_has_something_to_hold(change: Any, expected: Any) -> None:
    assert tree(read(build(replace(HELLO, **change)))) == expected


def test_nested_boundaries_differ_and_cannot_come_in_base64() -> None:
    message = read(build(replace(HELLO, html="<p>", inline=(LOGO,), attachments=(PDF,))))
    boundaries = [part.get_boundary() for part in message.walk() if part.is_multipart()]
    assert len(set(boundaries)) == len(boundaries) == 3
    assert all(boundary and boundary.startswith("=_") for boundary in boundaries)
    assert boundaries != [
        part.get_boundary()
        for part in read(build(replace(HELLO, message_id="<2@example.com>", html="<p>", attachments=(PDF,)))).walk()
        if part.is_multipart()
    ]


def test_bodies_have_the_line_ends_of_the_wire_under_their_base64() -> None:
    message = read(build(replace(HELLO, text="a\nb\rc\r\nd\n\n.\n", html="<p>\n")))
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == [
        b"a\r\nb\r\nc\r\nd\r\n\r\n.\r\n",
        b"<p>\r\n",
    ]


def test_attachments_keep_their_octets_their_type_and_their_name() -> None:
    octets = bytes(range(256)) * 20
    file = Attachment("Überweisung €.csv", 'text/csv; charset=utf-16; header="yes no"', octets)
    wire = build(replace(HELLO, attachments=(file, LOGO)))
    first, second = read(wire).iter_attachments()
    assert first.get_payload(decode=True) == octets
    assert first["Content-Type"].params == {"charset": "utf-16", "header": "yes no"}
    assert first.get_filename() == "Überweisung €.csv"
    assert b"filename*=utf-8''%C3%9Cberweisung%20%E2%82%AC.csv" in wire
    assert second.get_content_disposition() == "attachment"
    assert second["Content-ID"] == "<logo@notifier>"


def test_a_long_file_name_comes_in_sections() -> None:
    name = f"{'ü' * 120}.pdf"
    wire = build(replace(HELLO, attachments=(replace(PDF, filename=name),)))
    assert [part.get_filename() for part in read(wire).iter_attachments()] == [name]
    assert max(map(len, wire.split(b"\r\n"))) <= 76


def test_an_inline_part_goes_with_the_html_by_its_content_id() -> None:
    wire = build(replace(HELLO, text=None, html='<img src="cid:logo@notifier">', inline=(LOGO,)))
    message = read(wire)
    assert message.get_param("type") == "text/html"
    _, image = message.iter_parts()
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo@notifier>", "inline")


def test_encoded_words_split_between_characters_and_the_first_leaves_room_for_the_name() -> None:
    subject = "a" + "😀é" * 40
    lines = header_lines(build(replace(HELLO, subject=subject)), "Subject")
    assert len(lines) > 3
    assert max(map(len, lines)) <= 76
    for line in lines:
        alone = message_from_bytes(b"Subject: " + line.removeprefix("Subject:").strip().encode(), policy=policy.default)
        assert "\ufffd" not in alone["Subject"]
        assert set(alone["Subject"]) <= set(subject)
    assert read(build(replace(HELLO, subject=subject)))["Subject"] == subject


@pytest.mark.parametrize(
    "subject", ["=?utf-8?q?literal?=", " spaces around ", "x" * 1200, "", "a  b   c " + "d" * 90, "…"]
)
def test_a_subject_is_read_as_it_was_written(subject: str) -> None:
    assert read(build(replace(HELLO, subject=subject)))["Subject"] == subject


def test_a_long_ascii_subject_folds_at_spaces() -> None:
    lines = header_lines(build(replace(HELLO, subject="word " * 40 + "end")), "Subject")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 76
    assert "".join(lines) == "Subject: " + "word " * 40 + "end"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Zoe", "To: Zoe <zoe@example.com>"),
        ("Zoe O'Neil", "To: Zoe O'Neil <zoe@example.com>"),
        ("Zoe Q. Public", 'To: "Zoe Q. Public" <zoe@example.com>'),
        ('Zoe, the "Great"\\', 'To: "Zoe, the \\"Great\\"\\\\" <zoe@example.com>'),
        ("a@b.test, <c@d.test>", 'To: "a@b.test, <c@d.test>" <zoe@example.com>'),
        ("Zoë, x", "To: =?utf-8?b?Wm/DqywgeA==?= <zoe@example.com>"),
        ("=?utf-8?q?a?=", "To: =?utf-8?b?PT91dGYtOD9xP2E/PQ==?= <zoe@example.com>"),
        ("  ", "To: zoe@example.com"),
    ],
)
def test_a_display_name_never_becomes_syntax(name: str, line: str) -> None:
    assert header_lines(build(replace(HELLO, to=(Address("zoe@example.com", name),))), "To") == [line]


def test_many_recipients_fold_between_mailboxes() -> None:
    people = tuple(Address(f"someone.number{n}@example.com", f"Person {n}") for n in range(50))
    wire = build(replace(HELLO, to=people[:25], cc=people[25:], reply_to=people[:1]))
    message = read(wire)
    assert [(a.addr_spec, a.display_name) for a in (*message["To"].addresses, *message["Cc"].addresses)] == [
        (person.email, person.name) for person in people
    ]
    assert message["Reply-To"] == "Person 0 <someone.number0@example.com>"
    assert max(map(len, header_lines(wire, "To"))) <= 77


def test_domains_are_in_a_labels() -> None:
    to = Address("zoe@bücher.example", "Bücher")
    assert header_lines(build(replace(HELLO, to=(to,))), "To") == [
        "To: =?utf-8?b?QsO8Y2hlcg==?= <zoe@xn--bcher-kva.example>"
    ]


def test_a_local_part_beyond_ascii_needs_smtputf8_or_becomes_a_group_of_nobody() -> None:
    both = replace(HELLO, to=(Address("zoë@example.com", "Zoë"), Address("ann@example.com")))
    assert header_lines(build(both, smtputf8=True), "To") == [
        "To: =?utf-8?b?Wm/Dqw==?= <zoë@example.com>, ann@example.com"
    ]
    wire = build(both)
    assert wire.isascii()
    nobody, ann = read(wire)["To"].groups
    assert (nobody.display_name, nobody.addresses) == ("Zoë zoë@example.com", ())
    assert [address.addr_spec for address in ann.addresses] == ["ann@example.com"]


def test_a_mail_whose_recipients_are_all_secret_says_so() -> None:
    assert header_lines(build(replace(HELLO, to=())), "To") == ["To: undisclosed-recipients:;"]


def test_a_date_keeps_its_offset() -> None:
    date = datetime(2025, 7, 1, 9, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    assert header_lines(build(replace(HELLO, date=date)), "Date") == ["Date: Tue, 01 Jul 2025 09:00:00 -0330"]


REFUSED: dict[str, tuple[Callable[[Message], Message], str, str]] = {
    "a line break in the subject": (lambda m: replace(m, subject="a\r\nBcc: b@c.test"), "subject", "line break"),
    "an encoded line break": (lambda m: replace(m, subject="=?utf-8?q?a=0d=0ab?="), "subject", "encoded word"),
    "half a surrogate in a body": (lambda m: replace(m, text="\ud83d"), "text", "surrogate"),
    "half a surrogate in the HTML": (lambda m: replace(m, html="\ud83d"), "html", "surrogate"),
    "no body": (lambda m: replace(m, text=None), "text", "neither"),
    "a sender that needs SMTPUTF8": (lambda m: replace(m, sender=Address("zoë@a.test")), "sender", "SMTPUTF8"),
    "a bad sender": (lambda m: replace(m, sender=Address("a@b>\r\nX: y")), "sender", "line break"),
    "a bad recipient": (lambda m: replace(m, to=(Address("a@b, c@d"),)), "to", "invalid"),
    "a bad copy": (lambda m: replace(m, cc=(Address("a"),)), "cc", "@-sign"),
    "a bad name": (lambda m: replace(m, reply_to=(Address("a@b", "x\ny"),)), "reply_to", "line break"),
    "a message id without brackets": (lambda m: replace(m, message_id="1@example.com"), "message_id", "brackets"),
    "two message ids": (lambda m: replace(m, message_id="<1@a>\r\n<2@b>"), "message_id", "brackets"),
    "a date without an offset": (lambda m: replace(m, date=datetime(2025, 1, 1)), "date", "offset"),
    "a header of ours": (lambda m: replace(m, headers={"Bcc": "a@b.test"}), "headers.Bcc", "written by"),
    "a header's line break": (lambda m: replace(m, headers={"X-A": "b\r\nC: d"}), "headers.X-A", "line break"),
    "a file name's line break": (
        lambda m: replace(m, attachments=(replace(PDF, filename="a\r\nb"),)),
        "attachments.filename",
        "line break",
    ),
    "a long file name": (
        lambda m: replace(m, attachments=(replace(PDF, filename="a" * 256),)),
        "attachments.filename",
        "longer",
    ),
    "a content type's line break": (
        lambda m: replace(m, attachments=(replace(PDF, content_type="a/b\r\nX: y"),)),
        "attachments.content_type",
        "type/subtype",
    ),
    "a message in base64": (
        lambda m: replace(m, attachments=(replace(PDF, content_type="message/rfc822"),)),
        "attachments.content_type",
        "octet-stream",
    ),
    "an inline part without an id": (lambda m: replace(m, html="<p>", inline=(PDF,)), "inline", "content id"),
    "a content id's bracket": (
        lambda m: replace(m, html="", inline=(replace(LOGO, content_id="a>b"),)),
        "inline.content_id",
        "id",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_built_names_the_field_and_the_reason(case: str) -> None:
    change, field, reason = REFUSED[case]
    with pytest.raises(MimeError) as refused:
        build(change(HELLO))
    assert refused.value.field == field
    assert reason in refused.value.reason
