"""One notification, from the request to the mail."""

from typing import Any

import pytest

from tests.acceptance.conftest import House

HELLO = {"template": "hello", "to": "zoe@example.com", "data": {"name": "Zoë", "code": "1"}}


async def test_a_request_is_answered_with_where_it_stands_and_becomes_a_mail(house: House) -> None:
    answer = await house.http.post(
        "/v1/notifications",
        json={
            "template": "order-confirmation",
            "to": "Zoë <zoe@example.com>",
            "locale": "fr-CA",
            "data": {"name": "Zoë", "order_id": "A-1001"},
            "reference": "order-1001",
        },
    )
    assert answer.status_code == 202
    taken = answer.json()
    assert answer.headers["location"] == taken["url"] == f"/v1/notifications/{taken['id']}"
    assert taken["status"] == "queued"
    assert taken["template"] == {"name": "order-confirmation", "version": 1, "locale": "fr"}
    assert taken["recipients"] == [
        {"email": "zoe@example.com", "name": "Zoë", "kind": "to", "status": "queued", "reply": None}
    ]
    assert (taken["attempts"], taken["final"], taken["error"]) == (0, False, None)
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert mail.to == ("zoe@example.com",)
    assert mail.message_id == taken["message_id"]
    assert "A-1001" in mail.subject
    sent = await house.final(taken["id"])
    assert (sent["status"], sent["attempts"], sent["recipients"][0]["status"]) == ("sent", 1, "sent")


async def test_the_timeline_tells_what_happened(house: House) -> None:
    taken = await house.send()
    await house.final(taken["id"])
    events = (await house.http.get(f"{taken['url']}/events")).json()["data"]
    assert [event["type"] for event in events] == ["email.queued", "email.attempted", "email.sent"]
    assert events[1]["detail"]["code"] == 250


async def test_everything_a_request_may_say_is_in_the_mail(house: House) -> None:
    taken = await house.send(
        to=[{"email": "a@example.com", "name": "Doe, Jane"}, '"Quo \\"ted" <b@localhost>'],
        cc="c@müller.test",
        bcc=["secret@example.com"],
        reply_to="Help <help@example.com>",
        headers={"X-Order": "1001", "References": "<earlier@example.com>"},
        tags=["orders", "orders"],
        metadata={"user": "42"},
        priority="high",
        **{"from": "Shop <orders@shop.test>"},
    )
    assert taken["tags"] == ["orders"]
    assert (taken["metadata"], taken["priority"]) == ({"user": "42"}, "high")
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert set(mail.rcpt_tos) == {"a@example.com", "b@localhost", "c@xn--mller-kva.test", "secret@example.com"}
    assert mail.to == ("a@example.com", "b@localhost")
    assert mail.from_ == "orders@shop.test"
    assert mail.header("Reply-To") == "Help <help@example.com>"
    assert mail.header("X-Order") == "1001"
    assert mail.message_id is not None
    assert mail.message_id.endswith("@shop.test>")


async def test_nobody_sees_a_bcc(house: House) -> None:
    taken = await house.send(bcc="secret@example.com")
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert "secret@example.com" in mail.rcpt_tos
    assert b"secret" not in mail.raw
    message = await house.http.get(f"{taken['url']}/message")
    assert "secret" not in message.text
    eml = await house.http.get(f"{taken['url']}/message", headers={"accept": "message/rfc822"})
    assert b"secret" not in eml.content


async def test_attachments_arrive_and_inline_ones_are_named_by_the_html(house: House) -> None:
    files = [
        {"filename": "a.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQ="},
        {"filename": "logo.png", "content_type": "image/png", "content": "iVBORw0K", "content_id": "logo"},
    ]
    content = {"subject": "Files", "html": '<img src="cid:logo">'}
    taken = await house.send(template=None, data=None, content=content, attachments=files)
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert {(part.filename, part.content) for part in mail.attachments} == {
        ("a.pdf", b"%PDF-1.4"),
        ("logo.png", b"\x89PNG\r\n"),
    }
    assert b"Content-ID: <logo>" in mail.raw


async def test_literal_content_is_sent_as_it_is(house: House) -> None:
    content = {"subject": "Hi {{ name }}", "text": "{{ not_a_template }}"}
    taken = await house.send(template=None, data=None, content=content)
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert (mail.subject, mail.text and mail.text.strip()) == ("Hi {{ name }}", "{{ not_a_template }}")
    assert taken["template"] is None


