"""Money, numbers, dates and links as the reader writes them: ours agree with Babel."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from babel import numbers

from tests.unit.templating.conftest import Make

LOCALES = ("en", "en-IN", "de", "de-CH", "fr", "fr-CA", "es", "pt-BR", "ja", "hi", "ar-EG", "sv", "pl", "he", "fa")
AMOUNTS = ("0", "-0.5", "1", "0.005", "1234.5", "-1234567.891", "99999999", "12345678901.23", "0.125", "2.5")


@pytest.mark.parametrize("locale", LOCALES)
def test_money_is_what_babel_writes(make: Make, at: datetime, locale: str) -> None:
    template = make(
        {"template.toml": f'locale = "{locale}"', "body.txt": "{% for a in amounts %}{{ a|money(c) }}\n{% endfor %}"}
    )
    for currency in ("EUR", "USD", "JPY", "KWD", "CHF"):
        text = template.render({"amounts": list(AMOUNTS), "c": currency}, at=at).text
        expected = [numbers.format_currency(Decimal(a), currency, locale=locale.replace("-", "_")) for a in AMOUNTS]
        assert text is not None
        assert [line.strip() for line in text.splitlines()] == [line.strip() for line in expected]


def shown(make: Make, at: datetime, expression: str, **reader: Any) -> str:
    return str(make({"body.txt": "{{ " + expression + " }}"}).render({}, at=at, **reader).text).rstrip("\n")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1234.5|number", "1,234.5"),
        ("1234.5|number(2)", "1,234.50"),
        ("2.5|number(0)", "2"),
        ("0.125|percent(1)", "12.5%"),
        ("'2026-01-31'|date('long')", "January 31, 2026"),
        ("'2026-01-31T23:30:00Z'|date", "Jan 31, 2026"),
        ("'2026-01-31T23:30:00Z'|date('medium', 'Asia/Tokyo')", "Feb 1, 2026"),
        ("'2026-01-31T12:00:00+01:00'|time", "11:00\u202fAM"),
        ("0|datetime('short')", "1/1/70, 12:00\u202fAM"),
        ("'2026-01-31'|date('EEEE d MMMM y')", "Saturday 31 January 2026"),
        ("'https://e.com/a b?x=1#é'|url(q='a&b', n=2)", "https://e.com/a%20b?x=1&q=a%26b&n=2#%C3%A9"),
    ],
)
def test_values_are_written_for_the_reader(make: Make, at: datetime, expression: str, text: str) -> None:
    assert shown(make, at, expression) == text


def test_times_are_in_the_readers_zone(make: Make, at: datetime) -> None:
    assert shown(make, at, "now|time", timezone="Asia/Kolkata") == "5:30\u202fPM"


@pytest.mark.parametrize(
    "expression",
    [
        "'x'|money", "none|money", "true|money", "1|money('euro')", "'1e30'|money", "'NaN'|number", "1|number(99)",
        "'2026-13-01'|date", "'2026-01-31T12:00:00'|time", "'2026-01-31'|time", "'x'|date", "true|date", "1e300|date",
        "'2026-01-31'|date(1)", "now|time('short', 'Mars/Base')", "'javascript:x'|url", "1|url", "'https://e.com'|url(q=[1])",
    ],
)  # fmt: skip
def test_what_is_no_such_value_is_refused(make: Make, at: datetime, expression: str) -> None:
    verdict = make({"body.txt": "{{ " + expression + " }}"}).verdict({}, at=at)
    assert [fault.code for fault in verdict.faults] == ["render"]
