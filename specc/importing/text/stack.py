"""Bodies of one module laid on each other: what is equal in all calls, what differs, and what only some have.

`stacked` lays equal bodies on each other, `merged` two stacks whose bodies differ in a few statements. Each argument
becomes a column with its value in each instance.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

from specc.importing.text.asking import is_activation, operator_of, type_of
from specc.importing.text.terms import Value
from specc.importing.text.tree import (
    MISSING,
    Argument,
    Body,
    Column,
    Node,
    Operand,
    Ref,
    Residual,
    Step,
    When,
    leaves,
    nodes,
    operands,
)
from specc.ir.parameter import REQUIRED, SameAs

ACTIVATION = "~"
"""Stands for any activation in the key of a body."""
LONGEST = 60
"""Statements of a body that is still aligned with another."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Instances that lie on each other. `arriving` and `leaving` are channels, `count` the number of instances."""

    body: Body
    count: int
    arriving: Column
    leaving: Column
    parameters: int = 0


def is_block(word: object) -> bool:
    """Whether a step calls a block: their keys begin with `@`, as no operator's name does."""
    return isinstance(word, str) and word.startswith("@")


def key(body: Body) -> Hashable:
    """What two bodies share that can be laid on each other as they are."""
    return tuple(map(node_key, body))


def node_key(node: Node) -> Hashable:
    match node:
        case Step(word, tensors=tensors, source=source, results=results):
            assert isinstance(word, str)
            simple = not is_block(word) and is_activation(word)
            names = tuple(name for name, _ in full(node))
            return (
                "step",
                ACTIVATION if simple else word,
                names,
                texts(node),
                tuple(map(operand_key, tensors)),
                operand_key(source),
                results,
            )
        case Residual():
            return "residual", key(node.body), key(node.shortcut)
    raise TypeError(f"{type(node).__name__} is no statement of an instance")


def texts(step: Step) -> tuple[object, ...]:
    """The arguments of a step that are texts. No parameter of a block can hold one, so they are equal in all calls of
    it."""
    return tuple(value for name, value in full(step) if is_text(step, name))


def is_text(step: Step, name: str) -> bool:
    return isinstance(step.word, str) and not is_block(step.word) and type_of(step.word, name) == "text"


def operand_key(operand: Operand) -> Hashable:
    return node_key(operand) if isinstance(operand, Step) else operand


def full(step: Step) -> tuple[tuple[str, Argument], ...]:
    """A step's arguments with defaults filled in; a parameter whose default is worked out stays out if not given."""
    assert isinstance(step.word, str)
    if is_block(step.word):
        return step.args
    given = dict(step.args)
    made = []
    for parameter in operator_of(step.word).signature.parameters:
        default = parameter.default
        if parameter.name in given:
            made.append((parameter.name, given[parameter.name]))
        elif default is not None and default is not REQUIRED and not isinstance(default, SameAs):
            if parameter.type not in ("bank", "tensors"):
                made.append((parameter.name, cast(Value, default)))
    return tuple(made)


def stacked(bodies: Sequence[Body]) -> Body:
    """Bodies of one key on each other."""
    return tuple(stacked_node(same) for same in zip(*bodies, strict=True))


def stacked_node(same: Sequence[Node]) -> Node:
    first = same[0]
    if isinstance(first, Residual):
        sums = cast("Sequence[Residual]", same)
        return Residual(
            stacked([node.body for node in sums]),
            stacked([node.shortcut for node in sums]),
            adds=column([True for _ in sums]),
            shortcut_if=column([bool(node.shortcut) for node in sums]),
            arriving=column([node.arriving for node in sums]),
        )
    assert isinstance(first, Step)
    inside = cast("Sequence[Step]", same)
    words = column([step.word for step in inside])
    args = tuple((name, column([dict(full(step))[name] for step in inside])) for name, _ in full(first))
    return Step(
        words if len(set(words.values)) > 1 else first.word,
        args,
        tuple(stacked_operand([step.tensors[i] for step in inside]) for i in range(len(first.tensors))),
        stacked_operand([step.source for step in inside]),
        first.results,
        column([step.arriving for step in inside]),
        first.place,
    )


def stacked_operand(same: Sequence[Operand]) -> Operand:
    if isinstance(same[0], Step):
        return cast(Step, stacked_node(cast("Sequence[Node]", same)))
    return same[0]


def column(values: Sequence[object]) -> Column:
    return Column(tuple(values))


# --- bodies that differ ----------------------------------------------------------------------------


def merged(left: Stack, right: Stack) -> Stack | None:
    """Two stacks as one, in which what only one has stands in a `when`. None where they have too little in common."""
    if left.parameters != right.parameters or max(len(left.body), len(right.body)) > LONGEST:
        return None
    found = Aligned(left.count, right.count).bodies(left.body, right.body)
    if found is None:
        return None
    body, _ = found
    return Stack(
        body,
        left.count + right.count,
        Column(left.arriving.values + right.arriving.values),
        Column(left.leaving.values + right.leaving.values),
        left.parameters,
    )


