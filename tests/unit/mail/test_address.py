"""Addresses of requests: what is taken, in which form, and why the rest is not."""

import pytest

from notifier.domain.notification import Address
from notifier.mail.address import (
    AddressError,
    check_email,
    check_name,
    comparison_key,
    envelope_address,
    needs_smtputf8,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("zoe@example.com", Address("zoe@example.com")),
        ("<zoe@example.com>", Address("zoe@example.com")),
        ("  zoe@example.com ", Address("zoe@example.com")),
        ("Zoë <zoe@example.com>", Address("zoe@example.com", "Zoë")),
        ("Zoe Q. Public<zoe@example.com>", Address("zoe@example.com", "Zoe Q. Public")),
        ("Zoe (Sales) <zoe@example.com>", Address("zoe@example.com", "Zoe (Sales)")),
        ('"Zoë, the \\"Great\\"" <zoe@example.com>', Address("zoe@example.com", 'Zoë, the "Great"')),
        ('"a@b.test, <c@d.test>" <zoe@example.com>', Address("zoe@example.com", "a@b.test, <c@d.test>")),
        ('"back\\\\slash" <zoe@example.com>', Address("zoe@example.com", "back\\slash")),
        ('"" <zoe@example.com>', Address("zoe@example.com")),
        ('Zoe <"a>b"@example.com>', Address('"a>b"@example.com', "Zoe")),
        ("Zoe\u0308 <zoe@example.com>", Address("zoe@example.com", "Zoë")),
        ("=?utf-8?q?Zo=C3=AB?= <zoe@example.com>", Address("zoe@example.com", "=?utf-8?q?Zo=C3=AB?=")),
    ],
)
def test_an_address_is_taken_with_its_name_as_data(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("email", "normal"),
    [
        ("Zoe.O'Neil+tag@EXAMPLE.Com", "Zoe.O'Neil+tag@example.com"),
        ("root@localhost", "root@localhost"),
        ("a@mailhost", "a@mailhost"),
        ("a@b.test", "a@b.test"),
        ("zoë@b.test", "zoë@b.test"),
        ('"a b"@printer.local', '"a b"@printer.local'),
        ("zoë@localhost", "zoë@localhost"),
        ("zoe\u0308@example.com", "zoë@example.com"),
        ("Postmaster@BÜCHER.example", "Postmaster@bücher.example"),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
        ('"plain"@example.com', "plain@example.com"),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}"),
    ],
)
def test_the_normal_form_touches_the_domain_and_leaves_the_local_part(email: str, normal: str) -> None:
    assert check_email(email) == normal
    assert check_email(normal) == normal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("zoe", "must have an @-sign"),
        ("zoe@", "something after the @-sign"),
        ("@example.com", "something before the @-sign"),
        ("zoe@example.com.", "end with a period"),
        ("a..b@example.com", "two periods"),
        ("zoe@-example.com", "hyphen"),
        ("zoe@ex_ample.com", "invalid characters"),
        ("zoe@[127.0.0.1]", "IP address"),
        ("zoe@[IPv6:::1]", "IP address"),
        ("zoe@127.0.0.1", "IP address"),
        ("zoë@127.0.0.1", "IP address"),
        ("zoe@１２７.0.0.1", "IP address"),
        ("zoe@xn--a", "not valid IDNA"),
        (f"{'a' * 65}@example.com", "too long before the @-sign"),
        (f"{'é' * 33}@example.com", "longer than 64 octets"),
        (f"a@{'b' * 64}.com", "too many"),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 62}", "too long"),
        ("a@example.com, b@example.com", "several addresses"),
        ("Doe, John <a@example.com>", "double quotes"),
        ("a@example.com <b@example.com>", "double quotes"),
        ("Zoe <zoe@example.com", "not closed"),
        ("Zoe <zoe@example.com> (comment)", "not closed"),
        ('"Zoe <zoe@example.com>', "@-sign"),
        ("friends: a@example.com;", "invalid characters"),
        ("zoe@example.com\r\nDATA", "line break (U+000D)"),
        ("zoe@example.com\n", "line break (U+000A)"),
        ('"\\\r"@example.com', "line break (U+000D)"),
        ("Zoe\u2028 <zoe@example.com>", "line break (U+2028)"),
        ("Zoe\x85 <zoe@example.com>", "line break (U+0085)"),
        ("zoe\0@example.com", "control character (U+0000)"),
        ("Zoe\x7f <zoe@example.com>", "control character (U+007F)"),
        ("\ud83d <zoe@example.com>", "half of a surrogate pair (U+D83D)"),
        ("zoe%0D%0A@example.com", "percent-encoded"),
        ("=?x?q?zoe?=@example.com", "encoded word"),
        ("=?utf-8?q?a?=b@bücher.example", "encoded word"),
        ("=?utf-8?q?a=0d=0aBcc:=20b?= <zoe@example.com>", "encoded word"),
        ("=?utf-8?b?DQpCY2M6IGI=?= <zoe@example.com>", "encoded word"),
        (f"{'n' * 257} <zoe@example.com>", "longer than 256 characters"),
        (f"{'(' * 2000}@example.com", "longer than 2000 characters"),
    ],
)
def test_a_refusal_says_why(text: str, reason: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse_address(text)
    assert reason in refused.value.reason
    assert refused.value.reason.endswith(".")


def test_a_name_is_stripped_and_bounded() -> None:
    assert check_name("  Zoe\u0308 ") == "Zoë"
    assert check_name("é" * 256) == "é" * 256
    with pytest.raises(AddressError):
        check_name("é" * 257)


@pytest.mark.parametrize(
    ("email", "on_the_wire", "smtputf8"),
    [
        ("zoe@example.com", "zoe@example.com", False),
        ("Zoe@BÜCHER.example", "Zoe@xn--bcher-kva.example", False),
        ("a@straße.de", "a@xn--strae-oqa.de", False),
        ("zoë@bücher.example", "zoë@xn--bcher-kva.example", True),
        ("zoë@example.com", "zoë@example.com", True),
    ],
)
def test_the_envelope_gets_a_labels_and_the_local_part_as_it_is(email: str, on_the_wire: str, smtputf8: bool) -> None:
    assert envelope_address(email) == on_the_wire
    assert needs_smtputf8(email) is smtputf8


@pytest.mark.parametrize("bad", ["a@x\r\nDATA", "a b@example.com", "Zoe <zoe@example.com>", "a@b>"])
def test_nothing_but_an_address_gets_into_the_envelope(bad: str) -> None:
    with pytest.raises(AddressError):
        envelope_address(bad)


def test_spellings_of_one_address_share_a_key() -> None:
    spellings = ["Zoë@BÜCHER.example", "zoë@xn--bcher-kva.example", "ZOË@bücher.EXAMPLE", "zoe\u0308@bücher.example"]
    assert {comparison_key(email) for email in spellings} == {"zoë@xn--bcher-kva.example"}
    assert comparison_key("zoe+tag@example.com") != comparison_key("zoe@example.com")
