"""Jinja's parser, with columns: every node's line number also knows its column."""

import re
from collections.abc import Iterator
from itertools import pairwise

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifier.domain.errors import Fault

MAX_SOURCE = 500_000
"""Characters of one source file."""
_LEXER_POSITION = re.compile(r"^unexpected char .* at (\d+)$", re.DOTALL)


class Place(int):
    """A line number (from 1) that remembers its column (from 1). Jinja hands it from token to node untouched."""

    column: int

    def __new__(cls, line: int, column: int) -> "Place":
        place = super().__new__(cls, line)
        place.column = column
        return place


def column_of(lineno: int | None) -> int:
    """The column of a node's line number; 1 where Jinja made the number itself."""
    return getattr(lineno, "column", 1)


class PlacedEnvironment(ImmutableSandboxedEnvironment):
    """An environment whose tokens, and so whose nodes, carry a `Place`."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"the file is longer than {MAX_SOURCE} characters", Place(1, 1), name, filename)
        return Parser(self, source, name, filename).parse()

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        raw = _placed(source, self.lexer.tokeniter(source, name, filename, state))
        if name is not None and name.endswith((".txt", ".md")):
            raw = _without_tag_lines(list(raw))
        stream = TokenStream(self.lexer.wrap(raw, name, filename), name, filename)
        for extension in self.iter_extensions():
            filtered = extension.filter_stream(stream)
            stream = filtered if isinstance(filtered, TokenStream) else TokenStream(filtered, name, filename)
        return stream


def _placed(source: str, tokens: Iterator[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    """Raw tokens are slices of the source in order, so each is found by looking on from the last one's end."""
    position = 0
    for lineno, kind, value in tokens:
        found = source.find(value, position)
        if found >= 0:
            start = found
            position = found + len(value)
        else:
            start = position
        yield Place(lineno, start - source.rfind("\n", 0, start)), kind, value


def _without_tag_lines(tokens: list[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    """Lines that hold nothing but tags or comments leave no empty line in text and Markdown."""
    data = [index for index, (_, kind, _) in enumerate(tokens) if kind == "data"]
    fresh = True  # whether the data before a run of tags starts at the start of a line
    for before, after in pairwise([-1, *data, len(tokens)]):
        left = tokens[before][2] if before >= 0 else ""
        right = tokens[after][2] if after < len(tokens) else "\n"
        tags = tokens[before + 1 : after]
        starts, ends = _LINE_START.search(left), _LINE_END.match(right)
        alone = starts is not None and (starts.start() > 0 or fresh) and ends is not None
        plain = tags and not any(kind in ("variable_begin", "raw_begin") for _, kind, _ in tags)
        fresh = False
        if starts is not None and ends is not None and alone and plain:
            if before >= 0:
                tokens[before] = (tokens[before][0], "data", left[: starts.start()])
            if after < len(tokens):
                tokens[after] = (tokens[after][0], "data", right[ends.end() :])
            fresh = True
        elif not tags:
            fresh = True
    return iter(tokens)


_LINE_START = re.compile(r"(?:(?<=\n)|\A)[ \t]*\Z")
_LINE_END = re.compile(r"[ \t]*\n")


def syntax_fault(error: TemplateSyntaxError, path: str, source: str) -> Fault:
    """A syntax error as a fault with file, line and column."""
    line, column = error.lineno or 1, column_of(error.lineno)
    message = error.message or "cannot be read"
    if (found := _LEXER_POSITION.match(message)) is not None:
        at = int(found[1])
        column = at - source.rfind("\n", 0, at)
        message = message[: message.rindex(" at ")]
    return Fault(f"{path}:{int(line)}:{column}", "syntax", message)