@dataclass(frozen=True, slots=True)
class Aligned:
    """Aligns the bodies of two stacks of so many instances."""

    left: int
    right: int

    def bodies(self, left: Body, right: Body) -> tuple[Body, int] | None:
        """The statements of both in their order, as many as possible common; and how many calls are."""
        table: dict[tuple[int, int], tuple[int, Body]] = {(len(left), len(right)): (0, ())}
        for i in range(len(left), -1, -1):
            for j in range(len(right), -1, -1):
                ways: list[tuple[int, Body]] = []
                if i < len(left) and j < len(right):
                    ways += self.matches(left, right, i, j, table)
                if i < len(left) and not named(left[i]):
                    score, rest = table[i + 1, j]
                    ways.append((score, (self.only(left[i], True), *rest)))
                if j < len(right) and not named(right[j]):
                    score, rest = table[i, j + 1]
                    ways.append((score, (self.only(right[j], False), *rest)))
                if ways:
                    table[i, j] = max(ways, key=lambda way: way[0])
                elif (i, j) not in table:
                    table[i, j] = (-(10**6), ())
        score, body = table[0, 0]
        return (joined(body), score) if score > 0 else None

    def matches(
        self, left: Body, right: Body, i: int, j: int, table: dict[tuple[int, int], tuple[int, Body]]
    ) -> list[tuple[int, Body]]:
        """The ways to go on in which a statement of one is one, or several, of the other."""
        ways = []
        one, other = left[i], right[j]
        if (pair := self.pair(one, other)) is not None:
            score, rest = table[i + 1, j + 1]
            ways.append((score + pair[1], (pair[0], *rest)))
        if isinstance(one, When) and not isinstance(other, When):
            for end in range(j + 1, len(right) + 1):
                if (made := self.sometimes(one, right[j:end], True)) is not None:
                    score, rest = table[i + 1, end]
                    ways.append((score + made[1], (made[0], *rest)))
        if isinstance(other, When) and not isinstance(one, When):
            for end in range(i + 1, len(left) + 1):
                if (made := self.sometimes(other, left[i:end], False)) is not None:
                    score, rest = table[end, j + 1]
                    ways.append((score + made[1], (made[0], *rest)))
        if isinstance(one, Residual) and not isinstance(other, Residual):
            for end in range(j + 1, len(right) + 1):
                if (inside := self.bodies(one.body, right[j:end])) is not None:
                    score, rest = table[i + 1, end]
                    ways.append((score + inside[1], (self.sum_of(one, inside[0], True), *rest)))
        if isinstance(other, Residual) and not isinstance(one, Residual):
            for end in range(i + 1, len(left) + 1):
                if (inside := self.bodies(left[i:end], other.body)) is not None:
                    score, rest = table[end, j + 1]
                    ways.append((score + inside[1], (self.sum_of(other, inside[0], False), *rest)))
        return ways

    def sum_of(self, residual: Residual, body: Body, in_left: bool) -> Node:
        """A residual that only one of both has, with a body that both have."""
        shortcut = tuple(self.padded(node, in_left) for node in residual.shortcut)
        return Residual(
            body,
            shortcut,
            adds=self.pad(residual.adds, in_left, False),
            shortcut_if=self.pad(residual.shortcut_if, in_left, False),
            arriving=self.pad(residual.arriving, in_left, MISSING),
        )

    def pair(self, one: Node, other: Node) -> tuple[Node, int] | None:
        """Two statements as one, and how many calls they have in common."""
        if isinstance(one, Step) and isinstance(other, Step):
            step = self.step(one, other)
            return None if step is None else (step, 2)
        if isinstance(one, Residual) and isinstance(other, Residual):
            inside = self.bodies(one.body, other.body)
            if inside is None:
                return None
            shortcut = self.shortcuts(one, other)
            if shortcut is None:
                return None
            made = Residual(
                inside[0],
                shortcut,
                adds=self.both(one.adds, other.adds),
                shortcut_if=self.both(one.shortcut_if, other.shortcut_if),
                arriving=self.both(one.arriving, other.arriving),
            )
            return made, inside[1] + 1
        if isinstance(one, When) and isinstance(other, When):
            inside = self.bodies(one.body, other.body)
            if inside is not None and not any(isinstance(node, When) for node in inside[0]):
                return When(self.both(one.condition, other.condition), inside[0]), inside[1]
            return None
        return None

    def sometimes(self, when: When, always: Body, in_left: bool) -> tuple[Node, int] | None:
        """What some instances of one have, and all of the other."""
        if len(when.body) != len(always):
            return None
        inside = self.bodies(when.body, always) if in_left else self.bodies(always, when.body)
        if inside is None or any(isinstance(node, When) for node in inside[0]):
            return None
        return When(self.pad(when.condition, in_left, True), inside[0]), inside[1]

    def shortcuts(self, one: Residual, other: Residual) -> Body | None:
        if not one.shortcut or not other.shortcut:
            in_left = bool(one.shortcut)
            return tuple(self.padded(node, in_left) for node in (one.shortcut or other.shortcut))
        inside = self.bodies(one.shortcut, other.shortcut)
        return None if inside is None else inside[0]

    def step(self, one: Step, other: Step) -> Step | None:
        words = self.word(one, other)
        names = [name for name, _ in one.args]
        if words is None or names != [name for name, _ in other.args] or one.results != other.results:
            return None
        source = self.operand(one.source, other.source)
        tensors = tuple(self.operand(a, b) for a, b in zip(one.tensors, other.tensors))
        if len(one.tensors) != len(other.tensors) or source is None or None in tensors:
            return None
        args = tuple((name, self.both(a, b)) for (name, a), (_, b) in zip(one.args, other.args))
        if any(len({*column.present}) > 1 for name, column in args if is_text(one, name)):
            return None
        read = cast("tuple[Operand, ...]", tensors)
        arriving = self.both(one.arriving, other.arriving)
        return Step(words, args, read, source, one.results, arriving, one.place)

    def word(self, one: Step, other: Step) -> str | Column | None:
        if one.word == other.word and isinstance(one.word, str):
            return one.word
        words = self.both(one.word, other.word)
        simple = all(isinstance(w, str) and not is_block(w) and is_activation(w) for w in words.present)
        return words if simple else None

    def operand(self, one: Operand, other: Operand) -> Operand | None:
        if isinstance(one, Step) and isinstance(other, Step):
            return self.step(one, other)
        return one if one == other else None

    # --- columns of both ---

    def both(self, one: object, other: object) -> Column:
        left = one.values if isinstance(one, Column) else (one,) * self.left
        right = other.values if isinstance(other, Column) else (other,) * self.right
        return Column(left + right)

    def pad(self, value: object, in_left: bool, other: object) -> Column:
        return self.both(value, other) if in_left else self.both(other, value)

    def only(self, node: Node, in_left: bool) -> When:
        """A statement that only one of both has."""
        if isinstance(node, When):
            return When(self.pad(node.condition, in_left, False), tuple(self.padded(n, in_left) for n in node.body))
        return When(self.pad(True, in_left, False), (self.padded(node, in_left),))

    def padded(self, node: Node, in_left: bool) -> Node:
        """A statement whose columns are missing in the instances of the other."""
        match node:
            case Step():
                word = node.word if isinstance(node.word, str) else self.pad(node.word, in_left, MISSING)
                return replace(
                    node,
                    word=word,
                    args=tuple((name, self.pad(value, in_left, MISSING)) for name, value in node.args),
                    tensors=tuple(self.padded_operand(each, in_left) for each in node.tensors),
                    source=self.padded_operand(node.source, in_left),
                    arriving=self.pad(node.arriving, in_left, MISSING),
                )
            case Residual():
                return replace(
                    node,
                    body=tuple(self.padded(n, in_left) for n in node.body),
                    shortcut=tuple(self.padded(n, in_left) for n in node.shortcut),
                    adds=self.pad(node.adds, in_left, False),
                    shortcut_if=self.pad(node.shortcut_if, in_left, False),
                    arriving=self.pad(node.arriving, in_left, MISSING),
                )
            case When():
                inside = tuple(self.padded(n, in_left) for n in node.body)
                return When(self.pad(node.condition, in_left, False), inside)
        raise TypeError(f"{type(node).__name__} is no statement of a stack")

    def padded_operand(self, operand: Operand, in_left: bool) -> Operand:
        return cast(Step, self.padded(operand, in_left)) if isinstance(operand, Step) else operand


