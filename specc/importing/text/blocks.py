"""Calls of one module class become calls of one block, inner modules before those around them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from specc.importing.text.asking import channels
from specc.importing.text.modules import CONTAINERS
from specc.importing.text.naming import legal, snake, without
from specc.importing.text.solve import Block, Solving
from specc.importing.text.stack import Stack, common_share, has_alternatives, key, merged, unit
from specc.importing.text.terms import Value
from specc.importing.text.tree import Body, Group, Node, Operand, Residual, Step, leaves, operands

Rows = list[tuple[tuple[str, Value], ...]]
Library = Callable[[Sequence[Group]], "tuple[Block, Rows] | None"]
"""Finds the library's block that all of some calls are, and the arguments of each."""


@dataclass(slots=True)
class Folding:
    """The blocks found so far, and what each call of a module became: the number of its block and its arguments."""

    library: Library
    blocks: list[Block] = field(default_factory=list)
    calls: dict[int, tuple[int, tuple[tuple[str, Value], ...]]] = field(default_factory=dict)

    def fold(self, root: Body) -> Body:
        """The network's statements with calls of blocks instead of modules."""
        together: dict[str, list[Group]] = {}
        inside: dict[str, set[str]] = {}
        for group, owner in with_owner(root, None):
            name = class_of(group, owner)
            together.setdefault(name, []).append(group)
            held = {class_of(inner, around or group) for inner, around in with_owner(group.body, group)}
            inside.setdefault(name, set()).update(held - {name})
        for name in by_height(inside):
            self.define(together[name])
        return self.resolved(root, "")

    def define(self, calls: list[Group]) -> None:
        """Blocks for all calls of one class."""
        found = self.library(calls)
        if found is not None:
            self.add(found[0], calls, found[1])
            return
        alike: dict[Hashable, list[Group]] = {}
        bodies = {id(group): self.resolved(group.body, group.place) for group in calls}
        for group in calls:
            alike.setdefault((group.parameters, key(bodies[id(group)])), []).append(group)
        piles = []
        for same in alike.values():
            of_library = self.library(same)
            if of_library is not None:
                self.add(of_library[0], same, of_library[1])
                continue
            arriving = [group.arriving for group in same]
            leaving = [channels(group.shape) for group in same]
            piles.append((unit([bodies[id(g)] for g in same], arriving, leaving, same[0].parameters), same))
        for stack, same in piles if is_listed(calls[0]) else self.merge(piles):
            block, rows = Solving(stack, self.blocks).block(same[0].type)
            self.add(block, same, rows)

    def merge(self, piles: list[tuple[Stack, list[Group]]]) -> list[tuple[Stack, list[Group]]]:
        """Stacks that differ in a few statements become one, where that takes less text than two."""
        made: list[tuple[Stack, list[Group]]] = []
        for stack, same in piles:
            for number, (other, others) in enumerate(made):
                both = merged(other, stack)
                if both is not None and self.is_shorter(both, other, stack):
                    made[number] = (both, [*others, *same])
                    break
            else:
                made.append((stack, same))
        return made

    def is_shorter(self, both: Stack, one: Stack, other: Stack) -> bool:
        if common_share(both) < 0.5 or has_alternatives(both.body):
            return False
        flags = Solving(both, self.blocks).block("")[0].flags
        return flags <= 2 and leaves(both.body) + 2 * flags <= leaves(one.body) + leaves(other.body) - 2

    def add(self, block: Block, calls: Sequence[Group], rows: Rows) -> None:
        for group, row in zip(calls, rows, strict=True):
            self.calls[id(group)] = (len(self.blocks), row)
        self.blocks.append(block if block.name else replace(block, name=called_after(calls[0])))

    # --- calls instead of modules ---

    def resolved(self, body: Body, place: str) -> Body:
        """A body whose modules are calls of their blocks, and whose places are those inside its module."""

        def call(node: Step | Group) -> Step:
            tensors, source = tuple(map(operand, node.tensors)), operand(node.source)
            inner = without(node.place, place)
            if isinstance(node, Step):
                return replace(node, tensors=tensors, source=source, place=inner)
            number, row = self.calls[id(node)]
            if tensors and not self.blocks[number].tensors:
                source = tensors[0]
                tensors = ()
            return Step(f"@{number}", row, tensors, source, node.results, node.arriving, inner, node.shape)

        def operand(each: Operand) -> Operand:
            return call(each) if isinstance(each, (Step, Group)) else each

        def statement(node: Node) -> Node:
            match node:
                case Step() | Group():
                    return call(node)
                case Residual():
                    inside, shortcut = tuple(map(statement, node.body)), tuple(map(statement, node.shortcut))
                    return replace(node, body=inside, shortcut=shortcut)
            return node

        return tuple(map(statement, body))


def class_of(group: Group, owner: Group | None) -> str:
    """What groups are put together by: their class, and for containers the class and the attribute that they stand in;
    of lists of containers all are together. A module that is opened owns nothing: its attributes are those of all."""
    if not group.type.startswith(CONTAINERS):
        return group.type
    inner = group.place if owner is None else without(group.place, owner.place)
    words = [word for word in inner.split(".") if not word.isdigit()]
    return f"/{words[-1] if words else ''}" if owner is None else f"{owner.type}/{'.'.join(words)}"


def is_listed(group: Group) -> bool:
    """Whether a group is one of a list of containers, of which those that differ are different things."""
    return group.type.startswith(CONTAINERS) and group.place.rpartition(".")[2].isdigit()


def called_after(group: Group) -> str:
    """A block's name: its class's, or for a container the last word of its path."""
    if not group.type.startswith(CONTAINERS):
        return snake(group.type.rsplit(".", 1)[-1])
    words = [word for word in map(legal, group.place.split(".")) if word]
    return words[-1] if words else ""


def with_owner(body: Body, around: Group | None) -> list[tuple[Group, Group | None]]:
    """Every group, and the one around it."""
    found: list[tuple[Group, Group | None]] = []
    for node in body:
        match node:
            case Step() | Group():
                for operand in operands(node):
                    if isinstance(operand, (Step, Group)):
                        found += with_owner((operand,), around)
                if isinstance(node, Group):
                    found += with_owner(node.body, node)
                    found.append((node, around))
            case Residual():
                found += with_owner(node.body, around) + with_owner(node.shortcut, around)
    return found


def by_height(inside: dict[str, set[str]]) -> list[str]:
    """The classes, each after those that its modules hold."""
    order: dict[str, None] = {}

    def visit(name: str, around: frozenset[str]) -> None:
        for inner in sorted(inside.get(name, ())):
            if inner not in around and inner in inside:
                visit(inner, around | {inner})
        order.setdefault(name)

    for name in inside:
        visit(name, frozenset([name]))
    return list(order)
