"""What comes back by mail is read as its writer meant it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.feedback import is_hard
from notifier.mail.bounce import read_report
from notifier.mail.return_path import ReturnPath
from tests.unit.bounce.samples import NOT_FOUND, SAMPLES, arf, postfix, qmail

ID = "0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e"


@pytest.mark.parametrize(("make", "expected"), [sample[1:] for sample in SAMPLES], ids=[name for name, _, _ in SAMPLES])
def test_a_report_is_read(make: Callable[[], bytes], expected: tuple[str, str, str | None, bool] | None) -> None:
    found = read_report(make())
    if expected is None:
        assert found == []
        return
    (one,) = found
    assert (one.said, one.address_keys[0], one.enhanced, one.hard) == expected


def test_there_are_forty_of_them() -> None:
    assert sum(expected is not None for _, _, expected in SAMPLES) >= 40


def test_a_report_of_several_recipients_tells_of_each() -> None:
    fields = (
        "\nFinal-Recipient: rfc822; max@example.net\nAction: delayed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 full"
    )
    found = read_report(postfix("5.1.1", NOT_FOUND, more=fields))
    assert [(one.said, one.address_keys) for one in found] == [
        ("bounced", ("zoe@example.net",)),
        ("delayed", ("max@example.net",)),
    ]


def test_what_a_bounce_in_prose_quotes_of_the_mail_is_no_recipient() -> None:
    (one,) = read_report(qmail("no mailbox here by that name"))
    assert one.address_keys == ("zoe@example.net",)


def test_the_diagnosis_is_kept_without_its_line_breaks() -> None:
    (one,) = read_report(postfix("5.1.1", "550 5.1.1 no\n    such user"))
    assert one.text == "550 5.1.1 no such user"


def test_a_text_of_any_length_is_cut() -> None:
    (one,) = read_report(postfix("5.1.1", "550 " + "x" * 5000))
    assert len(one.text) == 500


def test_what_only_looks_like_an_encoded_word_is_taken_as_it_stands() -> None:
    raw = postfix("5.1.1", NOT_FOUND).replace(b"Diagnostic-Code: smtp; ", b"Diagnostic-Code: smtp; =?utf-8?b?a?= ")
    (one,) = read_report(raw)
    assert (one.said, one.text[:17]) == ("bounced", "=?utf-8?b?a?= 550")
    assert read_report(b"From: =?utf-8?b?a?= <zoe@example.net>\r\n\r\nHello") == []


@given(st.binary(max_size=300), st.integers(0, 1500))
@settings(max_examples=200, deadline=None)
def test_whatever_is_done_to_a_report_reading_it_raises_nothing(noise: bytes, at: int) -> None:
    for raw in (postfix("5.1.1", NOT_FOUND), arf("abuse", "x"), qmail("550 no")):
        read_report(raw[:at] + noise + raw[at:])
        read_report(raw[:at])


@pytest.mark.parametrize(
    ("enhanced", "text", "hard"),
    [
        ("5.1.1", "", True),
        ("5.1.10", "", True),
        ("5.2.1", "", True),
        ("5.1.8", "", False),
        ("5.2.2", "user unknown", False),
        ("5.7.1", "user unknown", False),
        ("4.1.1", "user unknown", False),
        ("5.0.0", "User unknown", True),
        (None, "550 No such user", True),
        (None, "550 go away", False),
    ],
)
def test_only_a_mailbox_that_is_not_there_is_hard(enhanced: str | None, text: str, hard: bool) -> None:
    assert is_hard(enhanced, text) is hard


def test_a_return_path_names_its_notification_whatever_happens_to_its_case() -> None:
    path = ReturnPath("bounces@mail.example.com", b"secret")
    address = path.of(ID)
    assert len(address.partition("@")[0]) <= 64
    assert path.read(address) == path.read(address.upper()) == ID
    assert path.find(f"Original-Mail-From: <{address}>") == ID


def test_a_return_path_cannot_be_made_up() -> None:
    path = ReturnPath("bounces@mail.example.com", b"secret")
    good = path.of(ID)
    local, _, domain = good.partition("@")
    token = local.partition("+")[2]
    other = ReturnPath("bounces@mail.example.com", b"another").of(ID)
    for forged in (
        other,
        f"bounces@{domain}",
        f"bounces+{token}@elsewhere.test",
        f"bounces+{'b' if token[0] == 'a' else 'a'}{token[1:]}@{domain}",
        f"bounces+{token[:-1]}{'b' if token[-1] == 'a' else 'a'}@{domain}",
        f"bounces+{token}x@{domain}",
        f"bounces+{token.partition('.')[0]}@{domain}",
    ):
        assert path.read(forged) is None
        assert path.find(f"<{forged}>") is None


def test_an_address_too_long_for_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="characters"):
        ReturnPath(f"{'b' * 21}@mail.example.com", b"secret")
