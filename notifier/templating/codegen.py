"""Jinja's compiler, with the counting written into what it compiles."""

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame


class Generator(CodeGenerator):
    """Writes the counting into the compiled template: a step per loop pass, macro and block, as heavy as its body.
    What every `{{ ... }}` needs (the run, what puts out, what looks up) is a local name of each compiled function."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._called: set[int] = set()

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("run = environment.current_run()")
        self.writeline("emitted = environment.emitted")
        self.writeline("emitted_html = environment.emitted_html")
        self.writeline("attribute_of = environment.getattr")

    def _make_finalize(self) -> CodeGenerator._FinalizeInfo:
        return self._FinalizeInfo(None, "")  # nothing is put out while a template is compiled

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:  # noqa: ARG002 - Jinja passes them
        if frame.eval_ctx.volatile:
            self.write("(emitted_html if context.eval_ctx.autoescape else emitted)(run, ")
        else:
            self.write("emitted_html(run, " if frame.eval_ctx.autoescape else "emitted(run, ")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:  # noqa: ARG002 - as above
        self.write(")")

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        for body in list(node.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))):
            assert isinstance(body, nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block)  # noqa: S101 - for mypy
            step = nodes.EnvironmentAttribute(f"{_STEP}{weight(body)})", lineno=body.lineno)
            body.body.insert(0, nodes.ExprStmt(step, lineno=body.lineno))
            if isinstance(body, nodes.For) and body.test is not None:
                body.test = nodes.And(nodes.EnvironmentAttribute("spend(1)"), body.test, lineno=body.lineno)
        node.set_environment(self.environment)
        super().visit_Template(node, frame)

    def visit_EnvironmentAttribute(self, node: nodes.EnvironmentAttribute, frame: Frame) -> None:
        if node.name.startswith(_STEP):
            self.write(node.name)
        else:
            super().visit_EnvironmentAttribute(node, frame)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        if isinstance(node.node, nodes.Getattr):
            self._called.add(id(node.node))
        super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        self.write("environment.method(" if id(node) in self._called else "attribute_of(")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r})")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        self._wrapped("made", super().visit_Getitem, node, frame, isinstance(node.arg, nodes.Slice))

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        self.write("(")
        self._wrapped("weighed", self.visit, node.expr, frame, not isinstance(node.expr, nodes.Const))
        for operand in node.ops:
            self.visit(operand, frame)
        self.write(")")

    def visit_Operand(self, node: nodes.Operand, frame: Frame) -> None:
        self.write(f" {_OPERATORS[node.op]} ")
        self._wrapped("weighed", self.visit, node.expr, frame, not isinstance(node.expr, nodes.Const))

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def _wrapped(self, function: str, visit: Callable[..., Any], node: nodes.Node, frame: Frame, wrap: bool) -> None:
        if wrap:
            self.write(f"environment.{function}(")
        visit(node, frame)
        if wrap:
            self.write(")")


_STEP = "run.step("
_OPERATORS = {
    "eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"
}  # fmt: skip


def weight(node: nodes.Node) -> int:
    """What one pass through a body costs: its literal characters and its nodes."""
    total = 0
    for child in node.iter_child_nodes():
        total += len(child.data) if isinstance(child, nodes.TemplateData) else 1
        total += weight(child)
    return total
