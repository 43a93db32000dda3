"""Retry and cancel of everything that a search finds, in steps."""

import re

import httpx2 as httpx

from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import Visit
from tests.acceptance.conftest import House


async def _failed(house: House, count: int) -> list[str]:
    """Notifications that a relay refused; from now on it takes everything."""
    fault = house.capture.fail(stage="rcpt", code=550, text="5.7.1 Not today")
    ids = [(await house.send(tags=["spring"]))["id"] for _ in range(count)]
    for id_ in ids:
        assert (await house.final(id_))["status"] == "failed"
    fault.remove()
    return ids


def _fields(page: str) -> dict[str, str]:
    """What the page would send with the next step."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


async def _begin(client: httpx.AsyncClient, action: str, **searched: str) -> str:
    """Begins a run and answers its path."""
    answer = await client.post(f"/admin/bulk/{action}", data=searched)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def _to_the_end(client: httpx.AsyncClient, run: str) -> tuple[str, int]:
    """The last answer, and how many steps there were."""
    page, steps = (await client.get(run)).text, 0
    while "hx-post" in page:
        page = (await client.post(run, data=_fields(page))).text
        steps += 1
    return page, steps


async def _audited(house: House, action: str) -> list[dict[str, object]]:
    entries = await house.service.office.store.audit_page(None, 100)
    return [dict(one.detail) for one in entries if one.action == action]


async def test_what_failed_is_queued_again_and_the_audit_log_tells_how_many(house: House, visit: Visit) -> None:
    ids = await _failed(house, 3)
    other = (await house.send(tags=["autumn"]))["id"]
    client = await visit("admin")
    listed = (await client.get("/admin/notifications?tag=spring&status=failed")).text
    assert "/admin/bulk/retry?tag=spring&amp;status=failed" in listed
    assert "/admin/bulk/cancel" not in listed
    asked = (await client.get("/admin/bulk/retry?tag=spring&status=failed")).text
    assert "Retry 3 notifications" in asked
    page, _ = await _to_the_end(client, await _begin(client, "retry", tag="spring", status="failed"))
    assert "<strong>3</strong> of 3 queued again" in page
    for id_ in ids:
        assert (await house.final(id_))["status"] == "sent"
    assert (await house.final(other))["attempts"] == 1
    asked_for = {"tag": "spring", "status": "failed"}
    assert await _audited(house, "bulk.retry") == [{"total": 3, "project": "default", "asked": asked_for}]
    assert await _audited(house, "bulk.retry.finished") == [{"changed": 3, "left": 0, "total": 3}]


async def test_whatever_waits_of_a_batch_is_canceled_whatever_it_waits_for(house: House, visit: Visit) -> None:
    await house.stop()
    items = [{"to": f"u{n}@example.com"} for n in range(60)] + [
        {"to": "later@example.com", "send_at": "2100-01-01T00:00:00Z"}
    ]
    body = {"defaults": {"template": "hello", "data": {"name": "Zoë", "code": "1"}}, "notifications": items}
    batch = (await house.http.post("/v1/notifications/batch", json=body)).json()["batch"]
    left = (await house.send())["id"]
    client = await visit("admin")
    page, _ = await _to_the_end(client, await _begin(client, "cancel", batch=batch))
    assert "<strong>61</strong> of 61 canceled" in page
    counts = (await house.http.get(f"/v1/batches/{batch}")).json()["counts"]
    assert counts["canceled"] == 61
    assert (await house.http.get(f"/v1/notifications/{left}")).json()["status"] == "queued"


async def test_a_stopped_run_says_how_far_it_got_and_what_is_left_can_be_gone_on_with(
    house: House, visit: Visit
) -> None:
    await house.stop()
    for _ in range(3):
        await house.send(reference="r-1")
    client = await visit("admin")
    run = await _begin(client, "cancel", q="r-1")
    fields = {**_fields((await client.get(run)).text), "stop": "yes"}
    page = (await client.post(run, data={**fields, "done": "9" * 5000})).text
    assert "<strong>0</strong> of 3 canceled" in page
    assert "Stopped." in page
    assert "/admin/bulk/cancel?q=r-1" in page
    assert await _audited(house, "bulk.cancel.stopped") == [{"changed": 0, "left": 0, "total": 3}]
    page, _ = await _to_the_end(client, await _begin(client, "cancel", q="r-1"))
    assert "<strong>3</strong> of 3 canceled" in page


async def test_what_changes_meanwhile_is_left_as_it_is_and_told(house: House, visit: Visit) -> None:
    await house.stop()
    ids = [(await house.send(reference="r-2"))["id"] for _ in range(2)]
    client = await visit("admin")
    run = await _begin(client, "cancel", q="r-2")
    await house.http.post(f"/v1/notifications/{ids[0]}/cancel")
    page, _ = await _to_the_end(client, run)
    assert "<strong>1</strong> of 2 canceled" in page


async def test_nothing_is_changed_without_a_search_or_where_nothing_can_be(house: House, visit: Visit) -> None:
    await _failed(house, 1)
    client = await visit("admin")
    for path in ("retry", "retry?project=default", "retry?status=sent", "cancel?from=yesterday", "sing?q=x"):
        assert (await client.get(f"/admin/bulk/{path}")).status_code in (404, 422)
    assert (await client.post("/admin/bulk/retry", data={})).status_code == 422
    assert (await client.post("/admin/bulk/cancel", data={"tag": "spring"})).status_code == 409
    assert (await client.post("/admin/runs/nonsense", data={})).status_code == 404


async def test_a_run_is_for_editors_and_goes_on_for_who_began_it_alone(house: House, visit: Visit) -> None:
    await _failed(house, 1)
    admin = await visit("admin")
    run = await _begin(admin, "retry", tag="spring")
    office = house.service.office
    for role, status in (("viewer", 403), ("editor", 403)):
        client = await visit()
        await client.post(await new_link(office.store, office, await office.store.add_user(role, role)))  # type: ignore[arg-type]
        assert (await client.post(run, data={})).status_code == status
        asked = await client.get("/admin/bulk/retry?tag=spring")
        assert asked.status_code == (403 if role == "viewer" else 200)
    page, _ = await _to_the_end(admin, run)
    assert "<strong>1</strong> of 1" in page
