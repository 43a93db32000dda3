"""The words a header value is made of: what may not be in one, and how text that is not ASCII is written (RFC 2047)."""

import binascii
import re
from contextlib import suppress
from functools import lru_cache

COLUMNS = 76
"""The longest line that may hold an encoded word (RFC 2047 section 2)."""

_BREAKERS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
# As lenient readers see one: spaces and all. RFC 2047 allows 75 columns; the bound keeps the search linear.
_ENCODED_WORD = re.compile(r"=\?([^?]*+)\?([bq])\?(?:(.{0,1000}?)\?=|(.{1001}))", re.IGNORECASE | re.DOTALL)
_PREFIX, _SUFFIX = "=?utf-8?b?", "?="
_OVERHEAD = len(_PREFIX) + len(_SUFFIX)
LEAST_ROOM = _OVERHEAD + 8
"""Columns that an encoded word with one character of four bytes needs."""

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_BARE_PHRASE = 70


def objection(value: str) -> str | None:
    """Why `value` may not be in a header, as the end of a sentence about it, or None.

    Refused are C0, DEL, NEL, U+2028 and U+2029 (somebody's line break each), lone surrogates, and encoded words that
    decode to any of them: a reader that decodes twice, or re-folds what it decoded, would see a header of its own.
    """
    if not (value.isascii() and value.isprintable()) and (found := _BREAKERS.search(value)):
        return f"contains {_described(found[0])}"
    if "=?" in value and _smuggles(value):
        return "contains an encoded word that decodes to a control character"
    return None


def _described(character: str) -> str:
    if character in "\r\n\x85\u2028\u2029":
        return f"a line break (U+{ord(character):04X})"
    if "\ud800" <= character <= "\udfff":
        return f"half of a surrogate pair (U+{ord(character):04X})"
    return f"a control character (U+{ord(character):04X})"


def _smuggles(value: str) -> bool:
    """Whether an encoded word in `value` decodes, by its charset or as UTF-8, to what `_BREAKERS` refuses."""
    for charset, encoding, payload, too_long in _ENCODED_WORD.findall(value):
        octets = _octets(encoding, payload)
        readings = [octets.decode("utf-8", "replace")]
        with suppress(LookupError, ValueError):  # a charset that nobody knows, or none of text
            readings.append(octets.decode(charset.partition("*")[0], "replace"))
        if too_long or any(_BREAKERS.search(reading) or _smuggles(reading) for reading in readings):
            return True
    return False


def _octets(encoding: str, payload: str) -> bytes:
    """What a lenient reader makes of an encoded word's payload."""
    raw = payload.encode("ascii", "ignore")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    for cut in range(4):
        try:
            return binascii.a2b_base64(raw[: len(raw) - cut] + b"===")
        except binascii.Error:
            continue
    return b""


def encoded_words(text: str, room: int) -> list[str]:
    """`text` as encoded words, split between characters; the first fits into `room` columns (at least `LEAST_ROOM`),
    each other on a line of its own after one space."""
    octets = text.encode()
    words: list[str] = []
    start = 0
    while start < len(octets):
        end = start + (room - _OVERHEAD) // 4 * 3
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        payload = binascii.b2a_base64(octets[start:end], newline=False).decode("ascii")
        words.append(f"{_PREFIX}{payload}{_SUFFIX}")
        start, room = end, COLUMNS - 1
    return words


@lru_cache(maxsize=1024)
def bare_phrase(name: str) -> str | None:
    """A display name as atoms or a quoted string (RFC 5322 3.2.5), or None where only encoded words will do.

    Long names are encoded as well, so that no quoted string has to be folded.
    """
    if len(name) > _LONGEST_BARE_PHRASE or not name.isascii() or "=?" in name:
        return None
    if _ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
