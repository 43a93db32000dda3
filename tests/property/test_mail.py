"""What holds for every message and every address, with the standard library's parser as the judge.

`FUZZ_CASES=20000 pytest tests/property/test_mail.py` for the long run.
"""

import os
import re
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any
from unicodedata import normalize

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from notifier.domain.notification import Address, Attachment
from notifier.mail.address import (
    AddressError,
    check_email,
    comparison_key,
    envelope_address,
    needs_smtputf8,
    parse_address,
)
from notifier.mail.mime import Message, MimeError, build, check_header
from notifier.mail.words import objection

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_CASES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BREAKERS = [*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\udfff"]
OWN_HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted"]
PART_HEADERS = {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"}
PLAIN = Message(
    sender=Address("shop@example.com"),
    to=(Address("zoe@example.com"),),
    subject="Hello",
    message_id="<1@example.com>",
    date=datetime(2025, 3, 1, 12, 30, 15, tzinfo=UTC),
    text="Hello",
)

harmless = st.characters(exclude_categories=["Cs"], exclude_characters=BREAKERS)
syntax = st.sampled_from(
    [" ", "  ", '"', "\\", "<", ">", ",", ";", ":", "@", "(", ")", "=?", "?=", "=?utf-8?q?a?=", "%", "é", "😀", "'"]
)
one_line = st.lists(st.one_of(harmless, syntax), max_size=120).map("".join).filter(lambda text: not objection(text))
anything = st.lists(st.one_of(harmless, syntax, st.sampled_from(BREAKERS)), max_size=40).map("".join)
body = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)

atom = st.text("abcXYZ019!#$&'*+/^_`{|}~-", min_size=1, max_size=12)
local_part = st.one_of(
    st.lists(atom, min_size=1, max_size=3).map(".".join),
    st.text("ab c.,<>@()[];:", min_size=1, max_size=12).map(lambda text: f'"{text}"'),
    st.text("zoëжπ漢字", min_size=1, max_size=8),
)
domain = st.sampled_from(
    [
        *("example.com", "EXAMPLE.Com", "localhost", "mailhost", "a.test", "printer.local", "x--y.example.co.uk"),
        *("bücher.example", "straße.de", "xn--bcher-kva.example", "例え.テスト"),
    ]
)
email = st.builds("{}@{}".format, local_part, domain)
name = st.one_of(st.just(""), one_line.map(lambda text: text[:256].strip()))


def accepted(email: str) -> bool:
    try:
        check_email(email)
    except AddressError:
        return False
    return True


address = st.builds(Address, email.filter(accepted), name)
ascii_address = address.filter(lambda address: not needs_smtputf8(address.email))
header = st.tuples(st.from_regex(r"[Xx]-[A-Za-z0-9-]{0,51}[A-Za-z0-9]", fullmatch=True), one_line.filter(str.strip))
file = st.builds(
    Attachment,
    filename=one_line,
    content_type=st.sampled_from(["application/pdf", "image/png", "text/csv; charset=utf-8", 'a/b; c="d e; f"']),
    content=st.binary(max_size=300),
    content_id=st.none(),
)
inline = st.builds(
    Attachment,
    filename=one_line,
    content_type=st.just("image/png"),
    content=st.binary(max_size=100),
    content_id=st.text("abc@.123", min_size=1, max_size=30),
)
bodies = st.one_of(st.tuples(body, body), st.tuples(st.none(), body), st.tuples(body, st.none()))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    text, html = draw(bodies)
    headers = {key.lower(): (key, value) for key, value in draw(st.lists(header, max_size=3))}
    return Message(
        sender=draw(ascii_address),
        to=tuple(draw(st.lists(address, max_size=4))),
        cc=tuple(draw(st.lists(address, max_size=3))),
        reply_to=tuple(draw(st.lists(ascii_address, max_size=2))),
        subject=draw(one_line),
        text=text,
        html=html,
        message_id=f"<{draw(atom)}@example.com>",
        date=PLAIN.date,
        headers=dict(headers.values()),
        inline=tuple(draw(st.lists(inline, max_size=2))),
        attachments=tuple(draw(st.lists(file, max_size=2))),
    )


def parsed(wire: bytes) -> EmailMessage:
    message = message_from_string(wire.decode(), policy=policy.SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def raw_headers(wire: bytes) -> list[tuple[str, str]]:
    """Names and unfolded values, decoded by nobody."""
    head = wire.partition(b"\r\n\r\n")[0].decode()
    pairs = (line.partition(":") for line in re.sub("\r\n(?=[ \t])", "", head).split("\r\n"))
    return [(name, value.removeprefix(" ")) for name, _, value in pairs]


def mailboxes(value: str) -> list[Address]:
    """By the older of the library's two parsers: the newer one keeps the spaces between encoded words."""
    return [
        Address(email, str(make_header(decode_header(name))) if "=?" in name else name)
        for name, email in getaddresses([value])
        if email
    ]


def addr_specs(header: Any) -> list[str]:
    """By the newer one, whose own `addr_spec` forgets the quotes of ``"."@example.com``."""
    return [envelope_address(f'"{found.username}"@{found.domain}') for found in header.addresses]


def file_name(part: EmailMessage) -> str | None:
    """Without `get_filename`, which takes the quotes off a name that has some."""
    header = part["Content-Disposition"]
    return header.params.get("filename") if header else None


def shown(addresses: tuple[Address, ...], *, smtputf8: bool) -> list[Address]:
    return [
        Address(envelope_address(address.email), normalize("NFC", address.name).strip())
        for address in addresses
        if smtputf8 or not needs_smtputf8(address.email)
    ]


def canonical(text: str) -> bytes:
    return re.sub("\r\n|\r|\n", "\r\n", text).encode()


def assert_fit_for_the_wire(wire: bytes) -> None:
    assert wire.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", wire)
    for line in wire.decode().split("\r\n"):
        assert len(line.encode()) <= 998
        assert not line.startswith(".")
        assert "=?utf-8?" not in line or len(line) <= 76


@fuzz
@given(messages(), st.booleans())
def test_what_was_built_is_what_a_reader_parses(message: Message, smtputf8: bool) -> None:
    wire = build(message, smtputf8=smtputf8)
    assert build(message, smtputf8=smtputf8) == wire
    assert_fit_for_the_wire(wire)
    assert smtputf8 or wire.isascii()

    raw = dict(raw_headers(wire))
    optional = [name for name, given in (("Cc", message.cc), ("Reply-To", message.reply_to)) if given]
    own = [*OWN_HEADERS[:2], *optional, *OWN_HEADERS[2:], *message.headers]
    assert [name for name, _ in raw_headers(wire) if name not in PART_HEADERS] == own

    got = parsed(wire)
    assert not got.defects
    assert got["Subject"] == message.subject
    assert got["Message-ID"] == message.message_id
    assert got["Date"].datetime == message.date
    for name, value in message.headers.items():
        assert got[name] == value
    for name, addresses in (
        ("From", (message.sender,)),
        ("To", message.to),
        ("Cc", message.cc),
        ("Reply-To", message.reply_to),
    ):
        visible = shown(addresses, smtputf8=smtputf8)
        assert mailboxes(raw.get(name, "")) == visible
        if addresses:
            assert addr_specs(got[name]) == [address.email for address in visible]

    leaves = [part for part in got.walk() if not part.is_multipart()]
    texts = [("text/plain", message.text), ("text/html", message.html)]
    expected: list[tuple[str, bytes, str | None]] = [
        (kind, canonical(text), None) for kind, text in texts if text is not None
    ]
    expected += [
        (part.content_type.partition(";")[0], part.content, part.filename.strip() or None)
        for part in (*message.inline, *message.attachments)
    ]
    assert [(p.get_content_type(), p.get_payload(decode=True), file_name(p)) for p in leaves] == expected
    assert [p["Content-ID"] for p in leaves if p["Content-ID"]] == [f"<{part.content_id}>" for part in message.inline]


@fuzz
@given(
    st.lists(
        st.one_of(st.sampled_from(["zoe", "example.com", "@", "a@b.test"]), syntax, harmless, anything), max_size=9
    )
)
def test_an_address_that_is_accepted_stays_the_same_single_address(pieces: list[str]) -> None:
    try:
        address = parse_address("".join(pieces))
    except AddressError:
        event("refused")
        return
    event("accepted")
    assert_stays_the_same_single_address(address)


@fuzz
@given(email, one_line.map(lambda text: text[:250]))
def test_a_quoted_name_is_data_whatever_is_in_it(email: str, name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    if not accepted(email):
        return
    address = parse_address(f'"{escaped}" <{email}>')
    assert address == Address(check_email(email), normalize("NFC", name).strip())
    assert_stays_the_same_single_address(address)


def assert_stays_the_same_single_address(address: Address) -> None:
    assert check_email(address.email) == address.email
    assert not needs_smtputf8(envelope_address(comparison_key(address.email))) or needs_smtputf8(address.email)
    wire = build(replace(PLAIN, to=(address,)), smtputf8=True)
    assert_fit_for_the_wire(wire)
    assert [name for name, _ in raw_headers(wire) if name not in PART_HEADERS] == OWN_HEADERS
    assert mailboxes(dict(raw_headers(wire))["To"]) == [Address(envelope_address(address.email), address.name)]
    assert addr_specs(parsed(wire)["To"]) == [envelope_address(address.email)]


@fuzz
@given(email.filter(accepted))
def test_every_spelling_of_an_address_has_the_same_key(email: str) -> None:
    key = comparison_key(email)
    local, _, domain = check_email(email).rpartition("@")
    assert key == comparison_key(key) == comparison_key(envelope_address(email))
    assert key == comparison_key(f"{local}@{domain.upper()}" if domain.isascii() else email)
    assert key.rpartition("@")[2].isascii()


@fuzz
@given(anything, anything, anything, anything, anything)
def test_no_text_makes_a_header_of_its_own(subject: str, name: str, value: str, filename: str, email: str) -> None:
    message = replace(
        PLAIN,
        subject=subject,
        to=(Address(f"{email}@example.com", name),),
        headers={"X-Note": value},
        attachments=(Attachment(filename, "text/plain", b"x"),),
    )
    try:
        wire = build(message, smtputf8=True)
    except MimeError:
        event("refused")
        return
    assert_fit_for_the_wire(wire)
    assert [name for name, _ in raw_headers(wire) if name not in PART_HEADERS] == [*OWN_HEADERS, "X-Note"]


def base64_word(charset: str, text: str) -> str:
    return f"=?{charset}?B?{b2a_base64(text.encode(charset), newline=False).decode()}?="


def quoted_word(charset: str, text: str) -> str:
    return f"=?{charset}?q?{''.join(f'={octet:02x}' for octet in text.encode(charset))}?="


@fuzz
@given(
    st.sampled_from([base64_word, quoted_word]),
    st.sampled_from(["utf-8", "us-ascii", "iso-8859-1", "utf-7", "utf-16-be", "UTF-16", "cp037"]),
    st.tuples(st.text("ab =?", max_size=8), st.sampled_from(["\r\n", "\n", "\r", "\0"]), st.text("ab:", max_size=8)),
    st.tuples(one_line, one_line),
    st.booleans(),
)
def test_an_encoded_word_that_decodes_to_a_control_is_refused(
    word: Callable[[str, str], str], charset: str, inside: tuple[str, str, str], around: tuple[str, str], twice: bool
) -> None:
    hidden = word(charset, "".join(inside))
    if twice:
        hidden = word("utf-8", hidden)
    value = hidden.join(around) if "=?" not in around[0] else hidden
    assert objection(value)
    assert [fault.code for fault in check_header("X-Note", value)] == ["syntax"]


@fuzz
@given(one_line)
def test_a_file_name_survives_in_the_form_of_rfc_2231(filename: str) -> None:
    wire = build(replace(PLAIN, attachments=(Attachment(filename, "text/plain", b"x"),)))
    assert all(len(line) <= 76 for line in wire.split(b"\r\n"))
    assert [file_name(part) for part in parsed(wire).iter_attachments()] == [filename.strip() or None]
