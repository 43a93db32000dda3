"""The text part that is derived from HTML."""

import time

import pytest

from notifier.templating.text import html_text, one_line

CASES = (
    ("<p>Hello <b>you</b>,<br>there</p>", "Hello you,\nthere"),
    ("a<br><br>b", "a\n\nb"),
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("<div>one</div><div>two</div>", "one\ntwo"),
    ("<h1>T</h1>text", "T\n\ntext"),
    ("<p>a\n   b\t c</p>", "a b c"),
    ('<a href="https://e.com/?a=1&amp;b=2">Click</a> now', "Click (https://e.com/?a=1&b=2) now"),
    ('<a href="https://e.com/">https://e.com</a>', "https://e.com"),
    ('<a href="mailto:a@e.com">a@e.com</a>', "a@e.com"),
    ('<a href="mailto:a@e.com">write</a>', "write (a@e.com)"),
    ('<a href="#top">up</a>', "up"),
    ("<a href='https://e.com/1'><img src='b.png' alt='Shop'></a>", "Shop (https://e.com/1)"),
    ("<a href=https://e.com/1><img src='b.png' alt=''></a>", "https://e.com/1"),
    ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>d</p>", "- a\n- b\n  - c\n\nd"),
    ("<ol><li>a</li><li><p>b</p></li></ol>", "1. a\n2. b"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th><td>d</td></tr></table>e", "a b\nc d\n\ne"),
    ("<head><title>t</title><style>p{}</style></head><p>x</p><script>y</script>", "x"),
    ("<!-- no --><!doctype html>x<!--[if mso]>no<![endif]-->", "x"),
    ('<div style="display:none">pre<div>header</div></div><p>x</p>', "x"),
    ('<span style="mso-hide: all">&#847;&zwnj;</span>x', "x"),
    ("<p>x&#847;&zwnj;&#8199;\u200b\u00ad</p>", "x"),
    ("1\u00a0234,50\u202f€", "1\u00a0234,50\u202f€"),
    ("<p>&lt;b&gt; &amp;amp; &#39;q&#39;</p>", "<b> &amp; 'q'"),
    ("a<hr>b", "a\n---\nb"),
    ("a < b and c > d", "a < b and c > d"),
    ("<p>open <b>and <a href='https://e.com'>never closed", "open and never closed"),
    ("", ""),
)  # fmt: skip


@pytest.mark.parametrize(("html", "text"), CASES)
def test_html_becomes_text(html: str, text: str) -> None:
    assert html_text(html) == text + "\n"


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "<style>", "<a href='", "<ul>", "<div style='display:none'>", "&", "</a>", "<li>"]
)
def test_a_hostile_document_takes_linear_time(piece: str) -> None:
    html_text(piece * 1000)
    started = time.process_time()
    html_text(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("text", "line"),
    [(" a \r\n b\t", "a b"), ("a\x00\x1b[1mb", "a[1mb"), ("\u2028a\x85b\u2029", "a b"), ("1\u00a0€", "1\u00a0€"), ("", "")],  # noqa: E501 - a file of the template
)  # fmt: skip
def test_a_subject_becomes_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
