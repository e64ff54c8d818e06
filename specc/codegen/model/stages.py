"""Stages of blocks one after another, written as a list: `Stage(Bottleneck(64, 64), Skippable(keep, ..))`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from specc.codegen.model.merge import Guarded, Merged, Node, Place
from specc.codegen.model.needs import Need
from specc.codegen.model.structure import OpEntry, Part
from specc.ir.expr import Apply, Expr, Option, Var
from specc.python.literals import inline

if TYPE_CHECKING:
    from specc.codegen.model.context import Class, Context


Construction: TypeAlias = "Callable[[Context, Class, Place], tuple[str, list[str]]]"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A block in a chain with the conditions under which it is there, outermost first."""

    place: Place
    guards: tuple[Expr, ...]


def is_chain(merged: Merged) -> bool:
    """Whether a stage is nothing but blocks, called b1, b2, .., each reading what the one before it puts out.

    What a choice may leave out hands on what arrives.
    """
    part = merged.parts[0]
    if (
        len(merged.parts) > 1
        or part.scope.kind not in ("stage", "stem", "head", "exit")
        or (part.notes and not part.scope.output)
    ):
        return False
    if len(merged.inputs) != 1 or len(merged.outputs) != 1:
        return False
    items: list[Item] = []
    end = follow(merged.nodes, merged.inputs[0], (), items)
    names = [item.place.attribute for item in items]
    return bool(items) and end == merged.outputs[0] and names == [f"b{i}" for i in range(1, len(names) + 1)]


def follow(nodes: Sequence[Node], current: str, guards: tuple[Expr, ...], items: list[Item]) -> str:
    """What comes out of a chain of blocks into which `current` goes; "" where it is none."""
    waiting = ""
    for node in nodes:
        if isinstance(node, Guarded):
            if waiting:
                return ""
            waiting = follow(node.nodes, current, (*guards, node.guard), items)
            if not waiting:
                return ""
        elif isinstance(node, Place) and isinstance(node.first, OpEntry):
            if not node.first.op.operator.selects or node.inputs != (waiting, current):
                return ""
            current, waiting = node.outputs[0], ""
        elif isinstance(node, Place):
            if waiting or node.inputs != (current,) or len(node.outputs) != 1:
                return ""
            if isinstance(node.first, Part) and node.first.scope.kind != "block":
                return ""
            items.append(Item(node, guards))
            current = node.outputs[0]
        else:
            return ""
    return "" if waiting else current


def items_of(merged: Merged) -> list[Item]:
    items: list[Item] = []
    follow(merged.nodes, merged.inputs[0], (), items)
    return items


def chain_needs(context: Context, cls: Class) -> list[Need]:
    """The numbers in the text of a chain: of its blocks, and the choices of its conditions."""
    found: list[Need] = []
    for item in items_of(cls.merged):
        found += [need for _, need in cls.needs[id(item.place)]]
    seen: set[Expr] = set()
    for item in items_of(cls.merged):
        for guard in item.guards:
            if guard not in seen and not is_own_depth(context, cls, guard):
                seen.add(guard)
                found.append(Need("choice", (guard,), "keep"))
    return found


def depth_of(guard: Expr) -> tuple[str, int] | None:
    """The choice and the round of `depth >= round`."""
    if (
        isinstance(guard, Apply)
        and guard.function == "ge"
        and isinstance(guard.args[0], Var)
        and isinstance(guard.args[1], int)
    ):
        return guard.args[0].choice, guard.args[1]
    return None


def is_own_depth(context: Context, cls: Class, guard: Expr) -> bool:
    """Whether a condition reads the stage's one depth, which is called after it."""
    found = depth_of(guard)
    if found is None or found[0] != f"{cls.first.scope.path}.depth":
        return False
    options = context.choices[found[0]].options
    inside = all(name.startswith(f"{cls.first.scope.path}.") for name in context.readers.get(found[0], ()))
    return inside and options_text(options) != ""


def options_text(options: Sequence[Option]) -> str:
    """The options of a choice as arguments, `3, 5, 7` or `*range(11, 23)`; "" where they are many or no plain ones."""
    if not all(type(option) in (int, str) for option in options):
        return ""
    if len(options) > 4 and all(isinstance(option, int) for option in options):
        numbers = [option for option in options if isinstance(option, int)]
        step = numbers[1] - numbers[0]
        last = numbers[-1] + step
        if numbers == list(range(numbers[0], last, step or 1)):
            return f"*range({numbers[0]}, {last}{'' if step == 1 else f', {step}'})"
    return ", ".join(map(inline, options)) if len(options) <= 8 else ""


