"""What comes back over SMTP: believed where it is signed, monotonic, and told in the timeline."""

from typing import Any

import aiosmtplib
import pytest

from notifier.capture.bounce import delivery_status
from notifier.domain.feedback import Feedback
from tests.acceptance.conftest import House, MakeHouse
from tests.unit.bounce.samples import NOT_FOUND, answer, arf, postfix

BOUNCES = {"NOTIFIER_BOUNCE_ADDRESS": "bounces@mail.example.com", "NOTIFIER_BOUNCE_PORT": 0}


@pytest.fixture
async def bouncing(make_house: MakeHouse) -> House:
    return await make_house(**BOUNCES)


async def deliver(house: House, raw: bytes, to: str) -> str:
    """Hands a report to the listener, as a mail server would: from the null sender."""
    assert house.service.inbound is not None
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=house.service.inbound.port, start_tls=False) as client:
        await client.mail("")
        await client.rcpt(to)
        return (await client.data(raw)).message


async def sent(house: House, **fields: Any) -> tuple[dict[str, Any], str]:
    """A mail that went out, and its return path."""
    taken = await house.send(**fields)
    assert (await house.final(taken["id"]))["status"] == "sent"
    return taken, next(mail.mail_from for mail in house.capture.messages if taken["id"] in mail.raw.decode())


async def shown(house: House, taken: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await house.http.get(taken["url"])).json()
    return found


async def events(house: House, taken: dict[str, Any]) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await house.http.get(f"{taken['url']}/events")).json()["data"]
    return data


async def reason(house: House, address: str) -> list[tuple[str, str]]:
    answer = await house.http.get(f"/v1/suppressions/{address}")
    return [(one["reason"], one["scope"]) for one in answer.json().get("data", [])]


async def test_each_mail_has_a_return_path_of_its_own(bouncing: House) -> None:
    _, first = await sent(bouncing)
    _, second = await sent(bouncing)
    assert first != second
    assert first.startswith("bounces+")
    assert first.endswith("@mail.example.com")
    assert b"From: shop@example.com" in next(iter(bouncing.capture.messages)).raw


async def test_a_hard_bounce_is_told_and_its_address_left_alone(bouncing: House) -> None:
    taken, path = await sent(bouncing, to="zoe@example.net")
    await deliver(bouncing, postfix("5.1.1", NOT_FOUND), path)
    found = await shown(bouncing, taken)
    assert (found["status"], found["final"], found["recipients"][0]["reply"]) == ("bounced", True, NOT_FOUND)
    last = (await events(bouncing, taken))[-1]
    assert (last["type"], last["recipient"]) == ("email.bounced", "zoe@example.net")
    assert last["detail"]["class"] == "hard"
    assert (last["detail"]["enhanced"], last["detail"]["suppresses"]) == ("5.1.1", "all")
    assert await reason(bouncing, "zoe@example.net") == [("bounced", "all")]
    assert (await bouncing.send(to="zoe@example.net"))["status"] == "suppressed"
    listed = (await bouncing.http.get("/v1/notifications", params={"status": "bounced"})).json()["data"]
    assert [one["id"] for one in listed] == [taken["id"]]


async def test_a_full_mailbox_is_a_bounce_and_no_reason_to_stop(bouncing: House) -> None:
    taken, path = await sent(bouncing)
    await deliver(bouncing, postfix("5.2.2", "552 5.2.2 mailbox full", to="zoe@example.com"), path)
    assert (await shown(bouncing, taken))["status"] == "bounced"
    assert await reason(bouncing, "zoe@example.com") == []


async def test_the_bounce_of_another_server_is_understood(bouncing: House) -> None:
    """The report that the capture server itself would write."""
    taken, path = await sent(bouncing)
    (mail,) = bouncing.capture.messages
    await deliver(bouncing, delivery_status(mail, "zoe@example.com", 550, "5.1.1 no such user", "mx.test"), path)
    assert (await shown(bouncing, taken))["status"] == "bounced"


