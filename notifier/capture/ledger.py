"""What the server really saw and said, as data that tests can assert on."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Command:
    """One command line, credentials masked. `reply` is the last one to it that went out, None if none did."""

    verb: str
    line: str
    reply: str | None = None


@dataclass(slots=True)
class Transaction:
    """From MAIL on (RFC 5321 3.3).

    `stage` is how far it came: mail, rcpt, data, dot. `accepted` are the recipients that had a 250, `refused` maps the
    others to their reply. `body` is what came before the final dot, None if the dot never came. `reply` is the last
    reply that went out, None if the last command had none. `captured` is the id of the message that was kept.
    """

    session: int
    mail_from: str
    options: tuple[str, ...]
    stage: str = "mail"
    accepted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    reply: str | None = None
    captured: str | None = None
    at: datetime = field(default_factory=_now)


@dataclass(slots=True)
class Session:
    """One connection. `auth` is the user, if AUTH succeeded. `pipelined` says that a command came before the reply
    to the one before it had gone out (RFC 2920)."""

    number: int
    peer: str
    tls: bool = False
    auth: str | None = None
    pipelined: bool = False
    commands: list[Command] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    opened_at: datetime = field(default_factory=_now)
    closed_at: datetime | None = None

    @property
    def verbs(self) -> list[str]:
        return [command.verb for command in self.commands]


class Ledger:
    """The last `keep` sessions and transactions, and counts of connections over all time."""

    def __init__(self, keep: int) -> None:
        self.sessions: deque[Session] = deque(maxlen=keep)
        self.transactions: deque[Transaction] = deque(maxlen=keep)
        self.open = 0
        self.peak = 0
        self.total = 0

    def opened(self, peer: str) -> Session:
        self.total += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        session = Session(self.total, peer)
        self.sessions.append(session)
        return session

    def closed(self, session: Session) -> None:
        self.open -= 1
        session.closed_at = _now()

    def began(self, session: Session, mail_from: str, options: tuple[str, ...]) -> Transaction:
        transaction = Transaction(session.number, mail_from, options)
        session.transactions.append(transaction)
        self.transactions.append(transaction)
        return transaction
