"""The text part of a mail from its HTML: link targets, lists and line breaks stay, what is only for the eye goes."""

import html
import re

_TOKEN = re.compile(r"<(?:(!--)|!|(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>)")
_SKIPPED = {
    tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in ("head", "style", "script", "title", "template", "svg")
}
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|(?<![\w-])hidden(?![\w-])", re.IGNORECASE)
_PADDING = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060\u2007\ufeff]+")
"""Zero-width characters that pad a preheader (U+2007, the figure space, is used for it, too)."""
_BLANK = " \t\r\n\f\v"
_SPACES = re.compile("[ \t\r\n\f\v\x1c-\x1f\x85\u2028\u2029]+")
"""White space that is collapsed; a no-break space, as amounts have it in many languages, is none."""
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "main", "nav", "ol", "p", "pre",
        "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "dl"})
_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "col", "area", "source", "wbr", "base"})


class _Writer:
    """Text lines under way: white space is collapsed, breaks are at most one empty line."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._break = 0
        self._space = False
        self.prefix = ""

    def text(self, text: str) -> None:
        if not text.strip():
            self._space = self._space or bool(text)
            return
        words = text.split() if text.isascii() else _SPACES.sub(" ", text).strip(" ").split(" ")
        if self._break or not self.out:
            self.out.append("\n" * (self._break if self.out else 0) + self.prefix)
            self._break, self.prefix = 0, ""
        elif self._space or text[0] in _BLANK:
            self.out.append(" ")
        self.out.append(" ".join(words))
        self._space = text[-1] in _BLANK

    def end_line(self, lines: int = 1) -> None:
        """A block ends here; the next text starts after at least so many line ends."""
        self._break = max(self._break, lines)
        self._space = False

    def line_break(self) -> None:
        """`<br>`: two of them make an empty line."""
        self._break = min(2, self._break + 1)
        self._space = False

    def space(self) -> None:
        """Cells of one row stand apart."""
        self._space = True

    def value(self) -> str:
        return "".join(self.out).strip("\n")


def html_text(document: str) -> str:
    """Plain text that says what the HTML says. Linear in the document's length."""
    writer = _Writer()
    lists: list[int | None] = []
    links: list[tuple[str, int]] = []
    hidden: list[str] = []
    position = 0
    while (token := _TOKEN.search(document, position)) is not None:
        if token.start() > position and not hidden:
            writer.text(_plain(document[position : token.start()]))
        tag, position = (token[3] or "").lower(), _end(document, token)
        if hidden:
            _follow_hidden(hidden, tag, bool(token[2]))
        elif token[2]:
            _close(tag, writer, lists, links)
        elif tag not in _VOID and token[4] and _HIDDEN.search(token[4]):
            hidden.append(tag)
        elif tag:
            _open(tag, token[4], writer, lists, links)
    if not hidden:
        writer.text(_plain(document[position:]))
    return writer.value() + "\n"


def _end(document: str, token: re.Match[str]) -> int:
    """Where reading goes on: behind a comment, a declaration, or an element that is not for reading."""
    if token[1]:
        end = document.find("-->", token.end())
        return end + 3 if end >= 0 else len(document)
    if not token[3]:
        end = document.find(">", token.end())
        return end + 1 if end >= 0 else len(document)
    closer = None if token[2] else _SKIPPED.get(token[3].lower())
    if closer is None:
        return token.end()
    found = closer.search(document, token.end())
    return found.end() if found is not None else len(document)


def _plain(text: str) -> str:
    text = html.unescape(text) if "&" in text else text
    return text if text.isascii() else _PADDING.sub("", text)


def _follow_hidden(hidden: list[str], tag: str, closing: bool) -> None:
    """Inside something hidden only the way out counts: same tags are balanced, others do not matter."""
    if tag == hidden[0] and tag not in _VOID:
        hidden.pop() if closing else hidden.append(tag)


def _open(tag: str, attributes: str, writer: _Writer, lists: list[int | None], links: list[tuple[str, int]]) -> None:
    match tag:
        case "br":
            writer.line_break()
        case "hr":
            writer.end_line()
            writer.text("---")
            writer.end_line()
        case "img":
            found = _ALT.search(attributes)
            if found is not None:
                writer.text(_plain(found[1] if found[1] is not None else found[2]))
        case "a":
            target = _HREF.search(attributes)
            address = html.unescape((target[1] or target[2] or target[3] or "") if target else "").strip()
            links.append((address, len(writer.out)))
        case "ul" | "ol":
            writer.end_line(1 if lists else 2)
            lists.append(0 if tag == "ol" else None)
        case "li":
            writer.end_line()
            number = None
            if lists and lists[-1] is not None:
                number = lists[-1] = lists[-1] + 1
            indent = "  " * max(0, len(lists) - 1)
            writer.prefix = f"{indent}{number}. " if number is not None else f"{indent}- "
        case "td" | "th":
            writer.space()
        case _ if tag in _BLOCKS:
            writer.end_line(2 if tag in _APART and not lists else 1)


def _close(tag: str, writer: _Writer, lists: list[int | None], links: list[tuple[str, int]]) -> None:
    match tag:
        case "a" if links:
            address, start = links.pop()
            label = "".join(writer.out[start:]).strip()
            if address and not address.startswith("#") and label != address:
                bare = address.removeprefix("mailto:").removeprefix("tel:")
                if bare.strip("/") != label.strip("/"):
                    writer.text(f" ({bare})" if label else bare)
        case "ul" | "ol":
            if lists:
                lists.pop()
            writer.end_line(1 if lists else 2)
        case "li":
            writer.end_line()
        case "td" | "th":
            writer.space()
        case _ if tag in _BLOCKS:
            writer.end_line(2 if tag in _APART else 1)


def tidy_text(text: str) -> str:
    """A text part as it is sent: no trailing blanks, at most one empty line in a row, one line end at the end."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    if "\n\n\n" in lines:
        lines = re.sub(r"\n{3,}", "\n\n", lines)
    return lines.strip("\n") + "\n"


def one_line(text: str) -> str:
    """A subject or a preheader: white space collapsed, controls gone (RFC 5322 2.2 allows none in a header)."""
    return re.sub("[\x00-\x1f\x7f-\x9f]", "", _SPACES.sub(" ", text)).strip()
