"""Whatever a relay does wrong, at whatever stage, pipelined or not: the outcome is right, nothing is doubled, and the
next message goes through.

Each cell has a server and a relay of its own; they run side by side, and then each is judged as a test of its own.
"""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from notifier.capture import Capture
from notifier.capture.faults import Stage as CaptureStage
from notifier.capture.ledger import Session
from notifier.capture.tls import server_context
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
from notifier.mail.relay import Envelope, Relay, RelaySettings

SHORT = 0.3  # seconds that a silent server is waited for
LONG = 10.0  # where nobody is silent: a busy machine is no fault
AT_ONCE = 12  # cells

BEFORE: tuple[CaptureStage, ...] = ("connect", "ehlo", "starttls", "auth")
DURING: tuple[CaptureStage, ...] = ("mail", "rcpt", "data", "dot")
AFTER: tuple[CaptureStage, ...] = ("rset", "quit")
FAULTS = ("4xx", "5xx", "421", "drop", "hang", "trickle", "garbage")
CODES = {
    "connect": (450, 554), "ehlo": (451, 550), "starttls": (454, 501), "auth": (454, 535), "mail": (451, 550),
    "rcpt": (450, 550), "data": (451, 554), "dot": (452, 554), "rset": (451, 550), "quit": (451, 550),
}  # fmt: skip
TWO = {0: "zoe@example.test", 1: "ben@example.test"}
MAIL = b"Subject: %b\r\n\r\nSGVsbG8=\r\n"


@dataclass(frozen=True)
class Cell:
    stage: CaptureStage
    fault: str
    pipelining: bool
    keep: bool = False  # the server has taken the message, and then drops, hangs or talks nonsense

    def __str__(self) -> str:
        kept = "-kept" if self.keep else ""
        return f"{self.stage}-{self.fault}{kept}-{'pipelined' if self.pipelining else 'one by one'}"


@dataclass
class Story:
    """What came of a cell: the message that met the fault, the message after it, and the server's own record."""

    first: SendResult | None = None
    second: SendResult | None = None
    sessions: list[Session] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    mails_before_first_answer: int = 0


CELLS = [
    *(Cell(stage, fault, on) for stage in (*BEFORE, *DURING, *AFTER) for fault in FAULTS for on in (True, False)),
    *(Cell("dot", fault, on, keep=True) for fault in ("drop", "hang", "garbage") for on in (True, False)),
]


def script(server: Capture, cell: Cell) -> None:
    soft, hard = CODES[cell.stage]
    rcpt = TWO[1] if cell.stage == "rcpt" else None
    match cell.fault:
        case "4xx":
            server.fail_next(stage=cell.stage, rcpt=rcpt, code=soft)
        case "5xx":
            server.fail_next(stage=cell.stage, rcpt=rcpt, code=hard)
        case "421":
            server.fail_next(stage=cell.stage, rcpt=rcpt, code=421)
        case "drop":
            server.drop_at(cell.stage, rcpt=rcpt, keep=cell.keep)
        case "hang":
            server.hang_at(cell.stage, rcpt=rcpt, keep=cell.keep)
        case "trickle":
            server.trickle(cell.stage, SHORT / 3, times=1, rcpt=rcpt)
        case "garbage":
            server.garbage(cell.stage, rcpt=rcpt, keep=cell.keep)
    if cell.stage == "rset":
        for address in TWO.values():
            server.fail_next(stage="rcpt", rcpt=address, code=550)


async def tell(cell: Cell) -> Story:
    secure = cell.stage in ("starttls", "auth")
    server = Capture(
        tls_context=server_context() if secure else None, users={"u": "p"} if secure else None, require_tls=secure
    )
    patience = SHORT if cell.fault in ("hang", "trickle") else LONG
    story = Story()
    async with server:
        settings = RelaySettings(
            server.host,
            server.port,
            username="u",
            password="p",
            use_credentials=secure,
            starttls=secure,
            validate_certs=False,
            local_hostname="client.test",
            pipelining=cell.pipelining,
            messages_per_connection=1 if cell.stage == "quit" else 100,
            timeout=patience,
            dot_timeout=patience,
            quit_timeout=SHORT,
            probe_first=0.01,
        )
        relay = Relay(settings, rng=random.Random(1))
        script(server, cell)
        story.first = await send(relay, b"first")
        story.mails_before_first_answer = sum(session.verbs.count("MAIL") for session in server.sessions)
        await relay.ready()
        story.second = await send(relay, b"second")
        await relay.aclose()
        story.kept = [str(message.subject) for message in server.messages]
        story.sessions = server.sessions
    return story


