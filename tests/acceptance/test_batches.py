"""Batches: a thousand notifications in one request and one commit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import House
from tests.acceptance.test_send import faults

DEFAULTS = {"template": "hello", "data": {"name": "n", "code": "c"}, "tags": ["news"]}


async def post(house: House, items: list[Any], mode: str = "strict", **more: Any) -> Any:
    body = {"defaults": DEFAULTS, "notifications": items}
    return await house.http.post("/v1/notifications/batch", params={"validation": mode}, json=body, **more)


async def test_a_batch_is_taken_in_order_with_the_defaults_under_each_item(house: House) -> None:
    await house.stop()
    items = [{"to": "a@example.com"}, {"to": "b@example.com", "data": {"name": "Bea"}, "tags": ["other"]}]
    answer = await post(house, items)
    assert answer.status_code == 202
    batch = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{batch['batch']}"
    assert [one["recipients"][0]["email"] for one in batch["data"]] == ["a@example.com", "b@example.com"]
    assert [one["tags"] for one in batch["data"]] == [["news"], ["other"]]
    assert {one["batch"] for one in batch["data"]} == {batch["batch"]}
    counts = (await house.http.get(f"/v1/batches/{batch['batch']}")).json()
    assert (counts["total"], counts["counts"], counts["final"]) == (2, {"queued": 2}, False)
    await house.go_on()
    mail = await house.capture.messages.wait(notification=batch["data"][1]["id"])
    assert mail.subject == "Hello Bea"
    for one in batch["data"]:
        await house.final(one["id"])
    counts = (await house.http.get(f"/v1/batches/{batch['batch']}")).json()
    assert (counts["counts"], counts["final"], counts["refused"]) == ({"sent": 2}, True, 0)


async def test_a_thousand_are_taken_and_one_more_is_not(house: House) -> None:
    await house.stop()
    items = [{"to": f"u{n}@example.com"} for n in range(1001)]
    refused = await post(house, items)
    assert (refused.status_code, faults(refused)) == (422, {"notifications": "length"})
    taken = (await post(house, items[:1000])).json()
    assert len({one["id"] for one in taken["data"]}) == 1000
    listed = await house.http.get("/v1/notifications", params={"batch": taken["batch"], "limit": 200})
    assert (len(listed.json()["data"]), listed.json()["has_more"]) == (200, True)


async def test_strict_takes_all_or_nothing_and_names_faults_by_index(house: House) -> None:
    answer = await post(house, [{"to": "a@example.com"}, {"to": "nobody"}, {"to": "c@example.com", "version": 9}, 5])
    assert answer.status_code == 422
    assert faults(answer) == {
        "notifications[1].to": "syntax",
        "notifications[2].version": "unknown",
        "notifications[3]": "type",
    }
    assert (await house.http.get("/v1/notifications")).json()["data"] == []


async def test_permissive_takes_what_is_good(house: House) -> None:
    answer = await post(house, [{"to": "a@example.com"}, {"to": "nobody"}, {"to": "c@example.com"}], "permissive")
    assert answer.status_code == 202
    first, second, third = answer.json()["data"]
    assert (first["status"], third["status"]) == (202, 202)
    assert third["notification"]["recipients"][0]["email"] == "c@example.com"
    assert second["status"] == 422
    assert second["problem"]["errors"][0]["field"] == "to"
    counts = (await house.http.get(f"/v1/batches/{answer.json()['batch']}")).json()
    assert (counts["total"], counts["refused"]) == (3, 1)


async def test_a_fault_in_the_defaults_is_told_once(house: House) -> None:
    body = {
        "defaults": {"template": "nope", "timezone": "Mars", "data": {"name": "n"}},
        "notifications": [{"to": f"u{n}@example.com"} for n in range(30)],
    }
    answer = await house.http.post("/v1/notifications/batch", json=body)
    assert faults(answer) == {"defaults.template": "unknown", "defaults.timezone": "unknown"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"notifications": []}, "notifications"),
        ({"notifications": 1}, "notifications"),
        ({"notifications": [{"to": "a@example.com"}], "more": 1}, "more"),
        ({"defaults": {"idempotency_key": "k"}, "notifications": [{}]}, "defaults.idempotency_key"),
        ([], ""),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(house: House, body: Any, field: str) -> None:
    answer = await house.http.post("/v1/notifications/batch", json=body)
    assert answer.status_code == 422
    assert field in faults(answer)


async def test_a_batch_is_posted_again_under_its_key_without_doubling(house: House) -> None:
    items = [{"to": "a@example.com"}, {"to": "nobody"}]
    first = await post(house, items, "permissive", headers={"Idempotency-Key": "batch-1"})
    second = await post(house, items, "permissive", headers={"Idempotency-Key": "batch-1"})
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json()["batch"] == first.json()["batch"]
    assert second.json()["data"][0]["notification"]["id"] == first.json()["data"][0]["notification"]["id"]
    assert second.json()["data"][1]["status"] == 422
    other = await post(house, items[:1], "permissive", headers={"Idempotency-Key": "batch-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_items_have_keys_of_their_own(house: House) -> None:
    one = {"to": "a@example.com", "idempotency_key": "item-a"}
    first = (await post(house, [one, {"to": "b@example.com", "idempotency_key": "item-b"}])).json()
    again = (await post(house, [{"to": "c@example.com"}, one, one])).json()
    assert [entry["id"] == first["data"][0]["id"] for entry in again["data"]] == [False, True, True]
    reused = await post(house, [{"to": "x@example.com", "idempotency_key": "item-a"}])
    assert faults(reused) == {"notifications[0].idempotency_key": "idempotency_key_reused"}
    two_bodies = [{"to": f"{name}@example.com", "idempotency_key": "new"} for name in "xy"]
    assert faults(await post(house, two_bodies)) == {"notifications[1].idempotency_key": "idempotency_key_reused"}


async def test_a_batch_posted_again_with_the_keys_of_its_items_is_the_same_batch(house: House) -> None:
    items = [{"to": f"{name}@example.com", "idempotency_key": f"item-{name}"} for name in "abc"]
    first, second = await post(house, items), await post(house, items)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json()["batch"] == first.json()["batch"]
    assert [one["id"] for one in second.json()["data"]] == [one["id"] for one in first.json()["data"]]
    fewer = await post(house, items[:2])
    assert fewer.json()["batch"] != first.json()["batch"]


async def test_unusable_defaults_are_the_only_fault_that_is_told(house: House) -> None:
    body = {"defaults": [], "notifications": [{"to": "a@example.com"}]}
    assert faults(await house.http.post("/v1/notifications/batch", json=body)) == {"defaults": "type"}


async def test_what_was_taken_before_is_answered_though_it_would_be_refused_now(house: House) -> None:
    await house.stop()
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"template": "hello", "to": "zoe@example.com", "data": {"name": "n", "code": "c"}, "expires_at": soon}
    keyed = {**body, "idempotency_key": "kept"}
    first = (await house.http.post("/v1/notifications", json=keyed)).json()
    while (await house.http.post("/v1/notifications", json=body)).status_code == 202:
        continue
    again = await house.http.post("/v1/notifications", json=keyed)
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    for mode in ("strict", "permissive"):
        batch = await house.http.post(f"/v1/notifications/batch?validation={mode}", json={"notifications": [keyed]})
        assert batch.status_code == 202
        (item,) = batch.json()["data"]
        assert (item["notification"] if mode == "permissive" else item)["id"] == first["id"]
        counts = (await house.http.get(f"/v1/batches/{batch.json()['batch']}")).json()
        assert (counts["total"], counts["refused"]) == (1, 0)


async def test_an_unknown_batch_is_404(house: House) -> None:
    for id_ in ("0199aaaa-0000-7000-8000-000000000000", "x"):
        assert (await house.http.get(f"/v1/batches/{id_}")).status_code == 404
