"""What a file of a template says and reaches, and the closure of a template over a folder's files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from notifier.domain.errors import Fault
from notifier.templating.bundle import NAME, PARTS, Bundle, read_options
from notifier.templating.catalogue import GETTEXT
from notifier.templating.environment import MailEnvironment, escapes, resolve
from notifier.templating.faults import TemplateBroken
from notifier.templating.filters import FILTERS, TESTS
from notifier.templating.links import dead_links
from notifier.templating.syntax import column_of, syntax_fault

_OWN = re.compile(
    r"template\.toml|schema\.json|samples/[^/]+\.json|(?:locales/[^/]+/)?(?:subject\.txt|preheader\.txt|body\.(?:html|txt|md))"
)
_LOCALE_PART = re.compile(r"locales/([^/]+)/[^/]+")
_REFERENCES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


@dataclass(slots=True)
class Reading:
    """One file, parsed: its tree, what it reaches, and what is wrong with it."""

    path: str
    tree: nodes.Template | None = None
    files: list[tuple[str, nodes.Node]] = field(default_factory=list)
    optional: set[str] = field(default_factory=set)
    assets: list[tuple[str, nodes.Node]] = field(default_factory=list)
    translates: bool = False
    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: nodes.Node, code: str, message: str) -> None:
        """Note what is wrong at a node."""
        self.faults.append(Fault(f"{self.path}:{int(node.lineno)}:{column_of(node.lineno)}", code, message))


def read_source(path: str, source: str, environment: MailEnvironment) -> Reading:
    """Parse one file and list all that is wrong with it by itself."""
    reading = Reading(path)
    try:
        tree = environment._parse(source, path, path)
        _walk(tree, reading)
    except TemplateSyntaxError as error:
        reading.faults.append(syntax_fault(error, path, source))
        return reading
    except RecursionError:
        reading.faults.append(Fault(f"{path}:1:1", "syntax", "expressions are nested too deeply"))
        return reading
    except ValueError as error:
        reading.faults.append(Fault(f"{path}:1:1", "syntax", str(error)))
        return reading
    reading.tree = tree
    if escapes(path) and (dead := dead_links(source)) is not None:
        at = max(0, source.find(dead))
        line, column = source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
        reading.faults.append(Fault(f"{path}:{line}:{column}", "link", f"{dead!r} is a link that runs a program"))
    return reading


def _walk(tree: nodes.Template, reading: Reading) -> None:
    """Look at every node once."""
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        pending.extend(node.iter_child_nodes())
        match node:
            case nodes.Filter(name=name) if name not in FILTERS:
                reading.fault(node, "filter", f"there is no filter {name!r}")
            case nodes.Test(name=name) if name not in TESTS:
                reading.fault(node, "test", f"there is no test {name!r}")
            case nodes.Name(name=name) if name in GETTEXT:
                reading.translates = True
            case nodes.Call(node=nodes.Name(name="asset")):
                _asset(node, reading)
            case _ if isinstance(node, _REFERENCES):
                _reference(node, reading)


def _asset(node: nodes.Call, reading: Reading) -> None:
    if len(node.args) == 1 and isinstance(node.args[0], nodes.Const) and isinstance(node.args[0].value, str):
        reading.assets.append((node.args[0].value, node.node))
    else:
        reading.fault(node.node, "dynamic", "asset() takes one literal name, so that a version knows all its files")


def _reference(node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport, reading: Reading) -> None:
    names = list(_literals(node.template))
    if None in names:
        reading.fault(node, "dynamic", "the name of a file must be literal, so that a version knows all its files")
    for name in names:
        if name is not None:
            reading.files.append((name, node))
            if isinstance(node, nodes.Include) and (node.ignore_missing or len(names) > 1):
                reading.optional.add(name)


def _literals(node: nodes.Node) -> Iterator[str | None]:
    """The names an expression can come to; None for one that is not literal."""
    match node:
        case nodes.Const(value=str() as name):
            yield name
        case nodes.List(items=items) | nodes.Tuple(items=items):
            for item in items:
                yield from _literals(item)
        case nodes.CondExpr(expr1=first, expr2=second):
            yield from _literals(first)
            if second is not None:
                yield from _literals(second)
        case _:
            yield None


def asset_path(template: str, name: str, assets: Mapping[str, bytes]) -> str | None:
    """Where `asset(name)` is: the template's own ``assets/``, else the shared ``_assets/``."""
    for path in (f"{template}/assets/{name}", f"_assets/{name}"):
        if path in assets:
            return path
    return None