async def test_a_status_is_never_improved_or_erased(bouncing: House) -> None:
    taken, path = await sent(bouncing, to="zoe@example.net")
    steps = [
        (postfix("2.1.5", "250 2.1.5 Ok", action="delivered"), "delivered"),
        (arf("abuse", "Loop/1.0"), "complained"),
        (postfix("5.1.1", NOT_FOUND), "complained"),
        (postfix("2.1.5", "250 2.1.5 Ok", action="delivered"), "complained"),
    ]
    for raw, status in steps:
        await deliver(bouncing, raw, path)
        assert (await shown(bouncing, taken))["status"] == status
    types = [(event["type"], event["detail"].get("ignored")) for event in await events(bouncing, taken)]
    assert types[-4:] == [
        ("email.delivered", None),
        ("email.complained", None),
        ("email.feedback", "the recipient is complained"),
        ("email.feedback", "the recipient is complained"),
    ]


async def test_one_of_several_recipients_bounces(bouncing: House) -> None:
    taken, path = await sent(bouncing, to=["zoe@example.net", "max@example.net"])
    await deliver(bouncing, postfix("5.1.1", NOT_FOUND), path)
    found = await shown(bouncing, taken)
    assert (found["status"], [r["status"] for r in found["recipients"]]) == ("partial", ["bounced", "sent"])
    await deliver(bouncing, postfix("5.1.1", NOT_FOUND, to="somebody@else.test"), path)
    assert (await events(bouncing, taken))[-1]["detail"]["ignored"] == "it names none of the recipients"
    assert await reason(bouncing, "somebody@else.test") == []


async def test_the_one_recipient_is_meant_wherever_the_mail_was_forwarded(bouncing: House) -> None:
    taken, path = await sent(bouncing)
    await deliver(bouncing, postfix("5.1.1", NOT_FOUND, to="forwarded@elsewhere.test"), path)
    assert (await shown(bouncing, taken))["recipients"][0]["status"] == "bounced"
    assert await reason(bouncing, "forwarded@elsewhere.test") == []
    assert await reason(bouncing, "zoe@example.com") == [("bounced", "all")]


async def test_an_out_of_office_reply_changes_nothing(bouncing: House) -> None:
    taken, path = await sent(bouncing)
    before = await events(bouncing, taken)
    await deliver(bouncing, answer("I am away", "Auto-Submitted: auto-replied\n", "550 5.1.1 user unknown"), path)
    assert await events(bouncing, taken) == before
    assert (await shown(bouncing, taken))["status"] == "sent"


async def test_a_delay_is_noted_and_changes_nothing(bouncing: House) -> None:
    taken, path = await sent(bouncing)
    await deliver(bouncing, postfix("4.4.1", "timed out", action="delayed", to="zoe@example.com"), path)
    assert (await shown(bouncing, taken))["status"] == "sent"
    assert (await events(bouncing, taken))[-1]["type"] == "email.feedback"


async def test_a_complaint_at_the_loops_address_is_believed_for_the_path_it_quotes(bouncing: House) -> None:
    taken, path = await sent(bouncing, to="zoe@example.net")
    report = arf("abuse", "Loop/1.0")
    await deliver(bouncing, report, "bounces@mail.example.com")
    assert (await shown(bouncing, taken))["status"] == "sent"  # nothing of ours is quoted: anybody could have said so
    await deliver(
        bouncing, report.replace(b"bounces+token@mail.example.com", path.encode()), "bounces@mail.example.com"
    )
    assert (await shown(bouncing, taken))["status"] == "complained"


async def test_nobody_else_gets_in(bouncing: House) -> None:
    _, path = await sent(bouncing)
    forged = path.replace(path[8:12], "aaaa" if path[8:12] != "aaaa" else "bbbb")
    for address in (forged, "postmaster@mail.example.com", "zoe@example.com"):
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await deliver(bouncing, postfix("5.1.1", NOT_FOUND), address)
        assert refused.value.code == 550


