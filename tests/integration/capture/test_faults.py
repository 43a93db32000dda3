"""Every scripted fault, seen from the client's side of a real connection."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiosmtplib
import pytest

from notifier.capture import Capture, Fault, Stage
from notifier.capture.tls import client_context, server_context

COMMANDS: dict[Stage, str] = {
    "ehlo": "EHLO me.test",
    "mail": "MAIL FROM:<a@x.test>",
    "rcpt": "RCPT TO:<b@x.test>",
    "data": "DATA",
    "rset": "RSET",
    "quit": "QUIT",
}
IN_ORDER: list[Stage] = ["ehlo", "mail", "rcpt", "data"]


async def up_to(stage: Stage, wire: Any) -> None:
    """Leads the dialogue until `stage` is next; what is sent there is the test's."""
    await wire.reply()
    before = IN_ORDER[: IN_ORDER.index(stage)] if stage in IN_ORDER else IN_ORDER[:1]
    if stage == "dot":
        before = IN_ORDER
    for each in before:
        await wire.say(COMMANDS[each])


async def until(done: Callable[[], bool]) -> None:
    """Gives the server its turns until something is so; the ledger has no event to wait on."""
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110 -- a turn of the loop, not a time
            await asyncio.sleep(0)


def last_words(stage: Stage) -> list[str]:
    return ["Subject: x", "", "x", "."] if stage == "dot" else [COMMANDS[stage]]


COMMAND_STAGES: list[Stage] = ["ehlo", "mail", "rcpt", "data", "dot", "rset", "quit"]


@pytest.mark.parametrize("stage", COMMAND_STAGES)
async def test_fail_next_answers_its_stage_once_and_then_all_is_as_usual(
    stage: Stage, capture: Capture, connect: Any
) -> None:
    capture.fail_next(stage=stage, code=452, text="4.3.1 No room")
    wire = await connect(capture, hello=False)
    await up_to(stage, wire)
    assert await wire.say(*last_words(stage)) == "452 4.3.1 No room"
    assert not capture.messages
    again = await connect(capture)
    assert (await again.mail("b@x.test"))[-1] == "250"


@pytest.mark.parametrize("stage", COMMAND_STAGES)
async def test_drop_ends_the_connection_without_an_answer(stage: Stage, capture: Capture, connect: Any) -> None:
    capture.drop_at(stage)
    wire = await connect(capture, hello=False)
    await up_to(stage, wire)
    assert await wire.say(*last_words(stage)) == ""
    assert not capture.messages
    again = await connect(capture)
    assert (await again.mail("b@x.test"))[-1] == "250"


@pytest.mark.parametrize("stage", COMMAND_STAGES)
async def test_garbage_is_no_reply(stage: Stage, capture: Capture, connect: Any) -> None:
    capture.garbage(stage, content=b"\xff\x00 what?\r\n")
    wire = await connect(capture, hello=False)
    await up_to(stage, wire)
    wire.send(*last_words(stage))
    assert await wire.reader.readexactly(10) == b"\xff\x00 what?\r\n"


@pytest.mark.parametrize("stage", COMMAND_STAGES)
async def test_hang_never_answers_and_ends_when_the_client_goes(stage: Stage, capture: Capture, connect: Any) -> None:
    capture.hang_at(stage)
    wire = await connect(capture, hello=False)
    await up_to(stage, wire)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await wire.say(*last_words(stage))
    assert capture.open_connections == 1
    wire.writer.close()
    await until(lambda: capture.open_connections == 0)


async def test_a_client_that_half_closes_before_a_hung_banner_is_let_go(capture: Capture, connect: Any) -> None:
    capture.hang_at("connect")
    wire = await connect(capture, hello=False)
    wire.writer.write_eof()
    async with asyncio.timeout(5):
        assert await wire.is_closed()
    await until(lambda: capture.open_connections == 0)


@pytest.mark.parametrize("code", [421, 554])
async def test_a_bad_banner(code: int, capture: Capture, connect: Any) -> None:
    capture.fail_next(stage="connect", code=code, text="go away")
    wire = await connect(capture, hello=False)
    assert await wire.reply() == f"{code} go away"
    assert await wire.is_closed()
    assert await (await connect(capture, hello=False)).reply() == "220 capture.test ESMTP notifier capture"


async def test_the_banner_can_be_dropped_hung_or_garbage(capture: Capture, connect: Any) -> None:
    capture.drop_at("connect")
    assert await (await connect(capture, hello=False)).is_closed()
    capture.garbage("connect", content=b"RFB 003.008\r\n")
    assert await (await connect(capture, hello=False)).reply() == "RFB 003.008"
    capture.hang_at("connect")
    silent = await connect(capture, hello=False)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(silent.reply(), 0.05)