def named(node: Node) -> bool:
    """Whether a statement gives or reads a name: it can't be left out."""
    for inside in nodes((node,)):
        if isinstance(inside, Step):
            if inside.results or any(
                isinstance(o, Ref) or (isinstance(o, Step) and named(o)) for o in operands(inside)
            ):
                return True
    return False


def joined(body: Body) -> Body:
    """A body in which what stands side by side under one condition shares its braces."""
    made: list[Node] = []
    for node in body:
        last = made[-1] if made else None
        if isinstance(node, When) and isinstance(last, When) and node.condition == last.condition:
            made[-1] = When(last.condition, (*last.body, *node.body))
        else:
            made.append(node)
    return tuple(made)


def common_share(stack: Stack) -> float:
    """How much of a body all its instances have."""
    sometimes = sum(leaves(node.body) for node in nodes(stack.body) if isinstance(node, When))
    return 1 - sometimes / max(leaves(stack.body), 1)


def has_alternatives(body: Body) -> bool:
    """Whether layers of one part of the instances stand beside others of the rest: two blocks then read better."""
    bodies = [body, *(inside for node in nodes(body) for inside in bodies_in(node))]
    for each in bodies:
        for one, other in pairwise(each):
            if isinstance(one, When) and isinstance(other, When):
                return True
    return False


def bodies_in(node: Node) -> tuple[Body, ...]:
    match node:
        case Residual():
            return node.body, node.shortcut
        case When():
            return (node.body,)
    return ()


def unit(bodies: Sequence[Body], arriving: Sequence[int], leaving: Sequence[int], parameters: int) -> Stack:
    """Instances whose bodies have one key."""
    return Stack(stacked(bodies), len(bodies), column(arriving), column(leaving), parameters)
