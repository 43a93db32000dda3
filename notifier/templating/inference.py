"""Infer a contract: walk all parts, layouts, partials and macros of all locales as a render would, without data.

One part alone would be wrong both ways: a child's `set` names what nobody sends, a layout needs what no part names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from notifier.templating.environment import MailEnvironment, resolve
from notifier.templating.filters import GLOBALS
from notifier.templating.shapes import SCALAR, Shape, Use
from notifier.templating.syntax import column_of
from notifier.templating.template import Variant

PROVIDED = frozenset({"subject", "preheader", "locale", "timezone", "now", "content"})
"""Names that a render brings along. In subject.txt `subject` is the caller's."""
_SPECIAL = frozenset({"loop", "self", "super", "caller", "varargs", "kwargs"})
_SAME_LIST = frozenset(
    {"sort", "reverse", "unique", "list", "select", "reject", "selectattr", "rejectattr", "default", "d"}
)
_ATTRIBUTE_FIRST = frozenset({"selectattr", "rejectattr", "groupby"})
_FILTER_KINDS = {
    "money": {"number", "string"}, "number": {"number", "string"}, "percent": {"number", "string"},
    "date": {"string", "number"}, "time": {"string", "number"}, "datetime": {"string", "number"},
    "url": {"string"}, "upper": {"string"}, "lower": {"string"}, "title": {"string"}, "nl2br": {"string"},
}  # fmt: skip
_MAX_CALLS = 8


@dataclass(slots=True)
class _Macro:
    node: nodes.Macro
    scope: "_Scope"
    path: str


@dataclass(slots=True)
class _Scope:
    """Names in reach: shapes, macros, modules (other scopes), or None for what the template made itself."""

    names: dict[str, Any] = field(default_factory=dict)
    outer: "_Scope | None" = None

    def find(self, name: str) -> tuple[bool, Any]:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return True, scope.names[name]
            scope = scope.outer
        return False, None


def shape_of(sources: Mapping[str, str], variants: Iterable[Variant]) -> Shape:
    """The shape of the data over all variants. Types are as narrow as the use says."""
    environment = MailEnvironment(sources)
    trees: dict[str, nodes.Template] = {}
    root = Shape()
    done: set[str] = set()
    for variant in variants:
        for path in part_paths(variant):
            if path not in done:
                done.add(path)
                _Walk(environment, trees, root, path).run()
    return root


def part_paths(variant: Variant) -> list[str]:
    """The files that a variant renders, in order."""
    paths = (variant.subject, variant.preheader, variant.markdown, variant.html, variant.text)
    return [path for path in (*paths, variant.markdown_html, variant.markdown_text) if path is not None]


