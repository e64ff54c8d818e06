"""What the classes are called: after the block or stage, and variants of a block after what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from fractions import Fraction
from typing import TYPE_CHECKING

from specc.codegen.model.structure import OpEntry, Part, given_at, walk
from specc.codegen.names import camel, class_name, identifier
from specc.ir.expr import Expr

if TYPE_CHECKING:
    from specc.codegen.model.context import Class, Context


def class_names(groups: Sequence[Sequence[Part]], network: str, reserved: Set[str]) -> list[str]:
    """A name for every group of equal parts, in their order. The network's own class is called `network`."""
    taken = {network, f"{network}Plan", *reserved}
    names: list[str] = []
    for group in groups:
        first = group[0]
        if first.scope.kind == "network":
            names.append(network)
            continue
        wanted = class_name(plain_name(group), reserved)
        others = [g for g in groups if g is not group and same_block(g[0], first)]
        if others and not is_common(group, others):
            wanted += difference(group, others)
        name = numbered(wanted, taken)
        taken.add(f"{name}Plan")
        names.append(name)
    return names


def tensor_names(context: Context, cls: Class) -> dict[str, str]:
    """What the spec calls a class's tensors, by what the class calls them: `coarse` of `coarse = concat(..)`."""
    found: dict[str, str] = {}
    parts, inputs = cls.merged.parts, cls.merged.inputs
    entering = [{context.structure.called.get(part.inputs[i], "") for part in parts} for i in range(len(inputs))]
    for place in cls.merged.places():
        entry = place.first
        names = given_at(entry.op.origin if isinstance(entry, OpEntry) else entry.scope.origin, len(place.outputs))
        if not names and isinstance(entry, Part) and entry.scope.kind != "block":
            names = tuple(context.structure.called.get(tensor, "") for tensor in entry.outputs)
        found.update(zip(place.outputs, names, strict=False))
    if len(inputs) > 1:
        found.update(
            (tensor, next(iter(names))) for tensor, names in zip(inputs, entering, strict=True) if len(names) == 1
        )
    taken = {"self", "p", "plan", "outputs", *context.reserved}
    return {tensor: identifier(name) for tensor, name in found.items() if name and identifier(name) not in taken}


def numbered(name: str, taken: set[str]) -> str:
    """The name, or with the first number that makes it new: `Basic2`, but `MbV3_2`, as operations are."""
    joint = "_" if name[-1:].isdigit() else ""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}{joint}{number}"
    taken.add(candidate)
    return candidate


def plain_name(group: Sequence[Part]) -> str:
    """The block's, stage's or head's name; exits of one structure, and heads, are called after what they are."""
    scope = group[0].scope
    if scope.kind == "block":
        return scope.block
    if scope.kind == "round":
        blocks = {entry.scope.block for entry in walk(group[0].entries) if isinstance(entry, Part)}
        alone = len({part.scope.path for part in group}) == 1 or len(blocks) != 1
        return scope.name if alone else f"{blocks.pop()}_round"
    return scope.kind if scope.output and len(group) > 1 else scope.path


def same_block(a: Part, b: Part) -> bool:
    return a.scope.kind == b.scope.kind == "block" and a.scope.block == b.scope.block


def is_common(group: Sequence[Part], others: Sequence[Sequence[Part]]) -> bool:
    """Whether it is the variant used most, the first of such: the one that goes by the block's plain name."""
    return all(len(group) > len(o) or (len(group) == len(o) and group[0].scope.path < o[0].scope.path) for o in others)


def difference(group: Sequence[Part], others: Sequence[Sequence[Part]]) -> str:
    """`Stride2` where only this variant has stride=2, `Plain` where it alone lacks the sum, and so on; else nothing."""
    found: list[tuple[int, int, str]] = []
    for index, (name, _) in enumerate(group[0].scope.args):
        mine = {part.scope.args[index][1] for part in group if index < len(part.scope.args)}
        theirs = {part.scope.args[index][1] for other in others for part in other if index < len(part.scope.args)}
        value = next(iter(mine))
        if len(mine) == 1 and not mine & theirs and isinstance(value, (int, str, Fraction)):
            text = word(value)
            found.append((len(theirs), index, f"{camel(name)}{text if text.isdigit() else camel(text)}"))
    if found:  # the argument of the fewest values is what makes variants; sizes differ anyway
        return min(found)[2]
    kinds, common = op_names(group[0]), op_names(max(others, key=len)[0])
    if "add" in common and "add" not in kinds:
        return "Plain"
    if any(name.startswith("shortcut_") for name in kinds) and not any(name.startswith("shortcut_") for name in common):
        return "Projection"
    return ""


def word(value: Expr) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).replace("/", "_")


def op_names(part: Part) -> Counter[str]:
    return Counter(entry.attribute for entry in walk(part.entries) if isinstance(entry, OpEntry))
