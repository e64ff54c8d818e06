"""What the classes are called: after the block or stage, and variants of a block after what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from fractions import Fraction

from specc.codegen.model.structure import OpEntry, Part, walk
from specc.codegen.names import camel, class_name
from specc.ir.expr import Expr


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
