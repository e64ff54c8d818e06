"""What a block's definition says of its operations: the conditions they stand under, and how their sizes are written.

A generated class stands for one definition, so its code should read like it: `hidden = in_ * expand`, `if stride != 1`.
The graph has values alone. The definition's own text is found again by the places that operations carry; whatever is
taken from it is compared with the graph's values at every instance before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from specc.codegen.model.spec_text import tree_of
from specc.codegen.model.structure import OpEntry, Part, walk
from specc.ir.expr import FUNCTIONS, Expr, apply
from specc.ops import norms, operators
from specc.semantics.arithmetic import FUNCTION_ARITY, OPERATIONS
from specc.source import Source, Span
from specc.syntax import ast


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A call in a block's definition.

    node        the call, None for the sum of a residual
    conditions  the conditions around it with whether they hold there, outermost first
    """

    node: ast.CallExpr | None
    conditions: tuple[tuple[ast.Expression, bool], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A block's definition: its parameters with their defaults, its `let`s, its calls by their places."""

    name: str
    span: Span
    parameters: Mapping[str, ast.Expression | None]
    lets: Mapping[str, ast.Expression]
    calls: Mapping[tuple[int, int], Written]

    def at(self, origin: Span) -> Written | None:
        return self.calls.get((origin.start, origin.end))


def definition_of(part: Part) -> Definition | None:
    """The definition of which a block is an instance; None where it is found no more."""
    if part.scope.kind != "block":
        return None
    for entry in walk(part.entries):
        origin = entry.op.origin if isinstance(entry, OpEntry) else entry.scope.origin
        for definition in definitions(origin.source):
            if definition.name == part.scope.block and definition.span.holds(origin):
                return definition
    return None


@lru_cache(maxsize=32)
def definitions(source: Source) -> tuple[Definition, ...]:
    """All blocks that a source defines."""
    return tuple(read_block(item) for item in tree_of(source).items if isinstance(item, ast.Block))


def read_block(block: ast.Block) -> Definition:
    calls: dict[tuple[int, int], Written] = {}
    lets: dict[str, ast.Expression] = {}

    def note(node: ast.CallExpr, around: tuple[tuple[ast.Expression, bool], ...]) -> None:
        calls[(node.span.start, node.span.end)] = Written(node, around)
        for arg in node.args:
            if isinstance(arg.value, ast.CallExpr):
                note(arg.value, around)

    def visit(body: ast.Body, around: tuple[tuple[ast.Expression, bool], ...]) -> None:
        for statement in body.statements:
            match statement:
                case ast.CallStatement():
                    note(statement.call, around)
                case ast.LetStatement():
                    lets.setdefault(statement.name.name, statement.value)
                case ast.When():
                    visit(statement.body, (*around, (statement.condition, True)))
                    if statement.otherwise is not None:
                        visit(statement.otherwise, (*around, (statement.condition, False)))
                case ast.Residual():
                    visit(statement.body, around)
                    adds = around if statement.condition is None else (*around, (statement.condition, True))
                    calls[(statement.span.start, statement.span.end)] = Written(None, adds)
                    if statement.shortcut is not None:
                        own = statement.shortcut_condition
                        visit(statement.shortcut, adds if own is None else (*adds, (own, True)))
                case ast.Repeat() | ast.Skippable() | ast.Branches() | ast.Exit():
                    visit(statement.body, around)

    visit(block.body, ())
    parameters = {p.name.name: p.default for p in block.parameters}
    return Definition(block.name.name, block.span, parameters, lets, calls)


def argument(node: ast.CallExpr, operator: str, parameter: str) -> ast.Expression | None:
    """The expression that a call of an operator gives for a parameter; None where it leaves it out."""
    for arg in node.args:
        if arg.name is not None and arg.name.name == parameter:
            return arg.value
    signature = operators()[operator].signature if operator in operators() else None
    names = [] if signature is None else [p.name for p in signature.parameters if p.type != "tensors"]
    return positional(node, names, parameter)


def positional(node: ast.CallExpr, names: list[str], parameter: str) -> ast.Expression | None:
    """The unnamed argument in a parameter's place."""
    unnamed = [arg.value for arg in node.args if arg.name is None]
    place = names.index(parameter) if parameter in names else len(unnamed)
    return unnamed[place] if place < len(unnamed) else None


def given(node: ast.CallExpr, definition: Definition, parameter: str) -> ast.Expression | None:
    """The expression that a call of a block gives for a parameter, named or in its place."""
    for arg in node.args:
        if arg.name is not None and arg.name.name == parameter:
            return arg.value
    return positional(node, list(definition.parameters), parameter)


ENTERING: Final = "%entering"
"""The channels that enter a block, among the values of its arguments: what `in` is in a `let`."""


class Unknown(Exception):
    """An expression cannot be evaluated from a block's arguments alone."""


def evaluate(node: ast.Expression, values: Mapping[str, Expr], lets: Mapping[str, ast.Expression]) -> Expr:
    """The value of an expression of a definition, `in` and the block's arguments being `values`.

    Raises Unknown where something else is read: a tensor, a choice of the supernet.
    """
    match node:
        case ast.Number():
            return node.value
        case ast.Flag():
            return node.value
        case ast.Name(name):
            if name in values:
                return values[name]
            if name in lets:  # a `let` reads the channels that enter the block
                return evaluate(lets[name], {**values, "in": values[ENTERING]} if ENTERING in values else values, lets)
            return name
        case ast.Binary():
            return computed(OPERATIONS[node.operator], [evaluate(n, values, lets) for n in (node.left, node.right)])
        case ast.Unary():
            operand = evaluate(node.operand, values, lets)
            return computed("not", [operand]) if node.operator == "not" else computed("sub", [0, operand])
        case ast.CallExpr() if node.name.name in FUNCTION_ARITY:
            return computed(node.name.name, [evaluate(arg.value, values, lets) for arg in node.args])
    raise Unknown


def computed(function: str, args: list[Expr]) -> Expr:
    if function not in FUNCTIONS and function not in ("and", "or", "not"):
        raise Unknown
    words = any(isinstance(arg, str) for arg in args)
    if words and function not in ("eq", "ne"):
        raise Unknown
    try:
        return apply(function, *args)
    except (ArithmeticError, TypeError, ValueError):
        raise Unknown from None


def names_read(node: ast.Expression, lets: Mapping[str, ast.Expression]) -> Iterator[str]:
    """The names that an expression reads, those in `let`s included."""
    match node:
        case ast.Name(name):
            if name in lets:
                yield from names_read(lets[name], lets)
            else:
                yield name
        case ast.Binary():
            yield from names_read(node.left, lets)
            yield from names_read(node.right, lets)
        case ast.Unary():
            yield from names_read(node.operand, lets)
        case ast.CallExpr():
            for arg in node.args:
                yield from names_read(arg.value, lets)


def held_operator(node: ast.CallExpr, definition: Definition) -> str:
    """The parameter that says which operator a call is, as in `act` of `block b(act=relu) { .. act }`; "" for none."""
    name = node.name.name
    return name if name in definition.parameters and name not in operators() and name not in norms() else ""
