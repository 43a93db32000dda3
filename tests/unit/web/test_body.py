"""Reading JSON: fast where it is good, by name where it is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.errors import Refused
from notifier.web.body import DEEPEST, parse

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=60,
)


@given(JSON)
def test_what_is_good_is_read_as_it_is(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    faults: object = None
    try:
        parse(body)
    except Refused as error:
        faults = error.faults
    assert faults != ()


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b'{"a": "\\ud800"}', "a", "characters"),
        (b'{"a": ["x", "\\u0000"]}', "a[1]", "characters"),
        (b'{"\\u0000": 1}', "\\u0000", "characters"),
        (b'{"a": {"b": NaN}}', "a.b", "not_finite"),
        (b'{"a": -Infinity}', "a", "not_finite"),
        (b'{"a": 1e400}', "a", "not_finite"),
        (b'{"a": ' + b"9" * 400 + b".0}", "a", "not_finite"),
        (b'{"a": "\xff"}', "", "syntax"),
        (b"\xef\xbb\xbf{}", "", "syntax"),
        (b"", "", "syntax"),
        (b"[" * 5000 + b"]" * 5000, "", "syntax"),
        (b"1" * 5000, "", "syntax"),
        (b'{"a": 1,}', "", "syntax"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, field: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(body)
    assert [(fault.field, fault.code) for fault in refusal.value.faults] == [(field, code)]


def test_the_deepest_is_taken_and_no_deeper() -> None:
    parse(b"[" * DEEPEST + b"]" * DEEPEST)
    with pytest.raises(Refused) as refusal:
        parse(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))
    assert refusal.value.faults[0].code == "depth"