def chain_items(context: Context, outer: Class, cls: Class, construction: Construction) -> list[str]:
    """The arguments of `Stage(..)`: blocks, runs of equal ones, and groups that a choice may leave out.

    `construction` gives the class of a part and its arguments.
    """
    items = items_of(cls.merged)
    texts = [call_text(*construction(context, cls_in(outer, cls), item.place)) for item in items]
    found: list[str] = []
    plain: list[str] = []
    at = 0
    while at < len(items):
        guards = items[at].guards
        repeat = repeat_at(items, at)
        if not guards:
            plain.append(texts[at])
            at += 1
            continue
        if repeat is not None:
            always = len(plain) - repeat.always
            rounds = [*plain[always:], *texts[at : repeat.end]]
            found += repeated(plain[:always])
            depth = depth_text(context, outer, cls, guards[0])
            found.append(grouped("Repeat", [depth, in_list(by_rounds(rounds, repeat.size))]))
            end = repeat.end
        else:
            end = at
            while end < len(items) and items[end].guards == guards:
                end += 1
            guard = " & ".join(guard_text(outer, g, len(guards) > 1) for g in guards)
            found += repeated(plain)
            found.append(grouped("Skippable", [guard, *repeated(texts[at:end])]))
        plain = []
        at = end
    return [*found, *repeated(plain)]


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """The rounds of a repeat: of how many blocks each, how many blocks before are of rounds that are always there, and
    where it ends."""

    size: int
    always: int
    end: int


def repeat_at(items: Sequence[Item], at: int) -> Rounds | None:
    """The repeat whose first optional round begins at a place of a chain; None where none does."""
    first = depth_of(items[at].guards[0]) if len(items[at].guards) == 1 else None
    if first is None:
        return None
    size = 0
    while at + size < len(items) and items[at + size].guards == items[at].guards:
        size += 1
    end, number = at, first[1]
    while end + size <= len(items) and all(is_round(item, first[0], number) for item in items[end : end + size]):
        end, number = end + size, number + 1
    always = (first[1] - 1) * size
    before = items[max(0, at - always) : at]
    if len(before) < always or any(item.guards for item in before):
        return None
    return Rounds(size, always, end)


def is_round(item: Item, choice: str, number: int) -> bool:
    return len(item.guards) == 1 and depth_of(item.guards[0]) == (choice, number)


def depth_text(context: Context, outer: Class, cls: Class, guard: Expr) -> str:
    found = depth_of(guard)
    assert found is not None
    if is_own_depth(context, cls, guard):
        return f"OneOf({options_text(context.choices[found[0]].options)})"
    return outer.sizes.text(Need("choice", (Var(found[0]),), "depth"))


def in_list(texts: Sequence[str]) -> str:
    """Several arguments as one: a loop, or a list."""
    if len(texts) == 1 and texts[0].startswith("*("):
        return texts[0][1:]
    return f"[{', '.join(texts)}]"


def by_rounds(texts: Sequence[str], size: int) -> list[str]:
    """Blocks in rounds, those of several blocks as lists."""
    if size == 1:
        return repeated(texts)
    return repeated([f"[{', '.join(texts[i : i + size])}]" for i in range(0, len(texts), size)])


def cls_in(outer: Class, cls: Class) -> Class:
    """A chain is written in the class around it, with its names."""
    cls.sizes = outer.sizes
    return cls


def repeated(texts: Sequence[str]) -> list[str]:
    """Texts with runs of equal ones as loops, and runs in which numbers grow evenly."""
    found: list[str] = []
    at = 0
    while at < len(texts):
        end = at
        while end < len(texts) and texts[end] == texts[at]:
            end += 1
        count = end - at
        grown, length = growing(texts, at)
        if length > max(count, 2):
            found.append(f"*({grown} for i in range({length}))")
            end = at + length
        elif count > 1 and (count > 2 or len(texts[at]) > 30):
            found.append(f"*({texts[at]} for _ in range({count}))")
        else:
            found += [texts[at]] * count
        at = end
    return found


WHOLE_NUMBER: Final = re.compile(r"""(?<![\w."'])\d+(?![\w."'])""")


def growing(texts: Sequence[str], at: int) -> tuple[str, int]:
    """The text of which texts from a place on are what `i` = 0, 1, 2, .. gives, and how many these are."""
    first = WHOLE_NUMBER.split(texts[at])
    rows = [list(map(int, WHOLE_NUMBER.findall(texts[at])))]
    for text in texts[at + 1 :]:
        row = list(map(int, WHOLE_NUMBER.findall(text)))
        if WHOLE_NUMBER.split(text) != first:
            break
        if len(rows) > 1 and any(c - b != b - a for a, b, c in zip(rows[-2], rows[-1], row, strict=True)):
            break
        rows.append(row)
    if len(rows) < 3:
        return "", 0
    found = first[0]
    for start, second, rest in zip(rows[0], rows[1], first[1:], strict=True):
        step = abs(second - start)
        growth = "i" if step == 1 else f"{step} * i"
        number = (
            str(start) if not step else growth if not start else f"{start} {'+' if second > start else '-'} {growth}"
        )
        bound = found.rstrip().endswith(("*", "/", "-")) or rest.lstrip().startswith(("*", "/"))
        found += f"({number})" if step and bound else number
        found += rest
    return found, len(rows)


def grouped(name: str, args: Sequence[str]) -> str:
    return f"{name}({', '.join(args)})"


def guard_text(outer: Class, guard: Expr, inner: bool) -> str:
    text = outer.sizes.text(Need("choice", (guard,), "keep"))
    return f"({text})" if inner and " " in text else text


def call_text(name: str, args: Sequence[str]) -> str:
    return f"{name}({', '.join(args)})"
