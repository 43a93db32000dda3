"""Bundles out of a folder: one template that is broken is reported and never takes down the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from notifier.domain.errors import Fault
from notifier.templating.bundle import Bundle
from notifier.templating.closure import close
from notifier.templating.faults import TemplateBroken
from notifier.templating.render import compile_bundle

MAX_FILE = 10 * 1024 * 1024
"""Bytes of one file in a templates folder."""


@dataclass(frozen=True)
class Folder:
    """What a templates folder holds: good templates as bundles, the others' faults, both by name. `files` and
    `assets` are all that was read, by path: what `close` needs to make a bundle of an edited part."""

    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)


def read_folder(path: Path) -> Folder:
    """Read every template under `path`, compile it once, and keep what is good. OSError if there is no such folder."""
    files: dict[str, str] = {}
    assets: dict[str, bytes] = {}
    unreadable: dict[str, Fault] = {}
    for entry in sorted(path.rglob("*")):
        relative = entry.relative_to(path)
        if any(part.startswith(".") for part in relative.parts) or not entry.is_file():
            continue
        name = relative.as_posix()
        if entry.stat().st_size > MAX_FILE:
            unreadable[name] = Fault(f"{name}:1:1", "size", f"the file is larger than {MAX_FILE} bytes")
        elif _is_asset(relative.parts):
            assets[name] = entry.read_bytes()
        else:
            try:
                files[name] = entry.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
            except UnicodeDecodeError as error:
                unreadable[name] = Fault(f"{name}:1:1", "encoding", f"the file is not UTF-8 (byte {error.start})")
    bundles: dict[str, Bundle] = {}
    faults: dict[str, tuple[Fault, ...]] = {}
    for template in sorted(child.name for child in path.iterdir() if _is_template(child)):
        mine = [fault for name, fault in unreadable.items() if name.startswith(f"{template}/")]
        try:
            bundle = close(template, files, assets)
            compile_bundle(bundle)
            bundles[template] = bundle
        except TemplateBroken as broken:
            mine += broken.faults
        if mine:
            bundles.pop(template, None)
            faults[template] = tuple(mine)
    return Folder(bundles, faults, files, assets)


def write_bundle(bundle: Bundle, path: Path) -> tuple[Path, ...]:
    """Write a bundle's files and assets under a templates folder, over what is there; the paths written."""
    written = []
    for name, content in {**{n: text.encode() for n, text in bundle.files.items()}, **bundle.assets}.items():
        target = path / name
        if not target.resolve().is_relative_to(path.resolve()):
            raise ValueError(f"{name!r} leads out of the folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        written.append(target)
    return tuple(written)


def _is_asset(parts: tuple[str, ...]) -> bool:
    return parts[0] == "_assets" or (len(parts) > 2 and parts[1] == "assets")


def _is_template(child: Path) -> bool:
    return child.is_dir() and not child.name.startswith(("_", ".")) and any(child.iterdir())
