"""What the outbox has in place of a database: a templates folder, and notifications in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from notifier.domain.acceptance import Acceptance, Earlier, IdempotencyKey, Receipt
from notifier.domain.errors import Fault, refused
from notifier.domain.notification import Notification
from notifier.intake.acceptance import reused
from notifier.templating import Rendered, read_folder
from notifier.templating.render import Template, compile_bundle


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    template: Template


class Shelf:
    """The ports of `Intake` and of `Composer`. The folder is read when the first template is asked for."""

    def __init__(self, folder: Path) -> None:
        self.notifications: dict[str, Notification] = {}
        self._folder = folder
        self._compiled: dict[str, Template] = {}
        self._files: dict[str, bytes] = {}
        self._keys: dict[str, Earlier] = {}

    async def accept(self, item: Acceptance) -> Receipt:
        ids: list[str] = []
        fresh: list[Notification | None] = []
        for new in item.news:
            if earlier := self._replayed(new.idempotency):
                ids.append(earlier)
                fresh.append(None)
                continue
            one = new.notification
            if new.idempotency is not None:
                self._keys[new.idempotency.key] = Earlier(new.idempotency.fingerprint, one.id, None)
            self.notifications[one.id] = one
            self._files.update(new.files)
            ids.append(one.id)
            fresh.append(one)
        return Receipt(ids, fresh)

    def _replayed(self, key: IdempotencyKey | None) -> str | None:
        if key is None or (found := self._keys.get(key.key)) is None:
            return None
        if found.fingerprint != key.fingerprint:
            raise reused("Idempotency-Key", key.key)
        return found.notification

    async def earlier(self, _project: str, keys: Sequence[str]) -> Mapping[str, Earlier]:
        return {key: self._keys[key] for key in keys if key in self._keys}

    async def backlog(self, _limit: int) -> int:
        return 0

    async def resolve(self, name: str, version: int | str | None) -> Entry:
        if version not in (None, 1):
            raise refused([Fault("version", "unknown", "the outbox has version 1 of each template, and no other")])
        if name not in self._compiled:
            self._compiled[name] = self._compile(name)
        return Entry(1, self._compiled[name])

    def _compile(self, name: str) -> Template:
        read = read_folder(self._folder)
        if faults := read.faults.get(name):
            raise refused(faults)
        if name not in read.bundles:
            there = ", ".join(sorted(read.bundles)) or "none"
            raise refused([Fault("template", "unknown", f"there is no template {name!r}; there are {there}")])
        return compile_bundle(read.bundles[name])

    async def rendered(self, one: Notification) -> Rendered:
        if one.content is not None:
            return Rendered(one.content.subject, one.content.text, one.content.html, one.locale or "", ())
        template = (await self.resolve(one.template or "", one.version)).template
        return template.render(one.data, locale=one.locale, timezone=one.timezone, at=one.created_at)

    async def may_unsubscribe(self, _one: Notification) -> bool:
        return False

    async def files(self, hashes: Sequence[str]) -> Mapping[str, bytes]:
        return {hash_: self._files[hash_] for hash_ in hashes}
