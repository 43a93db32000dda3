"""Whom we leave alone: by the API and by CSV, asked when mail is accepted and again when it is claimed."""

import base64
from typing import Any

import pytest

from tests.acceptance.conftest import House

CSV = {"content-type": "text/csv"}


@pytest.fixture
async def news(house: House) -> House:
    """A house with a template of the category `news` beside those without one."""
    body = {"parts": {"subject.txt": "News", "body.txt": "There is news.\n"}, "settings": {"category": "news"}}
    answer = await house.http.put("/v1/templates/news", params={"publish": True}, json=body)
    assert answer.status_code == 200, answer.text
    return house


async def suppress(house: House, address: str, **body: Any) -> dict[str, Any]:
    answer = await house.http.put(f"/v1/suppressions/{address}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_suppressed_address_is_told_in_the_answer_and_not_written_to(house: House) -> None:
    one = await suppress(house, "Zoe@Example.com", reason="manual")
    assert (one["email"], one["scope"], one["reason"], one["source"]) == (
        "Zoe@example.com",
        "all",
        "manual",
        "key acceptance",
    )
    taken = await house.send(to=["zoe@example.com", "max@example.com"])
    assert [r["status"] for r in taken["recipients"]] == ["suppressed", "queued"]
    assert taken["recipients"][0]["reply"] == "suppressed: manual"
    await house.final(taken["id"])
    assert [mail.rcpt_tos for mail in house.capture.messages] == [("max@example.com",)]


async def test_a_notification_to_nobody_else_is_final_at_once(house: House) -> None:
    await suppress(house, "zoe@example.com")
    taken = await house.send()
    assert (taken["status"], taken["final"]) == ("suppressed", True)
    timeline = (await house.http.get(f"{taken['url']}/events")).json()["data"]
    assert [event["type"] for event in timeline] == ["email.queued", "email.suppressed"]


async def test_it_is_asked_again_when_the_mail_is_about_to_go(house: House) -> None:
    await house.stop()
    taken = await house.send()
    assert taken["status"] == "queued"
    await suppress(house, "zoe@example.com", reason="unsubscribed")
    await house.go_on()
    ended = await house.final(taken["id"])
    assert (ended["status"], ended["recipients"][0]["reply"]) == ("suppressed", "suppressed: unsubscribed")
    assert not list(house.capture.messages)


async def test_a_category_never_blocks_another_or_mail_without_one(news: House) -> None:
    await suppress(news, "zoe@example.com", scope="news", reason="unsubscribed")
    assert (await news.send(template="news", data={}))["status"] == "suppressed"
    other = await news.send()
    assert other["status"] == "queued"
    reset = await news.send(template="password-reset", data=await sample(news, "password-reset"))
    assert reset["status"] == "queued"
    assert (await news.final(other["id"]))["status"] == "sent"


async def sample(house: House, template: str) -> dict[str, Any]:
    entry = await house.service.library.resolve(template, None)
    return dict(entry.template.samples["default"])


async def test_lifting_one_scope_leaves_the_others(house: House) -> None:
    await suppress(house, "zoe@example.com", scope="news")
    await suppress(house, "zoe@example.com", scope="offers")
    answer = await house.http.delete("/v1/suppressions/zoe@example.com", params={"scope": "news"})
    assert answer.status_code == 204
    left = (await house.http.get("/v1/suppressions/ZOE@example.com")).json()["data"]
    assert [one["scope"] for one in left] == ["offers"]
    assert (await house.http.delete("/v1/suppressions/zoe@example.com")).status_code == 204
    assert (await house.http.get("/v1/suppressions/zoe@example.com")).status_code == 404
    assert (await house.http.delete("/v1/suppressions/zoe@example.com")).status_code == 404


async def test_spellings_of_an_address_are_one(house: House) -> None:
    await suppress(house, "zoe@bücher.example")
    assert (await house.send(to="ZOE@xn--bcher-kva.example"))["status"] == "suppressed"


async def test_putting_it_again_changes_the_reason_and_adds_nothing(house: House) -> None:
    first = await suppress(house, "zoe@example.com", reason="manual")
    second = await suppress(house, "zoe@example.com", reason="complained")
    assert (second["reason"], second["created_at"]) == ("complained", first["created_at"])
    assert len((await house.http.get("/v1/suppressions")).json()["data"]) == 1


async def test_the_list_is_read_in_pages_that_miss_nobody(house: House) -> None:
    for n in range(7):
        await suppress(house, f"u{n}@example.com", scope="news" if n % 2 else "all")
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await house.http.get("/v1/suppressions", params={"limit": 3, **after})).json()
        seen += [one["email"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["next"]}
    assert seen == [f"u{n}@example.com" for n in range(7)]
    only = (await house.http.get("/v1/suppressions", params={"scope": "news"})).json()["data"]
    assert [one["email"] for one in only] == ["u1@example.com", "u3@example.com", "u5@example.com"]


async def test_what_is_exported_can_be_imported(house: House) -> None:
    await suppress(house, "zoe@example.com", scope="news", reason="unsubscribed")
    await suppress(house, "+tag@example.com")
    exported = await house.http.get("/v1/suppressions", headers={"accept": "text/csv"})
    assert exported.headers["content-type"].startswith("text/csv")
    assert "'+tag@example.com" in exported.text  # no spreadsheet takes it for a formula
    for address in ("zoe@example.com", "+tag@example.com"):
        await house.http.delete(f"/v1/suppressions/{address}")
    answer = await house.http.post("/v1/suppressions", content=exported.content, headers=CSV)
    assert answer.json() == {"object": "import", "read": 2, "added": 2}
    again = await house.http.post("/v1/suppressions", content=exported.content, headers=CSV)
    assert again.json()["added"] == 0
    (one,) = (await house.http.get("/v1/suppressions/zoe@example.com")).json()["data"]
    assert (one["scope"], one["reason"], one["source"]) == ("news", "unsubscribed", "import by acceptance")


async def test_a_file_with_faults_is_refused_as_a_whole_and_every_line_named(house: House) -> None:
    lines = "email,reason\r\ngood@example.com,\r\nnobody,\r\nfine@example.com,because\r\n"
    answer = await house.http.post("/v1/suppressions", content=lines, headers=CSV)
    assert answer.status_code == 422
    assert [(fault["field"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("line 3", "syntax"),
        ("line 4", "unknown"),
    ]
    assert (await house.http.get("/v1/suppressions")).json()["data"] == []


@pytest.mark.parametrize(
    ("content", "status"), [(b"zoe@example.com\n", 422), (b"\xff\xfe", 422), (b"", 422), (b"email\n", 200)]
)
async def test_a_file_needs_its_header_line(house: House, content: bytes, status: int) -> None:
    assert (await house.http.post("/v1/suppressions", content=content, headers=CSV)).status_code == status


async def test_only_an_admin_may_see_or_change_them(house: House) -> None:
    _, client = await house.key("sender", scopes=("send", "read"))
    async with client:
        assert (await client.get("/v1/suppressions")).status_code == 403
        assert (await client.put("/v1/suppressions/zoe@example.com", json={})).status_code == 403


async def test_what_is_no_address_is_told_so(house: House) -> None:
    for call in (house.http.get, house.http.put, house.http.delete):
        answer = await call("/v1/suppressions/nobody")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "address")


async def test_a_place_that_no_answer_named_is_refused(house: House) -> None:
    for place in ("AApGbA", "!", "Cg", base64.urlsafe_b64encode(b"\0\nall").decode()):
        answer = await house.http.get("/v1/suppressions", params={"after": place})
        assert answer.status_code == 422, place
        assert [fault["field"] for fault in answer.json()["errors"]] == ["after"]
