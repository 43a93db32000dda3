"""Hostile templates and hostile data: nothing escapes, and each ends within two seconds and 256 MB."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from notifier.templating import read_folder
from notifier.templating.child import PATIENCE, Workshop

MARK = "ESCAPED"
_CHAIN = "__class__.__mro__[1].__subclasses__()"

ESCAPES = (
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ []['__class__'] }}",
    "{{ {}|attr('__class__') }}",
    "{{ ()." + _CHAIN + " }}",
    "{{ x['__cla' ~ 'ss__'] }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('echo ESCAPED').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('echo ESCAPED').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('echo ESCAPED').read() }}",
    "{{ range.__self__ }}",
    "{{ range.__wrapped__ }}",
    "{{ asset.__globals__ }}",
    "{{ asset.__code__.co_consts }}",
    "{{ gettext.__globals__ }}",
    "{{ _.__globals__['RUN'] }}",
    "{{ dict.mro() }}",
    "{{ dict.fromkeys }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ 'x'.format.__self__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__.__mro__}'.format('a') }}",
    "{{ '{x.__class__}'.format(x='a') }}",
    "{{ '{0[__class__]}'.format({}) }}",
    "{{ '{0.__globals__}'.format(asset) }}",
    "{{ ('{0.__class__}'|safe).format(1) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ ['a']|map(attribute='__class__')|list }}",
    "{{ ['a']|map('attr', '__class__')|list }}",
    "{{ ['a']|sum(attribute='__class__') }}",
    "{{ ['a']|groupby('__class__') }}",
    "{{ ['a']|selectattr('__class__')|list|length == 1 and 1/0 }}",
    "{{ x|pprint }}",
    "{{ [1,2]|random }}",
    "{{ x|xmlattr }}",
    "{% set a = x.append(1) %}{{ x.pop() }}",
    "{{ d.update({'a': 1}) }}",
    "{{ d.clear() }}",
    "{{ d.setdefault('k', 1) }}",
    "{{ d.pop('a') }}",
    "{{ x.sort() }}",
    "{{ x.extend([1]) }}",
    "{% for i in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop._iterator.gi_frame }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% block a %}{{ super.__init__ }}{% endblock %}",
    "{% block a %}{% endblock %}{{ self.a.__self__ }}",
    "{% set n = namespace(a=1) %}{{ n._Namespace__attrs }}",
    "{% set n = namespace(a=1) %}{{ n['__class__'] }}",
    "{% include '../../../etc/passwd' %}",
    "{% include '/etc/passwd' %}",
    "{% include name %}",
    "{% import 'os' as os %}{{ os.popen('echo ESCAPED') }}",
    "{% extends x %}",
    "{{ asset('../../etc/passwd') }}",
    "{{ asset(name) }}",
    "{{ config }}{{ request }}{{ get_flashed_messages.__globals__ }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ context.environment.getattr }}",
    "{{ ''.join.__self__.__class__ }}",
    "{{ (x|first).__class__ }}",
    "{{ joiner() }}{{ joiner().__class__ }}",
    "{{ m }}{% macro m() %}{% endmacro %}{{ m }}",
    "{% do x.append(1) %}",
    "{% debug %}",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=\"JaVaScRiPt&colon;alert(1)\">x</a>",
    "<a href=\"java&#10;script:alert(1)\">x</a>",
    "<a href='{{ link }}'>x</a>",
    "<img src='data:text/html;base64,AAAA'>",
    "<a href='vbscript:x'>x</a>",
)  # fmt: skip
"""Each is refused: where nothing is reachable there is nothing to print."""

COSTS = (
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ [0] * 10**9 }}",
    "{{ 10**10**10 }}",
    "{{ 2**100000 }}",
    "{{ (2**200)**200 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%.1000000000f' % 1.0 }}",
    "{{ '{:>1000000000}'.format('a') }}",
    "{{ '{:{w}}'.format('a', w=1000000000) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a\nb'|indent(1000000000) }}",
    "{{ 'a'|indent('x' * 400000) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ [1]|batch(1000000000, 'x')|list }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ 1.5|round(1000000000) }}",
    "{{ ('a' * 400000)|replace('a', 'b' * 400000) }}",
    "{{ (['a'] * 400000)|join('b' * 400000) }}",
    "{{ ('a' * 400000)|wordwrap(1, true, 'b' * 400000) }}",
    "{{ ('a' * 400000).replace('a', 'b' * 400000) }}",
    "{{ ('b' * 400000).join(['a'] * 400000) }}",
    "{{ range(10**9)|list }}",
    "{{ range(10000000)|sum }}",
    "{{ ([[1]] * 40000)|sum(start=[])|length }}",
    "{{ ([{'a': [1]}] * 20000)|sum('a', [])|length }}",
    "{{ [[[1]] * 40000]|map('sum', start=[])|first|length }}",
    "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
    "{% for i in range(10000) %}{% for j in range(10000) if false %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{{ 'a' * 400000 }}{% endfor %}",
    "{% for i in range(9999) %}" + "x" * 100000 + "{% endfor %}",
    "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s=[]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}",
    "{% set ns = namespace(s=[]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s == ns.s }}",
    "{% set ns = namespace(s=[]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ '%s' % ns.s }}",
    "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}{{ ns.n }}",
    "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
    "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
    "{% for i in [1, 2, 3] recursive %}{{ loop([1, 2, 3]) }}{% endfor %}",
    "{% include 't/body.html' %}",
    "{% extends 't/body.html' %}",
    "{% import 't/body.html' as m %}",
    "{% set big %}{% for i in range(9999) %}" + "x" * 5000 + "{% endfor %}{% endset %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = ns.l + ['a' * 90000] %}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l, ('a' * 99999)[1:]] %}{% endfor %}",
    "{% set b = 'a' * 400000 %}{% for i in range(9999) %}{% if 'b' in b %}{% endif %}{% endfor %}",
    "{% set b = 'a' * 400000 %}{% for i in range(9999) %}{% if b|upper == b %}{% endif %}{% endfor %}",
    "{% set b = '<' * 400000 %}{% for i in range(99) %}{% set c = b|striptags %}{% endfor %}",
    "{% set b = 'a.a ' * 90000 %}{% for i in range(99) %}{% set c = b|urlize %}{% endfor %}",
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "{{ " + "[" * 500 + "1" + "]" * 500 + " }}",
    "{{ " + "not " * 3000 + "1 }}",
    "{% if 1 %}" * 150 + "{% endif %}" * 150,
    "{% for a in [1] %}" * 30 + "{% endfor %}" * 30 + "{{ missing }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ '" + "a" * 600_000 + "' }}",
    "{{ 1" + " + 1" * 3000 + " }}",
    "{{ 1e999 }}",
)  # fmt: skip
"""Each is refused, by a budget or by the parser, long before it hurts."""

DATA: tuple[dict[str, Any], ...] = (
    {"name": "<script>alert(1)</script>"},
    {"name": "\"><img src=x onerror=alert(1)>"},
    {"name": "{{ 7 * 7 }}"},
    {"name": "{% include 'x' %}"},
    {"name": "{# #}{{ ''.__class__ }}"},
    {"name": "A\r\nBcc: victim@example.com"},
    {"name": "A\nSubject: other"},
    {"name": "A\u2028B\u2029C\x85D"},
    {"name": "\x00\x01\x02\x1b[31m"},
    {"name": "\ud800"},
    {"name": "ok", "\udfff": 1},
    {"name": "\u202e\u2066desrever"},
    {"name": "\u200b" * 10_000},
    {"name": "a" * 200_000},
    {"name": "&" * 100_000},
    {"name": "%(name)s %s %d %1000000000d"},
    {"name": "{0.__class__}"},
    {"name": "[click](javascript:alert(1))"},
    {"name": "[click](http://evil.example)"},
    {"name": "![x](http://evil.example/pixel.png)"},
    {"name": "# title\n\n- list\n\n```\ncode\n```"},
    {"name": "<http://evil.example>"},
    {"name": "`" * 5000},
    {"name": "*" * 20_000},
    {"name": "[" * 20_000},
    {"name": "![" * 10_000},
    {"name": ">" * 5000},
    {"link": "javascript:alert(1)"},
    {"link": " JAVASCRIPT:alert(1)"},
    {"link": "java\nscript:alert(1)"},
    {"link": "java\tscript\t:alert(1)"},
    {"link": "\x01javascript:alert(1)"},
    {"link": "vbscript:x"},
    {"link": "data:text/html,<script>1</script>"},
    {"link": "https://example.com/\"onclick=\"x"},
    {"name": {"__html__": "x"}},
    {"name": {"__class__": "x", "toString": 1}},
    {"name": ["a"] * 50_000},
    {"name": 10**40},
    {"name": float("inf")},
    {"name": float("nan")},
    {"name": -1e308},
    {"items": [{"name": "x", "price": "1e400"}]},
    {"items": [{"name": "x", "price": "NaN"}]},
    {"items": [{"name": "x", "price": "1" * 5000}]},
    {"items": [{"name": "x", "price": []}]},
    {"items": [{"name": "x", "price": 1}] * 30_000},
    {"items": "text"},
    {"items": {"a": 1}},
    {"items": None},
    {"when": "9999-99-99"},
    {"when": "0001-01-01T00:00:00+23:59"},
    {"when": 10**18},
    {"self": 1, "loop": 2, "super": 3, "caller": 4, "context": 5, "environment": 6},
    {"range": "x", "asset": "y", "gettext": "z", "_": 1, "subject": "mine", "namespace": 3},
    {"": 1, " ": 2, "a b": 3, "1": 4, "class": 5},
)  # fmt: skip

PARTS = {
    "t/subject.txt": "Hello {{ name }}",
    "t/body.md": "Hello {{ name }}\n\n- {{ name }}\n\n[go]({{ link }})\n\n{% for i in items %}\n- {{ i.name }} "
    "{{ i.price|money('EUR') }}\n{% endfor %}\n\n{{ when|date }}\n",
    "t/body.txt": "{{ name|upper }} {{ link }}",
    "h/subject.txt": "Hello {{ name }}",
    "h/body.html": "<title>{{ name }}</title><a href=\"{{ link }}\" title='{{ name }}'>{{ name|title|truncate(20) }}</a>"  # noqa: E501 - a file of the template
    "{% for i in items %}{{ i.name }}{{ i.price|money('EUR') }}{% endfor %}{{ when|datetime }}{% trans %}{{ name }}"
    "{% endtrans %}",
}
GOOD: dict[str, Any] = {"name": "Zoë", "link": "https://example.com/", "items": [], "when": "2026-01-31T12:00:00Z"}


@pytest.fixture(scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    async with Workshop() as one:
        yield one


@pytest.mark.parametrize("body", [*ESCAPES, *COSTS], ids=lambda body: body[:60])
async def test_a_hostile_template_is_refused_in_time(workshop: Workshop, at: datetime, body: str) -> None:
    files = {"t/subject.txt": "s", "t/body.html": body}
    data = {"x": ["a"], "d": {"a": 1}, "name": "t/subject.txt", "link": "javascript:alert(1)"}
    started = time.monotonic()

    checked = await workshop.check("t", files, {}, data=data, at=at)

    assert checked.faults
    assert checked.html is None
    assert MARK not in str(checked)
    assert time.monotonic() - started < PATIENCE + 10  # the process may have to be started first, on a busy machine


async def test_what_is_refused_is_refused_for_its_own_sake(workshop: Workshop, at: datetime) -> None:
    files = {"t/subject.txt": "s", "t/body.html": "{{ x|first }} {{ d.a }} {{ name }} <a href='#'>{{ link }}</a>"}
    data = {"x": ["a"], "d": {"a": 1}, "name": "t/subject.txt", "link": "javascript:alert(1)"}

    checked = await workshop.check("t", files, {}, data=data, at=at)

    assert checked.html == "a 1 t/subject.txt <a href='#'>javascript:alert(1)</a>"


@pytest.mark.parametrize("data", DATA, ids=lambda data: str(data)[:50])
@pytest.mark.parametrize("name", ["t", "h"])
async def test_hostile_data_stays_data(workshop: Workshop, at: datetime, name: str, data: dict[str, Any]) -> None:
    checked = await workshop.check(name, PARTS, {}, data=GOOD | data, at=at)

    assert not checked.broken
    if checked.html is None:
        assert checked.faults
        return
    assert checked.subject is not None
    assert not set(checked.subject) & set(map(chr, [*range(32), 127, 0x85, 0x2028, 0x2029]))
    assert "<script" not in checked.html
    assert "<img" not in checked.html
    assert 'onclick="' not in checked.html
    assert 'evil.example"' not in checked.html
    assert "49" not in checked.html.replace("2026", "")


@pytest.mark.parametrize("link", [data["link"] for data in DATA if "script" in str(data.get("link", "")).lower()])
async def test_a_link_that_runs_a_program_is_refused(workshop: Workshop, at: datetime, link: str) -> None:
    checked = await workshop.check("h", PARTS, {}, data=GOOD | {"link": link}, at=at)

    assert [fault.code for fault in checked.faults] == ["link"]


async def test_a_job_over_its_deadline_is_killed_and_the_next_one_works(at: datetime, shipped: Path) -> None:
    folder = read_folder(shipped)
    async with Workshop(deadline=0.001) as hurried:
        late = await hurried.check("welcome", folder.files, folder.assets, at=at)
        assert late.broken
        assert "longer than" in late.faults[0].message
        again = await hurried.check("welcome", folder.files, folder.assets, at=at)
        assert again.broken


async def test_a_job_without_memory_ends_alone(at: datetime, shipped: Path) -> None:
    folder = read_folder(shipped)
    async with Workshop(memory=1 << 20) as poor:
        starved = await poor.check("welcome", folder.files, folder.assets, at=at)
    assert starved.broken


async def test_a_cancelled_check_leaves_no_answer_for_the_next(workshop: Workshop, at: datetime) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(workshop.check("h", PARTS, {}, data=GOOD | {"name": "first"}, at=at), 0.0001)
    second = await workshop.check("h", PARTS, {}, data=GOOD | {"name": "second"}, at=at)
    assert second.subject == "Hello second"