async def test_a_bounce_before_our_own_record_is_asked_to_come_again(bouncing: House) -> None:
    assert bouncing.service.worker is not None
    bouncing.service.worker.dispatcher.drain()
    taken = await bouncing.send()
    await bouncing.service.store.claim("test", 60.0, 10, 1, False)
    assert bouncing.service.return_path is not None
    with pytest.raises(aiosmtplib.SMTPResponseException) as later:
        await deliver(bouncing, postfix("5.1.1", NOT_FOUND), bouncing.service.return_path.of(taken["id"]))
    assert later.value.code == 451


async def test_what_cannot_be_read_is_not_asked_to_come_again(
    bouncing: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defective(_raw: bytes) -> list[Feedback]:
        raise AttributeError("a defect")

    taken, path = await sent(bouncing)
    monkeypatch.setattr("notifier.inbound.read_report", defective)
    assert (await deliver(bouncing, postfix("5.1.1", NOT_FOUND), path)).startswith("2.0.0")
    assert "could not be read" in caplog.text
    assert (await shown(bouncing, taken))["status"] == "sent"


async def test_what_was_never_sent_cannot_have_bounced(bouncing: House) -> None:
    await bouncing.stop()
    taken = await bouncing.send()
    assert bouncing.service.return_path is not None
    await deliver(bouncing, postfix("5.1.1", NOT_FOUND), bouncing.service.return_path.of(taken["id"]))
    assert (await shown(bouncing, taken))["status"] == "queued"
    assert await reason(bouncing, "zoe@example.com") == []


async def test_whoever_repeats_a_report_does_not_fill_the_timeline(bouncing: House) -> None:
    taken, path = await sent(bouncing)
    for _ in range(25):
        await deliver(bouncing, postfix("4.4.1", "timed out", action="delayed", to="zoe@example.com"), path)
    assert len([event for event in await events(bouncing, taken) if event["type"] == "email.feedback"]) == 20


async def test_a_complaint_stops_mail_of_its_kind_alone(bouncing: House) -> None:
    body = {"parts": {"subject.txt": "News", "body.txt": "News.\n"}, "settings": {"category": "news"}}
    await bouncing.http.put("/v1/templates/news", params={"publish": True}, json=body)
    _, path = await sent(bouncing, template="news", data={}, to="zoe@example.net")
    await deliver(bouncing, arf("abuse", "Loop/1.0"), path)
    assert await reason(bouncing, "zoe@example.net") == [("complained", "news")]
    assert (await bouncing.send(to="zoe@example.net"))["status"] == "queued"


async def test_a_refusal_of_the_mailbox_at_the_door_counts_as_a_bounce(house: House) -> None:
    house.capture.fail(rcpt="nobody@example.com", code=550, text="5.1.1 no such user")
    taken = await house.send(to=["zoe@example.com", "nobody@example.com"])
    found = await house.final(taken["id"])
    assert [r["status"] for r in found["recipients"]] == ["sent", "failed"]
    assert await reason(house, "nobody@example.com") == [("bounced", "all")]
    assert (await house.send(to="nobody@example.com"))["status"] == "suppressed"


async def test_a_refusal_for_another_reason_does_not(house: House) -> None:
    house.capture.fail(rcpt="zoe@example.com", code=550, text="5.7.1 not today")
    taken = await house.send()
    assert (await house.final(taken["id"]))["status"] == "failed"
    assert await reason(house, "zoe@example.com") == []


async def test_in_staging_the_one_mailbox_speaks_for_nobody(make_house: MakeHouse) -> None:
    house = await make_house(**BOUNCES, NOTIFIER_REDIRECT_ALL_TO="staging@example.org")
    house.capture.fail(rcpt="staging@example.org", code=550, text="5.1.1 no such user")
    taken = await house.send()
    assert (await house.final(taken["id"]))["status"] == "failed"
    assert await reason(house, "zoe@example.com") == []
    assert house.service.inbound is None
