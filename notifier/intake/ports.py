"""What intake needs of the rest, as small protocols."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from notifier.domain.acceptance import Acceptance, Earlier, Receipt
from notifier.domain.errors import Fault
from notifier.domain.notification import Address, OnUnknown, Priority


class Options(Protocol):
    """What a template says of the mails made from it. `expires_after` is in seconds."""

    @property
    def category(self) -> str: ...
    @property
    def from_(self) -> str | None: ...
    @property
    def reply_to(self) -> Sequence[str]: ...
    @property
    def priority(self) -> Priority: ...
    @property
    def expires_after(self) -> float | None: ...
    @property
    def on_unknown(self) -> OnUnknown: ...


class Rendered(Protocol):
    @property
    def subject(self) -> str: ...
    @property
    def locale(self) -> str: ...


class Verdict(Protocol):
    """What a template says to data: every fault, or the mail."""

    @property
    def faults(self) -> Sequence[Fault]: ...
    @property
    def rendered(self) -> Rendered | None: ...


class Template(Protocol):
    """A version of a template, compiled."""

    @property
    def options(self) -> Options: ...

    def verdict(
        self, data: Mapping[str, Any], *, locale: str | None, timezone: str | None, at: datetime
    ) -> Verdict: ...


class Entry(Protocol):
    """A template's version and its number."""

    @property
    def number(self) -> int: ...
    @property
    def template(self) -> Template: ...


class Templates(Protocol):
    async def resolve(self, name: str, version: int | str | None) -> Entry:
        """The version asked for, or the published one. Raises Refused with a fault on `template` or `version`."""


class Store(Protocol):
    async def accept(self, item: Acceptance, /) -> Receipt: ...

    async def earlier(self, project: str, keys: Sequence[str], /) -> Mapping[str, Earlier]:
        """What idempotency keys of a project stand for already; unknown ones are left out."""

    async def backlog(self, limit: int, /) -> int:
        """How many deliveries are open, counted up to `limit`."""


class Addresses(Protocol):
    """The rules of addresses."""

    def parse_address(self, text: str, /) -> Address: ...
    def comparison_key(self, email: str, /) -> str: ...


Objection = Callable[[str], str | None]
"""Why a text may not be in a header, as the end of a sentence about it, or None."""
