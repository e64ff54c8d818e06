"""A network as nested statements: what the writer folds into blocks and repeats, before it becomes syntax.

One tree serves three stages. In a tree of one instance arguments are numbers, flags and words; where instances of one
module lie on each other (`stack.py`) an argument is a `Column`, its value in each; in a block's definition it is a
formula of the block's parameters (`terms.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from specc.importing.text.terms import Term, Value


@dataclass(frozen=True, slots=True)
class Here:
    """What the statement before left."""


HERE = Here()


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor by its name. In a finished body names are numbers, counted over the body: parameters first."""

    name: str | int


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands in a column for an instance that lacks the operation."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Column:
    """One value for each of the instances that lie on each other."""

    values: tuple[object, ...]

    @property
    def present(self) -> tuple[object, ...]:
        return tuple(value for value in self.values if value is not MISSING)


Argument: TypeAlias = Value | Term | Column


@dataclass(frozen=True, slots=True)
class Step:
    """A call of an operator or of a block.

    word      the operator's kind, or the key of a block; a `Column` or a term where instances differ in it
    args      the arguments that differ from what is implied
    tensors   the unnamed tensors, of what takes some; of everything else `source` is what it reads
    results   the names that it gives
    arriving  the channels that arrive
    place     the path of the module that it stands in, relative to the body's
    shape     of its result
    operation  its name in the network, where it is one
    """

    word: str | Term | Column
    args: tuple[tuple[str, Argument], ...] = ()
    tensors: tuple[Operand, ...] = ()
    source: Operand = HERE
    results: tuple[str | int, ...] = ()
    arriving: int | Column = 0
    place: str = ""
    shape: tuple[int, ...] = ()
    operation: str = ""

    def argument(self, name: str) -> Argument:
        return dict(self.args).get(name)


@dataclass(frozen=True, slots=True)
class Group:
    """A call of a module that may become a block.

    type      the module's class
    parameters  how many tensors it is given by name: Refs 0, 1, ... of its body; none where what arrives is all
    """

    type: str
    body: Body
    parameters: int = 0
    tensors: tuple[Operand, ...] = ()
    source: Operand = HERE
    results: tuple[str | int, ...] = ()
    arriving: int = 0
    place: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Residual:
    """The sum of a body and what came in, or its shortcut. `adds` and `shortcut_if` say where they are there."""

    body: Body
    shortcut: Body = ()
    adds: Argument = True
    shortcut_if: Argument = True
    arriving: int | Column = 0
    shape: tuple[int, ...] = ()
    operation: str = ""
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """Statements that are there where the condition holds."""

    condition: Argument
    body: Body


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same statements several times; `index` is the name of the round, where something reads it."""

    count: int
    body: Body
    index: str = ""


@dataclass(frozen=True, slots=True)
class Let:
    """A name for a value, where `in` would mean something else further on."""

    name: str
    value: Term


Operand: TypeAlias = Here | Ref | Step | Group
Node: TypeAlias = Step | Group | Residual | When | Repeat | Let
Body: TypeAlias = tuple[Node, ...]


def operands(node: Step | Group) -> tuple[Operand, ...]:
    """The tensors that a call reads."""
    return (*node.tensors, node.source)


def steps(body: Body) -> Iterator[Step]:
    """All calls of a body, in the order of execution; those in a tensor's place before the one that reads them.
    Groups are entered."""
    for node in body:
        match node:
            case Step() | Group():
                for operand in operands(node):
                    if isinstance(operand, (Step, Group)):
                        yield from steps((operand,))
                if isinstance(node, Step):
                    yield node
                else:
                    yield from steps(node.body)
            case Residual():
                yield from steps(node.body)
                yield from steps(node.shortcut)
            case When() | Repeat():
                yield from steps(node.body)


def executed(body: Body) -> Iterator[str]:
    """The names of the network's operations in the order in which the compiled text executes them."""
    for node in body:
        match node:
            case Step() | Group():
                for operand in operands(node):
                    if isinstance(operand, (Step, Group)):
                        yield from executed((operand,))
                if isinstance(node, Step):
                    yield node.operation
                else:
                    yield from executed(node.body)
            case Residual():
                yield from executed(node.body)
                yield from executed(node.shortcut)
                yield node.operation
            case When() | Repeat():
                yield from executed(node.body)


def leaves(body: Body) -> int:
    """How many calls a body has, sums of residuals included."""
    return sum(1 for _ in steps(body)) + sum(isinstance(node, Residual) for node in nodes(body))


def nodes(body: Body) -> Iterator[Node]:
    """Every statement of a body and of the bodies in it, outermost first; groups are not entered."""
    for node in body:
        yield node
        match node:
            case Residual():
                yield from nodes(node.body)
                yield from nodes(node.shortcut)
            case When() | Repeat():
                yield from nodes(node.body)


def groups(body: Body) -> Iterator[Group]:
    """Every group of a body, inner ones before those around them."""
    for node in nodes(body):
        if isinstance(node, (Step, Group)):
            for operand in operands(node):
                if isinstance(operand, (Step, Group)):
                    yield from groups((operand,))
            if isinstance(node, Group):
                yield from groups(node.body)
                yield node


def bare(node: Node) -> Node:
    """A statement without what two equal ones may differ in: where they stand, and in which operations."""
    match node:
        case Step():
            return replace(
                node,
                tensors=tuple(map(bare_operand, node.tensors)),
                source=bare_operand(node.source),
                place="",
                shape=(),
                operation="",
                arriving=0,
            )
        case Residual():
            body, shortcut = tuple(map(bare, node.body)), tuple(map(bare, node.shortcut))
            return replace(node, body=body, shortcut=shortcut, shape=(), operation="", arriving=0)
        case When() | Repeat():
            return replace(node, body=tuple(map(bare, node.body)))
    return node


def bare_operand(operand: Operand) -> Operand:
    made = bare(operand) if isinstance(operand, (Step, Group)) else operand
    assert isinstance(made, (Here, Ref, Step, Group))
    return made