async def test_421_ends_the_connection_at_any_stage(capture: Capture, connect: Any) -> None:
    capture.fail_next(rcpt="b@x.test", code=421)
    wire = await connect(capture)
    await wire.say("MAIL FROM:<a@x.test>")
    assert (await wire.say("RCPT TO:<b@x.test>")).startswith("421 4.3.2")
    assert await wire.is_closed()
    assert capture.ledger[0].reply == "421 4.3.2 Service shutting down"


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("what", ["drop_at", "hang_at", "garbage"])
async def test_no_reply_after_the_final_dot_with_the_message_kept_or_not(
    what: str, keep: bool, capture: Capture, connect: Any
) -> None:
    getattr(capture, what)("dot", keep=keep)
    wire = await connect(capture)
    for line in ("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>", "DATA"):
        await wire.say(line)
    wire.send("Subject: x", "", "x", ".")
    if what == "drop_at":
        assert await wire.is_closed()
    elif what == "garbage":
        assert await wire.reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
    else:
        await until(lambda: capture.ledger[0].stage == "dot")
    (transaction,) = capture.ledger
    assert (len(capture.messages) == 1) is keep is (transaction.captured is not None)
    assert transaction.body == b"Subject: x\r\n\r\nx\r\n"
    assert (transaction.reply is None) is (what != "garbage")


async def test_a_drop_in_mid_body_leaves_no_dot(capture: Capture, connect: Any) -> None:
    capture.drop_at("body")
    wire = await connect(capture)
    for line in ("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>", "DATA"):
        await wire.say(line)
    wire.send("Subject: a long one")
    assert await wire.is_closed()
    assert (capture.ledger[0].stage, capture.ledger[0].body) == ("data", None)


async def test_faults_hit_their_address_exactly_as_often_as_asked(capture: Capture, connect: Any) -> None:
    fault = capture.fail_next(rcpt="B@x.test", code=451, times=2)
    wire = await connect(capture)
    assert (await wire.say("RCPT TO:<b@x.test>")).startswith("503")  # out of its place: nothing to fail
    for expected in (["250", "250", "451", "354"], ["250", "250", "451", "354"], ["250", "250", "250", "354"]):
        wire.send("MAIL FROM:<a@x.test>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", "DATA")
        assert await wire.replies(4) == expected
        await wire.say("Subject: x", "", "x", ".")
    assert (fault.hits, fault.left) == (2, 0)
    assert [message.rcpt_tos for message in capture.messages][-1] == ("a@x.test", "b@x.test")


async def test_a_fault_of_a_sender_leaves_others_alone(capture: Capture, connect: Any) -> None:
    capture.fail(stage="mail", sender="bad@x.test", code=550)
    wire = await connect(capture)
    assert (await wire.mail("b@x.test", sender="good@x.test"))[-1] == "250"
    assert (await wire.say("MAIL FROM:<Bad@x.test>")).startswith("550")


async def test_fail_lasts_until_it_is_removed(capture: Capture, connect: Any) -> None:
    fault = capture.fail(code=550)
    wire = await connect(capture)
    await wire.say("MAIL FROM:<a@x.test>")
    assert [(await wire.say("RCPT TO:<b@x.test>"))[:3] for _ in range(3)] == ["550"] * 3
    fault.remove()
    fault.remove()
    assert (await wire.say("RCPT TO:<b@x.test>")).startswith("250")


async def test_the_first_fault_added_comes_first(capture: Capture, connect: Any) -> None:
    capture.fail_next(rcpt="b@x.test", code=451)
    capture.fail_next(code=452)
    wire = await connect(capture)
    await wire.say("MAIL FROM:<a@x.test>")
    said = [(await wire.say(f"RCPT TO:<{name}@x.test>"))[:3] for name in ("b", "b", "b")]
    assert said == ["451", "452", "250"]


async def test_a_reply_of_several_lines(capture: Capture, connect: Any) -> None:
    capture.fail_next(code=550, text="5.7.1 Blocked\n5.7.1 see https://relay.test")
    wire = await connect(capture)
    await wire.say("MAIL FROM:<a@x.test>")
    assert await wire.say("RCPT TO:<b@x.test>") == "550-5.7.1 Blocked\n550 5.7.1 see https://relay.test"


async def test_delay_answers_as_usual_but_late(capture: Capture, connect: Any) -> None:
    capture.delay("dot", 0.1, times=1)
    wire = await connect(capture)
    began = time.monotonic()
    assert (await wire.mail("b@x.test"))[-1] == "250"
    assert time.monotonic() - began >= 0.09  # uvloop counts whole milliseconds


