"""Money, numbers, dates and times as the reader writes them (CLDR, by Babel), and addresses of the web.

A whole number, a decimal or a text that spells one is a number; a date or a time is RFC 3339 text or Unix seconds.
Babel takes 30-45 microseconds a value, so what repeats is learned once per locale.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from jinja2.exceptions import TemplateRuntimeError

from notifier.templating.budget import RUN
from notifier.templating.links import dead_link

_LARGEST = Decimal(10) ** 15
_EXACT = 10**12
_NO_CURRENCY = "a currency is three capital letters, such as EUR"
_STYLES = ("short", "medium", "long", "full")


@lru_cache(maxsize=512)
def locale_name(tag: str) -> str:
    """The name of Babel's locale for a tag (`fr-CA` is ``fr_CA``), or of its nearest parent, or English."""
    steps = tag.split("-")
    for length in range(len(steps), 0, -1):
        try:
            return str(Locale.parse("-".join(steps[:length]), sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return "en"


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """A time zone by its IANA name. ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{name!r} is not a time zone") from None


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TemplateRuntimeError("a number is expected")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise TemplateRuntimeError(
            f"{value[:40]!r} is not a number" if isinstance(value, str) else "no number"
        ) from None
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise TemplateRuntimeError("the number is too large to be written out")
    return number


class _Spelling:
    """How one locale spells numbers with a fixed number of decimals: learned from Babel, checked against it."""

    _PROBES = tuple(map(Decimal, ("0", "3.5", "1234.567", "98765.4", "1234567.891", "-1", "-1234567.5")))

    def __init__(self, spell: Callable[[Decimal], str]) -> None:
        self._spell = spell
        self._plain = False
        self._decimals = 0
        sample, negative = spell(Decimal(1111111)), spell(Decimal(-1111111))
        found, below = (re.search(r"1.*1(?:(\D)(0+))?", text) for text in (sample, negative))
        if found is None or below is None:
            return
        self._point, self._decimals = found[1] or "", len(found[2] or "")
        self._group = found[0][1] if found[0][1] != "1" else ""
        self._around = (sample[: found.start()], sample[found.end() :])
        self._around_negative = (negative[: below.start()], negative[below.end() :])
        self._unit = Decimal(1).scaleb(-self._decimals)
        self._format = f",.{self._decimals}f"
        self._plain = True
        self._plain = all(self(probe) == spell(probe) for probe in self._PROBES)

    def __call__(self, value: Decimal) -> str:
        if not self._plain:
            return self._spell(value)
        rounded = value.quantize(self._unit, rounding=ROUND_HALF_EVEN)
        return self._written(f"{abs(rounded):,f}", negative=value < 0)

    def of_number(self, value: Any) -> str:
        """The same of a number as data has it. One that has no more decimals than are written needs no rounding, and
        below 10**12 a float says exactly which decimals it has: no detour over `Decimal`."""
        short = type(value) in (float, int) and -_EXACT < value < _EXACT and round(value, self._decimals) == value
        if self._plain and short:
            return self._written(format(abs(value), self._format), negative=value < 0)
        return self(_decimal(value))

    def _written(self, digits: str, *, negative: bool) -> str:
        whole, _, fraction = digits.partition(".")
        before, after = self._around_negative if negative else self._around
        return f"{before}{whole.replace(',', self._group)}{self._point}{fraction}{after}"


@lru_cache(maxsize=1024)
def _money(locale: str, currency: str) -> _Spelling:
    if re.fullmatch("[A-Z]{3}", currency) is None:
        raise TemplateRuntimeError(_NO_CURRENCY)
    return _Spelling(lambda value: numbers.format_currency(value, currency, locale=locale))


@lru_cache(maxsize=1024)
def _fixed(locale: str, digits: int) -> _Spelling:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return _Spelling(lambda value: numbers.format_decimal(value, pattern, locale=locale))


def money(value: Any, currency: Any = "EUR") -> str:
    """`{{ 1234.5|money("EUR") }}`: an amount with the currency (ISO 4217) and its usual decimals."""
    if not isinstance(currency, str):
        raise TemplateRuntimeError(_NO_CURRENCY)
    return _money(RUN.get().locale, currency).of_number(value)


def number(value: Any, digits: Any = None) -> str:
    """`{{ 1234.5|number }}` or with so many decimals: `|number(2)`."""
    if digits is None:
        return numbers.format_decimal(_decimal(value), locale=RUN.get().locale)
    if not isinstance(digits, int) or not 0 <= digits <= 12:
        raise TemplateRuntimeError("number takes 0 to 12 decimals")
    return _fixed(RUN.get().locale, digits).of_number(value)


def percent(value: Any, digits: Any = 0) -> str:
    """`{{ 0.125|percent(1) }}` is 12.5%."""
    if not isinstance(digits, int) or not 0 <= digits <= 12:
        raise TemplateRuntimeError("percent takes 0 to 12 decimals")
    return _percent(RUN.get().locale, digits)(_decimal(value))


@lru_cache(maxsize=512)
def _percent(locale: str, digits: int) -> _Spelling:
    known = str(Locale.parse(locale).percent_formats[None].pattern)
    pattern = re.sub(r"0(?:\.0+)?", "0" + ("." + "0" * digits if digits else ""), known, count=1)
    return _Spelling(lambda value: numbers.format_percent(value, pattern, locale=locale))


def moment(value: Any) -> date | datetime:
    """A date, or a time with its offset, from data."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError, ValueError):
            raise TemplateRuntimeError("the number of seconds is out of range") from None
    if not isinstance(value, str):
        raise TemplateRuntimeError("a date is expected, as 2026-01-31 or with a time and an offset")
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except ValueError:
        raise TemplateRuntimeError(f"{value[:40]!r} is not a date") from None


def date_(value: Any, format: Any = "medium", timezone: Any = None) -> str:
    """`{{ day|date("long") }}`: short, medium, long, full, or a CLDR pattern such as "d MMMM y"."""
    run = RUN.get()
    return _when("date", _text(value), _style(format), _zone_name(timezone), run.locale)


def time_(value: Any, format: Any = "short", timezone: Any = None) -> str:
    """`{{ at|time }}`: the time of day in the reader's zone, or in the one that is named."""
    return _when("time", _text(value), _style(format), _zone_name(timezone), RUN.get().locale)


def datetime_(value: Any, format: Any = "medium", timezone: Any = None) -> str:
    """`{{ at|datetime("long") }}`: both."""
    return _when("datetime", _text(value), _style(format), _zone_name(timezone), RUN.get().locale)


@lru_cache(maxsize=4096)
def _when(kind: str, value: str | int | float, style: str, zone_name: str, locale: str) -> str:
    """Pure, so what was asked before is remembered: mails of one minute mostly show the same few times."""
    instant = moment(value)
    if isinstance(instant, datetime):
        if instant.tzinfo is None:
            raise TemplateRuntimeError(f"{value!r} has no UTC offset, so nobody knows when it is")
        instant = instant.astimezone(zone(zone_name))
    if kind == "date":
        return dates.format_date(instant, style, locale=locale)
    if not isinstance(instant, datetime):
        raise TemplateRuntimeError(f"{value!r} is a day without a time")
    if kind == "time":
        return dates.format_time(instant, style, tzinfo=instant.tzinfo, locale=locale)
    return dates.format_datetime(instant, style, tzinfo=instant.tzinfo, locale=locale)


def _text(value: Any) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TemplateRuntimeError("a date is expected, as 2026-01-31 or with a time and an offset")
    return value


def _style(format: Any) -> str:
    if not isinstance(format, str) or len(format) > 60:
        raise TemplateRuntimeError(f"a format is one of {', '.join(_STYLES)} or a CLDR pattern")
    return str(format)


def _zone_name(timezone: Any) -> str:
    name = RUN.get().timezone if timezone is None else timezone
    try:
        zone(name)
    except (ValueError, TypeError) as error:
        raise TemplateRuntimeError(str(error)) from None
    return str(name)


def wall_time(at: datetime, timezone: str) -> str:
    """RFC 3339, in that zone: what `now` is in a template."""
    return at.astimezone(zone(timezone)).isoformat()


def url(value: Any, **query: Any) -> str:
    """`{{ base|url(token=token) }}`: a link with query parameters added, percent-encoded (RFC 3986 2.1)."""
    if not isinstance(value, str):
        raise TemplateRuntimeError("a link is a string")
    if dead_link(value):
        raise TemplateRuntimeError("the link's scheme is refused")
    address, hash_mark, fragment = str(value).partition("#")
    address = quote(address, safe="%/:?=&;,@!$'()*+~[]-._")
    if query:
        joint = "&" if "?" in address else "?"
        address += joint + urlencode({key: _query_value(entry) for key, entry in query.items()}, quote_via=quote)
    return f"{address}{hash_mark}{quote(fragment, safe='%/:?=&;,@!$()*+~-._')}"


def _query_value(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise TemplateRuntimeError("a query parameter is a string or a number")
    return str(value)


FORMATS: dict[str, Callable[..., Any]] = {
    "money": money,
    "number": number,
    "percent": percent,
    "date": date_,
    "time": time_,
    "datetime": datetime_,
    "url": url,
}
