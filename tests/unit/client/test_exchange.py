"""Retries of a call, step by step, with nobody at the other end."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest

from notifier.client import Conflict, Invalid, NotifierError, RateLimited, Refused, Unavailable, Unreachable
from notifier.client.exchange import ATTEMPTS, LONGEST_DELAY, Request, Sleep, encode, exchange

SEND = Request("POST", "/v1/notifications", b"{}", headers={"idempotency-key": "k"})
CANCEL = Request("POST", "/v1/notifications/1/cancel", safe=False)
OK = httpx.Response(202, json={})


def answer(status: int, **headers: str) -> httpx.Response:
    problem = {"status": status, "code": "some_code", "detail": "some detail", "request_id": "r-1"}
    return httpx.Response(status, json=problem, headers={name.replace("_", "-"): v for name, v in headers.items()})


def play(request: Request, *answers: httpx.Response | httpx.TransportError) -> tuple[Any, list[float], int]:
    """What the exchange came to, the sleeps, and how often the request was sent."""
    coming: Iterator[httpx.Response | httpx.TransportError] = iter(answers)
    steps, sleeps, sent = exchange(request), [], 0
    try:
        step = next(steps)
        while True:
            if isinstance(step, Sleep):
                sleeps.append(step.seconds)
                step = steps.send(None)
                continue
            assert step is request
            sent += 1
            came = next(coming)
            step = steps.throw(came) if isinstance(came, Exception) else steps.send(came)
    except StopIteration as end:
        return end.value, sleeps, sent
    except NotifierError as error:
        return error, sleeps, sent


@pytest.mark.parametrize(
    "trouble", [httpx.ReadError("gone"), httpx.ReadTimeout(""), answer(503), answer(429), answer(502)]
)
def test_a_keyed_send_is_repeated_after_trouble(trouble: httpx.Response | httpx.TransportError) -> None:
    result, sleeps, sent = play(SEND, trouble, OK)
    assert (result, sent) == (OK, 2)
    assert 0.1 <= sleeps[0] <= 0.2


@pytest.mark.parametrize(
    ("trouble", "repeated"),
    [
        (httpx.ConnectError("refused"), True),
        (httpx.ReadError("gone"), False),
        (httpx.ReadTimeout(""), False),
        (answer(503), True),
        (answer(429), True),
        (answer(504), False),
    ],
)
def test_a_call_without_a_key_is_repeated_only_if_nothing_was_done(
    trouble: httpx.Response | httpx.TransportError, repeated: bool
) -> None:
    result, _, sent = play(CANCEL, trouble, OK)
    assert (sent, result is OK) == ((2, True) if repeated else (1, False))


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(httpx.ConnectError("refused"), Unreachable), (answer(503), Unavailable), (answer(429), RateLimited)],
)
def test_trouble_that_lasts_is_told_in_the_end(
    trouble: httpx.Response | httpx.TransportError, error: type[NotifierError]
) -> None:
    result, sleeps, sent = play(SEND, *[trouble] * ATTEMPTS)
    assert type(result) is error
    assert (sent, len(sleeps)) == (ATTEMPTS, ATTEMPTS - 1)
    assert max(sleeps) <= LONGEST_DELAY


def test_silence_is_not_waited_for_again_and_again() -> None:
    result, _, sent = play(SEND, httpx.ReadTimeout(""), httpx.ReadTimeout(""))
    assert isinstance(result, Unreachable)
    assert sent == 2


def test_the_service_says_how_long_to_wait() -> None:
    result, sleeps, _ = play(SEND, answer(429, retry_after="7"), OK)
    assert (result, sleeps) == (OK, [7.0])


def test_nobody_waits_for_an_hour() -> None:
    result, sleeps, _ = play(SEND, answer(429, retry_after="3600"))
    assert isinstance(result, RateLimited)
    assert sleeps == []


@pytest.mark.parametrize(("status", "error"), [(409, Conflict), (422, Invalid), (413, Refused), (500, Unavailable)])
def test_what_a_retry_does_not_mend_is_told_at_once(status: int, error: type[Refused | Unavailable]) -> None:
    result, _, sent = play(SEND, answer(status))
    assert type(result) is error
    assert sent == 1
    assert (result.status, result.code, result.detail, result.request_id) == (status, "some_code", "some detail", "r-1")


def test_every_field_at_fault_is_named() -> None:
    faults = [
        {"field": "to", "code": "missing", "message": "is missing"},
        {"field": "data.order_id", "code": "type", "message": "must be a string"},
    ]
    result, _, _ = play(SEND, httpx.Response(422, json={"code": "invalid_request", "detail": "no", "errors": faults}))
    assert isinstance(result, Invalid)
    assert [(error.field, error.code) for error in result.errors] == [("to", "missing"), ("data.order_id", "type")]
    assert str(result) == "to: is missing; data.order_id: must be a string"


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b""])
def test_an_answer_of_something_else_on_the_way_is_an_error_too(body: bytes) -> None:
    result, _, _ = play(SEND, httpx.Response(400, content=body))
    assert isinstance(result, Refused)
    assert str(result) == "the service answered 400"


def test_values_of_python_become_json() -> None:
    body = {
        "at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "sum": Decimal("9.90"),
        "tags": ("a",),
    }
    assert encode(body) == b'{"at":"2026-01-02T03:04:00+00:00","day":"2026-01-02","sum":"9.90","tags":["a"]}'


@pytest.mark.parametrize("value", [datetime(2026, 1, 2), float("nan")])
def test_values_that_would_be_read_wrongly_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        encode({"value": value})
