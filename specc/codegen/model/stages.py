"""Stages of blocks one after another, written as a list: `Stage(Bottleneck(64, 64), Skippable(keep, ..))`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from specc.codegen.model.merge import Guarded, Merged, Node, Place
from specc.codegen.model.sizes import Need
from specc.codegen.model.structure import OpEntry, Part
from specc.ir.expr import Apply, Expr, Var

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
        or (part.notes
        and not part.scope.output)
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
            if node.first.op.kind != "select" or node.inputs != (waiting, current):
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
    return inside and len(options) <= 8


def chain_items(context: Context, outer: Class, cls: Class, construction: Construction) -> list[str]:
    """The arguments of `Stage(..)`: blocks, runs of equal ones, and groups that a choice may leave out.

    `construction` gives the class of a part and its arguments.
    """
    items = items_of(cls.merged)
    texts = [call_text(*construction(context, cls_in(outer, cls), item.place)) for item in items]
    found: list[str] = []
    at = 0
    while at < len(items):
        guards = items[at].guards
        if len(guards) == 1 and depth_of(guards[0]) is not None:
            end, text = rounds(context, outer, cls, items, texts, at, found)
        elif guards:
            end = at
            while end < len(items) and items[end].guards == guards:
                end += 1
            guard = " & ".join(guard_text(outer, g, len(guards) > 1) for g in guards)
            text = grouped("Skippable", [guard, *repeated(texts[at:end])])
        else:
            end = at
            while end < len(items) and not items[end].guards:
                end += 1
            found += repeated(texts[at:end])
            at = end
            continue
        found.append(text)
        at = end
    return found


def cls_in(outer: Class, cls: Class) -> Class:
    """A chain is written in the class around it, with its names."""
    cls.sizes = outer.sizes
    return cls


def rounds(
    context: Context, outer: Class, cls: Class, items: Sequence[Item], texts: Sequence[str], at: int, found: list[str]
) -> tuple[int, str]:
    """The rounds of a repeat that may be left out: `Repeat(depth, (Block(..) for _ in range(3)))`.

    Those that are always there come just before; they are taken into it where they are written alike.
    """
    first = depth_of(items[at].guards[0])
    assert first is not None
    choice, least = first
    end = at
    while (
        end < len(items)
        and items[end].guards
        and depth_of(items[end].guards[0]) == (choice, least + end - at)
        and len(items[end].guards) == 1
    ):
        end += 1
    options = context.choices[choice].options
    if is_own_depth(context, cls, items[at].guards[0]):
        depth = f"OneOf({', '.join(map(repr, options))})"
    else:
        depth = outer.sizes.text(Need("choice", (Var(choice),), "depth"))
    if end == at:  # two blocks a round
        end = at
        while end < len(items) and items[end].guards == items[at].guards:
            end += 1
        return end, grouped("Skippable", [guard_text(outer, items[at].guards[0], False), *repeated(texts[at:end])])
    if any(depth_of(i.guards[0]) == depth_of(items[end - 1].guards[0]) for i in items[end : end + 1] if i.guards):
        # two blocks a round: each round as a group of its own
        end = at
        while end < len(items) and items[end].guards == items[at].guards:
            end += 1
        return end, grouped("Skippable", [guard_text(outer, items[at].guards[0], False), *repeated(texts[at:end])])
    before = least - 1
    always = taken_back(found, texts[max(0, at - before) : at], texts[at])
    if always < before:
        group = [guard_text(outer, items[i].guards[0], False) for i in range(at, end)]
        singles = [grouped("Skippable", [g, t]) for g, t in zip(group, texts[at:end], strict=True)]
        found += singles[:-1]
        return end, singles[-1]
    return end, grouped("Repeat", [depth, *repeated(texts[at - before : end])])


def taken_back(found: list[str], always: Sequence[str], text: str) -> int:
    """Takes the blocks that are always there back from what is written already; returns how many."""
    if not always:
        return 0
    written = repeated(list(always))
    count = len(always)
    last = found[-1] if found else ""
    if len(written) == 1 and last == written[0]:
        found.pop()
        return count
    loop = loop_of(last)
    if loop is not None and loop[0] == always[0] and loop[1] > count and all(t == always[0] for t in always):
        found.pop()
        found.extend(repeated([loop[0]] * (loop[1] - count)))
        return count
    if found[-count:] == list(always):
        del found[-count:]
        return count
    return 0


def loop_of(text: str) -> tuple[str, int] | None:
    """The block and how often it stands, of `*(Block() for _ in range(3))`."""
    if not text.startswith("*(") or " for _ in range(" not in text:
        return None
    block, _, count = text.removeprefix("*(").removesuffix("))").rpartition(" for _ in range(")
    return block, int(count)


def repeated(texts: Sequence[str]) -> list[str]:
    """Texts with runs of equal ones as loops."""
    found: list[str] = []
    at = 0
    while at < len(texts):
        end = at
        while end < len(texts) and texts[end] == texts[at]:
            end += 1
        count = end - at
        if count > 1 and (count > 2 or len(texts[at]) > 30):
            found.append(f"*({texts[at]} for _ in range({count}))")
        else:
            found += [texts[at]] * count
        at = end
    return found


def grouped(name: str, args: Sequence[str]) -> str:
    return f"{name}({', '.join(args)})"


def guard_text(outer: Class, guard: Expr, inner: bool) -> str:
    text = outer.sizes.text(Need("choice", (guard,), "keep"))
    return f"({text})" if inner and " " in text else text


def call_text(name: str, args: Sequence[str]) -> str:
    return f"{name}({', '.join(args)})"
