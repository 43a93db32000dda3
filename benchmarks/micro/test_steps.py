"""The steps of a message one by one, in microseconds: `benchmarks/.venv/bin/python -m pytest benchmarks/micro`.

With `--benchmark-autosave` and `--benchmark-compare`, a regression has a name. Steps that wait (relay, store) run a
hundred messages at a time, on the event loop and the real thing behind it: Postfix's smtp-sink, SQLite with its fsyncs.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from benchmarks.install import POSTFIX
from benchmarks.message import SENDER, TEMPLATES, body, data, recipient
from benchmarks.ours.fill import acceptance
from benchmarks.process import listens, wait_until
from benchmarks.sink import Sink, free_port
from notifier.delivery.record import record
from notifier.domain.delivery import Claimed, Envelope
from notifier.domain.key import new_key
from notifier.domain.lifecycle import Accepted, Reply, RetryPolicy, Transaction
from notifier.domain.notification import Address
from notifier.mail.mime import Message, build
from notifier.mail.relay import Relay, RelaySettings
from notifier.store.engine import open_database
from notifier.store.store import Store
from notifier.telemetry import Telemetry, configure_logging
from notifier.templating.folder import read_folder
from notifier.templating.render import Template, compile_bundle
from notifier.web.wire.limits import Limits
from notifier.web.wire.requests import read_request

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
MANY = 100


@pytest.fixture(scope="module")
def template() -> Template:
    return compile_bundle(read_folder(TEMPLATES).bundles["order"])


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.get_loop()


def message(template: Template) -> Message:
    rendered = template.render(data(1), at=NOW)
    to = (Address(recipient(1)),)
    headers = {"X-Notifier-Id": "019c0000-0000-7000-8000-000000000000"}
    return Message(
        Address(SENDER), to, rendered.subject, "<1@example.com>", NOW, rendered.text, rendered.html, headers=headers
    )


def test_render(benchmark: Any, template: Template) -> None:
    values = data(1)
    assert benchmark(lambda: template.render(values, at=NOW)).html


def test_verdict(benchmark: Any, template: Template) -> None:
    values = data(1)
    assert benchmark(lambda: template.verdict(values, locale=None, timezone=None, at=NOW)).accepted


def test_mime(benchmark: Any, template: Template) -> None:
    one = message(template)
    assert benchmark(build, one)


def test_read_request(benchmark: Any) -> None:
    raw, limits = body(1), Limits()
    assert not benchmark(lambda: read_request(raw, limits)).faults


def test_record(benchmark: Any) -> None:
    key, _ = new_key("micro")
    one = acceptance(1, key).news[0].notification
    claimed = Claimed(one, 1, NOW, NOW, 0, 0, None)
    result = Transaction("relay:25", {0: Accepted(Reply(250, "2.0.0", "Ok"))})
    finish = benchmark(lambda: record(claimed, "micro", result, RetryPolicy(), NOW, random.Random(1)))
    assert finish.final == "sent"


def test_log_and_metrics(benchmark: Any) -> None:
    """One line and the counters of an attempt, as `serve` writes them into a file."""
    key, _ = new_key("micro")
    one = acceptance(1, key).news[0].notification
    claimed = Claimed(one, 1, NOW, NOW, 0, 0, None)
    result = Transaction("relay:25", {0: Accepted(Reply(250, "2.0.0", "Ok"))})
    finish = record(claimed, "micro", result, RetryPolicy(), NOW, random.Random(1))
    configure_logging("info", "json")
    telemetry = Telemetry()
    benchmark(lambda: telemetry.attempted(claimed, result, finish, 0.01))


def test_relay_a_hundred_messages(benchmark: Any, template: Template, loop: asyncio.AbstractEventLoop) -> None:
    octets = build(message(template))
    envelope = Envelope(SENDER, {0: recipient(1)})

    async def may() -> bool:
        return True

    async def send_all() -> None:
        sent = await asyncio.gather(*(relay.send(envelope, lambda _: octets, may) for _ in range(MANY)))
        assert all(isinstance(one, Transaction) for one in sent)

    with _sink() as sink:
        relay = Relay(RelaySettings("127.0.0.1", sink.port), rng=random.Random(1))
        benchmark.pedantic(lambda: loop.run_until_complete(send_all()), rounds=20, warmup_rounds=2)
        loop.run_until_complete(relay.aclose())


def test_accept_a_hundred(benchmark: Any, tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    key, _ = new_key("micro")
    store = _store(tmp_path, loop)
    benchmark.pedantic(lambda: loop.run_until_complete(_accept(store, key)), rounds=20, warmup_rounds=2)
    loop.run_until_complete(store.close())


def test_claim_and_finish_a_hundred(benchmark: Any, tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    key, _ = new_key("micro")
    store = _store(tmp_path, loop)
    result = Transaction("relay:25", {0: Accepted(Reply(250, "2.0.0", "Ok"))})
    for _ in range(25):
        loop.run_until_complete(_accept(store, key))

    async def claim_and_finish() -> None:
        claim = await store.claim("micro", 60.0, MANY, 1, False)
        assert len(claim.claimed) == MANY
        ends = [record(one, "micro", result, RetryPolicy(), NOW, random.Random(1)) for one in claim.claimed]
        assert all(await asyncio.gather(*(store.finish(one) for one in ends)))

    benchmark.pedantic(lambda: loop.run_until_complete(claim_and_finish()), rounds=20, warmup_rounds=2)
    loop.run_until_complete(store.close())


def _store(folder: Path, loop: asyncio.AbstractEventLoop) -> Store:
    store = Store(open_database(f"sqlite:///{folder}/micro.db"))
    loop.run_until_complete(store.migrate())
    return store


async def _accept(store: Store, key: Any) -> None:
    await asyncio.gather(*(store.accept(acceptance(n, key)) for n in range(MANY)))


@contextmanager
def _sink() -> Iterator[Sink]:
    sink = Sink(POSTFIX, free_port())
    try:
        wait_until(lambda: listens(sink.port), "smtp-sink")
        yield sink
    finally:
        sink.close()
