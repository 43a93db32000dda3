"""What survives the end of the process: everything that was answered with 202."""

from collections import Counter

from notifier.capture import Capture
from tests.acceptance.delivery.conftest import MakeServe
from tests.support.process import Serve, types


def copies(relay: Capture) -> Counter[str]:
    """How often each notification came."""
    return Counter(mail.header("X-Notifier-Id") or "" for mail in relay.messages)


async def test_mail_in_the_queue_is_sent_after_a_restart(serve: Serve, relay: Capture) -> None:
    await relay.stop()
    ids = await serve.post_many(50)
    assert await serve.stop() == 0
    await relay.start()
    await serve.start()
    for id_, found in (await serve.all_final(ids)).items():
        assert (found["status"], found["attempts"]) == ("sent", 1), id_
    assert copies(relay) == Counter(ids)


async def test_killed_in_the_middle_of_two_thousand_each_one_reaches_the_relay(serve: Serve, relay: Capture) -> None:
    ids = await serve.post_many(2000)
    with relay.messages.watch() as bell:
        while len(relay.messages) < 300:
            bell.clear()
            await bell.wait()
    await serve.kill()
    assert len(relay.messages) < 2000, "it was over before the kill"
    await serve.start()
    for id_, found in (await serve.all_final(ids)).items():
        assert found["status"] == "sent", await serve.events(id_)
    received = copies(relay)
    assert received.keys() == set(ids)
    for id_ in (id_ for id_, count in received.items() if count > 1):
        assert "unknown" in types(await serve.events(id_))  # a copy too many is owned up to


async def test_sigterm_lets_mail_on_its_way_finish_and_ends_with_0(serve: Serve, relay: Capture) -> None:
    slow = relay.delay("dot", 0.2)
    ids = await serve.post_many(100)
    with relay.messages.watch() as bell:
        while not relay.messages:
            bell.clear()
            await bell.wait()
    assert await serve.stop() == 0
    assert 0 < len(relay.messages) < 100
    slow.remove()
    await serve.start()
    for id_, found in (await serve.all_final(ids)).items():
        assert (found["status"], found["attempts"]) == ("sent", 1)
        assert "unknown" not in types(await serve.events(id_))
    assert copies(relay) == Counter(ids)


async def test_what_has_no_reply_at_the_end_of_the_grace_is_unknown_and_is_sent_again(
    make_serve: MakeServe, relay: Capture
) -> None:
    serve = await make_serve(NOTIFIER_SHUTDOWN_GRACE="200ms")
    relay.hang_at("dot", keep=True)
    id_ = await serve.post()
    await relay.messages.wait(notification=id_)
    assert await serve.stop() == 0
    await serve.start()
    found = await serve.final(id_)
    assert (found["status"], found["attempts"]) == ("sent", 2)
    assert types(await serve.events(id_)) == ["queued", "attempted", "unknown", "attempted", "sent"]
