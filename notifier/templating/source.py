"""What an author hands in, as files of a templates folder, and back."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from notifier.domain.errors import Fault, Refused, refused
from notifier.domain.template import Source
from notifier.templating.bundle import Bundle, TemplateOptions
from notifier.templating.pool import Pool, is_shared

_STEP = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_PATH: Final = re.compile(rf"{_STEP}(?:/{_STEP})*", re.ASCII)
_SAMPLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_LONGEST: Final = 200
"""Characters of a path: it becomes one in a folder again."""
_ELSEWHERE: Final = {"schema.json": "schema", "template.toml": "settings"}


def files_of(name: str, source: Source) -> Pool:
    """The files and assets of a template, by path, shared ones as the author has them included. Raises TemplateBroken
    for settings that are none, Refused for paths that are none."""
    _check_paths(name, source)
    if is_shared(name):
        return _shared_file(name, source)
    files = {f"{name}/{path}": text for path, text in source.parts.items()}
    if source.schema is not None:
        files[f"{name}/schema.json"] = _json(source.schema)
    for sample, data in (source.samples or {}).items():
        files[f"{name}/samples/{sample}.json"] = _json(data)
    given = dict(source.settings or {})
    if source.description is not None:
        given["description"] = source.description
    files[f"{name}/template.toml"] = TemplateOptions.from_mapping(given, f"{name}/template.toml").to_toml()
    assets = {path if is_shared(path) else f"{name}/{path}": data for path, data in (source.assets or {}).items()}
    return Pool(files, assets)


def _shared_file(name: str, source: Source) -> Pool:
    if len(source.parts) + len(source.assets or {}) != 1:
        fault = Fault("parts", "count", "give exactly one part, or one asset")
        raise Refused("a shared file is one text or one asset", faults=[fault])
    if source.assets:
        return Pool({}, {name: next(iter(source.assets.values()))})
    return Pool({name: next(iter(source.parts.values()))})


def _check_paths(name: str, source: Source) -> None:
    """Paths that would lead somewhere else, or that nothing would ever read."""
    faults = []

    def check(field: str, path: str, why_not: str | None = None) -> None:
        if len(path) > _LONGEST or not _PATH.fullmatch(path):
            why_not = f"a path is letters, digits, '.', '-', '_' and '/', at most {_LONGEST} in all"
        if why_not:
            faults.append(Fault(f"{field}.{path[:_LONGEST]}", "path", why_not))

    for path in source.parts:
        why_not = f"give it as `{_ELSEWHERE[path]}`" if path in _ELSEWHERE else None
        if path.startswith(("samples/", "assets/")):
            why_not = f"give it under `{path.partition('/')[0]}`"
        check("parts", path, why_not)
    for path in source.shared:
        check("shared", path, None if is_shared(path) else "a shared file is in a folder with a leading underscore")
    for path in source.assets or ():
        home = path.startswith(("assets/", "_assets/")) or is_shared(name)
        check("assets", path, None if home else "an asset is in assets/ or _assets/")
    for sample in source.samples or ():
        if len(sample) > _LONGEST or not _SAMPLE.fullmatch(sample):
            faults.append(Fault(f"samples.{sample[:_LONGEST]}", "path", "a sample's name is letters, digits, '.-_'"))
    if faults:
        raise refused(faults)


def source_of(bundle: Bundle) -> Source:
    """What an author would hand in to get this bundle."""
    if is_shared(bundle.name):
        filename = bundle.name.rpartition("/")[2]
        return Source(
            dict(zip([filename], bundle.files.values(), strict=False)),
            assets=dict(zip([filename], bundle.assets.values(), strict=False)),
        )
    own = bundle.parts
    samples = {
        path.removeprefix("samples/").removesuffix(".json"): json.loads(text)
        for path, text in own.items()
        if path.startswith("samples/")
    }
    settings = bundle.options.to_mapping()
    prefix = f"{bundle.name}/"
    return Source(
        parts={
            path: text
            for path, text in own.items()
            if path not in ("schema.json", "template.toml") and not path.startswith("samples/")
        },
        schema=json.loads(own["schema.json"]) if "schema.json" in own else None,
        samples=samples,
        settings={key: value for key, value in settings.items() if key != "description"},
        description=bundle.options.description,
        assets={path.removeprefix(prefix): content for path, content in bundle.assets.items()},
        shared={path: text for path, text in bundle.files.items() if is_shared(path)},
    )


def in_parts(name: str, faults: Sequence[Fault], part: str | None = None) -> Refused:
    """Positions in files as positions in the request's parts. A shared file is its one `part`."""
    told = [_placed(name, fault, part) for fault in faults]
    first = f"{told[0].field}: {told[0].message}"
    return Refused(f"template {name!r} is broken: {first}", code="template_broken", faults=told)


def _placed(name: str, fault: Fault, part: str | None) -> Fault:
    if part is not None and fault.field.startswith(f"{name}:"):
        return Fault(f"parts.{part}{fault.field.removeprefix(name)}", fault.code, fault.message)
    if not fault.field.startswith(f"{name}/"):
        return fault
    path = fault.field.removeprefix(f"{name}/")
    if path.startswith("template.toml:"):
        return Fault("settings", fault.code, fault.message)
    if path.startswith("schema.json:"):
        return Fault("schema", fault.code, fault.message)
    return Fault(f"parts.{path}", fault.code, fault.message)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
