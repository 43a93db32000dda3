"""What the admin pages need beyond what the API does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from fastapi import Request

from notifier.domain.admin import AuditEntry, Marks, Role, Speed, Tally, User
from notifier.domain.template import Consequences, Origin, Saved, Source
from notifier.domain.usage import Usage
from notifier.web.admin.live import Live
from notifier.web.admin.passwords import Throttle
from notifier.web.services import Desk, Services

BASE: Final = "/admin"


class AdminStore(Protocol):
    """Users, sessions, the audit log, and the counts of the overview."""

    async def users(self) -> Sequence[User]: ...
    async def find_user(self, name: str) -> tuple[User, str | None] | None: ...
    async def add_user(self, name: str, role: Role) -> User: ...
    async def set_password(self, user: str, hashed: str, keep: str | None = None) -> None: ...
    async def change_user(self, user: str, role: Role, disabled: bool) -> bool: ...
    async def add_session(self, hash_: str, user: str, expires_at: datetime) -> None: ...
    async def find_session(self, hash_: str) -> User | None: ...
    async def take_session(self, hash_: str) -> User | None: ...
    async def audit_page(self, after: str | None, limit: int) -> Sequence[AuditEntry]: ...
    async def audit_entry(self, id_: str) -> AuditEntry | None: ...
    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> str: ...
    async def tally(self, known: Tally) -> Tally: ...
    async def usage(self, known: Usage, seconds: float) -> Usage: ...
    async def speeds(self, most: int) -> Sequence[Speed]: ...
    async def marks(self, ids: Collection[str]) -> Marks: ...
    async def projects(self) -> Sequence[str]: ...


class RelayFacts(Protocol):
    """How the relay is spoken to."""

    @property
    def name(self) -> str: ...
    @property
    def starttls(self) -> bool: ...
    @property
    def ssl_tls(self) -> bool: ...
    @property
    def username(self) -> str | None: ...
    @property
    def connections(self) -> int: ...
    @property
    def rate(self) -> float | None: ...


class Finding(Protocol):
    """What one step of "test this relay" came to."""

    @property
    def step(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def advice(self) -> str: ...


class Bench(Desk, Protocol):
    """The desk of templates, with what only pages ask."""

    async def consequences(self, name: str, number: int, /) -> Consequences: ...
    async def users(self, path: str, /) -> Sequence[str]: ...
    def linted(self, name: str, number: int, /) -> int | None: ...
    async def lint(self, name: str, number: int, /) -> int: ...

    async def save(
        self,
        name: str,
        source: Source,
        /,
        *,
        author: str,
        publish: bool = False,
        force: bool = False,
        onto: int | None = None,
        origin: Origin = "api",
        note: str | None = None,
    ) -> Saved: ...


Lanes = Mapping[tuple[str, str], tuple[int, float]]
"""What waits, by (project, priority): rows, and seconds for which the oldest has been due."""


@dataclass(frozen=True)
class Office:
    """`note` writes the audit log. `relay` tells how the relay is spoken to (None:
    not from this process), `test_relay` goes through it step by step. `templates_folder` is the folder that
    alone templates come from, where that is set. `password_is_given`: the settings hold the password of `admin`.
    `publishers` is the role that it takes to publish templates. `team` are the addresses and domains that alone tests
    of templates go to, where they are set; `redirected_to` is where every mail goes, where that is set."""

    store: AdminStore
    live: Live
    desk: Bench
    note: Callable[[str, str, str, Mapping[str, Any]], Awaitable[None]]
    lanes: Callable[[], Awaitable[Lanes]]
    relay: Callable[[], RelayFacts | None]
    test_relay: Callable[[str | None], AsyncIterator[Finding]]
    templates_folder: str | None = None
    password_is_given: bool = False
    publishers: Role = "editor"
    team: Sequence[str] = ()
    redirected_to: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    throttle: Throttle = field(default_factory=Throttle)
    tally: Tally = field(default_factory=Tally)
    usage: Usage = field(default_factory=Usage)
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)  # one at a time brings the tally up to date
    counting_uses: asyncio.Lock = field(default_factory=asyncio.Lock)


def office_of(request: Request) -> Office:
    found: Office = request.app.state.office
    return found


def services_of(request: Request) -> Services:
    found: Services = request.app.state.services
    return found
