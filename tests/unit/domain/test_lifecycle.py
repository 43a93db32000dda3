"""`next_step` decides every recipient's fate; the table of moves is the one of the design."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.lifecycle import (
    Accepted,
    Attempt,
    Deferred,
    Outcome,
    Rejected,
    Reply,
    RetryPolicy,
    Stage,
    Status,
    Unknown,
    may_move,
    next_step,
    settled,
    waiting,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RetryPolicy(first=30, longest=3600, give_up_after=72 * 3600)
BUSY = Deferred(Stage.RCPT, "try later", Reply(451, "4.7.1", "greylisted"))


class Middle:
    """Dice that always fall in the middle: no jitter."""

    def uniform(self, a: float, b: float, /) -> float:
        return (a + b) / 2


def seconds_until_due(outcome: Outcome, attempt: Attempt) -> float:
    step = next_step(outcome, attempt, NOW, Middle())
    assert step.due_at is not None
    return (step.due_at - NOW).total_seconds()


def test_accepted_is_sent_with_the_relays_words() -> None:
    step = next_step(Accepted(Reply(250, "2.0.0", "queued as 4711")), Attempt(1, POLICY), NOW, Middle())
    assert (step.status, step.reason, step.due_at) == (Status.SENT, "250 2.0.0 queued as 4711", None)


def test_rejected_fails_at_once_with_the_relays_words() -> None:
    outcome = Rejected(Stage.RCPT, "no such user", Reply(550, "5.1.1", "no such user"))
    step = next_step(outcome, Attempt(1, POLICY), NOW, Middle())
    assert (step.status, step.reason) == (Status.FAILED, "550 5.1.1 no such user")


@pytest.mark.parametrize(("number", "delay"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (500, 3600)])
def test_the_delay_doubles_up_to_the_longest(number: int, delay: float) -> None:
    assert seconds_until_due(BUSY, Attempt(number, POLICY)) == delay


def test_jitter_spreads_by_a_fifth_either_way() -> None:
    dice = random.Random(7)
    delays = [POLICY.delay(1, dice) for _ in range(1000)]
    assert 24 <= min(delays) < 25 < 35 < max(delays) <= 36


def test_a_delay_that_the_server_names_is_kept_when_it_is_longer() -> None:
    assert seconds_until_due(Deferred(Stage.RCPT, "wait", after=300), Attempt(1, POLICY)) == 300
    assert seconds_until_due(Deferred(Stage.RCPT, "wait", after=5), Attempt(1, POLICY)) == 30


def test_what_did_not_fit_into_the_transaction_goes_at_once() -> None:
    step = next_step(Deferred(Stage.RCPT, "too many", split=True), Attempt(1, POLICY), NOW, Middle())
    assert (step.status, step.due_at) == (Status.DEFERRED, NOW)


def test_the_last_attempt_is_at_the_deadline_and_then_it_is_given_up() -> None:
    soon = NOW + timedelta(seconds=10)
    assert seconds_until_due(BUSY, Attempt(9, POLICY, give_up_at=soon)) == 10
    step = next_step(BUSY, Attempt(10, POLICY, give_up_at=NOW), NOW, Middle())
    assert step.status is Status.FAILED
    assert "given up after 10 attempts" in step.reason
    assert "greylisted" in step.reason


def test_nothing_is_planned_beyond_its_expiry() -> None:
    assert seconds_until_due(BUSY, Attempt(1, POLICY, expires_at=NOW + timedelta(seconds=12))) == 12


def test_a_lost_reply_is_tried_again_or_held_as_the_caller_chose() -> None:
    lost = Unknown("the connection ended after the final dot")
    assert next_step(lost, Attempt(1, POLICY), NOW, Middle()).status is Status.DEFERRED
    held = next_step(lost, Attempt(1, POLICY, on_unknown="hold"), NOW, Middle())
    assert (held.status, held.due_at) == (Status.HELD, None)


LEGAL = {
    "queued": "deferred sent failed held suppressed canceled expired",
    "deferred": "deferred sent failed held suppressed canceled expired",
    "sent": "delivered bounced complained",
    "delivered": "bounced complained",
    "failed": "queued",
    "held": "queued",
    "expired": "queued",
    "bounced": "",
    "complained": "",
    "suppressed": "",
    "canceled": "",
}


@pytest.mark.parametrize("old", list(Status))
@pytest.mark.parametrize("new", list(Status))
def test_only_the_moves_of_the_table_are_legal(old: Status, new: Status) -> None:
    assert may_move(old, new) == (new.value in LEGAL[old.value].split())


def test_a_notification_has_the_status_that_its_recipients_share_or_is_partial() -> None:
    assert settled([Status.SENT, Status.SENT]) == "sent"
    assert settled([Status.SENT, Status.FAILED]) == "partial"


def test_an_open_notification_says_why_it_is_not_final() -> None:
    assert waiting(claimed=True, tried=True, scheduled=True) == "sending"
    assert waiting(claimed=False, tried=True, scheduled=True) == "deferred"
    assert waiting(claimed=False, tried=False, scheduled=True) == "scheduled"
    assert waiting(claimed=False, tried=False, scheduled=False) == "queued"
