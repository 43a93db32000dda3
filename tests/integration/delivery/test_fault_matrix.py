"""Every stage of SMTP with every fault, end to end: where a notification ends, how many attempts that took, what its
timeline tells, and what the server really received.

All cells run first, many at once, each with a service, a database and a capture server of its own; then each is
judged. The fault happens once, to a mail for two; a second notification follows it.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from notifier.app.service import Service
from notifier.capture import Capture, Captured, Transaction
from notifier.capture import Stage as Place
from notifier.capture.tls import server_context
from notifier.settings import Settings
from tests.support.process import API_KEY, templates, types

AT_ONCE = 12
SHORT, LONG = 1.5, 20.0  # seconds of patience with a silent server, and where it is not meant to run out
ZOE, BEN = "zoe@example.com", "ben@example.com"

FAULTS = ("4xx", "5xx", "421", "drop", "hang", "trickle", "garbage")
CODES: dict[Place, tuple[int, int]] = {"starttls": (454, 554), "auth": (454, 535)}
SESSION: tuple[Place, ...] = ("connect", "ehlo", "starttls", "auth")
PLACES: tuple[Place, ...] = (*SESSION, "mail", "rcpt", "data", "dot", "quit")
SILENT = ("drop", "hang", "trickle", "garbage")


@dataclass(frozen=True)
class Cell:
    """A fault and where it happens. `keep`: the server took the mail before its answer went wrong. `hold`: the caller
    asked to hold rather than risk a second copy."""

    place: Place
    fault: str
    keep: bool = False
    hold: bool = False

    def __str__(self) -> str:
        return "-".join([self.place, self.fault, *(word for word in ("keep", "hold") if getattr(self, word))])


CELLS = [
    *(Cell(place, fault, keep=(place, fault) == ("dot", "trickle")) for place in PLACES for fault in FAULTS),
    *(Cell("dot", fault, keep=True) for fault in SILENT if fault != "trickle"),
    *(Cell("dot", fault, keep=True, hold=True) for fault in SILENT),
    *(Cell("dot", fault, hold=True) for fault in ("4xx", "5xx", "drop", "hang", "garbage")),
    *(Cell("body", fault, hold=hold) for fault in ("drop", "hang") for hold in (False, True)),
]


@dataclass
class Story:
    """What happened in a cell."""

    ended: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)
    mails: list[Captured] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fate:
    """What has to happen in a cell. `attempts` are those that count, which are the transactions that the server saw;
    `copies` are the recipients of each mail that it kept."""

    status: str
    attempts: int
    timeline: str
    copies: tuple[tuple[str, ...], ...]


BOTH = (ZOE, BEN)
AT_ONCE_SENT = Fate("sent", 1, "queued attempted sent sent", (BOTH,))
REFUSED = Fate("failed", 1, "queued attempted failed failed", ())
PUT_OFF = Fate("sent", 2, "queued attempted deferred deferred attempted sent sent", (BOTH,))


def fate(cell: Cell) -> Fate:
    match cell.place, cell.fault:
        case (("connect" | "ehlo" | "starttls" | "auth" | "quit"), _):
            return AT_ONCE_SENT  # the relay's trouble: the mail only waited
        case "rcpt", "4xx":
            return Fate("sent", 2, "queued attempted sent deferred attempted sent", ((ZOE,), (BEN,)))
        case "rcpt", "5xx":
            return Fate("partial", 1, "queued attempted sent failed", ((ZOE,),))
        case _, "5xx":
            return REFUSED
        case (("dot" | "body"), ("drop" | "hang" | "trickle" | "garbage")):
            taken = (BOTH,) if cell.keep else ()
            if cell.hold:
                return Fate("held", 1, "queued attempted unknown held unknown held", taken)
            return Fate("sent", 2, "queued attempted unknown unknown attempted sent sent", (*taken, BOTH))
        case _:
            return PUT_OFF


def script(server: Capture, cell: Cell) -> None:
    soft, hard = CODES.get(cell.place, (451, 554))
    rcpt = BEN if cell.place == "rcpt" else None
    match cell.fault:
        case "4xx" | "5xx" | "421":
            server.fail_next(stage=cell.place, rcpt=rcpt, code={"4xx": soft, "5xx": hard, "421": 421}[cell.fault])
        case "drop":
            server.drop_at(cell.place, rcpt=rcpt, keep=cell.keep)
        case "hang":
            server.hang_at(cell.place, rcpt=rcpt, keep=cell.keep)
        case "trickle":
            server.trickle(cell.place, SHORT / 3, times=1, rcpt=rcpt)
        case "garbage":
            server.garbage(cell.place, rcpt=rcpt, keep=cell.keep)


def settings(cell: Cell, server: Capture, folder: Path) -> Settings:
    given: dict[str, Any] = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{folder}/{cell}.db",
        "NOTIFIER_API_KEY": API_KEY,
        "NOTIFIER_RETRY_FIRST": "50ms",
        "NOTIFIER_RELAY_TIMEOUT": SHORT if cell.fault in ("hang", "trickle") else LONG,
        "MAIL_SERVER": server.host,
        "MAIL_PORT": server.port,
    }
    if cell.place in ("starttls", "auth"):
        given |= {"MAIL_STARTTLS": True, "VALIDATE_CERTS": False, "MAIL_USERNAME": "u", "MAIL_PASSWORD": "p"}
    if cell.place == "quit":
        given |= {"NOTIFIER_RELAY_MESSAGES_PER_CONNECTION": 1}
    return Settings(**given)


async def tell(cell: Cell, folder: Path) -> Story:
    secure = cell.place in ("starttls", "auth")
    server = Capture(
        tls_context=server_context() if secure else None, users={"u": "p"} if secure else None, require_tls=secure
    )
    story = Story()
    async with server:
        script(server, cell)
        async with Service(settings(cell, server, folder)) as service:
            await service.sync_templates(folder / "templates")
            transport = httpx.ASGITransport(service.application())
            headers = {"authorization": f"Bearer {API_KEY}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://cell", headers=headers) as http:
                id_, story.ended = await send(http, [ZOE, BEN], "hold" if cell.hold else "retry")
                story.events = (await http.get(f"/v1/notifications/{id_}/events")).json()["data"]
                story.mails = list(server.messages)
                story.transactions = server.ledger
                _, story.after = await send(http, ["after@example.com"], "retry")
        story.verbs = [verb for session in server.sessions for verb in session.verbs]
    return story


async def send(http: httpx.AsyncClient, to: list[str], on_unknown: str) -> tuple[str, dict[str, Any]]:
    body = {"template": "order", "to": to, "data": {"order": "A-1"}, "on_unknown": on_unknown}
    answer = await http.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    ended = await http.get(answer.json()["url"], params={"wait": 20})
    return answer.json()["id"], ended.json()


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Story]:
    folder = tmp_path_factory.mktemp("matrix")
    templates(folder)

    async def tell_all() -> dict[Cell, Story]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(cell: Cell) -> Story:
            async with gate, asyncio.timeout(60):
                return await tell(cell, folder)

        return dict(zip(CELLS, await asyncio.gather(*map(one, CELLS)), strict=True))

    return asyncio.run(tell_all())


def test_there_is_a_cell_for_every_stage_and_fault() -> None:
    assert len(CELLS) == len(set(CELLS))
    assert {(cell.place, cell.fault) for cell in CELLS} >= {(place, fault) for place in PLACES for fault in FAULTS}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_where_it_ends_and_after_how_many_attempts(cell: Cell, stories: dict[Cell, Story]) -> None:
    ended, meant = stories[cell].ended, fate(cell)
    assert (ended["status"], ended["attempts"], ended["final"]) == (meant.status, meant.attempts, True), ended


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_its_timeline_tells(cell: Cell, stories: dict[Cell, Story]) -> None:
    events = stories[cell].events
    assert " ".join(types(events)) == fate(cell).timeline
    troubled = [event for event in events if event["type"] in ("email.deferred", "email.failed", "email.unknown")]
    stage = "dot" if cell.place == "body" else cell.place  # the body and its dot went out in one write
    assert {event["detail"]["stage"] for event in troubled} <= {stage}
    if cell.fault in ("4xx", "5xx", "421"):
        soft, hard = CODES.get(cell.place, (451, 554))
        code = {"4xx": soft, "5xx": hard, "421": 421}[cell.fault]
        assert {event["detail"]["code"] for event in troubled} <= {code}
    assert [event["detail"]["attempt"] for event in events if event["type"] == "email.attempted"] == list(
        range(1, fate(cell).attempts + 1)
    )


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_the_server_really_received(cell: Cell, stories: dict[Cell, Story]) -> None:
    story, meant = stories[cell], fate(cell)
    assert tuple(mail.rcpt_tos for mail in story.mails) == meant.copies
    assert {mail.header("Message-ID") for mail in story.mails} <= {story.ended["message_id"]}
    assert len(story.transactions) == meant.attempts
    reached = story.transactions[0].stage
    if cell.place in (*SESSION, "quit") or (cell.place, cell.fault) in {("rcpt", "4xx"), ("rcpt", "5xx")}:
        assert reached == "dot"  # the fault kept nobody else from the mail
    elif cell.place == "body" or (cell.place, cell.fault) == ("rcpt", "garbage"):
        assert reached == "data"  # which was pipelined behind RCPT
    else:
        assert reached == cell.place


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_next_one_goes_through(cell: Cell, stories: dict[Cell, Story]) -> None:
    after = stories[cell].after
    assert (after["status"], after["attempts"]) == ("sent", 1), after
    if cell.place == "quit":
        assert "QUIT" in stories[cell].verbs
