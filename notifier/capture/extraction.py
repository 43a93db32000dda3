"""What a reader would pick out of a mail: its links and its one-time codes. Pure functions over text."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple


class Link(NamedTuple):
    """A link: what it says (white space collapsed, empty in plain text) and where it goes."""

    text: str
    url: str


_URL = re.compile(r"\bhttps?://[^\s<>\"'`]+", re.IGNORECASE)
_BLOCK = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5",
     "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}
)  # fmt: skip
_UNSEEN = frozenset({"head", "script", "style", "template", "title"})


class _Reader(HTMLParser):
    """Gathers links and the text that is seen."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[Link] = []
        self.pieces: list[str] = []
        self._unseen: list[str] = []
        self._href: str | None = None
        self._label: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in _UNSEEN:
            self._unseen.append(tag)
        if tag in _BLOCK:
            self.pieces.append("\n")
        if tag in {"a", "area"}:
            self._finish_link()
            self._href = (found.get("href") or "").strip() or None
        if tag == "img":
            self._label.append(found.get("alt") or "")
        if tag == "area":
            self._label.append(found.get("alt") or "")
            self._finish_link()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        if tag in _BLOCK:
            self.pieces.append("\n")
        if tag == "a":
            self._finish_link()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(re.sub(r"\s+", " ", data))
            self._label.append(data)

    def close(self) -> None:
        super().close()
        self._finish_link()

    def _finish_link(self) -> None:
        if self._href is not None:
            self.links.append(Link(" ".join("".join(self._label).split()), self._href))
        self._href = None
        self._label = []


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def seen_text(html: str) -> str:
    """The text of an HTML page as lines, without markup, scripts and styles."""
    lines = (" ".join(line.split()) for line in "".join(_read(html).pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def links(text: str | None, html: str | None) -> tuple[Link, ...]:
    """Every link, those of the HTML first, in order; a URL of the text is left out when the HTML has it."""
    found = _read(html).links if html else []
    known = {link.url for link in found}
    for url in map(_without_trailing_punctuation, _URL.findall(text or "")):
        if url not in known:
            known.add(url)
            found.append(Link("", url))
    return tuple(found)


def _without_trailing_punctuation(url: str) -> str:
    """A URL in prose, without the full stop or the bracket that belongs to the sentence."""
    opening = {")": "(", "]": "["}
    while url[-1] in ".,;:!?*" or (url[-1] in opening and url.count(url[-1]) > url.count(opening[url[-1]])):
        url = url[:-1]
    return url


# Letters count only in capitals and only beside a digit: prose in capitals is no code. Groups ("123 456") are joined.
_CODE = r"(?:\d{3}[ -]\d{3}|\d{4}[ -]\d{4}|(?=[A-Z]*\d)[A-Z0-9]{4,8})"
_EDGE = r"(?<![\w.,:/#€$£-])", r"(?![\w/%€$£]|[-.,:]\w)"
_WORD = r"(?i:\b(?:code|codes|otp|pin|passcode|password|token|kode|código|codigo|codice)\b)"
_NAMED = re.compile(rf"{_WORD}[^\n]{{0,40}}?(?:\n\s*)?{_EDGE[0]}({_CODE}){_EDGE[1]}")
_NAMED_AFTER = re.compile(rf"{_EDGE[0]}({_CODE}){_EDGE[1]}[^\n\d]{{0,30}}{_WORD}")
_ALONE = re.compile(rf"^[ \t>*]*({_CODE})[ \t*]*$", re.MULTILINE)
_PLAIN = re.compile(rf"{_EDGE[0]}(\d{{4,8}}){_EDGE[1]}")
_YEAR = re.compile(r"(?:19|20)\d\d")


def codes(*texts: str) -> tuple[str, ...]:
    """What may be a one-time code (4 to 8 digits, or capitals with digits), the likeliest first: those that the word
    "code" or one of its kind stands by, those alone on a line, then other numbers that are no year."""
    return tuple(dict.fromkeys(code.replace(" ", "").replace("-", "") for code in _candidates(texts)))


def _candidates(texts: tuple[str, ...]) -> Iterator[str]:
    prose = [_URL.sub(" ", text) for text in texts if text]
    for pattern in (_NAMED, _NAMED_AFTER, _ALONE):
        for text in prose:
            yield from pattern.findall(text)
    for text in prose:
        yield from (number for number in _PLAIN.findall(text) if not _YEAR.fullmatch(number))
