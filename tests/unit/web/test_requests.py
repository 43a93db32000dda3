"""JSON to requests: never an exception, every fault by the caller's own path, and nothing taken that cannot be sent."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.notification import Address
from notifier.intake import Request
from notifier.mail.mime import Message, build
from notifier.web.wire.batches import read_batch
from notifier.web.wire.limits import Limits
from notifier.web.wire.models import Fields
from notifier.web.wire.requests import Shared, fingerprint, read_request

LIMITS = Limits()
NAMES = [field.alias or name for name, field in Fields.model_fields.items()]

hostile = st.text(max_size=30) | st.sampled_from(
    [
        "a@example.com",
        "Zoë <zoe@exämple.test>",
        "a@b\r\nBcc: c@d",
        "=?utf-8?q?=0D=0A?= <a@b.c>",
        '"a\\"b" <x@y>',
        "\x85",
    ]
)
INNER = st.sampled_from(["email", "name", "subject", "text", "html", "filename", "content", "X-A", "List-Id"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER | hostile, inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(NAMES) | hostile, anything, max_size=6)


@given(bodies)
@settings(max_examples=300)
def test_whatever_is_asked_is_read_and_its_faults_are_about_what_was_given(body: dict[str, Any]) -> None:
    request = read_request(body, LIMITS)
    for fault in request.faults:
        root = re.split(r"[.\[]", fault.field)[0]
        starts = tuple(re.split(r"[.\[]", name)[0] for name in body)
        assert root in starts or fault.code == "missing", fault
        assert fault.message


@given(
    to=st.lists(hostile, min_size=1, max_size=3),
    subject=hostile,
    headers=st.dictionaries(st.sampled_from(["X-A", "X-Bee", "List-Unsubscribe", "References"]), hostile, max_size=2),
    sender=hostile,
    filename=hostile,
)
@settings(max_examples=300)
def test_what_is_taken_can_be_sent_and_nothing_in_it_becomes_a_header(
    to: list[str], subject: str, headers: dict[str, str], sender: str, filename: str
) -> None:
    body = {
        "to": to,
        "from": sender,
        "headers": headers,
        "content": {"subject": subject, "text": "x"},
        "attachments": [{"filename": filename, "content": "aGk="}],
    }
    request = read_request(body, LIMITS)
    if request.faults:
        return
    raw = build(_message(request), smtputf8=True)
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].lower() for line in re.sub(rb"\r\n[ \t]", b" ", head).split(b"\r\n")]
    assert len(names) == len(set(names))
    assert b"bcc" not in names


def _message(request: Request) -> Message:
    assert request.content is not None
    assert request.sender is not None
    return Message(
        sender=request.sender,
        to=tuple(Address(r.email, r.name) for r in request.recipients),
        subject=request.content.subject,
        message_id="<a@example.com>",
        date=datetime.now(UTC),
        text=request.content.text,
        headers=request.headers,
        attachments=request.attachments,
    )


@pytest.mark.parametrize(
    ("given_time", "utc"),
    [
        ("2030-01-31T09:00:00+14:00", "2030-01-30T19:00:00"),
        ("2030-01-31T09:00:00-12:00", "2030-01-31T21:00:00"),
        ("2030-01-31t09:00:00.123456789z", "2030-01-31T09:00:00.123456"),
        ("2030-01-31 09:00:00-00:30", "2030-01-31T09:30:00"),
        ("2030-01-31T09:00Z", "2030-01-31T09:00:00"),
    ],
)
def test_any_offset_is_taken(given_time: str, utc: str) -> None:
    request = read_request({"template": "t", "to": "a@b.c", "send_at": given_time}, LIMITS)
    assert request.faults == ()
    assert request.send_at == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_time", "code"),
    [
        ("2030-01-31T09:00:00", "offset"),
        ("2030-01-31", "time"),
        ("tomorrow", "time"),
        (1700000000, "time"),
        ("2030-02-31T09:00:00Z", "time"),
        ("0001-01-01T00:00:00+14:00", "time"),
        ("2030-01-31T09:00:00+25:00", "time"),
    ],
)
def test_a_time_that_nobody_can_know_is_refused(given_time: object, code: str) -> None:
    request = read_request({"template": "t", "to": "a@b.c", "send_at": given_time}, LIMITS)
    assert [(fault.field, fault.code) for fault in request.faults] == [("send_at", code)]


def test_the_fingerprint_is_of_the_meaning_and_not_of_the_spelling() -> None:
    one = fingerprint({"a": {"b": 1, "c": [1, 2]}, "idempotency_key": "k"}, b"secret", Shared())
    assert one == fingerprint({"a": {"c": [1, 2], "b": 1}}, b"secret", Shared())
    assert one != fingerprint({"a": {"c": [2, 1], "b": 1}}, b"secret", Shared())
    assert one != fingerprint({"a": {"c": [1, 2], "b": 1}}, b"another", Shared())


def test_limits_hold_at_their_edge() -> None:
    limits = Limits(data=20, attachments=4, recipients=2, subject=5)
    base = {"template": "t", "to": ["a@b.c", "d@e.f"]}
    good = {**base, "data": {"a": "x" * 12}, "attachments": [{"filename": "f", "content": "AAAAAA=="}]}
    assert read_request(good, limits).faults == ()
    bad = {
        "template": "t",
        "to": ["a@b.c", "d@e.f", "g@h.i"],
        "data": {"a": "x" * 13},
        "attachments": [{"filename": "f", "content": "AAAAAAA="}],
    }
    assert {fault.field for fault in read_request(bad, limits).faults} == {"to[2]", "data", "attachments"}
    literal = {"to": "a@b.c", "content": {"subject": "123456", "text": "x"}}
    assert [fault.field for fault in read_request(literal, limits).faults] == ["content.subject"]


def test_the_files_of_a_batchs_defaults_are_in_memory_once_and_an_items_fingerprint_is_that_of_a_single_one() -> None:
    defaults = {"template": "t", "attachments": [{"filename": "f", "content": "AAAAAA=="}]}
    items = [{"to": "a@b.c", "idempotency_key": "1"}, {"to": "d@e.f", "idempotency_key": "2"}]
    body = {"defaults": defaults, "notifications": items}
    one, other = read_batch(body, LIMITS, key=None, secret=b"s", permissive=False).requests
    assert one.attachments[0].content is other.attachments[0].content
    assert read_request({**defaults, **items[1]}, LIMITS, secret=b"s").idempotency == other.idempotency
    another = {**defaults, **items[1], "attachments": [{"filename": "f", "content": "AAAAAQ=="}]}
    assert read_request(another, LIMITS, secret=b"s").idempotency != other.idempotency


def test_a_million_faults_are_told_as_one() -> None:
    raw = {f"field{n}": 0 for n in range(1000)}
    assert [(fault.code, fault.field) for fault in read_request(raw, LIMITS).faults] == [("too_many", "")]


@given(st.lists(bodies, max_size=4), bodies)
def test_a_batch_of_anything_is_read(items: list[Any], defaults: dict[str, Any]) -> None:
    asked = read_batch({"defaults": defaults, "notifications": items}, LIMITS, key=None, secret=b"s", permissive=False)
    assert len(asked.requests) == len(items)
    faults = [
        fault.under(f"notifications[{place}]") for place, one in enumerate(asked.requests) for fault in one.faults
    ]
    once = asked.told_once(faults)
    assert len(once) <= len(faults)
