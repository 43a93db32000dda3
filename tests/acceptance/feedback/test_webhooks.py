"""Callers are told what happens: signed, again until they have it, and each at its own pace."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from notifier.domain import webhook as rules
from notifier.domain.lifecycle import RetryPolicy
from notifier.store import webhooks
from notifier.store.engine import Tx
from notifier.store.outbox import add_events
from tests.acceptance.conftest import House, MakeHouse
from tests.acceptance.feedback.conftest import OPEN, Endpoint, Received, answered, hook


@pytest.fixture
async def telling(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house that may tell endpoints on this machine, and tries again within milliseconds."""
    policy = RetryPolicy(first=0.01, longest=0.05, give_up_after=3 * 86400.0)
    monkeypatch.setattr("notifier.webhooks.courier.POLICY", policy)
    return await make_house(**OPEN)


async def shown(house: House, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await house.http.get(f"/v1/webhooks/{made['id']}")).json()
    return found


async def log(house: House, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await house.http.get(f"/v1/webhooks/{made['id']}/deliveries", params=query)).json()[
        "data"
    ]
    return data


async def settled(house: House, made: dict[str, Any]) -> list[dict[str, Any]]:
    """The log, once nothing of it is under way."""
    while True:
        entries = await log(house, made)
        if entries and all(entry["state"] in ("done", "failed") for entry in entries):
            return entries
        await house.http.get("/livez")


async def test_what_happens_is_told_in_the_words_of_the_feed(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint)
    taken = await telling.send(reference="order-1", tags=["orders"], metadata={"user": "42"})
    received = await endpoint.until(3)
    assert {one.json["type"] for one in received} == {"email.queued", "email.attempted", "email.sent"}
    sent = next(one for one in received if one.json["type"] == "email.sent")
    data = sent.json["data"]
    assert (data["notification"], data["reference"], data["recipient"]) == (taken["id"], "order-1", "zoe@example.com")
    assert (data["tags"], data["metadata"], data["detail"]["code"]) == (["orders"], {"user": "42"}, 250)
    feed = (await telling.http.get("/v1/events")).json()["data"]
    assert {one.json["data"]["id"] for one in received} == {event["id"] for event in feed}
    assert all(entry["state"] == "done" and entry["answer"] == "thanks" for entry in await settled(telling, made))


