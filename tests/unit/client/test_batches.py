"""How a batch of any size is cut into requests, with nobody at the other end."""

import json
from typing import Any

import httpx2 as httpx

from notifier.client import BatchItem, Invalid
from notifier.client.calls import LARGEST_BATCH, LARGEST_BODY, send_batch
from notifier.client.exchange import Request


def taken(item: dict[str, Any], n: int) -> dict[str, Any]:
    if item["to"] == "nobody":
        problem = {"status": 422, "code": "invalid_request", "detail": "no",
                   "errors": [{"field": "to", "code": "syntax", "message": "is no address"}]}  # fmt: skip
        return {"status": 422, "problem": problem}
    notification = {"id": f"n-{n}", "status": "queued", "final": False, "created_at": "2026-01-02T03:04:05.000006Z",
                    "recipients": [{"email": item["to"], "kind": "to", "status": "queued"}]}  # fmt: skip
    return {"status": 202, "notification": notification}


def play(items: list[dict[str, Any]]) -> tuple[list[BatchItem], list[Request], list[int]]:
    """What the batch came to, its requests, and the counts that the progress callback was given."""
    counts: list[int] = []
    requests: list[Request] = []
    steps = send_batch(iter(items), {"template": "welcome"}, "mine", lambda done, _latest: counts.append(done))
    try:
        step = next(steps)
        while True:
            assert isinstance(step, Request)
            requests.append(step)
            data = [taken(item, n) for n, item in enumerate(json.loads(step.body or b"")["notifications"])]
            step = steps.send(httpx.Response(202, json={"batch": "b", "data": data}))
    except StopIteration as end:
        return end.value, requests, counts


def test_more_than_one_request_holds_is_sent_in_several() -> None:
    items = [{"to": f"{n}@x.test"} for n in range(2 * LARGEST_BATCH + 1)]
    done, requests, counts = play(items)
    assert [len(json.loads(request.body or b"")["notifications"]) for request in requests] == [1000, 1000, 1]
    assert counts == [1000, 2000, 2001]
    assert [item.index for item in done] == list(range(2001))
    assert [request.headers["idempotency-key"] for request in requests] == ["mine-0", "mine-1000", "mine-2000"]
    assert all(json.loads(request.body or b"")["defaults"] == {"template": "welcome"} for request in requests)


def test_large_items_make_small_requests() -> None:
    items = [{"to": f"{n}@x.test", "data": {"text": "x" * (LARGEST_BODY // 3)}} for n in range(5)]
    _, requests, counts = play(items)
    assert counts == [2, 4, 5]
    assert all(len(request.body or b"") < LARGEST_BODY for request in requests)


def test_what_is_wrong_with_one_is_told_in_its_place() -> None:
    done, _, _ = play([{"to": "a@x.test"}, {"to": "nobody"}, {"to": "b@x.test"}])
    assert [item.notification is not None for item in done] == [True, False, True]
    assert isinstance(done[1].refusal, Invalid)
    assert str(done[1].refusal) == "to: is no address"


def test_nothing_to_send_asks_nobody() -> None:
    assert play([]) == ([], [], [])
