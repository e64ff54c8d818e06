"""The library's blocks where they match exactly: the same operations in the same order, connected in the same way.

The block's own text is executed against the operations of a call. What it says of an argument is an equation: it finds
a parameter, is checked, or waits until the parameters that it reads are known. A condition on what is not known yet is
tried both ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import cast

from specc.diagnostics import Findings
from specc.importing.text.asking import channels, is_activation, is_layer, is_norm, operator_of, takes_tensors
from specc.importing.text.solve import Block, Parameter, Setting
from specc.importing.text.stack import full
from specc.importing.text.terms import Apply, Par, Term, Value, applied, plain
from specc.importing.text.tree import Body, Group, Here, Operand, Ref, Residual, Step
from specc.ir.parameter import REQUIRED
from specc.ops import find_operator
from specc.semantics.files import LIBRARY
from specc.source import Source
from specc.syntax import ast
from specc.syntax.parse import parse

ENTRY = -1
"""What arrives at a call, among the numbers of its operations."""

Rows = list[tuple[tuple[str, Value], ...]]


@dataclass(frozen=True, slots=True)
class Executed:
    """An operation of a call: its operator, its arguments, which operations it reads, and its channels."""

    word: str
    args: tuple[tuple[str, Value], ...]
    inputs: tuple[int, ...]
    channels: int


def library_block(calls: Sequence[Group]) -> tuple[Block, Rows] | None:
    """The block of the library that all of some calls are, and the arguments of each; None where there is none."""
    if any(group.parameters > 1 for group in calls):
        return None
    lists = [flattened(group) for group in calls]
    for home, block in blocks():
        found = [matched(block, operations, group.arriving) for operations, group in zip(lists, calls, strict=True)]
        if None not in found:
            matches = cast("list[Match]", found)
            settings = {match.setting for match in matches if match.setting is not None}
            if len(settings) <= 1:
                setting = settings.pop() if settings else None
                return as_block(home, block, setting, lists[0]), [row(block, match) for match in matches]
    return None


@cache
def blocks() -> tuple[tuple[str, ast.Block], ...]:
    """Every block of the library with its file."""
    found: list[tuple[str, ast.Block]] = []
    for path in sorted(LIBRARY.glob("*.specc")):
        tree = parse(Source(f"std/{path.name}", path.read_text(encoding="utf-8")), Findings())
        assert tree is not None
        found += [(path.stem, item) for item in tree.items if isinstance(item, ast.Block)]
    return tuple(found)


def as_block(home: str, block: ast.Block, setting: Setting | None, operations: Sequence[Executed]) -> Block:
    parameters = tuple(
        Parameter(
            parameter.name.name,
            "channels" if parameter.default is None else "number",
            REQUIRED if parameter.default is None else term(parameter.default),
        )
        for parameter in block.parameters
    )
    layers = sum(is_layer(operation.word) for operation in operations if operation.word)
    name = block.name.name
    return Block("", parameters, (), home=home, name=name, setting=setting, size=(len(operations), layers))


def row(block: ast.Block, match: Match) -> tuple[tuple[str, Value], ...]:
    names = [parameter.name.name for parameter in block.parameters]
    return tuple((name, cast(Value, match.found[name])) for name in names)


# --- a call as a list of operations ----------------------------------------------------------------


def flattened(group: Group) -> list[Executed]:
    """The operations of a call in their order."""
    made: list[Executed] = []

    def body(statements: Body, here: int, names: dict[str | int, int]) -> int:
        for node in statements:
            match node:
                case Step() | Group():
                    here = call(node, here, names)
                case Residual():
                    inside = body(node.body, here, names)
                    other = body(node.shortcut, here, names)
                    made.append(Executed("", (), (inside, other), channels(node.shape)))
                    here = len(made) - 1
                case _:
                    raise TypeError(f"{type(node).__name__} is no statement of an instance")
        return here

    def call(node: Step | Group, here: int, names: dict[str | int, int]) -> int:
        tensors = tuple(operand(each, here, names) for each in node.tensors)
        source = operand(node.source, here, names)
        if isinstance(node, Group):
            end = body(node.body, source, dict(enumerate(tensors)))
        else:
            inputs = tensors if tensors else (source,)
            args = cast("tuple[tuple[str, Value], ...]", full(node))
            made.append(Executed(cast(str, node.word), args, inputs, channels(node.shape)))
            end = len(made) - 1
        names.update(dict.fromkeys(node.results, end))
        return end

    def operand(each: Operand, here: int, names: dict[str | int, int]) -> int:
        if isinstance(each, Here):
            return here
        if isinstance(each, Ref):
            return names.get(each.name, -2)
        return call(each, here, names)

    body(group.body, ENTRY, {0: ENTRY} if group.parameters else {})
    return made


# --- the block's text against it -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Later:
    """An expression in the names of where it was written."""

    value: ast.Expression
    scope: Scope
    arriving: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A parameter of the block, not known yet."""

    name: str


