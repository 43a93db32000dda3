"""A version of a template as plain, immutable data: its files with everything that they reach, and one hash."""

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, cast

from notifier.domain.errors import Fault
from notifier.domain.notification import OnUnknown, Priority
from notifier.templating.faults import TemplateBroken

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
"""A template's name: also a folder's name and a path segment of the API."""
PARTS = ("subject.txt", "preheader.txt", "body.html", "body.txt", "body.md")
LOCALE = re.compile(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z0-9]{2,8})*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """`template.toml`: what the template says of itself and the defaults of its mails. `expires_after` is in seconds;
    `layout` is what a Markdown body is put into (``base`` means ``_layouts/base.html`` and ``_layouts/base.txt``).
    With `unsubscribe` readers may say stop to mails of this `category`."""

    description: str = ""
    category: str = ""
    locale: str = "en"
    timezone: str = "UTC"
    from_: str | None = None
    reply_to: tuple[str, ...] = ()
    priority: Priority = "normal"
    expires_after: float | None = None
    on_unknown: OnUnknown = "retry"
    inline_css: bool = False
    unsubscribe: bool = False
    layout: str = "base"

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], path: str = "template.toml") -> "TemplateOptions":
        """Read parsed TOML, or the `settings` of the API. Raises `TemplateBroken` naming every key that is wrong."""
        known = {entry.name.rstrip("_") for entry in fields(cls)}
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for key, value in given.items():
            if key not in known:
                faults.append(Fault(f"{path}:1:1", "unknown", f"{key!r} is not an option: {', '.join(sorted(known))}"))
                continue
            try:
                values["from_" if key == "from" else key] = _option(key, value)
            except ValueError as error:
                faults.append(Fault(f"{path}:1:1", "type", f"{key}: {error}"))
        if faults:
            raise TemplateBroken(path, faults)
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Only what differs from the defaults; `from_mapping` reads it back."""
        given: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != entry.default:
                given[entry.name.rstrip("_")] = list(value) if isinstance(value, tuple) else value
        return given

    def to_toml(self) -> str:
        """`template.toml` as text. JSON's strings, numbers, booleans and lists are TOML's, too."""
        return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in self.to_mapping().items())


def _option(key: str, value: Any) -> Any:
    """One option, checked."""
    match key:
        case "priority":
            return _one_of(value, ("high", "normal", "low"))
        case "on_unknown":
            return _one_of(value, ("retry", "hold"))
        case "inline_css" | "unsubscribe":
            if not isinstance(value, bool):
                raise ValueError("must be true or false")
            return value
        case "expires_after":
            return _seconds(value)
        case "reply_to":
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list | tuple) or not all(isinstance(entry, str) for entry in values):
                raise ValueError("must be an address or a list of addresses")
            return tuple(values)
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if key == "locale" and LOCALE.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not a locale such as fr or fr-CA")
    return value


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return cast("str", value)


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not float(found[1]):
        raise ValueError("must be a duration such as 90s, 15m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True)
class Bundle:
    """One version of a template: a closure over parts, locales, layouts, partials, catalogues and assets.

    `files` holds text by path within the templates folder (``welcome/subject.txt``, ``_layouts/base.html``), `assets`
    holds bytes (``_assets/logo.png``). Two bundles with the same `hash` render the same mails on any machine.
    """

    name: str
    files: Mapping[str, str]
    assets: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over the name and every file and asset, by path."""
        digest = hashlib.sha256(f"notifier-bundle-1\0{self.name}".encode())
        for kind, entries in (("f", {p: t.encode() for p, t in self.files.items()}), ("a", self.assets)):
            for path, content in sorted(entries.items()):
                digest.update(f"\0{kind}{len(path.encode())}:{path}{len(content)}:".encode())
                digest.update(content)
        return digest.hexdigest()

    @cached_property
    def options(self) -> TemplateOptions:
        """Parsed `template.toml`. Raises `TemplateBroken`."""
        return read_options(self.files.get(f"{self.name}/template.toml", ""), f"{self.name}/template.toml")

    @property
    def parts(self) -> dict[str, str]:
        """The template's own files without its folder: ``subject.txt``, ``locales/fr/subject.txt``, ..."""
        prefix = f"{self.name}/"
        return {path.removeprefix(prefix): text for path, text in self.files.items() if path.startswith(prefix)}

    def to_json(self) -> dict[str, Any]:
        """Plain data for a store: texts as they are, assets as the SHA-256 (hex) that their bytes are kept under."""
        return {
            "name": self.name,
            "files": dict(self.files),
            "assets": {path: hashlib.sha256(content).hexdigest() for path, content in self.assets.items()},
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any], contents: Mapping[str, bytes]) -> "Bundle":
        """Back from `to_json`; `contents` are assets' bytes by their SHA-256. KeyError if one is not there."""
        assets = {path: contents[digest] for path, digest in given["assets"].items()}
        return cls(given["name"], dict(given["files"]), assets)

    def to_wire(self) -> dict[str, Any]:
        """All of it as plain data, assets in base64: for a pipe or a file."""
        assets = {path: base64.b64encode(content).decode() for path, content in self.assets.items()}
        return {"name": self.name, "files": dict(self.files), "assets": assets}

    @classmethod
    def from_wire(cls, given: Mapping[str, Any]) -> "Bundle":
        """Back from `to_wire`."""
        assets = {path: base64.b64decode(content) for path, content in given["assets"].items()}
        return cls(given["name"], dict(given["files"]), assets)


def read_options(text: str, path: str) -> TemplateOptions:
    """Parse the text of a `template.toml`. Raises `TemplateBroken` with the line and column of what is wrong."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (found[1], found[2]) if found else (text.count("\n") + 1, 1)
        message = str(error).partition(" (at ")[0]
        raise TemplateBroken(path, [Fault(f"{path}:{line}:{column}", "syntax", message)]) from None
    return TemplateOptions.from_mapping(given, path)


Part = Literal["subject.txt", "preheader.txt", "body.html", "body.txt", "body.md"]


def locale_tag(locale: str) -> str:
    """`fr_ca` and `FR-ca` as `fr-CA` (RFC 5646 2.1.1); a script is titled: `zh-Hant-TW`."""
    head, *rest = re.split("[-_]", locale)
    return "-".join([head.lower(), *(p.upper() if len(p) == 2 else p.title() if len(p) == 4 else p for p in rest)])


def locale_chain(locale: str) -> tuple[str, ...]:
    """The locale and what it falls back to, the root left out: `fr-CA` gives `fr-CA`, `fr`."""
    steps = locale_tag(locale).split("-")
    return tuple("-".join(steps[:length]) for length in range(len(steps), 0, -1))
