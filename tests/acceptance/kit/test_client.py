"""The client against the real service, blocking and async."""

import inspect
import subprocess
import sys
from datetime import timedelta

import pytest

from notifier.client import (
    AsyncNotifier,
    Conflict,
    Forbidden,
    Invalid,
    NotFinal,
    NotFound,
    Notifier,
    Unauthenticated,
    Unreachable,
    attachment,
)
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer
from tests.support.lossy import lossy

RESET = {"reset_url": "https://app.test/reset"}


def test_a_notification_from_send_to_its_end(notifier_client: Notifier, notifier_mail: Mailbox) -> None:
    sent = notifier_client.send(
        "password-reset", to={"email": "zoe@x.test", "name": "Zoë"}, cc=["b@x.test"], data=RESET, locale="fr-CA",
        reference="r-1", tags=["reset"], metadata={"user": "42"}, from_="Desk <desk@x.test>",
    )  # fmt: skip
    assert (sent.status, sent.final, sent.replayed) == ("queued", False, False)
    final = notifier_client.wait_until_final(sent.id, timeout=60)
    assert (final.status, final.attempts, final.reference, final.tags) == ("sent", 1, "r-1", ("reset",))
    assert [(one.email, one.name, one.kind, one.status) for one in final.recipients] == [
        ("zoe@x.test", "Zoë", "to", "sent"),
        ("b@x.test", "", "cc", "sent"),
    ]
    assert final.template is not None
    assert final.template.locale == "fr"
    assert notifier_mail.wait_for(notification=sent.id).from_ == "desk@x.test"
    events = notifier_client.events(sent.id)
    assert (events[0].type, events[-1].type) == ("email.queued", "email.sent")
    assert {event.id for event in events} <= {event.id for event in notifier_client.feed()}


def test_the_same_key_sends_once(notifier_client: Notifier, notifier_mail: Mailbox) -> None:
    first = notifier_client.send("password-reset", to="a@x.test", data=RESET, idempotency_key="mine")
    again = notifier_client.send("password-reset", to="a@x.test", data=RESET, idempotency_key="mine")
    assert (again.id, again.replayed) == (first.id, True)
    with pytest.raises(Invalid) as caught:
        notifier_client.send("password-reset", to="b@x.test", data=RESET, idempotency_key="mine")
    assert caught.value.code == "idempotency_key_reused"
    notifier_client.wait_until_final(first.id)
    assert len(notifier_mail.mails) == 1


def test_every_fault_of_a_request_is_told(notifier_client: Notifier) -> None:
    with pytest.raises(Invalid) as caught:
        notifier_client.send("password-reset", to="nobody", data={})
    assert {error.field for error in caught.value.errors} == {"to", "data.reset_url"}


def test_canceled_retried_and_too_late(notifier_client: Notifier, notifier_server: NotifierServer) -> None:
    later = notifier_server.now() + timedelta(hours=1)
    waiting = notifier_client.send("password-reset", to="a@x.test", data=RESET, send_at=later)
    with pytest.raises(NotFinal) as caught:
        notifier_client.wait_until_final(waiting.id, timeout=0)
    assert caught.value.notification.status == "scheduled"
    assert notifier_client.cancel(waiting.id).status == "canceled"
    with pytest.raises(Conflict):
        notifier_client.retry(waiting.id)


def test_what_failed_is_sent_again(notifier_client: Notifier, notifier_mail: Mailbox) -> None:
    notifier_mail.fail_next(rcpt="a@x.test", code=550, text="5.7.1 not from you")
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET)
    assert notifier_client.wait_until_final(sent.id).status == "failed"
    notifier_client.retry(sent.id)
    assert notifier_client.wait_until_final(sent.id).status == "sent"
    other = notifier_client.resend(sent.id, "b@x.test")
    assert notifier_mail.wait_for(notification=other.id).rcpt_tos == ("b@x.test",)


def test_a_batch_and_the_list_of_it(notifier_client: Notifier) -> None:
    people = [{"to": f"p{n}@x.test", "data": RESET} for n in range(250)]
    done = notifier_client.send_batch(
        [*people, {"to": "nobody", "data": RESET}], defaults={"template": "password-reset", "tags": ["all"]}
    )
    assert [item.refusal is None for item in done] == [True] * 250 + [False]
    first = done[0].notification
    assert first is not None
    assert first.batch is not None
    assert (notifier_client.batch(first.batch).total, notifier_client.batch(first.batch).refused) == (251, 1)
    listed = list(notifier_client.list(tag="all"))
    assert [one.id for one in listed] == [item.notification.id for item in reversed(done) if item.notification]
    assert list(notifier_client.list(tag="all", recipient="p7@x.test")) != []
    assert list(notifier_client.list(tag="other")) == []


