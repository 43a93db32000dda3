"""What may still be done about a notification: cancel, retry, resend, stop and go on; and being told in time."""

import asyncio
import time
from typing import Any

import pytest

from notifier.domain.delivery import Finish, Moved
from notifier.domain.lifecycle import Status
from tests.acceptance.conftest import House, MakeHouse


async def events(house: House, taken: dict[str, Any]) -> list[str]:
    answer = await house.http.get(f"{taken['url']}/events")
    return [event["type"] for event in answer.json()["data"]]


async def ended(house: House, taken: dict[str, Any], status: Status) -> None:
    """Ends a notification that waits, as a worker would."""
    store = house.service.store
    claim = await store.claim("test", 60.0, 100, 1, False)
    (one,) = [claimed for claimed in claim.claimed if claimed.notification.id == taken["id"]]
    moved = [Moved(0, status, f"550 5.1.1 {status}")]
    final: Any = status.value
    assert await store.finish(Finish(taken["id"], "default", "test", one.lease_no, 1, moved, [], final, None, None))


@pytest.fixture
async def idle(make_house: MakeHouse) -> House:
    """A house whose dispatcher has been told to take nothing more: the test is the worker."""
    house = await make_house()
    assert house.service.worker is not None
    house.service.worker.dispatcher.drain()
    return house


async def test_what_is_canceled_is_never_sent(house: House) -> None:
    await house.stop()
    taken = await house.send(cc="second@example.com")
    answer = await house.http.post(f"{taken['url']}/cancel")
    assert (answer.status_code, answer.json()["status"], answer.json()["final"]) == (200, "canceled", True)
    assert [one["status"] for one in answer.json()["recipients"]] == ["canceled", "canceled"]
    other = await house.send(to="other@example.com")
    await house.go_on()
    await house.final(other["id"])
    assert [mail.rcpt_tos for mail in house.capture.messages] == [("other@example.com",)]
    assert await events(house, taken) == ["email.queued", "email.canceled", "email.canceled"]


async def test_a_final_notification_cannot_be_canceled_and_says_why(house: House) -> None:
    taken = await house.send()
    await house.final(taken["id"])
    answer = await house.http.post(f"{taken['url']}/cancel")
    assert answer.status_code == 409
    assert answer.json()["errors"] == [{"field": "status", "code": "sent", "message": "nothing is left to cancel"}]


