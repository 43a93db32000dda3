"""What is heard after `sent`, and what callers are told of it: the same on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import cast

import pytest

from notifier.domain.errors import Unavailable
from notifier.domain.feedback import Feedback, Said
from notifier.domain.notification import uuid7
from notifier.domain.suppression import NewSuppression, SuppressionFilter
from notifier.domain.webhook import Answer, Secret, Webhook, WebhookChange, WebhookFinish, WebhookState, new_secret
from tests.contract.conftest import Desk


async def hook(desk: Desk, **more: object) -> Webhook:
    made = Webhook(uuid7(), "default", "https://x.test/", (), (), (Secret(new_secret()),), datetime.now(UTC))
    made = replace(made, **more)  # type: ignore[arg-type]
    await desk.store.add_webhook(made)
    return made


async def sent(desk: Desk, *to: str) -> str:
    id_ = await desk.accept(*to)
    for claimed in await desk.claim():
        await desk.store.finish(desk.sent(claimed))
    return id_


async def test_events_are_told_in_the_transaction_that_they_happen_in(desk: Desk) -> None:
    everything = await hook(desk)
    await hook(desk, types=("email.sent",), templates=("another",))
    only = await hook(desk, types=("email.sent",), templates=("welcome",))
    await hook(desk, project="other")
    id_ = await sent(desk)
    types = [event.type for event in await desk.store.events(id_)]
    claim = await desk.store.claim_webhooks("w", 60.0, {}, 10, 100)
    told = [(one.webhook.id, one.event.type) for one in claim.told]
    assert sorted(told) == sorted([*((everything.id, name) for name in types), (only.id, "email.sent")])
    assert {one.notification.id for one in claim.told} == {id_}
    assert [event.seq for event in await desk.store.events(id_)] == sorted(
        one.event.seq for one in claim.told if one.webhook.id == everything.id
    )


async def test_each_event_of_a_group_is_told_as_itself(desk: Desk) -> None:
    """Numbers are given in the order of the rows, however many are inserted at once."""
    await hook(desk, types=("email.queued",))
    receipt = await desk.store.accept(desk.batch([None] * 50))
    claim = await desk.store.claim_webhooks("w", 60.0, {}, 100, 100)
    assert sorted(one.notification.id for one in claim.told) == sorted(receipt.ids)
    for one in claim.told:
        assert one.event.notification == one.notification.id


async def test_a_telling_is_claimed_once_and_finished_behind_its_number(desk: Desk) -> None:
    made = await hook(desk, types=("email.queued",))
    await desk.accept()
    assert await desk.store.webhooks_due({}, 10)
    (lost,) = (await desk.store.claim_webhooks("w", -1.0, {}, 10, 10)).told
    assert not (await desk.store.claim_webhooks("w", 60.0, {}, 10, 10)).told
    assert await desk.store.release_webhooks() == 1
    (again,) = (await desk.store.claim_webhooks("w", 60.0, {}, 10, 10)).told
    assert not await desk.store.finish_webhook(WebhookFinish(lost, Answer(200, ""), None))
    assert await desk.store.finish_webhook(WebhookFinish(again, Answer(200, "ok"), None))
    assert not await desk.store.webhooks_due({}, 10)
    (entry,) = await desk.store.webhook_deliveries(made.id, None, None, 10)
    assert (entry.state, entry.attempts, entry.answer, entry.event.type) == ("done", 1, "ok", "email.queued")


async def test_no_endpoint_gets_more_than_its_share(desk: Desk) -> None:
    busy, idle = await hook(desk, types=("email.queued",)), await hook(desk, types=("email.queued",))
    await desk.store.accept(desk.batch([None] * 20))
    claim = await desk.store.claim_webhooks("w", 60.0, {busy.id: 2}, 10, 100)
    assert sorted(one.webhook.id for one in claim.told) == sorted([busy.id] * 2 + [idle.id] * 10)


async def test_an_endpoint_that_is_disabled_keeps_what_waits_for_it(desk: Desk) -> None:
    made = await hook(desk, types=("email.queued",))
    await desk.accept()
    await desk.store.change_webhook("default", made.id, WebhookChange(enabled=False))
    assert not await desk.store.webhooks_due({}, 10)
    await desk.accept()
    await desk.store.change_webhook("default", made.id, WebhookChange(enabled=True))
    assert len((await desk.store.claim_webhooks("w", 60.0, {}, 10, 10)).told) == 1


async def test_who_stops_gives_back_what_it_held(desk: Desk) -> None:
    await hook(desk, types=("email.queued",))
    await desk.store.accept(desk.batch([None] * 4))
    mine = await desk.store.claim_webhooks("w", 60.0, {}, 2, 100)
    theirs = await desk.store.claim_webhooks("v", 60.0, {}, 2, 100)
    assert await desk.store.release_webhooks(owner="w") == 2
    again = await desk.store.claim_webhooks("w", 60.0, {}, 10, 100)
    assert {one.delivery for one in again.told} == {one.delivery for one in mine.told}
    assert await desk.store.finish_webhook(WebhookFinish(theirs.told[0], Answer(200, ""), None))


async def test_an_endpoint_is_judged_by_all_that_it_answered(desk: Desk) -> None:
    """One that takes something is not failing; one that says it is gone, or took nothing for days, is disabled."""
    made = await hook(desk, types=("email.queued",))
    later = datetime.now(UTC) + timedelta(hours=1)

    async def answers(*statuses: int) -> Webhook:
        await desk.store.accept(desk.batch([None] * len(statuses)))
        told = (await desk.store.claim_webhooks("w", 60.0, {}, 10, 100)).told
        finishes = [WebhookFinish(one, Answer(code, ""), later) for one, code in zip(told, statuses, strict=True)]
        assert all(await asyncio.gather(*map(desk.store.finish_webhook, finishes)))
        found = await desk.store.find_webhook("default", made.id)
        assert found is not None
        return found

    assert (await answers(500)).failing_since is not None
    assert (await answers(500, 200, 500)).failing_since is None
    began = (await answers(500)).failing_since
    assert began is not None
    assert (await answers(500)).failing_since == began
    assert (await answers(200, 410, 500)).disabled_reason == "the endpoint answered 410 Gone"


async def test_the_log_of_deliveries_is_forgotten_in_time(desk: Desk) -> None:
    kept, disabled = await hook(desk, types=("email.queued",)), await hook(desk, types=("email.queued",))
    await desk.store.accept(desk.batch([None] * 3))
    await desk.store.change_webhook("default", disabled.id, WebhookChange(enabled=False))
    first, _second, _third = (await desk.store.claim_webhooks("w", 60.0, {}, 10, 10)).told
    assert await desk.store.finish_webhook(WebhookFinish(first, Answer(200, "ok"), None))
    assert await desk.store.forget_webhooks(86400.0) == 0
    assert await desk.store.forget_webhooks(-60.0) == 4  # the other two are being told
    assert len(await desk.store.webhook_deliveries(kept.id, None, None, 10)) == 2
    assert not await desk.store.webhook_deliveries(disabled.id, None, None, 10)


async def test_how_long_endpoints_wait_is_known(desk: Desk) -> None:
    assert await desk.store.webhook_state() == WebhookState()
    made = await hook(desk, types=("email.queued",))
    assert (await desk.store.webhook_state()).lag == 0
    await desk.accept()
    lag = (await desk.store.webhook_state()).lag
    assert 0 <= (await desk.store.webhook_state()).lag - lag < 30
    await desk.store.change_webhook("default", made.id, WebhookChange(enabled=False))
    assert await desk.store.webhook_state() == WebhookState(0, 1)


async def test_what_is_tried_again_waits_for_its_time(desk: Desk) -> None:
    await hook(desk, types=("email.queued",))
    await desk.accept()
    (told,) = (await desk.store.claim_webhooks("w", 60.0, {}, 10, 10)).told
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await desk.store.finish_webhook(WebhookFinish(told, Answer(500, ""), later))
    assert not await desk.store.webhooks_due({}, 10)


async def test_a_bounce_moves_a_recipient_and_the_notification(desk: Desk) -> None:
    id_ = await sent(desk, "a@x.test", "b@x.test")
    bounce = Feedback(
        "bounced", "dsn", notification=id_, address_keys=("a@x.test",), enhanced="5.1.1", text="no", hard=True
    )
    assert await desk.store.hear(bounce)
    assert await desk.status(id_) == "partial"
    assert not await desk.store.hear(bounce)
    assert (await desk.timeline(id_)).count("email.bounced") == 1
    (one,) = await desk.store.find_suppressions("a@x.test")
    assert (one.scope, one.reason) == ("all", "bounced")


_RANK = {"sent": 0, "delivered": 1, "bounced": 2, "complained": 2}


async def test_no_order_of_reports_improves_or_erases_a_status(desk: Desk) -> None:
    """Every order of four, some told twice: who complained has complained, whatever comes late."""
    for said in permutations(("delivered", "bounced", "complained", "delayed")):
        id_ = await sent(desk, "a@x.test")
        seen = ["sent"]
        for word in (*said, said[0]):
            heard = Feedback(cast(Said, word), "dsn", notification=id_, address_keys=("a@x.test",))
            await desk.store.hear(heard)
            seen.append(await desk.status(id_))
        ranks = [_RANK[status] for status in seen]
        assert ranks == sorted(ranks), (said, seen)
        final = next(status for status in seen if _RANK[status] == 2)
        assert seen[seen.index(final) :] == [final] * (len(seen) - seen.index(final))
        await desk.store.lift_suppressions("a@x.test", None)


async def test_whatever_a_server_wrote_is_stored(desk: Desk) -> None:
    id_ = await sent(desk, "a@x.test")
    text = "550 5.1.1 no\0such \udcff user"
    assert await desk.store.hear(Feedback("bounced", "dsn", notification=id_, text=text, enhanced="5.1.1\0", hard=True))
    (one,) = await desk.store.find_suppressions("a@x.test")
    assert one.source == "dsn: 550 5.1.1 no\ufffdsuch ? user"


async def test_feedback_on_what_is_being_sent_has_to_come_again(desk: Desk) -> None:
    id_ = await desk.accept()
    await desk.claim()
    with pytest.raises(Unavailable):
        await desk.store.hear(Feedback("bounced", "dsn", notification=id_, hard=True))


async def test_a_mail_is_known_by_what_the_relay_called_it(desk: Desk) -> None:
    id_ = await desk.accept("a@x.test")
    (claimed,) = await desk.claim()
    moved = [replace(move, reply="250 Ok 0100_018c%-abc") for move in desk.sent(claimed).moved]
    await desk.store.finish(desk.sent(claimed, moved=moved))
    for name, known in (("0100_018c%-abc", True), ("0100x018c", False)):
        heard = Feedback("delivered", "ses", relay_id=name, address_keys=("a@x.test",), trusted=True)
        assert await desk.store.hear(heard) is known
    assert await desk.status(id_) == "delivered"


async def test_suppressions_are_added_once_and_read_in_pages(desk: Desk) -> None:
    news = [
        NewSuppression(f"u{n}@x.test", f"u{n}@x.test", scope, "manual") for n in range(3) for scope in ("all", "news")
    ]
    assert await desk.store.add_suppressions(news) == 6
    assert await desk.store.add_suppressions(news) == 0
    first = await desk.store.suppressions(SuppressionFilter(), None, 4)
    rest = await desk.store.suppressions(SuppressionFilter(), first.next, 4)
    assert [(one.address_key, one.scope) for one in (*first.entries, *rest.entries)] == sorted(
        (new.address_key, new.scope) for new in news
    )
    assert rest.next is None
