"""What a test sees of mail: the capture server with waits, faults and assertions."""

import re
from collections import Counter
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack

from notifier.capture import Captured, CaptureThread, Filter, NoSuchMail, Transaction
from notifier.capture.message import Pattern
from notifier.testing.validity import faults_of

HEADER = "X-Notifier-Id"
PATIENCE: Final = 10.0
"""Seconds."""


class Mail(Captured):
    """A message that was received. `attempts` counts the SMTP transactions that it took, those that the server refused
    included: notifier, or whatever else was sending, came back that often."""

    attempts: int

    @classmethod
    def of(cls, message: Captured, ledger: list[Transaction]) -> "Mail":
        mail = cls(message.id, message.received_at, message.mail_from, message.rcpt_tos, message.raw)
        mail.__dict__["attempts"] = _attempts(message, ledger)
        return mail

    @cached_property
    def notification(self) -> str | None:
        """The id of the notification that it is."""
        return self.header(HEADER)

    def assert_valid(self) -> None:
        """That a reader's program will show it as it is meant: its parts, alternatives of text and of images, links,
        size, and nothing left of the template. AssertionError names everything that is wrong."""
        if faults := faults_of(self):
            listed = "\n".join(f"  - {fault}" for fault in faults)
            raise AssertionError(f"{self.subject!r} to {', '.join(self.rcpt_tos)}:\n{listed}")


def _attempts(message: Captured, ledger: list[Transaction]) -> int:
    """Transactions up to the one that brought the message, which named one of its recipients (or got no further than
    MAIL). Which mail a refused transaction was for, SMTP does not say: it counts for the next one to that reader."""
    rcpts, number = {rcpt.lower() for rcpt in message.rcpt_tos}, 0
    for transaction in ledger:
        if transaction.captured == message.id:
            break
        named = {rcpt.lower() for rcpt in (*transaction.accepted, *transaction.refused)}
        if not (named & rcpts if named else transaction.mail_from == message.mail_from):
            continue
        if _could_be(transaction, message):
            number += 1
        elif transaction.captured is not None:
            number = 0
    return number + 1


def _could_be(transaction: Transaction, message: Captured) -> bool:
    if transaction.body is None:
        return True
    sent = Captured("", transaction.at, transaction.mail_from, (), transaction.body)
    return sent.message_id == message.message_id


class Wanted(TypedDict, total=False):
    """What a mail is looked for by; None, or nothing, is any. `subject` is a regular expression to be found in it,
    `after` a time or the id of a mail."""

    notification: str | None
    to: str | None
    subject: Pattern | None
    template: str | None
    reference: str | None
    after: datetime | str | None


class Mailbox(CaptureThread):
    """A mail server of the test's own, in a thread of its own: `host` and `port` are where it listens. `patience` is
    how many seconds a wait takes that names none; what it waited for in vain is kept in `kept`."""

    def __init__(self, kept: Path, *, patience: float = PATIENCE, **terms: Any) -> None:
        super().__init__(**terms)
        self._kept = kept
        self._patience = patience

    @property
    def mails(self) -> list[Mail]:
        """Everything that came, oldest first."""
        return [Mail.of(message, self.ledger) for message in self.messages]

    def wait_for(
        self,
        *,
        timeout: float | None = None,
        **about: Unpack[Wanted],
    ) -> Mail:
        """The first mail that fits, of those that came and those that come within `timeout` seconds (without one: as
        the ini option ``notifier_timeout`` says).

        Raises `NoSuchMail` with a table of what did come and why each did not fit, what the server refused, and the
        folder where all of it is kept.
        """
        __tracebackhide__ = True
        asked = wanted(**about)
        try:
            return Mail.of(self._run(self._waiting(asked, timeout)), self.ledger)
        except NoSuchMail as error:
            raise self._explained(error) from None

    async def wait_for_async(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- as in `wait_for`
        **about: Unpack[Wanted],
    ) -> Mail:
        """`wait_for` for async tests whose loop has to go on meanwhile."""
        __tracebackhide__ = True
        asked = wanted(**about)
        try:
            return Mail.of(await self._waiting(asked, timeout), self.ledger)
        except NoSuchMail as error:
            raise self._explained(error) from None

    async def _waiting(self, asked: Filter, seconds: float | None) -> Captured:
        return await self.messages.store.wait_for(asked, timeout=self._patience if seconds is None else seconds)

    def assert_none(
        self,
        *,
        within: float = 0.0,
        **about: Unpack[Wanted],
    ) -> None:
        """That no such mail came, nor comes `within` so many seconds."""
        asked = wanted(**about)
        try:
            came = self._run(self.messages.store.wait_for(asked, timeout=within))
        except NoSuchMail:
            return
        raise AssertionError(f"a mail came that should not ({asked}): {came.subject!r} to {', '.join(came.rcpt_tos)}")

    def _explained(self, error: NoSuchMail) -> NoSuchMail:
        """With what the server refused, and the files; without the way through the server, which explains nothing."""
        lines = [str(error), *_refusals(self.ledger)]
        for message in self.messages:
            self._kept.mkdir(parents=True, exist_ok=True)
            message.save(self._kept)
        if self.messages:
            lines.append(f"all of it is kept in {self._kept}")
        error.args = ("\n".join(lines),)
        return error.with_traceback(None)


def _refusals(ledger: list[Transaction]) -> list[str]:
    """A line for each recipient and reply that was no yes, the first ten of them."""
    told: Counter[str] = Counter()
    for one in ledger:
        refused = dict(one.refused)
        if one.reply and one.reply[0] in "45" and one.stage != "rcpt":
            refused["all of it"] = one.reply
        for whom, reply in refused.items():
            told[f"refused at {one.stage}: {whom}: {reply}"] += 1
    return [f"{line} ({times} times)" if times > 1 else line for line, times in list(told.items())[:10]]


def wanted(**about: Unpack[Wanted]) -> Filter:
    """The filter of these. ValueError for a `subject` that is no regular expression."""
    if isinstance(subject := about.get("subject"), str):
        about["subject"] = re.compile(subject)
    return Filter(**about)
