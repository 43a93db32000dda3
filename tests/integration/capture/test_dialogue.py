"""What the capture server says and takes when nothing is scripted."""

import asyncio
import ssl
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest

from notifier.capture import Capture
from notifier.capture.tls import client_context, server_context


def letter(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "a@x.test", "To": "b@x.test", "Subject": "Hello", **headers}.items():
        message[name] = value
    message.set_content("hello\n")
    return message


async def test_a_message_arrives_as_it_was_sent(capture: Capture, connect: Any) -> None:
    wire = await connect(capture)
    body = "Subject: dots\r\n\r\n..leading dot\r\nlast line"
    assert await wire.mail("b@x.test", "C@x.test", body=body) == ["250", "250", "250", "354", "250"]
    (message,) = capture.messages
    assert message.raw == b"Subject: dots\r\n\r\n.leading dot\r\nlast line\r\n"
    assert (message.mail_from, message.rcpt_tos) == ("a@x.test", ("b@x.test", "C@x.test"))


async def test_commands_of_one_write_are_answered_in_order(capture: Capture, connect: Any) -> None:
    wire = await connect(capture)
    wire.send("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>", "RCPT TO:<nobody>x", "DATA")
    assert await wire.replies(4) == ["250", "250", "555", "354"]
    wire.send("Subject: 1", "", "one", ".", "MAIL FROM:<a@x.test>", "RCPT TO:<c@x.test>", "DATA")
    assert await wire.replies(4) == ["250", "250", "250", "354"]
    wire.send("Subject: 2", "", "two", ".", "QUIT")
    assert await wire.replies(2) == ["250", "221"]
    assert [message.subject for message in capture.messages] == ["1", "2"]
    assert capture.sessions[0].pipelined


async def test_ehlo_offers_what_was_asked_for(connect: Any) -> None:
    async with Capture(tls_context=server_context(), users={"u": "p"}, size_limit=1000) as full:
        wire = await connect(full, hello=False)
        await wire.reply()
        offer = set((await wire.say("EHLO me.test")).replace("250-", "").replace("250 ", "").split("\n"))
    assert offer == {
        "capture.test", "SIZE 1000", "8BITMIME", "SMTPUTF8", "STARTTLS", "AUTH LOGIN PLAIN", "PIPELINING", "HELP"
    }  # fmt: skip
    async with Capture(pipelining=False, smtputf8=False, eight_bit_mime=False, size_limit=None) as bare:
        wire = await connect(bare, hello=False)
        await wire.reply()
        assert await wire.say("EHLO me.test") == "250-capture.test\n250 HELP"


async def test_pipelining_that_was_not_offered_ends_the_connection(connect: Any) -> None:
    async with Capture(pipelining=False) as server:
        wire = await connect(server)
        wire.send("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>")
        assert await wire.replies(2) == ["503", ""]
        patient = await connect(server)
        assert (await patient.mail("b@x.test"))[-1] == "250"
        assert not server.sessions[1].pipelined


async def test_the_null_sender_is_an_empty_string(capture: Capture, connect: Any) -> None:
    wire = await connect(capture)
    assert (await wire.mail("b@x.test", sender=""))[-1] == "250"
    assert capture.messages[0].mail_from == capture.ledger[0].mail_from == ""


async def test_addresses_beyond_ascii_need_smtputf8(connect: Any) -> None:
    async with Capture() as server:
        await aiosmtplib.send(letter(To="zoë@bücher.test"), hostname=server.host, port=server.port)
        assert server.messages[0].rcpt_tos == ("zoë@bücher.test",)
        assert "SMTPUTF8" in server.ledger[0].options
    async with Capture(smtputf8=False) as server:
        wire = await connect(server)
        assert (await wire.say("MAIL FROM:<zoë@x.test>")).startswith("500")


async def test_a_message_beyond_the_limit_is_refused_by_its_size_or_its_octets(connect: Any) -> None:
    async with Capture(size_limit=100) as server:
        wire = await connect(server)
        assert (await wire.say("MAIL FROM:<a@x.test> SIZE=101")).startswith("552")
        assert (await wire.mail("b@x.test", body="x" * 101))[-1] == "552"
        assert (await wire.mail("b@x.test", body="x" * 90))[-1] == "250"
        assert len(server.messages) == 1
        refused = server.ledger[0]
        assert (refused.stage, refused.reply, refused.captured) == ("data", "552 Error: Too much mail data", None)


async def test_a_large_message_of_long_lines_arrives_whole(capture: Capture, connect: Any) -> None:
    wire = await connect(capture)
    lines = ["Subject: large", "", *(f"{number:0998d}" for number in range(2000))]
    assert (await wire.mail("b@x.test", body="\r\n".join(lines)))[-1] == "250"
    assert capture.messages[0].raw == "".join(f"{line}\r\n" for line in lines).encode()


@pytest.mark.parametrize("required", [True, False])
async def test_starttls_with_a_certificate_that_the_client_trusts(required: bool) -> None:
    async with Capture(tls_context=server_context(), require_tls=required) as server:
        where: dict[str, Any] = {"hostname": server.host, "port": server.port}
        await aiosmtplib.send(letter(), **where, start_tls=True, tls_context=client_context())
        assert server.sessions[0].tls
        if required:
            with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
                await aiosmtplib.send(letter(), **where, start_tls=False)
            assert refused.value.code == 530
        else:
            await aiosmtplib.send(letter(), **where, start_tls=False)
            assert not server.sessions[1].tls


