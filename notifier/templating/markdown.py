"""A Markdown body to HTML (CommonMark and tables). Raw HTML stays text, links that run programs stay text."""

from markdown_it import MarkdownIt
from markupsafe import Markup

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown_html(text: str) -> Markup:
    """HTML without a document around it."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - markdown-it escapes what is not its own
