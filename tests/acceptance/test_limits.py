"""Limits, and the shape of every refusal."""

import asyncio
import logging
import logging.handlers
import resource
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from tests.acceptance.conftest import House, MakeHouse

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "not_found"),
        ("DELETE", "/v1/notifications", {}, 405, "method_not_allowed"),
        ("POST", "/v1/notifications", {"content": b"x" * 70_000}, 413, "too_large"),
        ("POST", "/v1/notifications", {"data": {"a": "b"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/notifications", {"content": b"{}"}, 415, "unsupported_media_type"),
        (
            "POST",
            "/v1/notifications",
            {"json": {}, "headers": {"content-encoding": "gzip"}},
            415,
            "unsupported_media_type",
        ),
        (
            "POST",
            "/v1/notifications",
            {"content": b"{}", "headers": {"content-type": "application/json; charset=utf-16"}},
            415,
            "unsupported_media_type",
        ),
        ("POST", "/v1/notifications", {"json": []}, 422, "invalid_request"),
        (
            "POST",
            "/v1/notifications",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            422,
            "invalid_json",
        ),
        (
            "POST",
            "/v1/notifications",
            {"content": b"[" * 500, "headers": {"content-type": "application/json"}},
            422,
            "invalid_json",
        ),
    ],
)
async def test_every_refusal_is_a_problem(
    make_house: MakeHouse, method: str, path: str, more: Any, status: int, code: str
) -> None:
    house = await make_house(NOTIFIER_MAX_BODY=65536)
    headers = {"x-request-id": "me-1", **more.pop("headers", {})}
    answer = await house.http.request(method, path, headers=headers, **more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem.keys() >= MEMBERS
    assert (problem["status"], problem["code"], problem["request_id"]) == (status, code, "me-1")
    assert answer.headers["x-request-id"] == "me-1"
    if status == 405:
        assert "POST" in answer.headers["allow"]


async def test_a_request_gets_an_id_and_a_strange_one_is_replaced(house: House) -> None:
    answer = await house.http.get("/livez")
    assert len(answer.headers["x-request-id"]) == 32
    strange = await house.http.get("/livez", headers={"x-request-id": "a b\tc" * 90})
    assert len(strange.headers["x-request-id"]) == 32


async def test_an_upload_without_end_is_cut_at_the_limit(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_MAX_BODY=1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader, writer = await asyncio.open_connection(*house.url.removeprefix("http://").split(":"))
    head = {
        "host": "notifier",
        "authorization": house.http.headers["authorization"],
        "content-type": "application/json",
        "transfer-encoding": "chunked",
    }
    lines = [f"{name}: {value}\r\n" for name, value in head.items()]
    writer.write(f"POST /v1/notifications HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
    answered = asyncio.create_task(reader.readuntil(b"\r\n"))
    sent = 0
    while not answered.done() and sent < 1024**3:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        sent += 0x10000
        try:
            await writer.drain()
        except ConnectionError:
            break  # it hung up; what it said is read already, or on its way
    assert (await answered).startswith(b"HTTP/1.1 413")
    writer.close()
    assert sent < 64 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "kilobytes"


@pytest.mark.parametrize("declared", [True, False])
async def test_who_sends_too_much_reads_why(make_house: MakeHouse, declared: bool) -> None:
    house = await make_house(NOTIFIER_MAX_BODY=65536)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 65536

    headers = {"content-type": "application/json", **({"content-length": str(200 * 65536)} if declared else {})}
    answer = await house.http.post("/v1/notifications", content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_head_without_end_is_cut(house: House) -> None:
    reader, writer = await asyncio.open_connection(*house.url.removeprefix("http://").split(":"))
    writer.write(b"GET /livez HTTP/1.1\r\nhost: notifier\r\nx-long: ")
    answered = asyncio.create_task(reader.readuntil(b"}"))
    with suppress(ConnectionError):
        while not answered.done():
            writer.write(b"x" * 0x10000)
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()
    assert (await answered).startswith(b"HTTP/1.1 431")
    assert (await house.http.get("/livez", headers={"x-long": "x" * 60_000})).status_code == 200


async def test_who_leaves_in_the_middle_is_no_defect_of_ours(house: House, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("notifier.web.envelope")
    said: asyncio.Queue[logging.LogRecord] = asyncio.Queue()
    ear = logging.handlers.QueueHandler(said)
    caplog.set_level("INFO", logger.name)
    logger.addHandler(ear)
    _, writer = await asyncio.open_connection(*house.url.removeprefix("http://").split(":"))
    head = f"authorization: {house.http.headers['authorization']}\r\ncontent-type: application/json\r\n"
    writer.write(f"POST /v1/notifications HTTP/1.1\r\nhost: n\r\n{head}content-length: 9\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    record = await asyncio.wait_for(said.get(), 20)
    logger.removeHandler(ear)
    assert (record.levelname, record.getMessage()) == ("INFO", "the caller left before the request was read")


async def test_head_is_had_where_get_is(house: House) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/notifications"):
        answer = await house.http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await house.http.head("/v1/notifications/1/cancel")).status_code == 405


async def test_an_answer_names_a_thousand_faults_and_says_how_many_there_are(house: House) -> None:
    items = [{"to": "nobody", "reference": ""}] * 600
    answer = await house.http.post("/v1/notifications/batch", json={"notifications": items})
    assert len(answer.json()["errors"]) == 1000
    assert answer.json()["detail"].startswith("1800 faults")


async def test_past_the_backlog_nothing_more_is_taken(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_MAX_BACKLOG=3)
    await house.stop()
    for _ in range(3):
        taken = await house.send()
    deadline = asyncio.get_running_loop().time() + 3
    body = {"template": "hello", "to": "a@example.com", "data": {"name": "n", "code": "c"}}
    while (answer := await house.http.post("/v1/notifications", json=body)).status_code == 202:
        assert asyncio.get_running_loop().time() < deadline, "the count is a second old at most"
    assert (answer.status_code, answer.json()["code"]) == (503, "backlog_full")
    assert int(answer.headers["retry-after"]) >= 1
    batch = await house.http.post("/v1/notifications/batch", json={"notifications": [body]})
    assert batch.status_code == 503
    assert (await house.http.get(taken["url"])).status_code == 200
    await house.go_on()
    await house.final(taken["id"])


async def test_alive_and_ready(house: House) -> None:
    del house.http.headers["authorization"]
    assert (await house.http.get("/livez")).json() == {"status": "ok"}
    ready = await house.http.get("/readyz")
    assert (ready.status_code, ready.json()["database"], ready.json()["schema"]) == (200, "ok", "ok")
    assert "relay" in ready.json()
    metrics = await house.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert b"# TYPE" in metrics.content
