"""The same request twice is one mail."""

import asyncio

import pytest

from notifier.domain.lifecycle import Status
from tests.acceptance.conftest import House, MakeHouse
from tests.acceptance.test_control import ended

BODY = {"template": "hello", "to": "zoe@example.com", "data": {"name": "Zoë", "code": "42"}}
KEY = {"Idempotency-Key": "order-1001"}


async def test_200_parallel_posts_with_one_key_make_one_mail(house: House) -> None:
    await one_mail_of_200_posts(house)


async def test_200_parallel_posts_with_one_key_make_one_mail_on_postgresql(
    make_house: MakeHouse, postgres_url: str
) -> None:
    await one_mail_of_200_posts(await make_house(NOTIFIER_DATABASE_URL=postgres_url))


async def one_mail_of_200_posts(house: House) -> None:
    async def post() -> tuple[int, str]:
        answer = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
        return answer.status_code, answer.json()["id"]

    answers = await asyncio.gather(*(post() for _ in range(200)))
    assert {status for status, _ in answers} == {202}
    (id_,) = {id_ for _, id_ in answers}
    await house.final(id_)
    other = await house.send(to="other@example.com")
    await house.final(other["id"])
    assert len(house.capture.messages) == 2


async def test_a_replay_tells_the_current_status(house: House) -> None:
    first = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    assert "idempotent-replayed" not in first.headers
    await house.final(first.json()["id"])
    second = await house.http.post("/v1/notifications", json=dict(reversed(BODY.items())), headers=KEY)
    assert (second.status_code, second.headers["idempotent-replayed"]) == (202, "true")
    assert (second.json()["id"], second.json()["status"]) == (first.json()["id"], "sent")


async def test_a_replay_after_a_failure_says_failed(make_house: MakeHouse) -> None:
    house = await make_house()
    assert house.service.worker is not None
    house.service.worker.dispatcher.drain()
    first = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    await ended(house, first.json(), Status.FAILED)
    second = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    assert (second.json()["id"], second.json()["status"]) == (first.json()["id"], "failed")


async def test_another_body_under_the_key_is_refused(house: House) -> None:
    await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    for change in ({"data": {"name": "Zoë", "code": "43"}}, {"to": "nobody"}):
        answer = await house.http.post("/v1/notifications", json={**BODY, **change}, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_refusal_is_not_kept(house: House) -> None:
    refused = await house.http.post("/v1/notifications", json={**BODY, "to": "nobody"}, headers=KEY)
    assert refused.status_code == 422
    taken = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    assert (taken.status_code, "idempotent-replayed" in taken.headers) == (202, False)


async def test_the_key_may_stand_in_the_body(house: House) -> None:
    first = await house.http.post("/v1/notifications", json={**BODY, "idempotency_key": "order-1001"})
    second = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    assert first.json()["id"] == second.json()["id"]
    both = await house.http.post("/v1/notifications", json={**BODY, "idempotency_key": "other"}, headers=KEY)
    assert both.json()["errors"][0]["field"] == "idempotency_key"


async def test_projects_do_not_share_keys(house: House) -> None:
    first = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    _, other = await house.key(project="second")
    async with other:
        theirs = await other.post("/v1/notifications", json=BODY, headers=KEY)
    assert theirs.status_code == 202
    assert theirs.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["x" * 257, ""])
async def test_a_key_that_cannot_be_kept_is_refused(house: House, key: str) -> None:
    answer = await house.http.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_resend_under_a_key_is_one_mail(house: House) -> None:
    taken = await house.send()
    path = f"{taken['url']}/resend"
    answers = [await house.http.post(path, json={"to": "b@example.com"}, headers=KEY) for _ in range(2)]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_what_a_test_key_played_is_not_the_answer_to_a_live_one(house: House) -> None:
    _, client = await house.key(mode="test")
    async with client:
        assert (await client.post("/v1/notifications", json=BODY, headers=KEY)).status_code == 202
    answer = await house.http.post("/v1/notifications", json=BODY, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