def test_a_file_goes_along(notifier_client: Notifier, notifier_mail: Mailbox, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue("tmp_path") / "invoice.pdf"
    path.write_bytes(b"%PDF-1.7")
    sent = notifier_client.send("password-reset", to="a@x.test", data=RESET, attachments=[attachment(path)])
    files = notifier_mail.wait_for(notification=sent.id).attachments
    assert [(f.filename, f.content_type, f.content) for f in files if not f.inline] == [
        ("invoice.pdf", "application/pdf", b"%PDF-1.7")
    ]


def test_keys_are_made_and_ended(notifier_client: Notifier, notifier_server: NotifierServer) -> None:
    made = notifier_client.create_key("reader", scopes=["read"])
    assert made.secret is not None
    with Notifier(notifier_server.url, made.secret) as reader:
        with pytest.raises(Forbidden):
            reader.send("password-reset", to="a@x.test", data=RESET)
        with pytest.raises(NotFound):
            reader.get("../../../livez")
    notifier_client.revoke_key(made.id)
    assert {key.id: key.revoked for key in notifier_client.keys()}[made.id]  # noqa: SIM118 -- no dict's keys
    with Notifier(notifier_server.url, "ntf_live_wrong") as stranger, pytest.raises(Unauthenticated):
        stranger.get("x")


async def test_the_async_client_does_the_same(notifier_server: NotifierServer) -> None:
    async with notifier_server.async_client() as client:
        sent = await client.send("password-reset", to="a@x.test", data=RESET)
        assert (await client.wait_until_final(sent.id)).status == "sent"
        done = await client.send_batch([{"to": "b@x.test", "data": RESET}], defaults={"template": "password-reset"})
        assert [one.id async for one in client.list()] == [
            done[0].notification.id if done[0].notification else "",
            sent.id,
        ]
        assert [event.id async for event in client.feed(types=["email.sent"])] != []
        with pytest.raises(Invalid):
            await client.send("password-reset", to="a@x.test", data={})


def test_both_clients_have_the_same_calls() -> None:
    def calls(client: type) -> dict[str, list[str]]:
        found = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if name[0] != "_"}

    blocking, awaiting = calls(Notifier), calls(AsyncNotifier)
    assert blocking.pop("close") == awaiting.pop("aclose")
    assert blocking == awaiting


def test_a_lost_answer_sends_nothing_twice(notifier_client: Notifier, notifier_server: NotifierServer) -> None:
    with (
        lossy(notifier_server.url, lambda request: request == 1) as url,
        Notifier(url, notifier_server.key, timeout=60) as client,
    ):
        sent = client.send("password-reset", to="a@x.test", data=RESET)
    assert sent.replayed
    assert [one.id for one in notifier_client.list()] == [sent.id]


def test_a_lost_answer_to_a_batch_sends_nothing_twice(
    notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    with (
        lossy(notifier_server.url, lambda request: request in (1, 2)) as url,
        Notifier(url, notifier_server.key, timeout=60) as client,
    ):
        people = [{"to": f"p{n}@x.test", "data": RESET} for n in range(20)]
        done = client.send_batch(people, defaults={"template": "password-reset"})
    assert all(item.notification and item.notification.replayed for item in done)
    assert len(list(notifier_client.list())) == 20


def test_what_is_not_safe_to_repeat_is_not_repeated(notifier_client: Notifier, notifier_server: NotifierServer) -> None:
    asked: list[int] = []

    def lost(request: int) -> bool:
        asked.append(request)
        return True

    with (
        lossy(notifier_server.url, lost) as url,
        Notifier(url, notifier_server.key, timeout=60) as client,
        pytest.raises(Unreachable, match=r"POST http://127\.0\.0\.1:\d+/v1/keys: "),
    ):
        client.create_key("mine")
    assert asked == [1]


def test_a_preview_is_rendered_by_the_service(notifier_client: Notifier) -> None:
    shown = notifier_client.preview("password-reset", RESET)
    assert shown.subject == "Reset your password"
    assert RESET["reset_url"] in (shown.html or "")
    assert notifier_client.preview("password-reset", sample="default").text


def test_a_batch_is_read_as_it_is_sent_and_tells_its_progress(notifier_client: Notifier) -> None:
    counts: list[tuple[int, int]] = []
    people = ({"to": f"p{n}@x.test", "data": RESET} for n in range(30))  # nobody has to hold all of it
    notifier_client.send_batch(
        people,
        defaults={"template": "password-reset"},
        progress=lambda done, latest: counts.append((done, len(latest))),
    )
    assert counts == [(30, 30)]


def test_the_client_imports_nothing_of_the_server() -> None:
    code = "import sys, notifier.client; print(*(m for m in sys.modules if m.startswith('notifier')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {module for module in done.stdout.split() if not module.startswith("notifier.client")} == {"notifier"}