@dataclass(slots=True)
class Reach:
    """All that a set of files reaches: readings by path, assets by name, and what is wrong."""

    readings: dict[str, Reading] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def translates(self) -> bool:
        return any(reading.translates for reading in self.readings.values())


def reach(template: str, start: Iterable[str], files: Mapping[str, str], assets: Mapping[str, bytes]) -> Reach:
    """Follow extends, include, import and asset() from `start`. Faults are of all files together."""
    environment = MailEnvironment(files)
    found = Reach()
    pending = list(start)
    edges: dict[str, list[str]] = {}
    while pending:
        path = pending.pop(0)
        if path in found.readings:
            continue
        reading = found.readings[path] = read_source(path, files[path], environment)
        found.faults += reading.faults
        for name, node in reading.files:
            target = resolve(name, path, files)
            if target is not None:
                edges.setdefault(path, []).append(target)
                pending.append(target)
            elif name not in reading.optional:
                position = f"{path}:{int(node.lineno)}:{column_of(node.lineno)}"
                found.faults.append(Fault(position, "file", f"there is no file {name!r}"))
        for name, node in reading.assets:
            place = asset_path(template, name, assets)
            if place is None:
                position = f"{path}:{int(node.lineno)}:{column_of(node.lineno)}"
                found.faults.append(Fault(position, "asset", f"there is no asset {name!r}"))
            else:
                found.assets[name] = place
    found.faults += [Fault(f"{path}:1:1", "cycle", "the file includes or extends itself") for path in _cycles(edges)]
    return found


def _cycles(edges: Mapping[str, list[str]]) -> list[str]:
    """Files from which a way leads back to themselves."""

    def returns(start: str) -> bool:
        seen: set[str] = set()
        pending = list(edges.get(start, ()))
        while pending:
            path = pending.pop()
            if path == start:
                return True
            if path not in seen:
                seen.add(path)
                pending.extend(edges.get(path, ()))
        return False

    return [path for path in edges if returns(path)]


def layouts(options_layout: str, files: Mapping[str, str]) -> list[str]:
    """The layouts that a Markdown body is put into, as far as they are there."""
    paths = (f"_layouts/{options_layout}.html", f"_layouts/{options_layout}.txt")
    return [path for path in paths if path in files]


def own_sources(name: str, files: Mapping[str, str]) -> list[str]:
    """The parts of a template in all its locales, by path."""
    prefix = f"{name}/"
    return sorted(path for path in files if path.startswith(prefix) and path.rpartition("/")[2] in PARTS
                  and _OWN.fullmatch(path.removeprefix(prefix)))  # fmt: skip


def catalogue_paths(name: str, files: Mapping[str, str]) -> dict[str, list[str]]:
    """Catalogues by locale as it is written in the path, a template's own before the shared one."""
    found: dict[str, list[str]] = {}
    for pattern in (rf"{re.escape(name)}/locales/([^/]+)/messages\.po", r"_locales/([^/]+)/messages\.po"):
        for path in sorted(files):
            if (match := re.fullmatch(pattern, path)) is not None:
                found.setdefault(match[1], []).append(path)
    return found


def close(name: str, files: Mapping[str, str], assets: Mapping[str, bytes]) -> Bundle:
    """The template `name` out of a pool of files and assets by path: only what it reaches, nothing more.

    Raises
    ------
    TemplateBroken
        With every fault of every file that it reaches.
    """
    if NAME.fullmatch(name) is None:
        raise TemplateBroken(name, [Fault(f"{name}:1:1", "name", "a name is letters, digits, dots, dashes")])
    prefix = f"{name}/"
    own = {path: text for path, text in files.items() if path.startswith(prefix)
           and _OWN.fullmatch(path.removeprefix(prefix))}  # fmt: skip
    sources = own_sources(name, files)
    options = read_options(own.get(f"{name}/template.toml", ""), f"{name}/template.toml")
    if any(path.endswith(".md") for path in sources):
        sources += layouts(options.layout, files)
    found = reach(name, sources, files, assets)
    if found.faults:
        raise TemplateBroken(name, found.faults)
    kept = own | {path: files[path] for path in found.readings}
    if found.translates:
        kept |= {path: files[path] for paths in catalogue_paths(name, files).values() for path in paths}
    return Bundle(name, dict(sorted(kept.items())), {path: assets[path] for path in sorted(found.assets.values())})
