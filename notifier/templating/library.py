"""Templates by name and version: found in the store, compiled once, kept while they are in use; and the folder that
seeds them."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from notifier.domain.errors import Fault, Refused
from notifier.domain.notification import Notification
from notifier.domain.template import NewVersion, Origin, Published, Synced, Version
from notifier.templating.bundle import Bundle
from notifier.templating.contract import breaking_changes
from notifier.templating.folder import read_folder
from notifier.templating.pool import Shared, is_shared, load, shared_bundles
from notifier.templating.render import Rendered, Template, compile_bundle

KEPT: Final = 256
"""Compiled templates in memory, the least recently used dropped first."""
FRESH: Final = 1.0
"""Seconds for which we trust what is published: another process may publish."""


class Versions(Shared, Protocol):
    """The store, as the library sees it."""

    async def versions(self, name: str, /) -> Sequence[Version]: ...
    async def is_live(self, name: str, /) -> bool: ...
    async def add_version(self, new: NewVersion, /, *, publish: bool) -> Version: ...
    async def delete_template(self, name: str, /) -> bool: ...
    def editing(self) -> AbstractAsyncContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A version, compiled."""

    number: int
    hash: str
    template: Template


class Library:
    """All templates of the service."""

    def __init__(self, versions: Versions, monotonic: Callable[[], float], *, public_url: str | None = None) -> None:
        self._versions = versions
        self._monotonic = monotonic
        self._public_url = public_url
        self._published: Mapping[str, Published] = {}
        self._read_at = float("-inf")
        self._compiled: OrderedDict[tuple[str, int | str], Entry] = OrderedDict()
        self._compiling: dict[tuple[str, int | str], asyncio.Task[Entry | None]] = {}

    async def published(self) -> Mapping[str, Published]:
        """What each name means now, at most `FRESH` seconds old."""
        now = self._monotonic()
        if now - self._read_at > FRESH:
            self._published, self._read_at = await self._versions.published(), now
        return self._published

    def forget_published(self) -> None:
        """Something was published in this process: look again at once."""
        self._read_at = float("-inf")

    async def resolve(self, name: str, version: int | str | None) -> Entry:
        """The published version, or the one of this number or content hash, of a template that is not deleted.

        Raises Refused with a fault on ``template`` or ``version``.
        """
        wanted: int | str | None = version
        if is_shared(name):
            raise _refused("template", f"{name!r} is a file that templates share; it cannot be sent")
        if version is None:
            known = (await self.published()).get(name)
            wanted = known.number if known else None
        if wanted is None or not (name in await self.published() or await self._versions.is_live(name)):
            raise _refused("template", f"there is no template {name!r}{await self._near(name)}")
        entry = await self._entry(name, wanted)
        if entry is None:
            raise _refused("version", f"template {name!r} has no version {version}")
        return entry

    async def rendered(self, one: Notification) -> Rendered:
        """The mail of a notification, by the version that it was accepted with, or its literal content."""
        if one.content is not None:
            return Rendered(one.content.subject, one.content.text, one.content.html, one.locale or "", ())
        template = await self._accepted_with(one)
        return template.render(one.data, locale=one.locale, timezone=one.timezone, at=one.created_at)

    async def may_unsubscribe(self, one: Notification) -> bool:
        """Whether the template of a notification lets its readers say stop to its category."""
        if one.template is None or one.category is None:
            return False
        return (await self._accepted_with(one)).options.unsubscribe

    async def _accepted_with(self, one: Notification) -> Template:
        """The version that a notification was accepted with, whatever became of the template since."""
        entry = await self._entry(one.template or "", one.version or 0)
        if entry is None:
            raise _refused("version", f"template {one.template!r} has no version {one.version}")
        return entry.template

    async def _entry(self, name: str, wanted: int | str) -> Entry | None:
        key = (name, wanted)
        if (entry := self._compiled.get(key)) is not None:
            self._compiled.move_to_end(key)
            return entry
        task = self._compiling.get(key)
        if task is None:
            task = asyncio.create_task(self._load(name, wanted))
            self._compiling[key] = task
            task.add_done_callback(lambda _: self._compiling.pop(key, None))
        entry = await asyncio.shield(task)
        if entry is not None:
            self._compiled[key] = entry
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        return entry

    async def _load(self, name: str, wanted: int | str) -> Entry | None:
        closure = await self._versions.find_version(name, wanted)
        if closure is None:
            return None
        bundle = await load(self._versions, closure)
        template = await asyncio.to_thread(compile_bundle, bundle, public_url=self._public_url)
        return Entry(closure.version.number, closure.version.hash, template)

    async def _near(self, name: str) -> str:
        names = sorted(name for name in await self.published() if not is_shared(name))
        return f"; there are {', '.join(names[:20])}" if names and name else "; none is published yet"

    # ---- the folder

    async def sync(self, folder: Path, *, always_publish: bool = False, only_source: bool = False) -> Synced:
        """Stores what a folder holds, one process after the other. Content seen before is a no-op. A changed template
        is published by itself only if the published version came from a folder too and the change breaks no caller;
        else it is a draft. While somebody edits the folder and looks at the result (`always_publish`), what breaks
        callers is published too. Where the folder is the `only_source`, what is published follows it, whatever was
        there, and what is not in it is deleted."""
        async with self._versions.editing():
            read = await asyncio.to_thread(read_folder, folder)
            known = await self._versions.published()
            shared = {bundle.name: bundle for bundle in shared_bundles(read.files, read.assets)}
            found = {**shared, **read.bundles}
            published: list[str] = []
            drafted: dict[str, Sequence[str]] = {}
            for name, bundle in sorted(found.items()):
                before = known.get(name)
                if before and before.hash == bundle.hash:
                    continue
                if only_source:
                    why: list[str] | None = []
                else:
                    why = await self._why_draft(bundle, before, always_publish=always_publish)
                if why is None:
                    continue
                await self._versions.add_version(new_version(bundle, "folder"), publish=not why)
                if why:
                    drafted[name] = why
                else:
                    published.append(name)
            withdrawn = sorted(known.keys() - found.keys() - read.faults.keys()) if only_source else []
            for name in withdrawn:
                await self._versions.delete_template(name)
            self.forget_published()
            return Synced(published, drafted, read.faults, withdrawn)

    async def _why_draft(self, bundle: Bundle, before: Published | None, *, always_publish: bool) -> list[str] | None:
        """Why a bundle of the folder is not published by itself, empty if it is; None if there is nothing to do."""
        history = await self._versions.versions(bundle.name)
        seen = any(version.hash == bundle.hash for version in history)
        if before is None and any(version.published_at for version in history):
            return None if seen else ["it was deleted in the service"]
        if before and before.origin != "folder":
            return None if seen else ["the published version was made in the service, not in the folder"]
        if always_publish:
            return []
        if seen:
            return None
        if before is None or is_shared(bundle.name):
            return []
        old = await self.resolve(bundle.name, before.number)
        new = await asyncio.to_thread(compile_bundle, bundle, public_url=self._public_url)
        return [f"{change.field}: {change.message}" for change in breaking_changes(old.template.contract, new.contract)]


def new_version(bundle: Bundle, origin: Origin, *, author: str | None = None, note: str | None = None) -> NewVersion:
    """A bundle as the store keeps it."""
    given = bundle.to_json()
    contents = {given["assets"][path]: content for path, content in bundle.assets.items()}
    return NewVersion(
        template=bundle.name,
        hash=bundle.hash,
        bundle=json.dumps(given, ensure_ascii=False, separators=(",", ":")),
        origin=origin,
        description="" if is_shared(bundle.name) else bundle.options.description,
        author=author,
        note=note,
        assets=contents,
    )


def _refused(field: str, message: str) -> Refused:
    return Refused(message, code="unknown_template", faults=[Fault(field, "unknown", message)])
