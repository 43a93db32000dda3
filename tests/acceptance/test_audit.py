"""What keys change is in the audit log, as what people change in the pages is."""

from tests.acceptance.conftest import House


async def test_what_a_key_changed_is_noted_with_its_name(house: House) -> None:
    http = house.http
    made = (await http.post("/v1/keys", json={"name": "billing"})).json()
    await http.delete(f"/v1/keys/{made['id']}")
    hook = (await http.post("/v1/webhooks", json={"url": "https://example.com/hook"})).json()
    await http.patch(f"/v1/webhooks/{hook['id']}", json={"rotate_secret": True})
    await http.delete(f"/v1/webhooks/{hook['id']}")
    await http.put("/v1/suppressions/zoe@example.com")
    await http.delete("/v1/suppressions/zoe@example.com")
    csv = {"content-type": "text/csv"}
    await http.post("/v1/suppressions", content=b"email\nann@example.com\nbo@example.com\n", headers=csv)
    parts = {"subject.txt": "Hello", "body.txt": "Hello"}
    await http.put("/v1/templates/hello", params={"publish": "true"}, json={"parts": parts})
    await http.delete("/v1/templates/hello")
    await house.stop()
    await house.go_on()
    entries = list(await house.service.office.store.audit_page(None, 100))[::-1]
    keys = [entry for entry in entries if entry.actor == "key acceptance"]
    assert [(entry.action, entry.subject) for entry in keys] == [
        ("key.create", "billing"),
        ("key.revoke", "billing"),
        ("webhook.create", "https://example.com/hook"),
        ("webhook.change", "https://example.com/hook"),
        ("webhook.remove", "https://example.com/hook"),
        ("suppression.add", "zoe@example.com"),
        ("suppression.lift", "zoe@example.com"),
        ("suppression.import", "2 lines"),
        ("template.save", "hello"),
        ("template.publish", "hello"),
        ("template.delete", "hello"),
        ("pause", "all"),
        ("resume", "all"),
    ]
    assert all(entry.detail["project"] == "default" for entry in keys if not entry.action.startswith("template"))
    assert keys[3].detail["changed"] == ["rotate_secret"]
    assert made["secret"] not in str(entries)
    assert hook["secret"] not in str(entries)
