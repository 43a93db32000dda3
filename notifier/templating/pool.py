"""The files that templates share: layouts, partials, catalogues, assets. Each is kept under its path as a template of
its own that cannot be sent, with versions like any other."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from notifier.domain.template import Closure, Published
from notifier.templating.bundle import Bundle


class Shared(Protocol):
    async def published(self) -> Mapping[str, Published]: ...
    async def find_version(self, name: str, wanted: int | str, /) -> Closure | None: ...
    async def assets(self, hashes: Iterable[str], /) -> Mapping[str, bytes]: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts and assets by path, as `close` takes them."""

    files: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)

    def over(self, files: Mapping[str, str], assets: Mapping[str, bytes] | None = None) -> "Pool":
        """The same with other files put over it."""
        return Pool({**self.files, **files}, {**self.assets, **(assets or {})})

    def bundle(self, name: str, paths: Iterable[str]) -> Bundle:
        """The closure of a template, by the paths that are in it."""
        wanted = sorted(paths)
        files = {path: self.files[path] for path in wanted if path in self.files}
        return Bundle(name, files, {path: self.assets[path] for path in wanted if path in self.assets})


def is_shared(name: str) -> bool:
    """Whether a name is a shared file's: a leading underscore says that it cannot be sent."""
    return name.startswith("_")


def shared_bundles(files: Mapping[str, str], assets: Mapping[str, bytes]) -> Iterable[Bundle]:
    """A bundle for each shared file of a folder."""
    yield from (Bundle(path, {path: text}) for path, text in files.items() if is_shared(path))
    yield from (Bundle(path, {}, {path: content}) for path, content in assets.items() if is_shared(path))


async def load(store: Shared, closure: Closure) -> Bundle:
    """A stored version as a bundle."""
    given = json.loads(closure.bundle)
    return Bundle.from_json(given, await store.assets(given["assets"].values()))


async def shared_pool(store: Shared) -> Pool:
    """What is published of the shared files."""
    files: dict[str, str] = {}
    assets: dict[str, bytes] = {}
    for name, published in (await store.published()).items():
        if is_shared(name) and (closure := await store.find_version(name, published.number)):
            bundle = await load(store, closure)
            files.update(bundle.files)
            assets.update(bundle.assets)
    return Pool(files, assets)
