"""A template as the store keeps it: numbered, immutable versions, of which one is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from notifier.domain.errors import Fault

Origin = Literal["folder", "api", "pages"]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A closure to be stored: `bundle` is its JSON, `assets` the bytes it reaches, by SHA-256 (hex)."""

    template: str
    hash: str
    bundle: str
    origin: Origin
    description: str = ""
    author: str | None = None
    note: str | None = None
    assets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version, without its closure."""

    template: str
    number: int
    hash: str
    origin: Origin
    author: str | None
    note: str | None
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Published:
    """Which version of a template `template: "name"` means now."""

    number: int
    hash: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Closure:
    """A stored version with what it takes to render it."""

    version: Version
    bundle: str
    assets: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Summary:
    """A template in a list: what is published, and the newest version if it is another one."""

    name: str
    description: str
    published: int | None
    latest: int
    latest_origin: Origin
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """What an author hands in, and gets back: parts by path within the template (``locales/fr/subject.txt``), the
    declared contract, samples by name, and settings as `template.toml` has them. For a shared file: one part, or one
    asset. `assets` are bytes by path (``assets/map.png``, ``_assets/logo.png``); None keeps those of the version
    before. `shared` are shared files by path as the author has them, over those of the service."""

    parts: Mapping[str, str]
    schema: Mapping[str, Any] | None = None
    samples: Mapping[str, Mapping[str, Any]] | None = None
    settings: Mapping[str, Any] | None = None
    description: str | None = None
    assets: Mapping[str, bytes] | None = None
    shared: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """A version with everything in it. A shared file has no contract and no locales."""

    version: Version
    source: Source
    contract: Mapping[str, Any] | None = None
    declared: bool = False
    locales: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail as it would be sent, or the faults of the data (then nothing else); what lint has to say, and the contract
    that callers would have."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    locale: str | None = None
    contract: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A version that was saved; `published` says whether it is what the name means now, `renewed` and `drafted`
    which templates got a new version with it: published, or as a draft."""

    version: Version
    published: bool
    contract: Mapping[str, Any] | None = None
    warnings: tuple[Fault, ...] = ()
    renewed: tuple[str, ...] = ()
    drafted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Renewed:
    """The templates that got a new version because a shared file that they reach has one: published, or as a draft
    where somebody edited them in the pages."""

    published: tuple[str, ...] = ()
    drafted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """What reading a folder came to: published and drafted names (and why they are drafts), what is wrong, by
    template, and what is not there any more and can no longer be sent."""

    published: Sequence[str]
    drafted: Mapping[str, Sequence[str]]
    broken: Mapping[str, Sequence[Fault]]
    withdrawn: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that publishing a version means for the callers of a template, in a sentence. `breaks`: somebody has to
    change what they send."""

    template: str
    sentence: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Consequences:
    """What publishing a version means: for callers, of whose last requests `recent` were looked at; and, of a shared
    file, which templates get a new version with it: published, or as a draft."""

    callers: tuple[Consequence, ...] = ()
    recent: int = 0
    renewed: Renewed = Renewed()

    @property
    def breaks(self) -> bool:
        return any(one.breaks for one in self.callers)
