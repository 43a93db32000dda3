"""Editing templates: drafts, previews, and the decision to publish. What an author wrote is compiled away from the
service first; what would break a caller is refused with the list."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final, Protocol

from notifier.domain.errors import Conflict, Fault, NotFound
from notifier.domain.template import (
    Consequence,
    Consequences,
    NewVersion,
    Origin,
    Preview,
    Published,
    Renewed,
    Saved,
    Source,
    Summary,
    Version,
    Whole,
)
from notifier.templating.bundle import Bundle
from notifier.templating.child import Checked, Workshop
from notifier.templating.faults import TemplateBroken
from notifier.templating.library import Library, new_version
from notifier.templating.pool import Pool, Shared, is_shared, load, shared_pool
from notifier.templating.publishing import Judged, Renewal, consequences, judge, renewals
from notifier.templating.render import Template, compile_bundle
from notifier.templating.source import files_of, in_parts, source_of

RECENT: Final = 200
"""Accepted requests that a new version has to satisfy."""
_PROBE: Final = "shared-file"


class Versions(Shared, Protocol):
    """The store, as editing sees it."""

    async def versions(self, name: str, /) -> Sequence[Version]: ...
    async def is_live(self, name: str, /) -> bool: ...
    async def summaries(self) -> Sequence[Summary]: ...
    async def add_version(self, new: NewVersion, /, *, publish: bool) -> Version: ...
    async def publish_all(self, pairs: Iterable[tuple[str, int]], /) -> None: ...
    async def delete_template(self, name: str, /) -> bool: ...
    async def recent_data(self, name: str, most: int, /) -> Sequence[Mapping[str, Any]]: ...
    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any], /) -> None: ...
    def editing(self) -> AbstractAsyncContextManager[None]: ...


class Editor:
    """Changes templates. `author` is whom the history and the audit log name; `folder` is where templates are edited
    if the folder is their only source."""

    def __init__(
        self,
        store: Versions,
        library: Library,
        workshop: Workshop,
        now: Callable[[], datetime],
        *,
        folder: str | None = None,
        public_url: str | None = None,
    ) -> None:
        self._store = store
        self._library = library
        self._workshop = workshop
        self._now = now
        self._folder = folder
        self._public_url = public_url
        self._linted: dict[tuple[str, int], int] = {}  # a version never changes

    # ---- looking

    async def summaries(self) -> Sequence[Summary]:
        return await self._store.summaries()

    async def published(self) -> Mapping[str, Published]:
        return await self._store.published()

    async def versions(self, name: str) -> Sequence[Version]:
        """Newest first. Raises NotFound."""
        await self._check_live(name)
        return await self._store.versions(name)

    async def version(self, name: str, wanted: int | str | None) -> tuple[Version, Bundle]:
        """A version, or without one what is published, or else the newest draft. Raises NotFound."""
        await self._check_live(name)
        if wanted is None:
            published = (await self._store.published()).get(name)
            wanted = published.number if published else (await self._store.versions(name))[0].number
        closure = await self._store.find_version(name, wanted)
        if closure is None:
            raise NotFound(f"template {name!r} has no version {wanted}")
        return closure.version, await load(self._store, closure)

    async def whole(self, name: str, wanted: int | str | None) -> Whole:
        """A version with everything in it. Raises NotFound."""
        version, bundle = await self.version(name, wanted)
        if is_shared(name):
            return Whole(version, source_of(bundle))
        template = await self._template(name, version.number)
        contract = template.contract
        return Whole(version, source_of(bundle), contract, contract.declared, template.locales)

    def linted(self, name: str, number: int) -> int | None:
        """How many warnings a version has, if this process has looked."""
        return self._linted.get((name, number))

    async def lint(self, name: str, number: int) -> int:
        """How many warnings a version has, looked at once. Raises NotFound."""
        if (name, number) not in self._linted:
            _, bundle = await self.version(name, number)
            checked = await self._workshop.check(name, bundle.files, bundle.assets, at=self._now())
            self._linted[name, number] = len(checked.warnings)
        return self._linted[name, number]

    async def _template(self, name: str, number: int) -> Template:
        return (await self._library.resolve(name, number)).template

    # ---- trying

    async def verdict(
        self, name: str, data: Mapping[str, Any], *, version: int | str | None, locale: str | None, timezone: str | None
    ) -> tuple[Fault, ...]:
        """Every fault of data; none if it would be accepted. Raises NotFound."""
        found, _ = await self.version(name, version)
        template = await self._template(name, found.number)
        return template.verdict(data, locale=locale, timezone=timezone, at=self._now()).faults

    async def preview(
        self,
        name: str,
        source: Source | None,
        *,
        version: int | str | None = None,
        data: Mapping[str, Any] | None = None,
        sample: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Preview:
        """The mail of a source that is not saved, or of a version; with data, or a sample (`default` without both).
        Raises TemplateBroken or NotFound."""
        if source is None:
            _, bundle = await self.version(name, version)
            source, pool = source_of(bundle), Pool(bundle.files, bundle.assets)
        else:
            pool = await self._pool(name, source)
        samples = source.samples or {}
        if data is None:
            if sample and sample not in samples:
                raise NotFound(f"template {name!r} has no sample {sample!r}")
            data = samples.get(sample or "default", {})
        checked = await self._check(name, pool, data=data, locale=locale, timezone=timezone)
        mail = (checked.subject, checked.text, checked.html, checked.locale)
        return Preview(checked.faults, checked.warnings, *mail, checked.contract)

    async def _check(
        self,
        name: str,
        pool: Pool,
        *,
        data: Mapping[str, Any] | None = None,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Checked:
        """What a source would come to: compiled, linted and rendered away from the service. Raises Refused with
        fields in the author's words (``parts.body.html:12:3``)."""
        checked = await self._workshop.check(
            name, pool.files, pool.assets, data=data, locale=locale, timezone=timezone, at=self._now()
        )
        if checked.broken:
            raise in_parts(name, checked.faults)
        return checked

    async def _check_shared(self, name: str, source: Source, pool: Pool) -> None:
        """A shared file is looked at through a template that does nothing but use it, beside those that are drafts
        yet: they come one by one. Raises Refused."""
        if not source.parts:
            return
        pool = (await self._drafts()).over(pool.files, pool.assets)
        use = '{{ _("x") }}' if name.endswith(".po") else f'{{% include "{name}" %}}'
        probe = {f"{_PROBE}/subject.txt": "x", f"{_PROBE}/body.html": use}
        checked = await self._workshop.check(_PROBE, {**pool.files, **probe}, pool.assets, at=self._now())
        own = [fault for fault in checked.faults if fault.field.startswith((f"{name}:", f"{_PROBE}:"))]
        if checked.broken and own:
            raise in_parts(name, own, part=next(iter(source.parts)))

    async def _drafts(self) -> Pool:
        """The newest of each shared file of which nothing is published."""
        pool = Pool()
        for one in await self._store.summaries():
            if is_shared(one.name) and one.published is None:
                _, bundle = await self.version(one.name, None)
                pool = pool.over(bundle.files, bundle.assets)
        return pool

    async def _pool(self, name: str, source: Source) -> Pool:
        """A source's files and all that they may reach: the shared files, and, where no assets are given, those of the
        last version."""
        try:
            own = files_of(name, source)
        except TemplateBroken as broken:
            raise in_parts(name, broken.faults) from None
        pool = (await shared_pool(self._store)).over(source.shared)
        versions = await self._store.versions(name) if source.assets is None else ()
        if versions and (closure := await self._store.find_version(name, versions[0].number)):
            before = (await load(self._store, closure)).assets
            pool = pool.over({}, {path: data for path, data in before.items() if path.startswith(f"{name}/")})
        return pool.over(own.files, own.assets)

    # ---- changing

    async def save(
        self,
        name: str,
        source: Source,
        *,
        author: str,
        publish: bool = False,
        force: bool = False,
        onto: int | None = None,
        origin: Origin = "api",
        note: str | None = None,
    ) -> Saved:
        """Saves a new draft and publishes it if told to. `onto` is the version that the author started from: if
        somebody saved another one since, it is a Conflict."""
        self._check_writable()
        async with self._store.editing():
            await self._check_onto(name, onto)
            bundle, checked = await self._made(name, source)
            version = await self._store.add_version(
                new_version(bundle, origin, author=author, note=note), publish=False
            )
            await self._store.note(author, "template.save", name, {"version": version.number})
            contract, warnings = (checked.contract, checked.warnings) if checked else (None, ())
            if checked:
                warnings = (*warnings, *_unreached(name, source, checked))
            if publish:
                renewed = await self._publish(version, bundle, author, force=force, shared=source.shared)
                return Saved(version, True, contract, warnings, renewed.published, renewed.drafted)
            published = (await self._store.published()).get(name)
            return Saved(version, bool(published and published.number == version.number), contract, warnings)

    async def _check_onto(self, name: str, onto: int | None) -> None:
        if onto is None:
            return
        versions = await self._store.versions(name)
        if not versions:
            raise Conflict(f"there is no template {name!r} to be changed", code="edited_meanwhile")
        newest = versions[0]
        if newest.number != onto:
            who = newest.author or newest.origin
            raise Conflict(f"version {newest.number} was saved by {who} meanwhile", code="edited_meanwhile")

    async def _made(self, name: str, source: Source) -> tuple[Bundle, Checked | None]:
        """The closure of a source. Nothing of it was parsed in this process."""
        pool = await self._pool(name, source)
        if is_shared(name):
            await self._check_shared(name, source, pool)
            own = files_of(name, source)
            return Bundle(name, own.files, own.assets), None
        checked = await self._check(name, pool)
        return pool.bundle(name, checked.closure), checked

    async def publish(self, name: str, number: int, *, author: str, force: bool = False) -> Renewed:
        """Makes a version the published one; also the way back to an older one. Answers the templates that got a new
        version with it, because they reach a shared file that this was. Raises NotFound, or Conflict with the list of
        what would break; `force` overrides, and is recorded."""
        self._check_writable()
        async with self._store.editing():
            version, bundle = await self.version(name, number)
            return await self._publish(version, bundle, author, force=force, shared={})

    async def _publish(
        self, version: Version, bundle: Bundle, author: str, *, force: bool, shared: Mapping[str, str]
    ) -> Renewed:
        name = version.template
        renewed: list[Renewal] = []
        if is_shared(name):
            pool = (await shared_pool(self._store)).over(shared).over(bundle.files, bundle.assets)
            renewed = await renewals(self._store, self._workshop, bundle, pool, self._now())
            broken = [
                Fault(f"{one.name}: {fault.field}", fault.code, fault.message)
                for one in renewed
                if one.publish
                for fault in (await self._judged(one.name, one.bundle)).breaks
            ]
        else:
            broken = (await self._judged(name, bundle)).breaks
        if broken and not force:
            raise Conflict(
                f"publishing version {version.number} of {name!r} would break callers: {broken[0].message}",
                code="breaking_change",
                faults=broken,
            )
        pairs = [(name, version.number)]
        for one in renewed:
            new = new_version(one.bundle, one.origin, author=author, note=f"{name} changed")
            saved = await self._store.add_version(new, publish=False)
            pairs += [(one.name, saved.number)] if one.publish else []
        await self._store.publish_all(pairs)
        answer = _renewed(renewed)
        detail = {"version": version.number, "forced": bool(broken), "breaks": [fault.message for fault in broken]}
        more = {"renewed": list(answer.published), "drafted": list(answer.drafted)} if renewed else {}
        await self._store.note(author, "template.publish", name, {**detail, **more})
        self._library.forget_published()
        return answer

    async def consequences(self, name: str, number: int) -> Consequences:
        """What publishing a version would mean for callers, and for the templates that reach a shared file. Names and
        types are told, never values. Raises NotFound, or Conflict for a shared file that would break a template."""
        _, bundle = await self.version(name, number)
        if not is_shared(name):
            judged = await self._judged(name, bundle)
            return Consequences(tuple(consequences(name, judged)), judged.recent)
        pool = (await shared_pool(self._store)).over(bundle.files, bundle.assets)
        renewed = await renewals(self._store, self._workshop, bundle, pool, self._now())
        told: list[Consequence] = []
        for one in renewed:
            told += consequences(one.name, await self._judged(one.name, one.bundle)) if one.publish else ()
        return Consequences(tuple(told), 0, _renewed(renewed))

    async def _judged(self, name: str, bundle: Bundle) -> Judged:
        """A bundle against what is published under its name."""
        published = (await self._store.published()).get(name)
        if published is None or published.hash == bundle.hash:
            return Judged()
        old = await self._template(name, published.number)
        recent = await self._store.recent_data(name, RECENT)
        return await asyncio.to_thread(
            lambda: judge(old, compile_bundle(bundle, public_url=self._public_url), recent, self._now())
        )

    async def delete(self, name: str, *, author: str) -> None:
        """Raises NotFound, or Conflict for a shared file that a published template reaches."""
        self._check_writable()
        async with self._store.editing():
            if is_shared(name) and (users := await self.users(name)):
                raise Conflict(f"{name} is used by {', '.join(users)}", code="in_use")
            if not await self._store.delete_template(name):
                raise NotFound(f"there is no template {name!r}")
            await self._store.note(author, "template.delete", name, {})
            self._library.forget_published()

    async def users(self, path: str) -> list[str]:
        """The published templates that reach a shared file."""
        found = []
        for name, published in sorted((await self._store.published()).items()):
            if not is_shared(name):
                _, bundle = await self.version(name, published.number)
                if path in bundle.files or path in bundle.assets:
                    found.append(name)
        return found

    async def _check_live(self, name: str) -> None:
        if not await self._store.is_live(name):
            raise NotFound(f"there is no template {name!r}")

    def _check_writable(self) -> None:
        if self._folder is not None:
            raise Conflict(
                "templates come from the folder alone (NOTIFIER_TEMPLATES_SOURCE=folder): "
                f"edit them there, in {self._folder}",
                code="read_only",
            )


def _renewed(found: Sequence[Renewal]) -> Renewed:
    return Renewed(
        tuple(sorted(one.name for one in found if one.publish)),
        tuple(sorted(one.name for one in found if not one.publish)),
    )


def _unreached(name: str, source: Source, checked: Checked) -> list[Fault]:
    """Parts that are in no mail: a slip in a name, most of the time."""
    message = "nothing reaches this file, and the version does not have it"
    known = set(checked.closure)
    return [Fault(f"parts.{path}", "unreached", message) for path in source.parts if f"{name}/{path}" not in known]