async def test_what_is_being_sent_cannot_be_canceled(idle: House) -> None:
    taken = await idle.send()
    claim = await idle.service.store.claim("test", 60.0, 10, 1, False)
    assert [one.notification.id for one in claim.claimed] == [taken["id"]]
    for action in ("cancel", "retry"):
        answer = await idle.http.post(f"{taken['url']}/{action}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "sending")
    assert (await idle.http.get(taken["url"])).json()["status"] == "sending"


@pytest.mark.parametrize("status", [Status.FAILED, Status.HELD, Status.EXPIRED])
async def test_what_failed_was_held_or_expired_can_be_tried_again(idle: House, status: Status) -> None:
    taken = await idle.send()
    await ended(idle, taken, status)
    assert (await idle.http.get(taken["url"])).json()["status"] == status
    answer = await idle.http.post(f"{taken['url']}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (200, "queued", 0)
    (again,) = (await idle.service.store.claim("test", 60.0, 10, 1, False)).claimed
    assert (again.lease_no, again.give_up_at) == (2, None), "the fence is never lowered, the budget is new"
    assert await events(idle, taken) == ["email.queued", "email.queued"]


async def test_a_retry_after_expiry_is_not_expired_again(house: House) -> None:
    await house.stop()
    taken = await house.send(expires_at="2999-01-01T00:00:00Z")
    await house.service.store.cancel("default", (await house.send(to="x@example.com"))["id"])
    assert (await house.http.post(f"{taken['url']}/retry")).status_code == 409
    assert (await house.http.post(f"{taken['url']}/cancel")).status_code == 200
    again = await house.http.post(f"{taken['url']}/retry")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "canceled")


@pytest.mark.parametrize("action", ["cancel", "retry", "resend", "events", "message", ""])
async def test_what_is_not_there_is_404(house: House, action: str) -> None:
    for id_ in ("0199aaaa-0000-7000-8000-000000000000", "nonsense"):
        path = f"/v1/notifications/{id_}/{action}".rstrip("/")
        post = action in ("cancel", "retry", "resend")
        answer = await (house.http.post(path, json={"to": "a@example.com"}) if post else house.http.get(path))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_resend_makes_a_new_linked_notification_to_the_corrected_address(house: House) -> None:
    files = [{"filename": "a.txt", "content_type": "text/plain", "content": "aGk="}]
    taken = await house.send(to="zoo@example.com", bcc="b@example.com", attachments=files, reference="r-1")
    await house.final(taken["id"])
    answer = await house.http.post(f"{taken['url']}/resend", json={"to": "zoe@example.com"})
    again = answer.json()
    assert (answer.status_code, again["resend_of"], again["reference"]) == (202, taken["id"], "r-1")
    assert again["id"] != taken["id"]
    assert again["template"] == taken["template"]
    mail = await house.capture.messages.wait(notification=again["id"])
    assert mail.rcpt_tos == ("zoe@example.com",)
    assert mail.subject == "Hello Zoë"
    assert [part.content for part in mail.attachments] == [b"hi"]
    refused = await house.http.post(f"{taken['url']}/resend", json={"to": "nobody", "cc": "x@example.com"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cc")


@pytest.mark.parametrize("scope", ["all", "template:hello", "batch"])
async def test_what_is_stopped_waits_and_says_for_what(house: House, scope: str) -> None:
    batch = None
    if scope == "batch":
        await house.stop()
        items = [{"to": "a@example.com"}]
        defaults = {"template": "hello", "data": {"name": "n", "code": "c"}}
        posted = await house.http.post("/v1/notifications/batch", json={"defaults": defaults, "notifications": items})
        batch = posted.json()
        scope = f"batch:{batch['batch']}"
    await house.stop(scope)
    if batch:
        await house.go_on()
    taken = batch["data"][0] if batch else await house.send()
    free = await house.send(template="careful", to="free@example.com") if scope != "all" else None
    if free:
        assert (await house.final(free["id"]))["status"] == "sent"
    found = (await house.http.get(taken["url"])).json()
    assert (found["status"], found["waits_for"]) == ("queued", scope)
    assert (await house.http.get(f"/v1/pauses/{scope}")).json()["reason"] == "test"
    assert [one["scope"] for one in (await house.http.get("/v1/pauses")).json()["data"]] == [scope]
    await house.go_on(scope)
    assert (await house.final(taken["id"]))["status"] == "sent"
    assert (await house.http.get(f"/v1/pauses/{scope}")).status_code == 404
    assert (await house.http.delete(f"/v1/pauses/{scope}")).status_code == 404


async def test_one_pause_less_leaves_what_another_holds(idle: House) -> None:
    store = idle.service.store
    await idle.stop("all")
    await idle.stop("template:hello")
    held, free = await idle.send(), await idle.send(template="careful")
    assert not (await store.claim("test", 60.0, 10, 1, False)).claimed
    await idle.go_on("all")
    claimed = (await store.claim("test", 60.0, 10, 1, False)).claimed
    assert [one.notification.id for one in claimed] == [free["id"]]
    assert (await idle.http.get(held["url"])).json()["waits_for"] == "template:hello"


async def test_a_senseless_scope_is_refused(house: House) -> None:
    assert (await house.http.put("/v1/pauses/everything")).status_code == 422
    mistyped = await house.http.put("/v1/pauses/batch:0199aaaa-0000-7000-8000-000000000000")
    assert (mistyped.status_code, mistyped.json()["code"]) == (404, "not_found")
    assert (await house.http.get("/v1/pauses")).json()["data"] == []


async def test_wait_answers_at_the_end_and_not_later(house: House) -> None:
    await house.stop()
    taken = await house.send()
    waiting = asyncio.create_task(house.http.get(taken["url"], params={"wait": 20}))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    started = time.monotonic()
    await house.go_on()
    assert (await waiting).json()["status"] == "sent"
    assert time.monotonic() - started < 5


async def test_wait_is_over_when_the_time_is(house: House) -> None:
    await house.stop()
    taken = await house.send()
    answer = await house.http.get(taken["url"], params={"wait": 0.05})
    assert (answer.status_code, answer.json()["final"]) == (200, False)


async def test_many_waiters_ask_the_store_as_one(house: House) -> None:
    await house.stop()
    taken = [await house.send() for _ in range(5)]
    waiting = [asyncio.create_task(house.http.get(one["url"], params={"wait": 20})) for one in taken for _ in range(10)]
    await asyncio.wait(waiting, timeout=0.2)
    await house.go_on()
    assert {(await one).json()["status"] for one in waiting} == {"sent"}


async def test_resend_names_every_fault_at_once(house: House) -> None:
    taken = await house.send()
    answer = await house.http.post(f"{taken['url']}/resend", json={"to": "nobody", "more": 1})
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} == {"to", "more"}