@pytest.mark.parametrize("wrong", [{"names": ("other.test",)}, {"expired": True}])
async def test_a_client_that_checks_refuses_a_wrong_certificate(wrong: dict[str, Any]) -> None:
    async with Capture(tls_context=server_context(**wrong)) as server:
        client = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, start_tls=True, tls_context=client_context(**wrong)
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.connect()
        client.close()
        assert not server.ledger


async def test_tls_from_the_first_byte() -> None:
    async with Capture(tls_context=server_context(), implicit_tls=True) as server:
        await aiosmtplib.send(
            letter(), hostname=server.host, port=server.port, use_tls=True, tls_context=client_context()
        )
        assert server.sessions[0].tls
        assert "STARTTLS" not in server.sessions[0].verbs


@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_users_sign_in_before_mail(mechanism: str) -> None:
    async with Capture(users={"zoë": "pässword"}) as server:
        client = aiosmtplib.SMTP(hostname=server.host, port=server.port, start_tls=False)
        await client.connect()
        await client.ehlo()
        with pytest.raises(aiosmtplib.SMTPResponseException, match="Authentication required"):
            await client.mail("a@x.test")
        sign_in = getattr(client, f"auth_{mechanism}")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await sign_in("zoë", "wrong")
        assert server.sessions[0].auth is None
        await sign_in("zoë", "pässword")
        await client.send_message(letter())
        await client.quit()
        assert server.sessions[0].auth == "zoë"
        said = " ".join(command.line for command in server.sessions[0].commands if command.verb == "AUTH")
        assert said == " ".join([f"AUTH {mechanism.upper()} ***"] * 2)
        assert len(server.messages) == 1


async def test_credentials_are_not_taken_in_clear_where_tls_is_required() -> None:
    async with Capture(users={"u": "p"}, tls_context=server_context(), require_tls=True) as server:
        where: dict[str, Any] = {"hostname": server.host, "port": server.port, "username": "u", "password": "p"}
        with pytest.raises(aiosmtplib.SMTPException):
            await aiosmtplib.send(letter(), **where, start_tls=False)
        await aiosmtplib.send(letter(), **where, start_tls=True, tls_context=client_context())
        assert [session.auth for session in server.sessions] == [None, "u"]


async def test_the_ledger_tells_what_each_transaction_came_to(capture: Capture, connect: Any) -> None:
    capture.fail_next(rcpt="no@x.test", code=550)
    wire = await connect(capture)
    await wire.mail("yes@x.test", "no@x.test")
    await wire.say("MAIL FROM:<b@x.test>")
    await wire.say("RSET")
    await wire.say("QUIT")
    done, left = capture.ledger
    assert (done.stage, done.accepted, done.refused) == ("dot", ["yes@x.test"], {"no@x.test": "550 5.1.1 No such user"})
    assert (done.body, done.captured) == (capture.messages[0].raw, capture.messages[0].id)
    assert (done.reply or "").startswith("250 2.0.0")
    assert (left.mail_from, left.stage, left.body, left.reply) == ("b@x.test", "mail", None, "250 2.1.0 Ok")
    assert capture.sessions[0].verbs == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "MAIL", "RSET", "QUIT"]
    assert capture.sessions[0].transactions == [done, left]


async def test_connections_are_counted_now_at_most_and_in_all(capture: Capture, connect: Any) -> None:
    first = await connect(capture)
    await connect(capture)
    assert (capture.open_connections, capture.peak_connections, capture.total_connections) == (2, 2, 2)
    await first.say("QUIT")
    assert await first.reply() == ""
    await connect(capture)
    assert (capture.open_connections, capture.peak_connections, capture.total_connections) == (2, 2, 3)


async def test_stop_ends_whatever_goes_on_and_leaves_nothing_behind(connect: Any) -> None:
    before = asyncio.all_tasks()
    server = Capture(tls_context=server_context())
    await server.start()
    server.hang_at("rset")
    idle, hung, midway, untalkative = [await connect(server) for _ in range(4)]
    hung.send("RSET")
    midway.send("MAIL FROM:<a@x.test>", "RCPT TO:<b@x.test>", "DATA")
    assert await midway.replies(3) == ["250", "250", "354"]
    midway.send("half a mess")
    secure = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, start_tls=True, tls_context=client_context(), timeout=5
    )
    await secure.connect()
    await server.stop()
    for wire in (idle, hung, midway, untalkative):
        assert await wire.is_closed()
    secure.close()
    assert server.open_connections == 0
    assert asyncio.all_tasks() == before
    await server.stop()


async def test_a_stopped_server_starts_again_on_its_port(connect: Any) -> None:
    server = Capture()
    for round in (1, 2):
        async with server:
            wire = await connect(server)
            assert (await wire.mail("b@x.test"))[-1] == "250"
            port = server.port
        assert (server.port, len(server.messages)) == (port, round)


async def test_disconnect_closes_idle_connections_and_the_server_goes_on(capture: Capture, connect: Any) -> None:
    wire = await connect(capture)
    assert await capture.disconnect() == 1
    assert await wire.is_closed()
    again = await connect(capture)
    assert (await again.mail("b@x.test"))[-1] == "250"
