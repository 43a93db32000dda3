"""The templates of a folder and those of a running service, in the same words, so that they can be compared."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx2 as httpx

from notifier.client.clients import http_options
from notifier.domain.errors import ConfigurationError, Fault, NotFound, NotifierError, Refused
from notifier.domain.template import Source
from notifier.templating import Bundle, Folder, read_folder
from notifier.templating.pool import is_shared, shared_bundles
from notifier.templating.source import files_of, source_of

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Copy:
    """One template or shared file, wherever it is: its own texts and assets by path, the SHA-256 of the shared files
    that it was made with, and what the service says of it (nothing for a folder)."""

    name: str
    texts: Mapping[str, str]
    assets: Mapping[str, bytes]
    shared: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    def same_as(self, other: "Copy") -> bool:
        return (self.texts, self.assets, self.shared) == (other.texts, other.assets, other.shared)


def folder_of(path: Path) -> Folder:
    """Raises ConfigurationError if there is none."""
    if not path.is_dir():
        raise ConfigurationError(f"--dir {path}: there is no such folder; `notifier templates new` makes one")
    return read_folder(path)


def sources(folder: Folder) -> Iterator[tuple[str, Source]]:
    """What a folder holds, as the service takes it: templates, then shared assets, then shared texts, so that nothing
    is named before it is there."""
    for name, bundle in sorted(folder.bundles.items()):
        own = source_of(bundle)
        pictures = {path: data for path, data in bundle.assets.items() if is_shared(path)}
        yield name, _with(own, {**(own.assets or {}), **pictures}, own.shared)
    texts = {path: text for path, text in folder.files.items() if is_shared(path)}
    for bundle in sorted(shared_bundles(folder.files, folder.assets), key=lambda one: (not one.assets, one.name)):
        own = source_of(bundle)
        yield bundle.name, _with(own, own.assets or None, texts)


def _with(source: Source, assets: Mapping[str, bytes] | None, shared: Mapping[str, str]) -> Source:
    return Source(
        source.parts, source.schema, source.samples, source.settings, source.description, assets, dict(shared)
    )


def copy_of(name: str, source: Source, told: Mapping[str, Any] | None = None) -> Copy:
    """A source as files, spelled as everywhere else, whatever its author's spelling was."""
    pool = files_of(name, source)
    shared = {} if is_shared(name) else source.shared
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in shared.items()}
    return Copy(name, dict(pool.files), dict(pool.assets), digests, told or {})


def bundle_of(copy: Copy) -> Bundle:
    """Only what is the template's own."""
    own = {path: data for path, data in copy.assets.items() if is_shared(copy.name) or not is_shared(path)}
    return Bundle(copy.name, copy.texts, own)


class RemoteTemplates:
    """The templates of a running service."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(**http_options(url, key, _SECONDS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def names(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/v1/templates")["data"]
        return found

    def find(self, name: str) -> Copy | None:
        """What is published, or the newest draft of what never was; None if there is no such template."""
        try:
            told = self._call("GET", f"/v1/templates/{quote(name)}", params={"include": "assets"})
        except NotFound:
            return None
        assets = {path: base64.b64decode(one["content"]) for path, one in told["assets"].items()}
        shared_assets = {path: data for path, data in assets.items() if is_shared(path)}
        if is_shared(name):
            copy = copy_of(name, Source(told["parts"], assets=assets or None), told)
        else:
            more = (told["schema"], told["samples"], told["settings"], told["description"])
            copy = copy_of(name, Source(told["parts"], *more, assets=assets), told)
        return Copy(name, copy.texts, {**copy.assets, **shared_assets}, told["shared"], told)

    def put(self, name: str, source: Source, *, publish: bool, force: bool) -> Mapping[str, Any]:
        assets = source.assets
        body = {
            "parts": source.parts,
            "schema": source.schema,
            "samples": source.samples,
            "settings": source.settings,
            "description": source.description,
            "assets": None if assets is None else {p: base64.b64encode(data).decode() for p, data in assets.items()},
            "shared": source.shared,
        }
        params = {"publish": publish, "force": force}
        return self._call("PUT", f"/v1/templates/{quote(name)}", params=params, json=body)

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Raises NotFound, Refused with every fault, or NotifierError for a service that does not answer."""
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise NotifierError(f"{self._http.base_url}: {error or type(error).__name__}") from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        try:
            problem = answer.json()
            detail, told = problem["detail"], problem.get("errors", ())
        except (ValueError, KeyError, TypeError):
            raise NotifierError(
                f"{self._http.base_url} answered {answer.status_code}, and not as notifier does"
            ) from None
        if answer.status_code == NotFound.status:
            raise NotFound(detail)
        faults = [Fault(one["field"], one["code"], one["message"]) for one in told]
        raise Refused(detail, code=problem.get("code"), faults=faults)