Scope = dict[str, object]
"""Names and what they hold: a value, a `Later`, an `Unknown`."""


@dataclass(frozen=True, slots=True)
class Match:
    """How far a block's text has been executed.

    place   how many operations are matched; `here` is the one that arrives next
    found   parameters by name; `open` are equations that wait: what must be equal to which value
    """

    place: int = 0
    here: int = ENTRY
    found: Mapping[str, object] = field(default_factory=dict)
    open: tuple[tuple[Later, object], ...] = ()
    tensors: Mapping[str, int] = field(default_factory=dict)
    setting: Setting | None = None


def matched(block: ast.Block, operations: Sequence[Executed], arriving: int) -> Match | None:
    """The first way in which a block is these operations."""
    executing = Executing(operations, arriving)
    scope: Scope = {p.name.name: Unknown(p.name.name) for p in block.parameters}
    for match in executing.body(block.body.statements, scope, Match()):
        if match.place == len(operations) and match.here == len(operations) - 1:
            complete = executing.completed(block, scope, match)
            if complete is not None:
                return complete
    return None


@dataclass(frozen=True, slots=True)
class Executing:
    """Executes a block's text against operations."""

    operations: Sequence[Executed]
    arriving: int

    def completed(self, block: ast.Block, scope: Scope, match: Match) -> Match | None:
        """With defaults for the parameters that nothing told, if all equations then hold."""
        found = dict(match.found)
        for parameter in block.parameters:
            if parameter.name.name not in found:
                if parameter.default is None:
                    return None
                later = Later(parameter.default, scope, self.arriving)
                value = self.value(later, replace(match, found=found))
                if value is None:
                    return None
                found[parameter.name.name] = value
        match = replace(match, found=found)
        return match if all(self.value(later, match) == value for later, value in match.open) else None

    def body(self, statements: Sequence[ast.Statement], scope: Scope, match: Match) -> Iterator[Match]:
        if not statements:
            yield match
            return
        for after in self.statement(statements[0], scope, match):
            yield from self.body(statements[1:], scope, after)

    def statement(self, node: ast.Statement, scope: Scope, match: Match) -> Iterator[Match]:
        match node:
            case ast.CallStatement(targets, call) if len(targets) <= 1:
                for after in self.call(call, scope, match):
                    names = {target.name: after.here for target in targets}
                    yield replace(after, tensors={**after.tensors, **names})
            case ast.LetStatement(name, value):
                scope[name.name] = Later(value, scope, self.channels(match.here))
                yield match
            case ast.Residual():
                yield from self.residual(node, scope, match)
            case ast.When(condition, body, otherwise):
                for holds, after in self.decided(condition, scope, match):
                    inside = body if holds else otherwise
                    yield from self.body(inside.statements if inside is not None else (), scope, after)

    def residual(self, node: ast.Residual, scope: Scope, match: Match) -> Iterator[Match]:
        for adds, before in self.decided(node.condition, scope, match):
            for after in self.body(node.body.statements, scope, before):
                if not adds:
                    yield after
                    continue
                ways = [(False, after)] if node.shortcut is None else None
                at_start = replace(after, here=match.here)
                for has, aside in ways or self.decided(node.shortcut_condition, scope, at_start):
                    aside = replace(aside, here=match.here)
                    inside = node.shortcut.statements if has and node.shortcut is not None else ()
                    for end in self.body(inside, scope, aside):
                        yield from self.sum(end, after.here, end.here)

    def sum(self, match: Match, one: int, other: int) -> Iterator[Match]:
        operation = self.next(match)
        if operation is not None and operation.inputs and set(operation.inputs) == {one, other}:
            if operation.word == "" or operator_of(operation.word).sums:
                yield replace(match, place=match.place + 1, here=match.place)

    def next(self, match: Match) -> Executed | None:
        return self.operations[match.place] if match.place < len(self.operations) else None

    def channels(self, here: int) -> int:
        return self.arriving if here == ENTRY else self.operations[here].channels

    # --- calls ---

    def call(self, call: ast.CallExpr, scope: Scope, match: Match) -> Iterator[Match]:
        word = call.name.name
        if any(arg.name is not None and arg.name.name == "from" for arg in call.args):
            return
        inner = library().get(word)
        if inner is not None:
            yield from self.block(inner, call, scope, match)
            return
        operation = self.next(match)
        if operation is None and not (find_operator(word) and takes_tensors(word)):
            return
        if word in scope and find_operator(word) is None:
            assert operation is not None
            if operation.inputs == (match.here,) and operation.word and is_activation(operation.word):
                yield from self.equal(Later(call.name, scope, 0), operation.word, self.past(match))
        elif word == "norm":
            assert operation is not None
            if operation.word and is_norm(operation.word) and operation.inputs == (match.here,):
                setting = (operation.word, operation.args)
                if match.setting in (None, setting):
                    yield replace(self.past(match), setting=setting)
        elif find_operator(word) is not None and takes_tensors(word):
            yield from self.join(word, call, scope, match)
        elif operation is not None and operation.word == word and operation.inputs == (match.here,):
            yield from self.arguments(call, operation, scope, self.past(match))

    def past(self, match: Match) -> Match:
        """After the next operation."""
        return replace(match, place=match.place + 1, here=match.place)

    def join(self, word: str, call: ast.CallExpr, scope: Scope, match: Match) -> Iterator[Match]:
        ways: list[tuple[Match, tuple[int, ...]]] = [(match, ())]
        for arg in call.args:
            further = []
            for before, read in ways:
                for after, tensor in self.tensor(arg.value, scope, before):
                    further.append((replace(after, here=match.here), (*read, tensor)))
            ways = further
        for after, read in ways:
            operation = self.next(after)
            if operation is not None and operation.word == word and operation.inputs == read:
                yield self.past(after)

    def tensor(self, value: ast.Expression, scope: Scope, match: Match) -> Iterator[tuple[Match, int]]:
        if isinstance(value, ast.Name):
            if value.name == "here":
                yield match, match.here
            elif value.name in match.tensors:
                yield match, match.tensors[value.name]
            return
        if isinstance(value, ast.CallExpr):
            for after in self.call(value, scope, match):
                yield after, after.here

    def block(self, block: ast.Block, call: ast.CallExpr, scope: Scope, match: Match) -> Iterator[Match]:
        """A block that the block calls: its arguments are read in the names of the call."""
        inner: Scope = {}
        given: dict[str, ast.Expression] = {}
        for number, arg in enumerate(call.args):
            name = block.parameters[number].name.name if arg.name is None else arg.name.name
            given[name] = arg.value
        arriving = self.channels(match.here)
        for parameter in block.parameters:
            name = parameter.name.name
            value = given.get(name, parameter.default)
            if value is None:
                return
            inner[name] = Later(value, scope if name in given else inner, arriving)
        yield from self.body(block.body.statements, inner, match)

    def arguments(self, call: ast.CallExpr, operation: Executed, scope: Scope, match: Match) -> Iterator[Match]:
        """The equations of an operator's arguments."""
        signature = operator_of(operation.word).signature
        given: dict[str, ast.Expression] = {}
        for number, arg in enumerate(call.args):
            name = signature.parameters[number].name if arg.name is None else arg.name.name
            given[name] = arg.value
        arriving = self.channels(operation.inputs[0])
        have = dict(operation.args)
        ways = [match]
        for parameter in signature.parameters:
            if parameter.type in ("bank", "tensors"):
                continue
            if parameter.name not in given:
                default = None if parameter.default is REQUIRED else parameter.default
                if have.get(parameter.name) != default:
                    return
                continue
            later = Later(given[parameter.name], scope, arriving)
            ways = [after for way in ways for after in self.equal(later, have.get(parameter.name), way)]
        yield from ways

    # --- equations ---

    def decided(self, condition: ast.Expression | None, scope: Scope, match: Match) -> Iterator[tuple[bool, Match]]:
        """Whether a condition holds; both, where that is not known, each with what it would mean."""
        if condition is None:
            yield True, match
            return
        later = Later(condition, scope, self.channels(match.here))
        known = self.value(later, match)
        for holds in (True, False):
            if known is None:
                yield from ((holds, after) for after in self.equal(later, holds, match))
            elif known == holds:
                yield holds, match

    def equal(self, later: Later, value: object, match: Match) -> Iterator[Match]:
        """What follows where an expression is a value."""
        known = self.value(later, match)
        if known is not None:
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                yield match
            return
        node = later.value
        if isinstance(node, ast.Name):
            held = later.scope.get(node.name)
            if isinstance(held, Later):
                yield from self.equal(held, value, match)
            elif isinstance(held, Unknown) and value is not None:
                yield replace(match, found={**match.found, held.name: value})
            return
        if isinstance(node, ast.Binary):
            turned = self.turned(node, later, value, match)
            if turned is not None:
                yield from self.equal(*turned, match)
                return
        yield replace(match, open=(*match.open, (later, value)))

    def turned(self, node: ast.Binary, later: Later, value: object, match: Match) -> tuple[Later, object] | None:
        """The equation for the one side of a product or comparison that is not known."""
        left, right = replace(later, value=node.left), replace(later, value=node.right)
        one, other = self.value(left, match), self.value(right, match)
        if (one is None) == (other is None):
            return None
        unknown, known = (left, other) if one is None else (right, one)
        if node.operator in ("==", "!=", ">") and isinstance(value, bool):
            says = value == (node.operator == "==")
            return (unknown, known) if says and (node.operator != ">" or one is None) else None
        if not isinstance(value, (int, Fraction)) or not isinstance(known, (int, Fraction)) or not known:
            return None
        if node.operator == "*":
            return unknown, plain(Fraction(value) / known)
        if node.operator == "/" and one is None:
            return unknown, plain(Fraction(value) * known)
        return None

    def value(self, later: Later, match: Match) -> object:
        """The value of an expression; None where it reads what is not known."""
        node, scope = later.value, later.scope
        match node:
            case ast.Number(value) | ast.Flag(value):
                return value
            case ast.Name("in"):
                return later.arriving
            case ast.Name(name):
                held = scope.get(name, name)
                if isinstance(held, Later):
                    return self.value(held, match)
                return match.found.get(held.name) if isinstance(held, Unknown) else held
            case ast.Binary(operator, left, right):
                args = [self.value(replace(later, value=each), match) for each in (left, right)]
                if operator in ("and", "or") and any(arg is (operator == "or") for arg in args):
                    return operator == "or"
                return None if None in args else applied(operator, tuple(args))
            case ast.CallExpr(name, given):
                args = [self.value(replace(later, value=each.value), match) for each in given]
                return None if None in args else applied(name.name, tuple(args))
        return None


@cache
def library() -> Mapping[str, ast.Block]:
    return {block.name.name: block for _, block in blocks()}


def term(node: ast.Expression) -> Value | Term:
    """A default of the library as a term."""
    match node:
        case ast.Number(value) | ast.Flag(value):
            return value
        case ast.Name(name):
            return Par(name)
        case ast.Binary(operator, left, right):
            return Apply(operator, (term(left), term(right)))
    raise TypeError(f"{type(node).__name__} is no default of the library")
