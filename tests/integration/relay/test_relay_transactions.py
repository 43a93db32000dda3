"""One message: what goes over the line, and what each answer comes to."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifier.capture import Capture
from notifier.domain.lifecycle import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    RelayTrouble,
    SendResult,
    Transaction,
    Unknown,
)
from notifier.mail.relay import Envelope, dialogue
from notifier.mail.relay.wire import Wire

MakeClient = Callable[..., Any]
StartScripted = Callable[..., Awaitable[Any]]


def outcomes(result: SendResult | None) -> list[Outcome]:
    assert isinstance(result, Transaction), result
    return [result.outcomes[n] for n in sorted(result.outcomes)]


async def test_a_mail_arrives_octet_by_octet(capture: Capture, client: MakeClient) -> None:
    body = b"Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nlast\r\n"
    (outcome,) = outcomes(await client(capture).send("zoe@example.test", body=body))
    assert isinstance(outcome, Accepted)
    assert outcome.reply.code == 250
    assert outcome.reply.enhanced == "2.0.0"
    assert outcome.reply.text.startswith("Ok: kept as")
    (mail,) = capture.messages
    assert mail.raw == body
    assert (mail.mail_from, mail.rcpt_tos) == ("notifier@example.test", ("zoe@example.test",))


@pytest.mark.parametrize("octets", [65536, 65537, 3_000_000])
async def test_a_big_mail_arrives_octet_by_octet(capture: Capture, client: MakeClient, octets: int) -> None:
    line = b"QUJD" * 19 + b"\r\n"
    body = (b"Subject: big\r\n\r\n" + line * (octets // len(line) + 1))[: octets - 2] + b"\r\n"
    (outcome,) = outcomes(await client(capture).send(body=body))
    assert isinstance(outcome, Accepted)
    assert capture.messages[0].raw == body


async def test_a_body_without_a_last_line_end_gets_one(capture: Capture, client: MakeClient) -> None:
    await client(capture).send(body=b"Subject: x\r\n\r\nno end")
    assert capture.messages[0].raw == b"Subject: x\r\n\r\nno end\r\n"


async def test_the_null_sender_and_the_size_are_told(capture: Capture, client: MakeClient) -> None:
    await client(capture).send(sender="")
    assert capture.ledger[0].mail_from == ""
    assert capture.ledger[0].options == (f"SIZE={len(capture.messages[0].raw)}",)


async def test_an_international_domain_goes_out_in_a_labels(capture: Capture, client: MakeClient) -> None:
    await client(capture).send("zoe@bücher.test", sender="post@bücher.test")
    assert capture.ledger[0].accepted == ["zoe@xn--bcher-kva.test"]
    assert capture.ledger[0].mail_from == "post@xn--bcher-kva.test"
    assert "SMTPUTF8" not in capture.ledger[0].options


async def test_a_local_part_beyond_ascii_goes_out_where_smtputf8_is_offered(
    capture: Capture, client: MakeClient
) -> None:
    (outcome,) = outcomes(await client(capture).send("zoë@example.test"))
    assert isinstance(outcome, Accepted)
    assert "SMTPUTF8" in capture.ledger[0].options
    assert capture.ledger[0].accepted == ["zoë@example.test"]


async def test_without_smtputf8_that_recipient_alone_is_rejected_here(client: MakeClient) -> None:
    async with Capture(smtputf8=False) as capture:
        each = client(capture)
        zoe, ben = outcomes(await each.send("zoë@example.test", "ben@example.test"))
        assert isinstance(zoe, Rejected)
        assert zoe.stage == "local"
        assert "SMTPUTF8" in zoe.text
        assert isinstance(ben, Accepted)
        assert capture.ledger[0].accepted == ["ben@example.test"]
        for outcome in outcomes(await each.send("ben@example.test", "eva@example.test", sender="zoë@example.test")):
            assert isinstance(outcome, Rejected)
            assert "sender" in outcome.text
        assert len(capture.ledger) == 1
        assert isinstance(outcomes(await each.send())[0], Accepted)
        assert len(capture.sessions) == 1


async def test_the_builder_is_told_what_the_relay_offers(client: MakeClient) -> None:
    async def go_on() -> bool:
        return True

    for offered in (True, False):
        async with Capture(smtputf8=offered) as capture:
            told: list[bool] = []

            def content(smtputf8: bool, told: list[bool] = told) -> bytes:
                told.append(smtputf8)
                return b"Subject: x\r\n\r\n"

            await client(capture).relay.send(Envelope("a@example.test", {7: "b@example.test"}), content, go_on)
            assert told == [offered]


@pytest.mark.parametrize("pipelining", [True, False])
async def test_too_big_a_mail_is_rejected_here_and_the_session_stays(client: MakeClient, pipelining: bool) -> None:
    async with Capture(size_limit=1000, pipelining=pipelining) as capture:
        each = client(capture)
        (outcome,) = outcomes(await each.send(body=b"x" * 1001))
        assert isinstance(outcome, Rejected)
        assert outcome.stage == "local"
        assert "1,001 octets" in outcome.text
        assert "1,000" in outcome.text
        assert isinstance(outcomes(await each.send())[0], Accepted)
        assert capture.sessions[0].verbs == ["EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize(
    "address",
    [
        "zoe@example.test\r\nDATA",
        "zoe@exa\nmple.test",
        "zo\0e@example.test",
        "zoe\x85@example.test",
        "zoe>@x.test",
        "zo\ud800e@example.test",
    ],
)
async def test_a_control_in_an_address_never_reaches_the_line(
    capture: Capture, client: MakeClient, address: str
) -> None:
    each = client(capture)
    (outcome,) = outcomes(await each.send(address))
    assert isinstance(outcome, Rejected)
    assert outcome.stage == "local"
    assert capture.total_connections == 0
    bad, good = outcomes(await each.send(address, "ben@example.test"))
    assert isinstance(bad, Rejected)
    assert isinstance(good, Accepted)
    assert capture.ledger[0].accepted == ["ben@example.test"]
    (outcome,) = outcomes(await each.send(sender=address))
    assert isinstance(outcome, Rejected)
    assert len(capture.ledger) == 1


async def test_each_recipient_has_an_outcome_of_its_own(capture: Capture, client: MakeClient) -> None:
    capture.fail(stage="rcpt", rcpt="no@example.test", code=550, text="5.1.1 No such user")
    capture.fail(stage="rcpt", rcpt="full@example.test", code=452, text="4.2.2 Over quota, try again in 10 minutes")
    no, yes, full = outcomes(await client(capture).send("no@example.test", "yes@example.test", "full@example.test"))
    assert isinstance(no, Rejected)
    assert str(no.reply) == "550 5.1.1 No such user"
    assert isinstance(yes, Accepted)
    assert isinstance(full, Deferred)
    assert (full.after, full.split) == (600.0, False)


@pytest.mark.parametrize("code", [(452, "4.5.3 Too many recipients"), (552, "Too many recipients")])
async def test_too_many_recipients_only_split_the_mail(
    capture: Capture, client: MakeClient, code: tuple[int, str]
) -> None:
    capture.fail(stage="rcpt", rcpt="c@example.test", code=code[0], text=code[1])
    each = client(capture)
    *taken, left = outcomes(await each.send("a@example.test", "b@example.test", "c@example.test"))
    assert all(isinstance(outcome, Accepted) for outcome in taken)
    assert isinstance(left, Deferred)
    assert left.split
    (alone,) = outcomes(await each.send("c@example.test"))
    assert isinstance(alone, Deferred)
    assert not alone.split


async def test_a_relay_that_wants_credentials_is_in_trouble_and_no_mail_fails(client: MakeClient) -> None:
    async with Capture(users={"u": "p"}) as capture:
        each = client(capture)
        trouble = await each.send()
        assert isinstance(trouble, RelayTrouble)
        assert (trouble.kind, trouble.configuration) == ("auth", True)
        assert "MAIL_USERNAME" in trouble.text
        assert each.relay.state.breaker == "open"


@pytest.mark.parametrize("pipelining", [True, False])
async def test_withdrawn_before_the_body_nothing_was_sent(
    capture: Capture, client: MakeClient, pipelining: bool
) -> None:
    async def lost() -> bool:
        assert capture.ledger[0].stage == "data"
        return False

    each = client(capture, pipelining=pipelining)
    assert await each.send(before_body=lost) is None
    assert each.relay.state.open == 0
    assert isinstance(outcomes(await each.send())[0], Accepted)
    assert len(capture.messages) == 1
    assert [t.body is None for t in capture.ledger] == [True, False]


async def test_what_before_body_raises_comes_through_and_closes_the_connection(
    capture: Capture, client: MakeClient
) -> None:
    async def burst() -> bool:
        raise LookupError("no lease")

    each = client(capture)
    with pytest.raises(LookupError):
        await each.send(before_body=burst)
    assert each.relay.state.open == 0
    assert not capture.messages


async def test_what_the_builder_raises_comes_through_and_the_session_stays(
    capture: Capture, client: MakeClient
) -> None:
    async def go_on() -> bool:
        return True

    def broken(_smtputf8: bool) -> bytes:
        raise LookupError("no template")

    each = client(capture)
    with pytest.raises(LookupError):
        await each.relay.send(Envelope("a@example.test", {0: "b@example.test"}), broken, go_on)
    assert isinstance(outcomes(await each.send())[0], Accepted)
    assert capture.sessions[0].verbs == ["EHLO", "MAIL", "RCPT", "DATA"]


async def test_nobody_needs_before_body_when_nobody_is_accepted(capture: Capture, client: MakeClient) -> None:
    capture.fail(stage="rcpt", code=550)

    async def never() -> bool:
        raise AssertionError("there is no body to send")

    (outcome,) = outcomes(await client(capture).send(before_body=never))
    assert isinstance(outcome, Rejected)


async def test_canceled_before_the_dot_the_connection_is_closed(capture: Capture, client: MakeClient) -> None:
    each = client(capture)
    there = asyncio.Event()

    async def wait() -> bool:
        there.set()
        await asyncio.Event().wait()
        return True

    sending = asyncio.create_task(each.send(before_body=wait))
    await there.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert each.relay.state.open == 0
    assert isinstance(outcomes(await each.send())[0], Accepted)
    assert [t.stage for t in capture.ledger] == ["data", "dot"]


async def test_canceled_after_the_dot_it_is_unknown(scripted: StartScripted, client: MakeClient) -> None:
    dotted = asyncio.Event()

    async def script(peer: Any) -> None:
        await peer.greet()
        await peer.to_body()
        await peer.reader.readuntil(b"\r\n.\r\n")
        dotted.set()
        assert await peer.gone() == b""

    each = client(await scripted(script))
    sending = asyncio.create_task(each.send())
    await dotted.wait()
    sending.cancel()
    (outcome,) = outcomes(await sending)
    assert isinstance(outcome, Unknown)
    assert each.relay.state.open == 0


async def test_a_reply_that_crosses_the_cancellation_counts(scripted: StartScripted, client: MakeClient) -> None:
    sending: asyncio.Task[SendResult | None]

    async def script(peer: Any) -> None:
        await peer.greet()
        await peer.take()
        await peer.gone()

    each = client(await scripted(script))
    sending = asyncio.create_task(each.send())
    wake = Wire.data_received

    def arrive(wire: Wire, data: bytes) -> None:
        wake(wire, data)
        if b"taken" in data:
            sending.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "data_received", arrive)
        (outcome,) = outcomes(await sending)
    assert isinstance(outcome, Accepted)


async def test_a_big_mail_cut_off_in_its_body_is_deferred(capture: Capture, client: MakeClient) -> None:
    capture.drop_at("body")
    (outcome,) = outcomes(await client(capture).send(body=b"QUJD\r\n" * 2_000_000))
    assert isinstance(outcome, Deferred), outcome
    assert outcome.stage == "data"


async def test_a_relay_that_stops_reading_is_given_up(
    capture: Capture, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "SLOWEST", 100_000_000)
    capture.hang_at("body")
    (outcome,) = outcomes(await client(capture, timeout=0.3).send(body=b"QUJD\r\n" * 2_000_000))
    assert isinstance(outcome, Deferred), outcome
    assert outcome.stage == "data"
    assert "stopped reading" in outcome.text


@pytest.mark.parametrize("reads_on", [True, False])
async def test_a_refusal_in_mid_body_is_heard(scripted: StartScripted, client: MakeClient, reads_on: bool) -> None:
    done = asyncio.Event()

    async def script(peer: Any) -> None:
        await peer.greet()
        await peer.to_body()
        await peer.reader.readexactly(200_000)
        peer.say("552 5.3.4 Enough")
        await (peer.gone() if reads_on else done.wait())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialogue, "SLOWEST", 100_000_000)
        each = client(await scripted(script), timeout=0.5)
        (outcome,) = outcomes(await each.send(body=b"QUJD\r\n" * 2_000_000))
    done.set()
    assert isinstance(outcome, Rejected), outcome
    assert str(outcome.reply) == "552 5.3.4 Enough"
    assert outcome.stage == "data"


STANDSTILL = """
import os, signal, sys, time
process, socket = map(int, sys.argv[1:])
sys.stdin.readline()
os.kill(process, signal.SIGSTOP)
try:
    os.write(socket, b"250 taken\\r\\n")
    time.sleep(1.2)