class _Walk:
    """One part, followed through everything that it reaches."""

    def __init__(self, environment: MailEnvironment, trees: dict[str, nodes.Template], root: Shape, path: str) -> None:
        self._environment = environment
        self._trees = trees
        self._root: Shape | None = root
        self._path = path
        self._provided = PROVIDED - {"subject", "preheader"} if path.endswith("/subject.txt") else PROVIDED
        self._blocks: dict[str, list[tuple[nodes.Block, str]]] = {}
        self._block: tuple[str, int] | None = None
        self._callers: list[Callable[[bool], None]] = []
        self._calls = 0

    def run(self) -> None:
        self._file(self._path, _Scope(), True)

    def _tree(self, path: str) -> nodes.Template:
        if path not in self._trees:
            self._trees[path] = self._environment.parse(self._environment.sources[path], path, path)
        return self._trees[path]

    def _file(self, path: str, scope: _Scope, sure: bool) -> None:
        """A file with its layouts: what a child says at the top first, then the parent with the child's blocks."""
        before, self._path = self._path, path
        tree = self._tree(path)
        for block in tree.find_all(nodes.Block):
            self._blocks.setdefault(block.name, []).append((block, path))
        parents = [node for node in tree.body if isinstance(node, nodes.Extends)]
        if not parents:
            self._body(tree.body, scope, sure)
        else:
            skipped = (nodes.Output, nodes.Block, nodes.Extends)
            self._body([node for node in tree.body if not isinstance(node, skipped)], scope, sure)
            self._need(parents[0].template, scope, sure)
            names = [node.value for node in parents[0].template.find_all(nodes.Const)]
            if isinstance(parents[0].template, nodes.Const):
                names = [parents[0].template.value]
            for name in names:
                parent = resolve(str(name), path, self._environment.sources)
                if parent is not None:
                    self._file(parent, scope, sure)
        self._path = before

    def _body(self, body: Iterable[nodes.Node], scope: _Scope, sure: bool) -> None:
        for node in body:
            self._statement(node, scope, sure)

    def _statement(self, node: nodes.Node, scope: _Scope, sure: bool) -> None:
        match node:
            case nodes.Output(nodes=parts):
                for part in parts:
                    self._print(part, scope, sure)
            case nodes.For():
                self._for(node, scope, sure)
            case nodes.If():
                self._need(node.test, scope, sure)
                self._body(node.body, scope, False)
                for branch in node.elif_:
                    self._need(branch.test, scope, False)
                    self._body(branch.body, scope, False)
                self._body(node.else_, scope, False)
            case nodes.Assign(target=nodes.Name(name=name), node=value):
                scope.names[name] = self._look(value, scope, sure)
            case nodes.Assign(target=target, node=value):
                self._need(value, scope, sure)
                self._bind(target, None, scope)
            case nodes.AssignBlock(target=target, body=body):
                self._body(body, scope, sure)
                self._bind(target, None, scope)
            case nodes.Block(name=name):
                self._visit_block(name, 0, scope, sure)
            case nodes.Macro(name=name):
                scope.names[name] = _Macro(node, scope, self._path)
            case nodes.Import() | nodes.FromImport():
                self._import(node, scope)
            case nodes.Include(template=template):
                self._include(template, scope, sure)
            case nodes.CallBlock(call=call, body=body):
                self._callers.append(lambda inner: self._body(body, _Scope(_arguments(node), scope), inner))
                self._look(call, scope, sure)
                self._callers.pop()
            case nodes.With(targets=targets, values=values, body=body):
                inner = _Scope(outer=scope)
                for target, value in zip(targets, values, strict=True):
                    self._bind(target, self._look(value, scope, sure), inner)
                self._body(body, inner, sure)
            case nodes.FilterBlock(body=body) | nodes.Scope(body=body) | nodes.ScopedEvalContextModifier(body=body):
                self._body(body, _Scope(outer=scope), sure)
            case nodes.ExprStmt(node=value):
                self._need(value, scope, sure)

    def _print(self, node: nodes.Node, scope: _Scope, sure: bool) -> None:
        shape = self._need(node, scope, sure)
        if shape is not None and isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem) and not shape.kinds:
            shape.kinds |= SCALAR

    def _for(self, node: nodes.For, scope: _Scope, sure: bool) -> None:
        shape = self._need(node.iter, scope, sure)
        inner = _Scope({"loop": None}, scope)
        item = None
        if shape is not None and not _is_items(node.iter):
            shape.kinds -= SCALAR
            shape.kinds.add("array")
            item = shape.entry()
        self._bind(node.target, item, inner)
        if node.test is not None:
            self._need(node.test, inner, sure)
        self._body(node.body, inner, sure and node.test is None)
        self._body(node.else_, scope, False)

    def _bind(self, target: nodes.Node, shape: Any, scope: _Scope) -> None:
        if isinstance(target, nodes.Name):
            scope.names[target.name] = shape
        else:
            for name in target.find_all(nodes.Name):
                scope.names[name.name] = None

    def _visit_block(self, name: str, level: int, scope: _Scope, sure: bool) -> None:
        versions = self._blocks.get(name, [])
        if level >= len(versions) or self._calls > _MAX_CALLS:
            return
        block, path = versions[level]
        before, self._block = self._block, (name, level)
        where, self._path = self._path, path
        self._calls += 1
        self._body(block.body, _Scope(outer=scope), sure)
        self._calls -= 1
        self._block, self._path = before, where

    def _import(self, node: nodes.Import | nodes.FromImport, scope: _Scope) -> None:
        module = _Scope()
        path = resolve(str(getattr(node.template, "value", "")), self._path, self._environment.sources)
        if path is not None:
            root = self._root
            if not node.with_context:
                self._root = None
            self._file(path, module, False)
            self._root = root
        if isinstance(node, nodes.Import):
            scope.names[node.target] = module
            return
        for entry in node.names:
            name, alias = entry if isinstance(entry, tuple) else (entry, entry)
            scope.names[alias] = module.names.get(name)

    def _include(self, template: nodes.Node, scope: _Scope, sure: bool) -> None:
        names = [template] if isinstance(template, nodes.Const) else list(template.find_all(nodes.Const))
        for name in names:
            path = resolve(str(name.value), self._path, self._environment.sources)
            if path is not None:
                blocks, self._blocks = self._blocks, {}
                self._file(path, _Scope(outer=scope), sure and len(names) == 1)
                self._blocks = blocks

    # Expressions: `_look` follows a name without using it, `_need` uses what it finds.

    def _need(self, node: nodes.Node | None, scope: _Scope, sure: bool) -> Shape | None:
        found = self._look(node, scope, sure) if node is not None else None
        if isinstance(found, Shape) and node is not None:
            found.need(sure and not _has_default(node), Use(self._path, int(node.lineno), column_of(node.lineno)))
            return found
        return None

    def _look(self, node: nodes.Node, scope: _Scope, sure: bool) -> Any:
        match node:
            case nodes.Name(name=name):
                return self._name(name, scope)
            case nodes.Getattr(node=base, attr=name) | nodes.Getitem(node=base, arg=nodes.Const(value=str() as name)):
                parent = self._look(base, scope, sure)
                if isinstance(parent, _Scope):
                    return parent.names.get(name)
                return parent.property(name) if isinstance(parent, Shape) else None
            case nodes.Getitem(node=base, arg=nodes.Const(value=int())):
                parent = self._need(base, scope, sure)
                return parent.entry() if parent is not None else None
            case nodes.Filter():
                return self._filter(node, scope, sure)
            case nodes.Test(node=base, name="defined" | "undefined"):
                self._look(base, scope, sure)
                return None
            case nodes.Call():
                return self._call(node, scope, sure)
            case nodes.CondExpr(test=test, expr1=first, expr2=second):
                self._need(test, scope, sure)
                self._need(first, scope, False)
                self._need(second, scope, False)
                return None
            case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
                self._need(left, scope, sure)
                self._need(right, scope, False)
                return None
        for child in node.iter_child_nodes():
            self._need(child, scope, sure)
        return None

    def _name(self, name: str, scope: _Scope) -> Any:
        known, found = scope.find(name)
        if known:
            return found
        if name in self._provided or name in _SPECIAL or name in GLOBALS or self._root is None:
            return None
        return self._root.property(name)

    def _filter(self, node: nodes.Filter, scope: _Scope, sure: bool) -> Any:
        if node.node is None:
            return None
        guarded = node.name in ("default", "d")
        base = self._look(node.node, scope, sure) if guarded else self._need(node.node, scope, sure)
        for argument in (*node.args, *node.kwargs):
            self._need(argument.value if isinstance(argument, nodes.Keyword) else argument, scope, sure)
        if not isinstance(base, Shape):
            return None
        base.kinds |= _FILTER_KINDS.get(node.name, set())
        name = _attribute(node)
        if name is not None:
            base.kinds.add("array")
            shape = base.entry()
            for step in name.split("."):
                shape = shape.property(step)
            shape.need(True, Use(self._path, int(node.lineno), column_of(node.lineno)))
            if node.name == "map":
                return Shape(kinds={"array"}, item=shape)
        if node.name in ("first", "last"):
            base.kinds.add("array")
            return base.entry()
        return base if node.name in _SAME_LIST else None

    def _call(self, node: nodes.Call, scope: _Scope, sure: bool) -> Any:
        match node.node:
            case nodes.Name(name="super") if self._block is not None:
                self._visit_block(self._block[0], self._block[1] + 1, scope, sure)
                return None
            case nodes.Name(name="caller") if self._callers:
                self._callers[-1](sure)
                return None
            case nodes.Getattr(node=nodes.Name(name="self"), attr=name):
                self._visit_block(name, 0, scope, sure)
                return None
            case nodes.Getattr(node=base, attr=("items" | "keys" | "values" | "get") as method):
                shape = self._need(base, scope, sure)
                if shape is not None:
                    shape.kinds = {"object"}
                    if method == "get" and node.args and isinstance(node.args[0], nodes.Const):
                        return shape.property(str(node.args[0].value))
                return None
        target = self._look(node.node, scope, sure) if not isinstance(node.node, nodes.Getattr) else None
        if isinstance(node.node, nodes.Getattr):
            owner = self._look(node.node.node, scope, sure)
            if isinstance(owner, _Scope):
                target = owner.names.get(node.node.attr)
            elif isinstance(owner, Shape):
                self._need(node.node.node, scope, sure)
        if isinstance(target, _Macro):
            self._call_macro(target, node, scope, sure)
            return None
        for argument in (*node.args, *(keyword.value for keyword in node.kwargs)):
            self._need(argument, scope, sure)
        return None

    def _call_macro(self, macro: _Macro, node: nodes.Call, scope: _Scope, sure: bool) -> None:
        """The macro's body with its parameters standing for what this call passes."""
        if self._calls >= _MAX_CALLS:
            return
        names = [argument.name for argument in macro.node.args]
        inner = _Scope(dict.fromkeys(names), macro.scope)
        for name, argument in zip(names, node.args, strict=False):
            inner.names[name] = self._look(argument, scope, sure)
        for keyword in node.kwargs:
            inner.names[keyword.key] = self._look(keyword.value, scope, sure)
        where, self._path = self._path, macro.path
        self._calls += 1
        self._body(macro.node.body, inner, sure)
        self._calls -= 1
        self._path = where


def _has_default(node: nodes.Node | None) -> bool:
    """Whether somewhere in a chain of filters something stands in for what is missing."""
    while isinstance(node, nodes.Filter):
        if node.name in ("default", "d"):
            return True
        node = node.node
    return False


def _attribute(node: nodes.Filter) -> str | None:
    """The attribute that a filter reads from every item."""
    given: nodes.Node | None = node.args[0] if node.name in _ATTRIBUTE_FIRST and node.args else None
    for keyword in node.kwargs:
        if keyword.key == "attribute":
            given = keyword.value
    if isinstance(given, nodes.Const) and isinstance(given.value, str):
        return given.value
    return None


def _is_items(node: nodes.Node) -> bool:
    """Whether a loop goes over a mapping's entries."""
    inner = node.node if isinstance(node, nodes.Filter) and node.node is not None else node
    if isinstance(node, nodes.Filter) and node.name in ("items", "dictsort"):
        return True
    return isinstance(inner, nodes.Call) and isinstance(inner.node, nodes.Getattr)


def _arguments(node: nodes.CallBlock) -> dict[str, Any]:
    return {argument.name: None for argument in node.args}
