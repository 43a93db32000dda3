"""Whom we leave alone, on pages."""

from typing import Any

from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import Visit
from tests.acceptance.conftest import House


async def _stand(house: House, address: str) -> list[tuple[str, str, str | None]]:
    found = await house.service.store.find_suppressions(address)
    return [(one.scope, one.reason, one.source) for one in found]


async def _audited(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    entries = await house.service.office.store.audit_page(None, 100)
    return [(one.action, one.subject, dict(one.detail)) for one in entries if one.action.startswith("suppression")]


async def test_an_address_is_left_alone_with_a_reason_and_written_to_again(house: House, visit: Visit) -> None:
    client = await visit("admin")
    form = {"email": "Zoe@Example.com", "scope": "all", "why": "asked by phone"}
    answer = await client.post("/admin/suppressions", data=form)
    assert answer.status_code == 303
    page = (await client.get(answer.headers["location"])).text
    assert "nothing at all" in page
    assert "admin: asked by phone" in page
    assert 'notifier_suppressions_total{by="page"} 1.0' in (await house.http.get("/metrics")).text
    assert (await house.send(to="zoe@example.com"))["recipients"][0]["status"] == "suppressed"
    lifted = await client.post("/admin/suppressions/lift", data={"email": "zoe@example.com", "scope": "all"})
    assert lifted.status_code == 303
    assert await _stand(house, "zoe@example.com") == []
    again = await client.post("/admin/suppressions/lift", data={"email": "zoe@example.com", "scope": "all"})
    assert again.status_code == 404
    assert await _audited(house) == [
        ("suppression.lift", "zoe@example.com", {"scope": "all"}),
        ("suppression.add", "Zoe@example.com", {"scope": "all", "why": "asked by phone"}),
    ]


async def test_an_address_with_a_slash_has_its_page(visit: Visit) -> None:
    client = await visit("admin")
    answer = await client.post("/admin/suppressions", data={"email": "team/zoe?@example.com"})
    assert answer.headers["location"] == "/admin/addresses/team%2Fzoe%3F%40example.com?said=suppressed"
    for path in (answer.headers["location"], "/admin/addresses/team/zoe%3F@example.com"):
        assert "nothing at all" in (await client.get(path)).text


async def test_they_are_found_by_a_part_of_the_address_a_reason_and_a_scope(house: House, visit: Visit) -> None:
    client = await visit("admin")
    for email, scope in (("mei@one.test", "all"), ("bo_x@one.test", "news"), ("amir@two.test", "all")):
        await client.post("/admin/suppressions", data={"email": email, "scope": scope})

    async def found(**asked: str) -> set[str]:
        page = (await client.get("/admin/suppressions", params=asked)).text
        return {name for name in ("mei@one", "bo_x@one", "amir@two") if f">{name}" in page}

    assert await found() == {"mei@one", "bo_x@one", "amir@two"}
    assert await found(q="@One.test") == {"mei@one", "bo_x@one"}
    assert await found(q="o_x") == {"bo_x@one"}  # no wildcard of anybody's language
    assert await found(q="%") == set()
    assert await found(scope="news") == {"bo_x@one"}
    assert await found(reason="bounced") == set()


async def test_a_long_list_comes_in_pages(house: House, visit: Visit) -> None:
    client = await visit("admin")
    lines = "\n".join(["email", *(f"u{n:03}@x.test" for n in range(130))])
    assert (await client.post("/admin/suppressions/import", data={"csv": lines})).status_code == 303
    first = (await client.get("/admin/suppressions?q=x.test")).text
    assert first.count("data-confirm") == 100
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert (await client.get(f"/admin/suppressions{following}")).text.count("data-confirm") == 30


async def test_what_is_exported_can_be_imported_and_what_stands_stays(house: House, visit: Visit) -> None:
    client = await visit("admin")
    file = "email,scope,reason\r\nmei@one.test,all,bounced\r\nbo@one.test,news,unsubscribed\r\n"
    await client.post("/admin/suppressions/import", data={"csv": file})
    assert 'notifier_suppressions_total{by="import"} 2.0' in (await house.http.get("/metrics")).text
    exported = await client.get("/admin/suppressions.csv")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "mei@one.test,all,bounced,import by admin," in exported.text
    await house.service.store.lift_suppressions("bo@one.test", None)
    await client.post("/admin/suppressions/import", data={"csv": exported.text})
    assert await _stand(house, "mei@one.test") == [("all", "bounced", "import by admin")]
    assert await _stand(house, "bo@one.test") == [("news", "unsubscribed", "import by admin")]
    assert [one for one in await _audited(house) if one[0] == "suppression.import"] == [
        ("suppression.import", "2 lines", {"added": 1}),
        ("suppression.import", "2 lines", {"added": 2}),
    ]


async def test_a_file_with_a_mistake_changes_nothing_names_its_lines_and_is_not_lost(
    house: House, visit: Visit
) -> None:
    client = await visit("admin")
    file = "email,reason\nmei@one.test,bounced\nnobody,bounced\nbo@one.test,because\n"
    answer = await client.post("/admin/suppressions/import", data={"csv": file})
    assert answer.status_code == 422
    assert "line 3: email:" in answer.text
    assert "line 4: reason:" in answer.text
    assert "mei@one.test,bounced" in answer.text
    assert await _stand(house, "mei@one.test") == []


async def test_bad_input_is_told_with_its_field(house: House, visit: Visit) -> None:
    client = await visit("admin")
    for form, field in (({"email": "nobody"}, "address:"), ({"email": "zoe@x.test", "scope": "x" * 65}, "scope:")):
        answer = await client.post("/admin/suppressions", data=form)
        assert answer.status_code == 422
        assert field in answer.text
    assert (await client.get("/admin/suppressions?after=nonsense")).status_code == 422
    assert await _audited(house) == []


async def test_who_may_only_look_changes_nothing(house: House, visit: Visit) -> None:
    office = house.service.office
    client = await visit()
    await client.post(await new_link(office.store, office, await office.store.add_user("mei", "viewer")))
    assert (await client.get("/admin/suppressions")).status_code == 200
    for path in ("suppressions", "suppressions/lift", "suppressions/import"):
        assert (await client.post(f"/admin/{path}", data={"email": "a@x.test", "csv": "email\n"})).status_code == 403
    assert "Leave it alone" not in (await client.get("/admin/addresses/zoe@example.com")).text
