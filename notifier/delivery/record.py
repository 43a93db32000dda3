"""From what an attempt came to, to what is recorded of it. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, assert_never

from notifier.domain.delivery import Claimed, Finish, Moved, NewEvent
from notifier.domain.feedback import is_hard
from notifier.domain.lifecycle import (
    OPEN,
    Accepted,
    Attempt,
    Deferred,
    Outcome,
    Rejected,
    Reply,
    RetryPolicy,
    Rng,
    Stage,
    Status,
    Step,
    Transaction,
    Unknown,
    next_step,
    settled,
)
from notifier.domain.suppression import ALL, NewSuppression
from notifier.domain.times import rfc3339

Feedback = Mapping[int, Status]
"""What a simulated recipient is said to do after `sent`, by its number."""

_EVENT: Mapping[Status, str] = {
    Status.SENT: "email.sent",
    Status.DEFERRED: "email.deferred",
    Status.FAILED: "email.failed",
    Status.HELD: "email.held",
}


def record(
    claimed: Claimed,
    owner: str,
    result: Transaction,
    policy: RetryPolicy,
    now: datetime,
    rng: Rng,
    feedback: Feedback | None = None,
    *,
    believed: bool = True,
) -> Finish:
    """The whole of what the store is told of an attempt: moves, events, and when it goes on. `believed`: what the
    relay says of a mailbox is said of the recipient's own, and one that does not exist gets no more mail."""
    one = claimed.notification
    number = claimed.attempts + 1 if _counts(result) else claimed.attempts
    attempt = Attempt(max(1, number), policy, one.on_unknown, claimed.give_up_at, one.expires_at)
    steps = {n: next_step(outcome, attempt, now, rng) for n, outcome in result.outcomes.items()}
    due_at = _due_at(steps.values(), now)
    status = {r.n: steps[r.n].status if r.n in steps else r.status for r in one.recipients}
    told = {n: outcome_detail(outcome) for n, outcome in result.outcomes.items()}
    header = {"attempt": number, "relay": result.relay}
    events = [NewEvent("email.attempted", None, {**header, **_first(told)})]
    moved = []
    suppressions = []
    for r in one.recipients:
        if r.n not in steps:
            continue
        step = steps[r.n]
        if believed and (reply := _no_mailbox(result.outcomes[r.n])):
            suppressions.append(NewSuppression(r.address_key, r.email, ALL, "bounced", f"{result.relay}: {reply}"))
            told[r.n]["suppresses"] = ALL
        events.extend(_events(r.email, result.outcomes[r.n], step, due_at, {**header, **told[r.n]}))
        if feedback and step.status is Status.SENT and r.n in feedback:
            status[r.n] = feedback[r.n]
            events.append(NewEvent(f"email.{feedback[r.n]}", r.email, {"source": "simulator"}))
        moved.append(Moved(r.n, status[r.n], step.reason))
    is_open = any(s in OPEN for s in status.values())
    return Finish(
        id=one.id,
        project=one.project,
        owner=owner,
        lease_no=claimed.lease_no,
        attempts=number,
        moved=moved,
        events=events,
        final=None if is_open else settled(status.values()),
        due_at=due_at if is_open else None,
        give_up_at=claimed.give_up_at or policy.deadline(now),
        suppressions=suppressions,
    )


def _no_mailbox(outcome: Outcome) -> Reply | None:
    """The relay's word that there is no such mailbox: a bounce that came at once (5.1.x at RCPT, RFC 3463 3.2)."""
    if isinstance(outcome, Rejected) and outcome.stage is Stage.RCPT and (reply := outcome.reply) and reply.enhanced:
        return reply if is_hard(reply.enhanced) else None
    return None


def refused(claimed: Claimed, stage: Stage, why: str, relay: str) -> Transaction:
    """The same refusal for everybody still open: the message could not be made."""
    return Transaction(relay, {r.n: Rejected(stage, why) for r in claimed.notification.recipients if r.status in OPEN})


def _counts(result: Transaction) -> bool:
    """An attempt counts once MAIL was sent."""
    return any(
        not (isinstance(outcome, Rejected) and outcome.stage in (Stage.RENDER, Stage.LOCAL))
        for outcome in result.outcomes.values()
    )


def _due_at(steps: Collection[Step], now: datetime) -> datetime:
    """When all who are open are tried again, together: when the last of them may be; at once where the relay only had
    too many recipients, for the sake of those who can go."""
    due = [step.due_at for step in steps if step.due_at]
    return max(due, default=now) if now not in due else now


def _events(email: str, outcome: Outcome, step: Step, due_at: datetime, told: Mapping[str, Any]) -> list[NewEvent]:
    detail = dict(told)
    if step.due_at is not None:
        detail["next_attempt_at"] = rfc3339(due_at)
        detail["reason"] = step.reason
    if not isinstance(outcome, Unknown):
        return [NewEvent(_EVENT[step.status], email, detail)]
    events = [NewEvent("email.unknown", email, detail)]
    if step.status is not Status.DEFERRED:
        events.append(NewEvent(_EVENT[step.status], email, {"reason": step.reason}))
    return events


def outcome_detail(outcome: Outcome) -> dict[str, Any]:
    """An outcome as the timeline and the log tell it: ``class``, ``stage``, ``code``, ``enhanced``, ``text``."""
    match outcome:
        case Accepted(reply):
            return {"class": "accepted", "stage": Stage.DOT.value, **_reply(reply)}
        case Deferred(stage, text, reply):
            return {"class": "deferred", "stage": stage.value, **_reply(reply, text)}
        case Rejected(stage, text, reply):
            return {"class": "rejected", "stage": stage.value, **_reply(reply, text)}
        case Unknown(text, stage):
            return {"class": "unknown", "stage": stage.value, "text": text}
        case _:
            assert_never(outcome)


def _reply(reply: Reply | None, text: str = "") -> dict[str, Any]:
    if reply is None:
        return {"text": text}
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}


_GRAVITY = {"accepted": 0, "deferred": 1, "unknown": 2, "rejected": 3}


def _first(told: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """The gravest outcome of an attempt, which its own row tells."""
    return max(told.values(), key=lambda detail: _GRAVITY[detail["class"]], default={})
