"""What happens after `sent` can be counted."""

import asyncio
import base64

import pytest

from tests.acceptance.conftest import House, MakeHouse
from tests.acceptance.feedback.conftest import OPEN, Endpoint, answered, hook


async def metrics(house: House) -> dict[str, float]:
    page = (await house.http.get("/metrics")).text
    samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


async def test_feedback_and_suppressions_are_counted(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_POSTMARK_PASSWORD="hunter2")
    taken = await house.send()
    await house.final(taken["id"])
    told = {"RecordType": "SpamComplaint", "Email": "zoe@example.com", "Metadata": {"notifier-id": taken["id"]}}
    headers = {"authorization": "Basic " + base64.b64encode(b"postmark:hunter2").decode()}
    for _ in range(2):
        assert (await house.http.post("/v1/feedback/postmark", json=told, headers=headers)).status_code == 200
    await house.http.put("/v1/suppressions/max@example.com", json={})
    csv = {"content-type": "text/csv"}
    await house.http.post("/v1/suppressions", content="email\na@example.com\nb@example.com\n", headers=csv)
    found = await metrics(house)
    for result in ("changed", "ignored"):
        assert found[f'notifier_feedback_total{{result="{result}",said="complained",source="postmark"}}'] == 1
    assert found['notifier_suppressions_total{by="api"}'] == 1
    assert found['notifier_suppressions_total{by="import"}'] == 2


async def test_how_the_telling_goes_is_counted(
    make_house: MakeHouse, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.app.worker.GAUGE_PERIOD", 0.1)
    endpoint.answers = [answered(410), answered(200)]
    house = await make_house(**OPEN)
    await hook(house, endpoint, types=["email.queued"])
    await house.send()
    await endpoint.until(1)
    async with asyncio.timeout(30):
        while True:
            found = await metrics(house)
            if found.get('notifier_webhooks_total{result="refused"}') and found["notifier_webhook_endpoints_disabled"]:
                break
    assert found["notifier_webhook_lag_seconds"] == 0
