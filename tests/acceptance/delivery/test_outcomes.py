"""What becomes of a mail, from the request to the relay's last word: over HTTP and SMTP, from outside."""

from typing import Any

from notifier.capture import Capture
from tests.acceptance.delivery.conftest import MakeServe
from tests.support.process import Serve, types


async def test_a_notification_becomes_the_mail_that_was_meant(serve: Serve, relay: Capture) -> None:
    id_ = await serve.post("Zoë <zoe@example.com>", data={"order": "A-1001"}, reference="order-1001")
    found = await serve.final(id_)
    assert (found["status"], found["attempts"], found["error"]) == ("sent", 1, None)
    (mail,) = relay.messages
    assert (mail.mail_from, mail.rcpt_tos) == ("shop@example.com", ("zoe@example.com",))
    assert mail.subject == "Order A-1001"
    assert mail.header("To") == "Zoë <zoe@example.com>"
    assert mail.header("Message-ID") == found["message_id"]
    assert mail.header("X-Notifier-Id") == id_
    assert mail.header("X-Notifier-Reference") == "order-1001"
    parts = [part.get_content_type() for part in mail.parsed.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    assert mail.text is not None
    assert "order A-1001 is on its way" in mail.text
    assert mail.html is not None
    assert "<b>A-1001</b>" in mail.html
    assert types(await serve.events(id_)) == ["queued", "attempted", "sent"]


async def test_what_is_put_off_goes_out_at_the_next_attempt_and_the_timeline_tells_why(
    serve: Serve, relay: Capture
) -> None:
    relay.fail_next(stage="rcpt", code=451, text="4.7.1 Not now", times=2)
    id_ = await serve.post()
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("sent", 3)
    assert len(relay.messages) == 1
    events = await serve.events(id_)
    assert types(events) == ["queued", "attempted", "deferred", "attempted", "deferred", "attempted", "sent"]
    told = events[2]["detail"]
    assert (told["stage"], told["code"], told["enhanced"], told["text"]) == ("rcpt", 451, "4.7.1", "Not now")
    assert told["next_attempt_at"] > events[2]["at"]
    assert (told["attempt"], told["relay"]) == (1, f"{relay.host}:{relay.port}")
    assert [event["detail"]["attempt"] for event in events if event["type"] == "email.attempted"] == [1, 2, 3]


async def test_what_is_refused_fails_at_once_with_the_code_and_the_text(serve: Serve, relay: Capture) -> None:
    relay.fail(stage="rcpt", code=550, text="5.1.1 Nobody of that name here")
    id_ = await serve.post()
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("failed", 1)
    assert found["error"] == found["recipients"][0]["reply"] == "550 5.1.1 Nobody of that name here"
    events = await serve.events(id_)
    assert types(events) == ["queued", "attempted", "failed"]
    told = events[-1]["detail"]
    assert (told["stage"], told["code"], told["enhanced"]) == ("rcpt", 550, "5.1.1")
    assert not relay.messages


async def test_who_was_accepted_is_never_sent_to_again_who_was_put_off_is_tried_alone(
    serve: Serve, relay: Capture
) -> None:
    relay.fail_next(stage="rcpt", rcpt="later@example.com", code=450)
    relay.fail(stage="rcpt", rcpt="never@example.com", code=550)
    id_ = await serve.post(["now@example.com", "later@example.com", "never@example.com"])
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("partial", 2)
    statuses = {person["email"]: person["status"] for person in found["recipients"]}
    assert statuses == {"now@example.com": "sent", "later@example.com": "sent", "never@example.com": "failed"}
    first, second = relay.messages
    assert (first.rcpt_tos, second.rcpt_tos) == (("now@example.com",), ("later@example.com",))
    assert first.header("Message-ID") == second.header("Message-ID")
    last = relay.ledger[-1]
    assert (last.accepted, last.refused) == (["later@example.com"], {})
    by_person: dict[str, list[str]] = {}
    for event in await serve.events(id_):
        by_person.setdefault(event["recipient"], []).append(event["type"])
    assert by_person["now@example.com"] == ["email.sent"]
    assert by_person["later@example.com"] == ["email.deferred", "email.sent"]
    assert by_person["never@example.com"] == ["email.failed"]


async def test_a_lost_reply_to_the_dot_is_unknown_and_a_second_copy_carries_the_same_id(
    serve: Serve, relay: Capture
) -> None:
    relay.drop_at("dot", keep=True)
    id_ = await serve.post()
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("sent", 2)
    assert types(await serve.events(id_)) == ["queued", "attempted", "unknown", "attempted", "sent"]
    first, second = relay.messages
    assert first.header("Message-ID") == second.header("Message-ID") == found["message_id"]
    assert first.raw == second.raw


async def test_with_on_unknown_hold_a_lost_reply_to_the_dot_is_held_and_nothing_is_sent_again(
    serve: Serve, relay: Capture
) -> None:
    relay.drop_at("dot", keep=True)
    id_ = await serve.post(on_unknown="hold")
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("held", 1)
    assert types(await serve.events(id_)) == ["queued", "attempted", "unknown", "held"]
    after = await serve.post("after@example.com")
    assert (await serve.final(after))["status"] == "sent"
    assert [mail.rcpt_tos for mail in relay.messages] == [("zoe@example.com",), ("after@example.com",)]


async def test_while_the_relay_is_down_nothing_fails_and_no_attempt_counts(
    make_serve: MakeServe, relay: Capture
) -> None:
    await relay.stop()
    serve = await make_serve()
    ids = await serve.post_many(20)
    state: dict[str, Any] = {}
    while state.get("breaker") != "open":  # it has found out by trying
        state = await serve.relay_state()
    assert "refuses connections" in state["error"]
    for id_ in ids:
        found = await serve.record(id_)
        assert (found["status"], found["attempts"], found["final"]) in {("queued", 0, False), ("sending", 0, False)}
    await relay.start()
    for id_ in ids:
        found = await serve.final(id_)
        assert (found["status"], found["attempts"]) == ("sent", 1)
        assert types(await serve.events(id_)) == ["queued", "attempted", "sent"]
    assert len(relay.messages) == 20
