"""Lists that stay right while rows are added, and the feed that skips nothing."""

from typing import Any

import pytest

from tests.acceptance.conftest import House, MakeHouse


@pytest.fixture
async def quiet(house: House) -> House:
    """A house where everything waits, so that tests say what happens."""
    await house.stop()
    return house


async def ids(house: House, **query: Any) -> list[str]:
    answer = await house.http.get("/v1/notifications", params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


async def test_pages_stay_right_while_rows_are_added(quiet: House) -> None:
    sent = [(await quiet.send())["id"] for _ in range(5)][::-1]
    first = (await quiet.http.get("/v1/notifications", params={"limit": 2})).json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (sent[:2], True)
    newer = [(await quiet.send())["id"] for _ in range(3)][::-1]
    second = await ids(quiet, limit=2, after=sent[1])
    assert second == sent[2:4]
    last = (await quiet.http.get("/v1/notifications", params={"limit": 2, "after": sent[3]})).json()
    assert ([one["id"] for one in last["data"]], last["has_more"]) == (sent[4:], False)
    assert await ids(quiet, before=sent[0]) == newer
    assert await ids(quiet, before=sent[4], limit=2) == sent[2:4]
    assert await ids(quiet, after=newer[0], before=sent[1]) == [*newer[1:], sent[0]]


async def test_filters_narrow_and_combine(quiet: House) -> None:
    one = (await quiet.send(to="Ann@Example.com", reference="r-1", tags=["a", "b"]))["id"]
    two = (await quiet.send(template="careful", cc="ann@example.com", tags=["b"]))["id"]
    three = (await quiet.send(send_at="2999-01-01T00:00:00Z"))["id"]
    assert await ids(quiet, recipient="ann@EXAMPLE.com") == [two, one]
    assert await ids(quiet, recipient="ann@example.com", template="careful") == [two]
    assert await ids(quiet, reference="r-1") == [one]
    assert await ids(quiet, tag="b") == [two, one]
    assert await ids(quiet, tag="a", recipient="ann@example.com") == [one]
    assert await ids(quiet, status="scheduled") == [three]
    assert await ids(quiet, status="queued") == [two, one]
    assert await ids(quiet, status="queued", tag="a") == [one]
    assert await ids(quiet, status="sent") == []
    await quiet.http.post(f"/v1/notifications/{one}/cancel")
    assert await ids(quiet, status="canceled") == [one]
    at = (await quiet.http.get(f"/v1/notifications/{two}")).json()["created_at"]
    assert await ids(quiet, created_after=at) == [three]
    assert await ids(quiet, created_before=at) == [one]
    assert await ids(quiet, template="nothing") == []


@pytest.mark.parametrize(
    "query",
    [
        {"status": "gone"},
        {"limit": 0},
        {"limit": "many"},
        {"after": "x"},
        {"created_after": "yesterday"},
        {"colour": "blue"},
        {"recipient": "nobody"},
        {"tag": "\x00"},
    ],
)
async def test_a_senseless_question_is_refused_by_its_field(house: House, query: dict[str, Any]) -> None:
    answer = await house.http.get("/v1/notifications", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [fault["field"] for fault in answer.json()["errors"]] == list(query)


async def test_a_project_sees_only_its_own(quiet: House) -> None:
    mine = await quiet.send()
    _, client = await quiet.key(project="second")
    async with client as other:
        theirs = await other.post("/v1/notifications", json={"template": "hello", "to": "b@example.com",
                                                             "data": {"name": "n", "code": "c"}})  # fmt: skip
        assert theirs.status_code == 202
        assert (await other.get(mine["url"])).status_code == 404
        assert (await other.post(f"{mine['url']}/cancel")).status_code == 404
        listed = (await other.get("/v1/notifications")).json()["data"]
        assert [one["id"] for one in listed] == [theirs.json()["id"]]
        assert {one["notification"] for one in (await other.get("/v1/events")).json()["data"]} == {listed[0]["id"]}
        assert (await other.get("/v1/pauses")).json()["data"] == []
        assert [key["name"] for key in (await other.get("/v1/keys")).json()["data"]] == ["another"]
    assert await ids(quiet) == [mine["id"]]


async def read_feed(house: House, **query: Any) -> list[tuple[str, str]]:
    """Everything in the feed, page by page."""
    found: list[tuple[str, str]] = []
    after: dict[str, str] = {}
    while True:
        page = (await house.http.get("/v1/events", params={"limit": 3, **query, **after})).json()
        found += [(event["notification"], event["type"]) for event in page["data"]]
        after = {"after": page["next"]}
        if not page["has_more"]:
            return found


async def test_the_feed_goes_on_where_one_stopped(house: House) -> None:
    taken = [await house.send() for _ in range(4)]
    for one in taken:
        await house.final(one["id"])
    found = await read_feed(house)
    assert len(found) == len(set(found)) == 12
    for one in taken:
        assert [type_ for id_, type_ in found if id_ == one["id"]] == ["email.queued", "email.attempted", "email.sent"]
    assert [type_ for _, type_ in await read_feed(house, type="email.sent")] == ["email.sent"] * 4
    end = (await house.http.get("/v1/events", params={"limit": 1000})).json()["next"]
    nothing = (await house.http.get("/v1/events", params={"after": end})).json()
    assert (nothing["data"], nothing["next"]) == ([], end)
    assert (await house.http.get("/v1/events", params={"after": "x"})).status_code == 422


async def test_the_feed_leaves_out_what_an_open_transaction_could_still_overtake(
    make_house: MakeHouse, postgres_url: str
) -> None:
    """A transaction that takes its events' numbers early and commits late must not be skipped."""
    import asyncpg  # the one test that needs a transaction of its own

    house = await make_house(NOTIFIER_DATABASE_URL=postgres_url)
    await house.stop()
    first = await house.send()
    slow = await asyncpg.connect(postgres_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(
        "INSERT INTO event (notification, project, type, at, detail) "
        "SELECT id, 'default', 'email.unknown', now(), '{}' FROM notification"
    )
    second = await house.send()
    while not (seen := await read_feed(house)):  # other tests of this server may have a transaction open, too
        continue
    assert seen == [(first["id"], "email.queued")]
    end = (await house.http.get("/v1/events")).json()["next"]
    await transaction.commit()
    await slow.close()
    while len(rest := (await house.http.get("/v1/events", params={"after": end})).json()["data"]) < 2:
        continue
    assert [(event["notification"], event["type"]) for event in rest] == [
        (first["id"], "email.unknown"),
        (second["id"], "email.queued"),
    ]
