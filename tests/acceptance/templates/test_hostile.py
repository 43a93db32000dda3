"""Hostile templates end within the limits of the workshop, and whoever else is served hardly notices."""

import asyncio
import time

from tests.acceptance.templates.conftest import LEAST, Desk

LIMIT = 20.0
"""Seconds on the clock after which the workshop gives a template up, however little of the CPU it got."""
HOSTILE = (
    "{% for a in range(10000) %}{% for b in range(10000) %}{{ a }}{% endfor %}{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{% set x = 'a' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{% if x %}" * 3000,
    "{{ a" + ".b" * 20000 + " }}",
    "{{ [1]" + "|map('upper')" * 5000 + " }}",
    "{{ x }}" * 60000,
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "<style>" + "a{" * 50000 + "</style>",
    "<a href='" + "&#106;" * 40000,
)


async def test_previews_and_saves_end_in_time_while_others_are_served(desk: Desk) -> None:
    await desk.saved("notice")
    slowest, done = 0.0, asyncio.Event()

    async def others() -> int:
        """A caller who sends and looks, all the time."""
        nonlocal slowest
        count = 0
        while not done.is_set():
            started = time.monotonic()
            body = {"template": "notice", "to": "a@b.test", "data": {"name": "Zoë"}}
            assert (await desk.http.post("/v1/notifications", json=body)).status_code == 202
            assert (await desk.http.get("/v1/templates/notice")).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
            count += 1
        return count

    serving = asyncio.create_task(others())
    for source in HOSTILE:
        for method, path in (("POST", "hostile/preview"), ("PUT", "hostile")):
            started = time.monotonic()
            body = {"parts": {**LEAST, "body.html": source}, "data": {}}
            if method == "PUT":
                del body["data"]
            answer = await desk.http.request(method, f"/v1/templates/{path}", json=body)
            took = time.monotonic() - started
            assert answer.status_code in (200, 422), answer.text
            assert took < LIMIT + 5, (source[:60], took)
    done.set()
    served = await serving
    assert served > 20
    assert slowest < 5, f"somebody else waited {slowest:.2f} s"
