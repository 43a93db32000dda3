"""Keys: who may do what, how often, and for how long; and staging that never mails real people."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import House, MakeHouse
from tests.acceptance.test_send import faults

BODY = {"template": "hello", "to": "zoe@example.com", "data": {"name": "Zoë", "code": "42"}}


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Basic eDp5", "Bearer ntf_live_nobodyhasthiskey00000000000000000", "Bearer ntf_live_\xe9"],
)
async def test_without_a_good_key_nothing_is_told(house: House, authorization: str | None) -> None:
    headers = {b"authorization": authorization.encode("latin-1")} if authorization else {}
    del house.http.headers["authorization"]
    for path in ("/v1/notifications", "/v1/keys", "/v1/events?limit=x"):
        answer = await house.http.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("send", "POST", "/v1/notifications", BODY),
        ("read", "GET", "/v1/notifications", None),
        ("read", "GET", "/v1/events", None),
        ("admin", "GET", "/v1/keys", None),
        ("admin", "PUT", "/v1/pauses/all", {}),
        (
            "send:content",
            "POST",
            "/v1/notifications",
            {"to": "a@example.com", "content": {"subject": "s", "text": "t"}},
        ),
    ],
)
async def test_a_key_does_what_its_scopes_say(house: House, scope: Any, method: str, path: str, body: Any) -> None:
    for scopes, status in (({scope}, 2), ({"send", "read", "templates"} - {scope}, 4)):
        _, client = await house.key(scopes=tuple(scopes))
        async with client:
            answer = await client.request(method, path, json=body)
            assert answer.status_code // 100 == status, answer.text
            if status == 4:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_key_is_made_listed_used_and_revoked_within_a_second(house: House) -> None:
    made = await house.http.post("/v1/keys", json={"name": "shop", "mode": "test", "scopes": ["read"]})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("ntf_test_")
    listed = (await house.http.get("/v1/keys")).json()["data"]
    assert [key["name"] for key in listed] == ["acceptance", "shop"]
    assert secret not in (await house.http.get("/v1/keys")).text
    use = {"authorization": f"Bearer {secret}"}
    assert (await house.http.get("/v1/notifications", headers=use)).status_code == 200
    assert (await house.http.delete(f"/v1/keys/{made.json()['id']}")).status_code == 204
    deadline = asyncio.get_running_loop().time() + 1.5
    while (await house.http.get("/v1/notifications", headers=use)).status_code != 401:
        assert asyncio.get_running_loop().time() < deadline
    assert (await house.http.delete(f"/v1/keys/{made.json()['id']}")).status_code == 404


async def test_an_expired_key_opens_nothing(house: House) -> None:
    _, client = await house.key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with client:
        assert (await client.get("/v1/notifications")).status_code == 401


async def test_a_key_has_its_rate(house: House) -> None:
    _, client = await house.key(rate_limit=2)
    async with client:
        first, second, third = [await client.get("/v1/notifications") for _ in range(3)]
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("2", "1")
    assert second.status_code == 200
    assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(third.headers["retry-after"]) <= 30
    assert third.headers["ratelimit-remaining"] == "0"
    assert "ratelimit-limit" not in (await house.http.get("/v1/notifications")).headers


async def test_a_key_writes_only_from_its_domains(house: House) -> None:
    _, client = await house.key(from_domains=("shop.test",))
    async with client:
        good = await client.post("/v1/notifications", json={**BODY, "from": "a@SHOP.test"})
        assert good.status_code == 202
        bad = await client.post("/v1/notifications", json={**BODY, "from": "a@bank.test"})
        assert (bad.status_code, faults(bad)) == (422, {"from": "forbidden"})
        assert (await client.post("/v1/notifications", json=BODY)).status_code == 202


async def test_a_team_key_writes_only_to_the_team(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_TEAM_ADDRESSES="dev@example.com,team.test")
    _, client = await house.key(mode="team")
    async with client:
        allowed = ["Dev@example.com", "anybody@team.test", "delivered@simulator.notifier"]
        assert (await client.post("/v1/notifications", json={**BODY, "to": allowed})).status_code == 202
        refused = await client.post("/v1/notifications", json={**BODY, "to": ["dev@example.com", "real@example.com"]})
        assert (refused.status_code, faults(refused)) == (422, {"to[1]": "not_on_team"})


async def test_a_test_key_walks_through_the_statuses_and_sends_nothing(house: House) -> None:
    _, client = await house.key(mode="test")
    async with client:
        taken = (await client.post("/v1/notifications", json=BODY)).json()
        assert taken["mode"] == "test"
        found = (await client.get(taken["url"], params={"wait": 20})).json()
    assert (found["status"], found["final"]) == ("delivered", True)
    assert not house.capture.messages


async def test_nobody_retries_what_goes_further_than_the_own_key(house: House) -> None:
    taken = await house.send(to="bounced@simulator.notifier")
    for mode in ("team", "test"):
        _, client = await house.key(mode=mode)
        async with client:
            answer = await client.post(f"{taken['url']}/retry")
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_staging_never_mails_real_people(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_REDIRECT_ALL_TO="staging@example.com")
    taken = await house.send(cc="boss@example.com", bcc="secret@example.com")
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert mail.rcpt_tos == ("staging@example.com",)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"mode": "prod"}, "mode"),
        ({"scopes": ["root"]}, "scopes[0]"),
        ({"scopes": []}, "scopes"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"from_domains": ["not a domain"]}, "from_domains[0]"),
        ({"project": "other"}, "project"),
    ],
)
async def test_a_senseless_key_is_refused(house: House, change: dict[str, Any], field: str) -> None:
    answer = await house.http.post("/v1/keys", json={"name": "k", **change})
    assert (answer.status_code, field in faults(answer)) == (422, True)


async def test_a_key_that_nobody_could_use_is_not_made(house: House) -> None:
    body = {"name": "old", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}
    answer = await house.http.post("/v1/keys", json=body)
    assert answer.status_code == 422
    assert [(fault["field"], fault["code"]) for fault in answer.json()["errors"]] == [("expires_at", "past")]


async def test_what_needs_no_relay_goes_on_while_there_is_none(house: House) -> None:
    house.capture.fail_next(stage="connect", code=421, times=1_000_000)
    real = await house.send()
    async with asyncio.timeout(20):
        while (await house.http.get("/readyz")).json()["relay"]["breaker"] == "closed":  # noqa: ASYNC110 - no event leaves the service
            await asyncio.sleep(0.05)
    _, client = await house.key(mode="test")
    async with client:
        test = (await client.post("/v1/notifications", json=BODY)).json()
        played = await house.send(to="delivered@simulator.notifier")
        found = (await client.get(test["url"], params={"wait": 20})).json()
    assert (found["status"], found["final"]) == ("delivered", True)
    assert (await house.final(played["id"]))["status"] == "delivered"
    assert (await house.http.get(real["url"])).json()["status"] == "queued"
    assert not house.capture.messages