async def test_a_message_is_kept_before_a_delay_that_the_client_does_not_wait_for(
    capture: Capture, connect: Any
) -> None:
    capture.delay("dot", 60)
    wire = await connect(capture)
    for line in ("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>", "DATA"):
        await wire.say(line)
    wire.send("Subject: kept", "", "x", ".")
    assert (await capture.messages.wait(to="b@x.test")).subject == "kept"
    assert capture.ledger[0].reply is None


async def test_trickle_answers_byte_by_byte(capture: Capture, connect: Any) -> None:
    capture.trickle("mail", 0.005)
    wire = await connect(capture)
    began = time.monotonic()
    wire.send("MAIL FROM:<a@x.test>")
    assert await wire.reader.read(1) == b"2"
    assert await wire.reply() == "50 2.1.0 Ok"
    assert time.monotonic() - began >= 0.004 * len("250 2.1.0 Ok")
    assert (await wire.say("RCPT TO:<b@x.test>")).startswith("250")


async def test_auth_is_rejected_whatever_the_credentials() -> None:
    async with Capture(users={"u": "p"}) as server:
        fault = server.reject_auth(454, "4.7.0 Temporary authentication failure")
        client = aiosmtplib.SMTP(hostname=server.host, port=server.port, start_tls=False)
        await client.connect()
        await client.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
            await client.auth_plain("u", "p")
        assert refused.value.code == 454
        fault.remove()
        await client.auth_plain("u", "p")
        client.close()


async def test_starttls_can_be_withheld_refused_or_dropped() -> None:
    async with Capture(tls_context=server_context()) as server:

        async def attempt() -> None:
            client = aiosmtplib.SMTP(
                hostname=server.host, port=server.port, start_tls=True, tls_context=client_context(), timeout=5
            )
            try:
                await client.connect()
            finally:
                client.close()

        fault = server.no_starttls()
        with pytest.raises(aiosmtplib.SMTPException, match="not supported"):
            await attempt()
        fault.remove()
        server.fail_next(stage="starttls", code=454)
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await attempt()
        assert refused.value.code == 454
        server.drop_at("starttls")
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await attempt()
        await attempt()


async def test_greylisting_takes_the_second_try_of_a_pair(capture: Capture, connect: Any) -> None:
    capture.greylist()
    wire = await connect(capture)
    await wire.say("MAIL FROM:<a@x.test>")
    said = [(await wire.say(f"RCPT TO:<{name}@x.test>"))[:3] for name in ("b", "c", "b", "c", "b")]
    assert said == ["451", "451", "250", "250", "250"]


async def test_a_bounce_comes_back_to_the_sender_after_the_message(capture: Capture, connect: Any) -> None:
    capture.bounce("gone@x.test", text="5.1.1 No such user here")
    wire = await connect(capture)
    assert (await wire.mail("b@x.test", "gone@x.test"))[-1] == "250"
    sent, report = capture.messages
    assert sent.rcpt_tos == ("b@x.test", "gone@x.test")
    assert (report.mail_from, report.rcpt_tos) == ("", ("a@x.test",))
    assert report.parsed.get_content_type() == "multipart/report"
    assert report.parsed.get_param("report-type") == "delivery-status"
    status = report.attachments[0]
    assert status.content_type == "message/delivery-status"
    assert b"Final-Recipient: rfc822; gone@x.test" in status.content
    assert b"Status: 5.1.1" in status.content
    assert b"b@x.test" not in status.content
    assert b"Subject: hi" in report.attachments[1].content


@pytest.mark.parametrize(
    "impossible",
    [
        lambda server: server.fail_next(stage="nowhere"),
        lambda server: server.fail_next(stage="mail", rcpt="b@x.test"),
        lambda server: server.fail_next(stage="ehlo", sender="b@x.test"),
        lambda server: server.fail_next(times=0),
        lambda server: server.fail_next(code=250),
        lambda server: server.fail_next(text="a\rb\x00"),
        lambda server: server.fail_next(stage="body"),
        lambda server: server.drop_at("data", keep=True),
        lambda server: server.drop_at("bounce"),
    ],
)
def test_a_fault_that_could_never_happen_is_refused(impossible: Any) -> None:
    server = Capture()
    with pytest.raises(ValueError):
        impossible(server)
    assert len(server.faults) == 0


def test_a_fault_says_what_it_is() -> None:
    fault: Fault = Capture().fail_next(rcpt="b@x.test", times=3)
    assert (fault.stage, fault.rcpt, fault.left, fault.hits) == ("rcpt", "b@x.test", 3, 0)
