"""The outbox: the service's own judgement, without a socket."""

import socket
from typing import NoReturn

import pytest

from notifier.capture import NoSuchMail
from notifier.client import AsyncNotifier, Attachment, Invalid, NotFound, Notifier, Unavailable
from notifier.testing.outbox import Outbox

RESET = {"reset_url": "https://app.test/reset?t=1"}


@pytest.fixture
def outbox(notifier_outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """With the network gone."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    return notifier_outbox


@pytest.fixture
def client() -> Notifier:
    return Notifier("https://notifier.example.com", "ntf_live_...")


def test_what_is_sent_is_a_mail_as_the_service_makes_it(client: Notifier, outbox: Outbox) -> None:
    sent = client.send(
        "password-reset", to="Zoë <zoe@x.test>", bcc="b@x.test", data=RESET, locale="fr-CA", reference="r-1"
    )
    assert (sent.status, sent.final) == ("queued", False)
    mail = outbox.mail(notification=sent.id, template="password-reset", reference="r-1")
    assert mail.rcpt_tos == ("zoe@x.test", "b@x.test")
    assert mail.link("reset") == RESET["reset_url"]
    assert mail.subject != "Reset your password"  # it is in French
    mail.assert_valid()
    assert client.wait_until_final(sent.id).status == "sent"
    assert [one.id for one in client.list()] == [sent.id]


async def test_the_async_client_lays_its_mail_there_too(outbox: Outbox) -> None:
    async with AsyncNotifier("https://notifier.example.com", "ntf_live_...") as client:
        await client.send("password-reset", to="a@x.test", data=RESET)
    with Notifier("https://notifier.example.com", "ntf_live_...") as blocking:
        blocking.send("password-reset", to="b@x.test", data=RESET)  # a loop runs around it
    assert [mail.rcpt_tos for mail in outbox.mails] == [("a@x.test",), ("b@x.test",)]


def test_what_the_service_would_refuse_is_refused(client: Notifier, outbox: Outbox) -> None:
    with pytest.raises(Invalid) as caught:
        client.send("password-reset", to="nobody", data={})
    assert {error.field for error in caught.value.errors} == {"to", "data.reset_url"}
    with pytest.raises(Invalid, match="there is no template 'none'; there are "):
        client.send("none", to="a@x.test")
    with pytest.raises(NotFound):
        client.get("nothing")
    assert outbox.mails == []


def test_the_same_key_sends_once(client: Notifier, outbox: Outbox) -> None:
    first, again = (client.send("password-reset", to="a@x.test", data=RESET, idempotency_key="mine") for _ in range(2))
    assert (again.id, again.replayed) == (first.id, True)
    with pytest.raises(Invalid) as caught:
        client.send("password-reset", to="b@x.test", data=RESET, idempotency_key="mine")
    assert caught.value.code == "idempotency_key_reused"
    assert len(outbox.mails) == 1


def test_a_batch_is_a_mail_for_each_that_is_good(client: Notifier, outbox: Outbox) -> None:
    people = [{"to": f"p{n}@x.test"} for n in range(45)]
    done = client.send_batch([*people, {"to": "nobody"}], defaults={"template": "password-reset", "data": RESET})
    assert [item.refusal is None for item in done] == [True] * 45 + [False]
    assert str(done[-1].refusal).startswith("to: ")
    assert len(outbox.mails) == 45


def test_literal_content_and_files(client: Notifier, outbox: Outbox) -> None:
    file = Attachment(filename="a.txt", content_type="text/plain", content="aGVsbG8=")
    client.send(to="a@x.test", content={"subject": "Hi", "text": "there"}, attachments=[file])
    (mail,) = outbox.mails
    assert (mail.subject, mail.text) == ("Hi", "there")
    assert [(part.filename, part.content) for part in mail.attachments] == [("a.txt", b"hello")]


def test_what_was_not_sent_is_told_with_what_was(client: Notifier, outbox: Outbox) -> None:
    client.send("password-reset", to="a@x.test", data=RESET)
    with pytest.raises(NoSuchMail, match=r"(?s)no mail matched to=b@x\.test of what was sent.*Reset.*to a@x\.test"):
        outbox.mail(to="b@x.test")
    outbox.assert_none(to="b@x.test")
    with pytest.raises(AssertionError, match="a mail was sent that should not"):
        outbox.assert_none(to="a@x.test")


def test_a_call_that_it_does_not_know_says_so(client: Notifier, outbox: Outbox) -> None:
    with pytest.raises(Unavailable, match="notifier_client knows all calls"):
        client.cancel("some-id")