async def test_the_message_can_be_read_as_json_and_as_it_goes_over_the_wire(house: House) -> None:
    taken = await house.send()
    mail = await house.capture.messages.wait(notification=taken["id"])
    message = (await house.http.get(f"{taken['url']}/message")).json()
    assert message["subject"] == "Hello Zoë"
    assert message["to"] == [{"email": "zoe@example.com", "name": ""}]
    eml = await house.http.get(f"{taken['url']}/message", headers={"accept": "message/rfc822"})
    assert eml.headers["content-type"] == "message/rfc822"
    assert eml.content == mail.raw
    with_content = (await house.http.get(taken["url"], params={"include": "content"})).json()
    assert with_content["content"]["text"].startswith("Dear Zoë, your code is 42.")


async def test_the_longest_sender_may_write(house: House) -> None:
    label = "d" * 61
    taken = await house.send(**{"from": f"a@{label}.{label}.{label}.{label}.test"})
    assert (await house.final(taken["id"]))["status"] == "sent"


async def test_defaults_come_from_the_template(house: House) -> None:
    taken = await house.send(template="careful", data={"name": "Zoë"})
    assert taken["priority"] == "high"
    assert taken["expires_at"] is not None


async def test_a_scheduled_notification_waits_for_its_time(house: House) -> None:
    taken = await house.send(send_at="2999-01-01T00:00:00+02:00")
    assert (taken["status"], taken["send_at"]) == ("scheduled", "2998-12-31T22:00:00.000000Z")
    assert taken["next_attempt_at"] == taken["send_at"]
    listed = (await house.http.get("/v1/notifications", params={"status": "scheduled"})).json()
    assert [one["id"] for one in listed["data"]] == [taken["id"]]
    events = (await house.http.get(f"{taken['url']}/events")).json()["data"]
    assert events[0]["type"] == "email.scheduled"


async def test_what_expires_before_it_is_sent_is_never_sent(house: House) -> None:
    await house.stop()
    soon = house.service.store
    taken = await house.send(expires_at="2999-01-01T00:00:00Z")
    assert taken["expires_at"] == "2999-01-01T00:00:00.000000Z"
    assert (await soon.records([taken["id"]]))[taken["id"]].waits_for == "all"


@pytest.mark.parametrize("version", [1, "hash"])
async def test_a_version_can_be_named(house: House, version: int | str) -> None:
    if version == "hash":
        version = (await house.service.store.published())["hello"].hash
    taken = await house.send(version=version)
    assert taken["template"]["version"] == 1


async def test_an_old_version_still_renders_after_a_new_one(house: House) -> None:
    first = await house.send(version=1)
    assert (await house.final(first["id"]))["template"]["version"] == 1


def faults(answer: Any) -> dict[str, str]:
    return {fault["field"]: fault["code"] for fault in answer.json()["errors"]}


async def test_one_answer_names_every_fault(house: House) -> None:
    answer = await house.http.post(
        "/v1/notifications",
        json={
            "template": "order-confirmation",
            "to": ["fine@example.com", "no address", {"email": "x@example.com", "nam": "X"}],
            "cc": ["FINE@example.com"],
            "data": {"name": 5},
            "headers": {"Subject": "mine", "X-Fold": "a\r\nBcc: b@example.com"},
            "send_at": "2030-01-01T00:00:00",
            "timezone": "Europe/Atlantis",
            "attachments": [{"filename": "a", "content": "%%%"}],
            "colour": "blue",
        },
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert faults(answer) == {
        "to[1]": "syntax",
        "to[2].nam": "unknown",
        "cc[0]": "duplicate",
        "data.name": "type",
        "data.order_id": "missing",
        "headers.Subject": "reserved",
        "headers.X-Fold": "syntax",
        "send_at": "offset",
        "timezone": "unknown",
        "attachments[0].content": "syntax",
        "colour": "unknown",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filename", "a\r\nb.pdf"),
        ("content_type", "application"),
        ("content_type", "message/rfc822"),
        ("content_id", "a b"),
    ],
)
async def test_a_fault_of_an_attachment_names_its_field(house: House, field: str, value: str) -> None:
    attachment = {"filename": "a.pdf", "content_type": "application/pdf", "content": "YQ==", field: value}
    answer = await house.http.post("/v1/notifications", json={**HELLO, "attachments": [attachment]})
    assert faults(answer) == {f"attachments[0].{field}": "syntax"}