async def send(relay: Relay, subject: bytes) -> SendResult | None:
    async def go_on() -> bool:
        return True

    return await relay.send(Envelope("notifier@example.test", TWO), lambda _smtputf8: MAIL % subject, go_on)


@pytest.fixture(scope="module")
def stories() -> dict[Cell, Story]:
    async def tell_all() -> dict[Cell, Story]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(cell: Cell) -> Story:
            async with gate, asyncio.timeout(30):
                return await tell(cell)

        return dict(zip(CELLS, await asyncio.gather(*map(one, CELLS)), strict=True))

    return asyncio.run(tell_all())


def outcomes(result: SendResult | None) -> list[Outcome]:
    assert isinstance(result, Transaction), result
    assert sorted(result.outcomes) == sorted(TWO)
    return [result.outcomes[n] for n in sorted(TWO)]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_next_message_goes_through_once(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes(story.second)), story.second
    assert story.kept.count("second") == 1


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.stage in BEFORE], ids=str)
def test_before_mail_it_is_the_relays_trouble_and_nothing_of_the_message_was_offered(
    cell: Cell, stories: dict[Cell, Story]
) -> None:
    story = stories[cell]
    trouble = story.first
    assert isinstance(trouble, RelayTrouble), trouble
    assert story.mails_before_first_answer == 0
    assert story.kept == ["second"]
    assert trouble.stage == cell.stage
    kind, configuration = {
        "4xx": ({"starttls": "tls", "auth": "auth"}.get(cell.stage, "throttled"), False),
        "5xx": ({"starttls": "tls", "auth": "auth"}.get(cell.stage, "refused"), cell.stage in ("starttls", "auth")),
        "421": ("throttled", False),
        "garbage": ("refused", False),
    }.get(cell.fault, ("unreachable", False))
    assert (trouble.kind, trouble.configuration) == (kind, configuration)
    if cell.fault in ("4xx", "5xx", "421"):
        code = {"4xx": CODES[cell.stage][0], "5xx": CODES[cell.stage][1], "421": 421}[cell.fault]
        assert trouble.reply is not None
        assert trouble.reply.code == code
        assert trouble.text.startswith(str(trouble.reply))


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.stage in ("mail", "data")], ids=str)
def test_at_mail_and_data_the_whole_message_is_deferred_or_rejected(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    fate = Rejected if cell.fault == "5xx" else Deferred
    for outcome in outcomes(story.first):
        assert isinstance(outcome, fate), outcome
        assert outcome.stage == cell.stage
    assert story.kept == ["second"]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.stage == "rcpt"], ids=str)
def test_at_rcpt_a_refusal_concerns_its_recipient_and_a_cut_everyone(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    zoe, ben = outcomes(story.first)
    if cell.fault in ("4xx", "5xx"):
        assert isinstance(zoe, Accepted)
        assert isinstance(ben, Deferred if cell.fault == "4xx" else Rejected), ben
        assert ben.stage == "rcpt"
        assert story.kept == ["first", "second"]
    else:
        assert [(type(each), each.stage) for each in (zoe, ben) if isinstance(each, Deferred)] == [
            (Deferred, "rcpt")
        ] * 2
        assert story.kept == ["second"]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.stage == "dot"], ids=str)
def test_after_the_final_dot_silence_is_unknown_and_never_a_failure(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    fate: type = {"4xx": Deferred, "421": Deferred, "5xx": Rejected}.get(cell.fault, Unknown)
    for outcome in outcomes(story.first):
        assert type(outcome) is fate, outcome
        assert not isinstance(outcome, Accepted)
        assert outcome.stage == "dot"
    taken = cell.keep or cell.fault == "trickle"
    assert story.kept == (["first", "second"] if taken else ["second"])


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.stage in AFTER], ids=str)
def test_what_becomes_of_rset_and_quit_changes_nothing(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    if cell.stage == "quit":
        assert all(isinstance(outcome, Accepted) for outcome in outcomes(story.first)), story.first
        assert story.kept == ["first", "second"]
    else:
        assert all(isinstance(outcome, Rejected) for outcome in outcomes(story.first)), story.first
        assert story.kept == ["second"]
    assert any(cell.stage.upper() in session.verbs for session in story.sessions)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_it_pipelines_when_it_may_and_only_then(cell: Cell, stories: dict[Cell, Story]) -> None:
    story = stories[cell]
    assert any(session.pipelined for session in story.sessions) == cell.pipelining
