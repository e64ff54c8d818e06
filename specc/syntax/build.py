"""What every rule of grammar/specc.lark becomes: a node of the syntax tree, with the span of all that the rule took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from specc.diagnostics import Findings
from specc.portable.run import numerals
from specc.source import Source, Span
from specc.syntax import ast
from specc.syntax.characters import BAD_NUMBER
from specc.syntax.node import fields_of

NODES: Final[Mapping[str, Callable[..., Any]]] = {
    "block": ast.Block,
    "parameter": ast.BlockParameter,
    "supernet": ast.Supernet,
    "setting": ast.Arg,
    "input": ast.InputStatement,
    "predicts": ast.PredictsStatement,
    "let": ast.LetStatement,
    "param": ast.ParamStatement,
    "choice": ast.ChoiceStatement,
    "norm_setting": ast.NormSetting,
    "width": ast.WidthSetting,
    "connect": ast.ConnectSetting,
    "repeat": ast.Repeat,
    "skippable": ast.Skippable,
    "branches": ast.Branches,
    "exit": ast.Exit,
    "named": ast.Arg,
    "range": ast.RangeExpr,
}
"""The rules whose parts are the fields of a node, in the grammar's order; the others have a method below."""


@v_args(inline=True, meta=True)
class Build(Transformer_NonRecursive[Token, Any]):
    """Makes the tree of one source, from its leaves up, without recursion."""

    def __init__(self, source: Source, findings: Findings) -> None:
        super().__init__()
        self.source, self.findings = source, findings

    def _span(self, place: Meta | Token) -> Span:
        return Span(self.source, place.start_pos or 0, place.end_pos or 0)

    def __default__(self, rule: str, parts: list[Any], meta: Meta) -> Any:
        return NODES[rule](*parts, self._span(meta))

    # --- tokens --------------------------------------------------------------------------------

    def __default_token__(self, token: Token) -> ast.Name:
        """Every word and sign that a rule keeps; keywords are words too."""
        return ast.Name(token.value, self._span(token))

    def NUMBER(self, token: Token) -> ast.Number:
        """An exact number with its unit's factor in it. Too long ones are reported."""
        text, span = token.value, self._span(token)
        unit = text.lstrip("0123456789.eE+-")
        try:
            return ast.Number(numerals.number(text), unit, text, span)
        except ValueError as error:
            self.findings.report(BAD_NUMBER, span, str(error), help="write it shorter")
            return ast.Number(0, unit, text, span)

    def STRING(self, token: Token) -> ast.Text:
        pieces = token.value[1:-1].split("\\\\")
        for escape, meaning in (('\\"', '"'), ("\\n", "\n"), ("\\t", "\t")):
            pieces = [piece.replace(escape, meaning) for piece in pieces]
        return ast.Text("\\".join(pieces), self._span(token))

    # --- lists ---------------------------------------------------------------------------------

    def start(self, _: Meta, *items: Any) -> tuple[Any, ...]:
        return items

    parameters = by = label = start

    def body(self, meta: Meta, *statements: ast.Statement) -> ast.Body:
        return ast.Body(statements, self._span(meta))

    def labels(self, meta: Meta, *levels: tuple[ast.Name, ast.Expression, ast.Text | None]) -> ast.LabelsStatement:
        return ast.LabelsStatement(levels, self._span(meta))

    def set(self, meta: Meta, *items: ast.Expression) -> ast.SetExpr:
        return ast.SetExpr(items, self._span(meta))

    def list(self, meta: Meta, *items: ast.Expression) -> ast.ListExpr:
        return ast.ListExpr(items, self._span(meta))

    def call(self, meta: Meta, name: ast.Name, *args: ast.Arg) -> ast.CallExpr:
        return ast.CallExpr(name, args, self._span(meta))

    # --- statements ----------------------------------------------------------------------------

    def import_name(self, meta: Meta, name: ast.Name) -> ast.Import:
        return ast.Import(name, None, self._span(meta))

    def import_file(self, meta: Meta, path: ast.Text) -> ast.Import:
        return ast.Import(None, path, self._span(meta))

    def section(self, meta: Meta, kind: ast.Name, call: ast.CallExpr) -> ast.Section:
        return ast.Section(kind.name, call, (), self._span(meta))

    def settings(self, meta: Meta, kind: ast.Name, *settings: ast.Arg) -> ast.Section:
        return ast.Section(kind.name, None, settings, self._span(meta))

    def stage(
        self, meta: Meta, kind: ast.Name, name: ast.Name | None, by: tuple[ast.Name, ...], body: ast.Body
    ) -> ast.Stage:
        return ast.Stage(kind.name, name, by, body, self._span(meta))

    def call_statement(self, meta: Meta, call: ast.CallExpr) -> ast.CallStatement:
        return ast.CallStatement((), call, self._span(meta))

    def norm_call(self, meta: Meta, norm: ast.Name, *args: ast.Arg) -> ast.CallStatement:
        span = self._span(meta)
        return ast.CallStatement((), ast.CallExpr(norm, args, span), span)

    def bind(self, meta: Meta, *parts: Any) -> ast.CallStatement:
        return ast.CallStatement(parts[:-1], parts[-1], self._span(meta))

    bind_several = bind

    def residual(
        self,
        meta: Meta,
        condition: ast.Expression | None,
        body: ast.Body,
        shortcut_condition: ast.Expression | None,
        shortcut: ast.Body | None,
    ) -> ast.Residual:
        return ast.Residual(condition, body, shortcut, shortcut_condition, self._span(meta))

    def when(
        self, meta: Meta, condition: ast.Expression, body: ast.Body, otherwise: ast.When | ast.Body | None
    ) -> ast.When:
        if isinstance(otherwise, ast.When):
            otherwise = ast.Body((otherwise,), otherwise.span)
        return ast.When(condition, body, otherwise, self._span(meta))

    # --- values --------------------------------------------------------------------------------

    def positional(self, meta: Meta, value: ast.Expression) -> ast.Arg:
        return ast.Arg(None, value, self._span(meta))

    def binary(self, meta: Meta, left: ast.Expression, sign: ast.Name, right: ast.Expression) -> ast.Binary:
        return ast.Binary(sign.name, left, right, self._span(meta))

    def unary(self, meta: Meta, sign: ast.Name, operand: ast.Expression) -> ast.Unary:
        return ast.Unary(sign.name, operand, self._span(meta))

    def flag(self, meta: Meta, word: ast.Name) -> ast.Flag:
        return ast.Flag(word.name == "yes", self._span(meta))

    def group(self, meta: Meta, inner: ast.Expression) -> ast.Expression:
        """Parentheses leave no node; what they hold is said to stand from the one to the other."""
        values = {field: getattr(inner, field) for field in fields_of(inner)}
        return type(inner)(**{**values, "span": self._span(meta)})