async def test_an_unknown_template_is_named_and_the_known_ones_are_told(house: House) -> None:
    answer = await house.http.post("/v1/notifications", json={"template": "helo", "to": "zoe@example.com"})
    assert faults(answer) == {"template": "unknown"}
    assert "hello" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("to", {"to": "a@example.com\r\nBcc: b@example.com"}),
        ("to", {"to": "=?utf-8?b?YQ0KQmNjOiBi?= <a@example.com>"}),
        ("to.name", {"to": {"email": "a@example.com", "name": "a\x85b"}}),
        ("to.email", {"to": {"email": "Name <a@example.com>"}}),
        ("to", {"to": "a\u0000@example.com"}),
        ("content.subject", {"content": {"subject": "a\nb", "text": "x"}, "template": None, "data": None}),
        ("content.html", {"content": {"subject": "a", "html": "x" * 1_000_001}, "template": None, "data": None}),
        ("headers.X-A", {"headers": {"X-A": "=?utf-8?q?a=0D=0Ab?="}}),
        ("headers.X-Notifier-Id", {"headers": {"X-Notifier-Id": "1"}}),
        ("headers.x-pm-Metadata-Notifier-ID", {"headers": {"x-pm-Metadata-Notifier-ID": "1"}}),
        ("reference", {"reference": "a\nb"}),
        ("data.name", {"data": {"name": "a\u0000"}}),
        ("data", {"data": {"name": "=?utf-8?q?a=0D=0AX?=", "code": "1"}}),
        ("data", {"data": {"name": "n" * 1000, "code": "1"}}),
        ("tags[0]", {"tags": ["\r"]}),
        ("expires_at", {"expires_at": "2001-01-01T00:00:00Z"}),
        ("expires_at", {"expires_at": "9999-12-31T23:59:59Z"}),
        ("send_at", {"send_at": "9999-12-31T23:59:59Z", "template": "careful"}),
        ("template", {"template": None}),
        ("content", {"content": {"subject": "a", "text": "b"}}),
        ("to", {"to": []}),
        ("to", {"to": None, "bcc": "b@example.com"}),
        ("to[50]", {"to": [f"u{n}@example.com" for n in range(51)]}),
        ("version", {"version": 77}),
        ("data", {"data": {"name": "n", "code": "x" * 300_000}}),
        ("metadata.k", {"metadata": {"k": 1}}),
        ("priority", {"priority": "urgent"}),
        ("timezone", {"timezone": "localtime"}),
        ("timezone", {"timezone": "right/UTC"}),
        ("locale", {"locale": "not a locale"}),
    ],
)
async def test_what_is_unsafe_or_senseless_is_refused_by_its_field(
    house: House, field: str, change: dict[str, Any]
) -> None:
    body = {"template": "hello", "to": "zoe@example.com", "data": {"name": "Zoë", "code": "42"}, **change}
    answer = await house.http.post("/v1/notifications", json=body)
    assert answer.status_code == 422
    assert field in faults(answer)
    assert not house.capture.messages


@pytest.mark.parametrize(
    ("field", "fragment"),
    [("data.x", '"\\ud800"'), ("data.x", "NaN"), ("data.x", "1e999"), ("data.x[0]", '["\\u0000"]')],
)
async def test_json_that_no_database_could_hold_is_refused_by_its_field(
    house: House, field: str, fragment: str
) -> None:
    body = f'{{"template": "hello", "to": "zoe@example.com", "data": {{"x": {fragment}}}}}'
    answer = await house.http.post("/v1/notifications", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert field in faults(answer)


async def test_a_simulated_recipient_plays_its_part_beside_a_real_one(house: House) -> None:
    taken = await house.send(to=["real@example.com", "bounced@simulator.notifier"])
    mail = await house.capture.messages.wait(notification=taken["id"])
    assert mail.rcpt_tos == ("real@example.com",)
    ended = await house.final(taken["id"])
    assert {r["email"]: r["status"] for r in ended["recipients"]} == {
        "real@example.com": "sent",
        "bounced@simulator.notifier": "bounced",
    }
    assert (ended["status"], ended["attempts"]) == ("partial", 1)


async def test_what_the_relay_took_is_recorded_before_anything_else_can_happen(house: House) -> None:
    house.capture.delay("dot", 0.5)
    taken = await house.send(to=["real@example.com", "delivered@simulator.notifier"])
    await house.capture.messages.wait(notification=taken["id"])
    assert house.service.worker is not None
    house.service.worker.dispatcher._bench.contact.lost()  # no further body may be begun, says the worker now
    ended = await house.final(taken["id"])
    assert (ended["status"], ended["attempts"], len(house.capture.messages)) == ("partial", 1, 1)


async def test_who_was_one_too_many_goes_at_once_whatever_another_has_to_wait_for(house: House) -> None:
    house.capture.fail_next(rcpt="slow@example.com", code=450, text="4.7.1 Greylisted, try again in 12 hours")
    house.capture.fail_next(rcpt="more@example.com", code=452, text="4.5.3 Too many recipients")
    taken = await house.send(to=["first@example.com", "slow@example.com", "more@example.com"])
    assert (await house.final(taken["id"]))["attempts"] == 2
    timeline = (await house.http.get(f"{taken['url']}/events")).json()["data"]
    deferred = [event for event in timeline if event["type"] == "email.deferred"]
    assert len({event["detail"]["next_attempt_at"] for event in deferred}) == 1
    assert {mail.rcpt_tos for mail in house.capture.messages} == {
        ("first@example.com",),
        ("slow@example.com", "more@example.com"),
    }