async def test_the_signature_is_good_and_nothing_else_is(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint)
    await telling.send()
    one = (await endpoint.until(1))[0]
    assert one.headers["content-type"] == "application/json"
    verifier = Verifier(made["secret"])
    assert verifier.verify(one.body, one.headers) == one.json
    for body, headers in (
        (one.body.replace(b"email", b"Email"), one.headers),
        (one.body, {**one.headers, "webhook-id": "evt_0-0"}),
        (one.body, {**one.headers, "webhook-timestamp": str(int(one.headers["webhook-timestamp"]) - 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(rules.new_secret()).verify(one.body, one.headers)


async def test_two_secrets_sign_while_one_takes_the_place_of_the_other(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint, types=["email.sent"])
    changed = (await telling.http.patch(f"/v1/webhooks/{made['id']}", json={"rotate_secret": True})).json()
    assert changed["secret"] != made["secret"]
    await telling.send()
    one = (await endpoint.until(1))[0]
    for secret in (made["secret"], changed["secret"]):
        Verifier(secret).verify(one.body, one.headers)
    assert "secret" not in await shown(telling, made)


async def test_only_what_is_wanted_is_told(telling: House, endpoint: Endpoint, another: Endpoint) -> None:
    await hook(telling, endpoint, types=["email.sent"], templates=["careful"])
    await hook(telling, another, types=["email.sent"])
    await telling.send()
    await telling.send(template="careful", data={"name": "Zoë"})
    both = await another.until(2)
    assert {one.json["data"]["template"] for one in both} == {"hello", "careful"}
    assert [one.json["data"]["template"] for one in await endpoint.until(1)] == ["careful"]


async def test_another_projects_mail_is_not_told(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint, types=["email.queued"])
    _, stranger = await telling.key("stranger", project="other")
    async with stranger:
        body = {"template": "hello", "to": "max@example.com", "data": {"name": "Max", "code": "1"}}
        assert (await stranger.post("/v1/notifications", json=body)).status_code == 202
        assert (await stranger.get(f"/v1/webhooks/{made['id']}")).status_code == 404
        assert (await stranger.get("/v1/webhooks")).json()["data"] == []
        assert (await stranger.delete(f"/v1/webhooks/{made['id']}")).status_code == 404
    await telling.send()
    assert [one.json["data"]["recipient"] for one in await endpoint.until(1)] == [None]
    assert len(await log(telling, made)) == 1


async def test_it_is_told_again_until_it_is_taken_under_the_same_id(telling: House, endpoint: Endpoint) -> None:
    endpoint.answers = [answered(500, b"broken"), answered(302, location="http://127.0.0.1:1/"), b"nonsense\r\n\r\n"]
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.send()
    received = await endpoint.until(4)
    assert len({one.headers["webhook-id"] for one in received}) == 1
    (entry,) = await settled(telling, made)
    assert (entry["state"], entry["attempts"], entry["answer_status"]) == ("done", 4, 200)
    assert (await shown(telling, made))["failing_since"] is None


@pytest.mark.parametrize("spelled", ["seconds", "date"])
async def test_an_endpoint_says_when_to_come_again(telling: House, endpoint: Endpoint, spelled: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    value = "3600" if spelled == "seconds" else format_datetime(later, usegmt=True)
    endpoint.answers = [answered(503, retry_after=value)]
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.send()
    await endpoint.until(1)
    async with asyncio.timeout(20):
        while (entry := (await log(telling, made))[0])["attempts"] == 0:
            pass
    wait = datetime.fromisoformat(entry["next_attempt_at"]) - datetime.now(UTC)
    assert timedelta(minutes=30) < wait <= timedelta(hours=1)


async def test_an_endpoint_that_is_gone_is_told_nothing_more(telling: House, endpoint: Endpoint) -> None:
    endpoint.answers = [answered(410, b"moved out")]
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.final((await telling.send())["id"])
    await endpoint.until(1)
    assert [(one["state"], one["answer"]) for one in await settled(telling, made)] == [("failed", "moved out")]
    found = await shown(telling, made)
    assert (found["enabled"], found["disabled_reason"]) == (False, "the endpoint answered 410 Gone")
    await telling.final((await telling.send())["id"])
    assert len(await log(telling, made)) == 1
    enabled = (await telling.http.patch(f"/v1/webhooks/{made['id']}", json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    await telling.send()
    await endpoint.until(2)


async def test_an_endpoint_that_takes_nothing_for_days_is_disabled(
    telling: House, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.store.webhooks.DISABLED_AFTER", timedelta(0))
    endpoint.answers = [answered(503)] * 5
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.send()
    await endpoint.until(2)
    while (found := await shown(telling, made))["enabled"]:
        pass
    assert "took nothing" in found["disabled_reason"]


async def test_an_event_is_told_once_more_when_asked(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.send()
    await endpoint.until(1)
    (entry,) = await settled(telling, made)
    answer = await telling.http.post(f"/v1/webhooks/{made['id']}/deliveries/{entry['id']}/redeliver")
    assert answer.status_code == 202
    first, second = await endpoint.until(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert {one["state"] for one in await settled(telling, made)} == {"done"}
    wrong = await telling.http.post(f"/v1/webhooks/{made['id']}/deliveries/{made['id']}/redeliver")
    assert wrong.status_code == 404
    entries = await telling.service.office.store.audit_page(None, 100)
    (noted,) = [one for one in entries if one.action == "webhook.redeliver"]
    assert (noted.actor, noted.subject, noted.detail["delivery"]) == ("key acceptance", endpoint.url, entry["id"])


async def test_a_trial_tells_what_was_answered(telling: House, endpoint: Endpoint) -> None:
    endpoint.answers = [answered(201, b"x" * 5000), answered(500, b"no")]
    made = await hook(telling, endpoint)
    good, bad = [(await telling.http.post(f"/v1/webhooks/{made['id']}/test")).json() for _ in range(2)]
    assert (good["delivered"], good["answer_status"], len(good["answer"])) == (True, 201, 1024)
    assert (bad["delivered"], bad["answer_status"], bad["answer"]) == (False, 500, "no")
    one: Received = endpoint.received[0]
    assert Verifier(made["secret"]).verify(one.body, one.headers)["type"] == "webhook.test"
    entries = await telling.service.office.store.audit_page(None, 100)
    assert [one.subject for one in entries if one.action == "webhook.test"] == [endpoint.url] * 2


async def test_a_bounce_is_told_too(telling: House, endpoint: Endpoint) -> None:
    await hook(telling, endpoint, types=["email.bounced"])
    await telling.send(to="bounced@simulator.notifier")
    assert [one.json["type"] for one in await endpoint.until(1)] == ["email.bounced"]


async def test_what_a_lost_process_was_telling_is_told_again(telling: House, endpoint: Endpoint) -> None:
    made = await hook(telling, endpoint, types=["email.sent"])
    await telling.http.patch(f"/v1/webhooks/{made['id']}", json={"enabled": False})
    await telling.http.patch(f"/v1/webhooks/{made['id']}", json={"types": ["email.queued"]})
    store = telling.service.store

    def lose(tx: Tx) -> rules.WebhookClaim:
        """Claims before anybody else can, and is late from the first."""
        webhooks.change(tx, "default", made["id"], rules.WebhookChange(enabled=True))
        add_events(tx, [queued])
        return webhooks.claim(tx, "lost", -1.0, {}, 10, 10)

    taken = await telling.send()
    (first, *_) = await store.events(taken["id"])
    queued = {"notification": taken["id"], "project": "default", "type": "email.queued", "at": first.at,
              "recipient": None, "detail": {}}  # fmt: skip
    claim = await store._database.write(lose)
    (told,) = claim.told
    received = await endpoint.until(1)
    (entry,) = await settled(telling, made)
    assert entry["attempts"] == 1
    # Whoever comes back late changes nothing.
    assert not await store.finish_webhook(rules.WebhookFinish(told, rules.Answer(500, "late"), None))
    assert len(received) == 1
    assert (await log(telling, made))[0]["state"] == "done"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https://example.com:65536/",
        "https://",
        "https://user:secret@example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "not a url",
        "https://example.com/#x",
    ],
)
async def test_what_can_be_no_endpoint_is_refused_at_once(house: House, url: str) -> None:
    answer = await house.http.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")


async def test_only_an_admin_may_have_them(house: House) -> None:
    _, client = await house.key("sender", scopes=("send", "read"))
    async with client:
        assert (await client.get("/v1/webhooks")).status_code == 403