finally:
    os.kill(process, signal.SIGCONT)
"""


async def test_a_reply_that_came_while_the_process_stood_still_is_read(
    scripted: StartScripted, client: MakeClient
) -> None:
    async def script(peer: Any) -> None:
        await peer.greet()
        socket = peer.writer.get_extra_info("socket").fileno()
        stop = [sys.executable, "-c", STANDSTILL, str(os.getpid()), str(socket)]
        with subprocess.Popen(stop, stdin=subprocess.PIPE, pass_fds=[socket]) as child:  # noqa: ASYNC220 - all stands still
            await peer.to_body()
            await peer.reader.readuntil(b"\r\n.\r\n")
            assert child.stdin
            child.stdin.write(b"now\n")
            child.stdin.close()
            await peer.gone()

    (outcome,) = outcomes(await client(await scripted(script), dot_timeout=1.0).send())
    assert isinstance(outcome, Accepted), outcome


async def test_a_relay_that_is_still_reading_a_big_mail_is_not_hurried(
    scripted: StartScripted, client: MakeClient
) -> None:
    async def script(peer: Any) -> None:
        await peer.greet()
        await peer.to_body()
        await asyncio.sleep(0.3)  # the body is in the system's buffers by now, and its dot too
        await peer.reader.readexactly(300_000 + len(".\r\n"))
        peer.say("250 taken")
        await peer.gone()

    (outcome,) = outcomes(await client(await scripted(script), dot_timeout=0.1).send(body=b"QUJD\r\n" * 50_000))
    assert isinstance(outcome, Accepted), outcome


async def test_replies_in_pieces_and_on_many_lines_are_read(scripted: StartScripted, client: MakeClient) -> None:
    async def script(peer: Any) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL", "RCPT", "DATA")
        for piece in (b"2", b"50-2.1.0 sender\r", b"\n250 2.1.0 fine\r\n250", b" ok\r\n354 go", b" on\r\n"):
            peer.writer.write(piece)
            await peer.writer.drain()
            await asyncio.sleep(0.01)  # so that each piece is a packet of its own
        await peer.reader.readuntil(b"\r\n.\r\n")
        peer.say("250-2.0.0 queued", "250 2.0.0 as 1234")
        await peer.hear("QUIT")

    (outcome,) = outcomes(await client(await scripted(script)).send())
    assert isinstance(outcome, Accepted)
    assert str(outcome.reply) == "250 2.0.0 queued as 1234"
