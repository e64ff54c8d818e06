"""Parts that become one class: equal ones, and the variants of a block, whose differences become conditions.

Instances of a block differ where its definition has conditions on its arguments: `when expand != 1 { .. }`. Their
entries are parts of one sequence, the definition's. Here that sequence is put together again; what only some instances
have stands in an `Arm`, and where a tensor comes from different places there is a `Join`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeAlias

from specc.codegen.model.structure import Entry, OpEntry, Part, Region, Structure, walk
from specc.ir.expr import Apply, Expr, Var
from specc.ops.writing import is_function

Mask: TypeAlias = tuple[bool, ...]
"""For each instance of a class whether it has something."""


@dataclass(slots=True, eq=False)
class Place:
    """An op or part of a class: its entry in every instance, None in those without it; the tensors that it reads and
    makes, by names of the class's own."""

    attribute: str
    column: tuple[OpEntry | Part | None, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def first(self) -> OpEntry | Part:
        return next(entry for entry in self.column if entry is not None)

    @property
    def mask(self) -> Mask:
        return tuple(entry is not None for entry in self.column)


@dataclass(slots=True, eq=False)
class Guarded:
    """What a choice may leave out: nodes under a condition, in every instance one over choices of its own.

    A `partial` one is always there in some instances; whether it is, its parts in the plan say.
    """

    guards: tuple[Expr | None, ...]
    nodes: list[Node]
    partial: bool = False

    def places(self) -> Iterator[Place]:
        return places(self.nodes)

    @property
    def guard(self) -> Expr:
        return next(guard for guard in self.guards if guard is not None)

    @property
    def mask(self) -> Mask:
        return tuple(guard is not None for guard in self.guards)


@dataclass(slots=True, eq=False)
class Arm:
    """What only some instances have."""

    mask: Mask
    nodes: list[Node]


@dataclass(slots=True, eq=False)
class Join:
    """A tensor that comes from different places: the first input that an instance makes. `masks` say which do."""

    inputs: tuple[str, ...]
    output: str
    masks: tuple[Mask, ...]


Node: TypeAlias = Place | Guarded | Arm | Join


@dataclass(slots=True, eq=False)
class Merged:
    """Several parts as one sequence, with the tensors that enter and leave."""

    parts: Sequence[Part]
    nodes: list[Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def places(self) -> Iterator[Place]:
        return places(self.nodes)


def places(nodes: Iterable[Node]) -> Iterator[Place]:
    """All places in the order of the text."""
    for node in nodes:
        if isinstance(node, Place):
            yield node
        elif isinstance(node, (Guarded, Arm)):
            yield from places(node.nodes)


class Differs(Exception):
    """Parts cannot be one class."""


class RoundsDiffer(Exception):
    """Rounds of a repeat cannot be a loop: `runs` says which."""

    def __init__(self, runs: frozenset[int]) -> None:
        super().__init__(runs)
        self.runs = runs


def classes(found: Structure) -> list[Merged]:
    """All parts in as few classes as can be, parts before wholes; notes in each part its class and place in it."""
    kinds: dict[Hashable, list[Part]] = {}
    for part in found.parts:
        kinds.setdefault(kind_of(part), []).append(part)
    merged: list[Merged] = []
    done: set[Hashable] = set()

    def visit(kind: Hashable) -> None:
        if kind in done:
            return
        done.add(kind)
        for part in kinds[kind]:
            for entry in walk(part.entries):
                if isinstance(entry, Part):
                    visit(kind_of(entry))
        for group in clusters(found, kinds[kind]):
            for index, part in enumerate(group.parts):
                part.cls, part.index = len(merged), index
            merged.append(group)

    visit(kind_of(found.root))
    return merged


def kind_of(part: Part) -> Hashable:
    """What parts of one class have in common at least: the block's definition, or what the spec calls them."""
    scope = part.scope
    if scope.kind == "round":
        return "round", part.kind, len(part.inputs), len(part.outputs)
    if scope.kind == "block":
        return "block", scope.block, source_of(part), part.notes, len(part.inputs), len(part.outputs)
    blocks = all(isinstance(entry, Part) for entry in part.entries)
    name = "" if scope.output and not blocks else scope.path  # what is only blocks is written where it stands
    return scope.kind, name, len(part.inputs), len(part.outputs)


def source_of(part: Part) -> int:
    for entry in part.entries:
        while isinstance(entry, Region):
            entry = entry.entries[0]
        return id(entry.op.origin.source if isinstance(entry, OpEntry) else entry.scope.origin.source)
    return 0


def clusters(found: Structure, parts: Sequence[Part]) -> list[Merged]:
    """Parts in groups that are one class each. Those of one form are always together; whether forms are is tried."""
    forms: dict[Hashable, list[Part]] = {}
    for part in parts:
        forms.setdefault(form(found, part), []).append(part)
    groups: list[list[list[Part]]] = []
    for same in forms.values():
        for group in groups:
            if mergeable(found, [other[0] for other in group] + [same[0]]):
                group.append(same)
                break
        else:
            groups.append([same])
    place = {id(part): number for number, part in enumerate(parts)}
    return [merge(found, sorted((p for same in group for p in same), key=lambda p: place[id(p)])) for group in groups]


def mergeable(found: Structure, parts: Sequence[Part]) -> bool:
    if parts[0].scope.kind != "block" or any(part.notes for part in parts):
        return False
    if not guarded_alike(parts):
        return False
    try:
        merge(found, parts)
    except Differs:
        return False
    return True


def guarded_alike(parts: Sequence[Part]) -> bool:
    """Whether no call of the definition is what a choice may leave out in one instance and fixed in another, or begins
    what a choice may leave out only in one: as one class that would be two layers of one name, and two texts for one
    condition."""
    common: dict[Hashable, set[Hashable]] = {}
    for part in parts:
        own: dict[Hashable, set[Hashable]] = {}
        note_guards(part.entries, (), own)
        for place, regions in own.items():
            if common.setdefault(place, regions).isdisjoint(regions):
                return False
    return True


def note_guards(entries: Iterable[Entry], inside: tuple[Hashable, ...], found: dict[Hashable, set[Hashable]]) -> None:
    """Notes in which regions each call of the definition stands, a region by the call that it begins with."""
    for entry in entries:
        if isinstance(entry, Region):
            note_guards(entry.entries, inside if entry.partial else (*inside, place_of(entry)), found)
        else:
            found.setdefault(place_of(entry), set()).add(inside)


def merge(found: Structure, parts: Sequence[Part]) -> Merged:
    """Parts as one sequence. Raises Differs where they are none."""
    nodes = merged_entries(found, [part.entries for part in parts])
    names = [{tensor: f"in{i}" for i, tensor in enumerate(part.inputs)} for part in parts]
    inputs = tuple(f"in{i}" for i in range(len(parts[0].inputs)))
    makers: dict[str, Mask] = {name: (True,) * len(parts) for name in inputs}
    flow = Flow(names, makers, dict.fromkeys(inputs, (nodes, -1)))
    connect(flow, nodes)
    outputs = tuple(
        flow.source(tuple(names[i].get(part.outputs[j]) for i, part in enumerate(parts)))
        for j in range(len(parts[0].outputs))
    )
    for level, where, join in sorted(flow.joins, key=lambda item: -item[1]):  # from the back, so that places stay
        level.insert(where + 1, join)
    settle(nodes, (True,) * len(parts))
    return Merged(parts, nodes, inputs, outputs)


# --- one sequence of all entries ---


def merged_entries(found: Structure, rows: Sequence[tuple[Entry, ...] | None]) -> list[Node]:
    """The entries of all instances in the order of the definition, each once."""
    tables: list[dict[Hashable, Entry]] = []
    order: list[Hashable] = []
    for row in rows:
        table = keyed(row or ())
        tables.append(table)
        if not order or list(table) == order:  # as nearly always
            order = list(table)
            continue
        before = -1
        for key in table:
            if key in order:
                here = order.index(key)
                if here <= before:
                    raise Differs
                before = here
            else:
                before += 1
                while before < len(order) and order[before] not in table and ends(order[before]) < ends(key):
                    before += 1  # what the definition writes before it, and this instance lacks
                order.insert(before, key)
    nodes: list[Node] = []
    for key in order:
        column = [table.get(key) for table in tables]
        nodes.append(merged_node(found, column))
    return nodes


def ends(key: Hashable) -> tuple[int, int]:
    """How often the definition has come to a place by then, and where its text ends."""
    found: Any = key
    place, count = found
    while place[0] == "region":
        place = place[1]
    return count, place[2]


def keyed(row: Sequence[Entry]) -> dict[Hashable, Entry]:
    """Entries by where the definition writes them."""
    count: dict[Hashable, int] = {}
    table: dict[Hashable, Entry] = {}
    for entry in row:
        base = place_of(entry)
        count[base] = count.get(base, 0) + 1
        table[base, count[base]] = entry
    return table


def place_of(entry: Entry) -> Hashable:
    if isinstance(entry, Region):
        return "region", place_of(entry.entries[0])
    if entry.place >= 0:
        return "round", entry.place, entry.place
    if isinstance(entry, Part):
        return "part", entry.scope.origin.start, entry.scope.origin.end
    return "op", entry.op.origin.start, entry.op.origin.end, entry.op.operator.selects


def merged_node(found: Structure, column: Sequence[Entry | None]) -> Node:
    entries = [entry for entry in column if entry is not None]
    if any(type(entry) is not type(entries[0]) for entry in entries):
        raise Differs
    if isinstance(entries[0], Region):
        regions = [entry if isinstance(entry, Region) else None for entry in column]
        guards = tuple(None if region is None else region.guard for region in regions)
        if not entries[0].partial and len({shape_of(guard, {}) for guard in guards if guard is not None}) > 1:
            raise Differs
        inner = merged_entries(found, [None if region is None else region.entries for region in regions])
        return Guarded(guards, inner, entries[0].partial)
    if len({signature(found, entry) for entry in entries}) > 1:
        raise Differs
    return Place(entries[0].attribute, tuple(column))  # type: ignore[arg-type]


def signature(found: Structure, entry: Entry) -> Hashable:
    """What an op or part must have in common to be written once."""
    if isinstance(entry, Part):
        return entry.attribute, entry.cls, len(entry.inputs), len(entry.outputs)
    assert isinstance(entry, OpEntry)
    op = entry.op
    function = is_function(op.kind)
    ranks = tuple(len(found.tensors[t].space) for t in op.inputs)
    connection = op.connection.kind, op.connection.blocks is None
    return (
        "" if function else entry.attribute,
        "function" if function else op.kind,
        connection,
        ranks,
        len(op.outputs),
        params_key(op.params) if not function else (),
    )


def params_key(value: object) -> Hashable:
    """An op's params without their numbers; conditions keep their form."""
    if is_dataclass(value) and not isinstance(value, (Var, Apply, type)):
        conditions = getattr(value, "conditions", None)
        if conditions is not None:
            known: dict[str, int] = {}
            return tuple(shape_of(condition, known) for condition in conditions)
        return tuple(params_key(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple):
        keys = tuple(map(params_key, value))
        return "numbers" if all(is_plain(key) for key in keys) else keys
    if value is None or isinstance(value, (bool, str)):
        return value
    return "number"


def is_plain(key: Hashable) -> bool:
    """Whether a key stands for numbers alone."""
    return key in ("number", "numbers") or (isinstance(key, tuple) and bool(key) and all(map(is_plain, key)))


def shape_of(expr: Expr, choices: dict[str, int]) -> Hashable:
    """A condition with its choices numbered in the order in which it reads them."""
    if isinstance(expr, Var):
        return "choice", choices.setdefault(expr.choice, len(choices))
    if isinstance(expr, Apply):
        return expr.function, tuple(shape_of(arg, choices) for arg in expr.args)
    return expr


def form(found: Structure, part: Part) -> Hashable:
    """The structure of a part, without numbers: parts of one form differ in sizes alone."""
    numbers: dict[str, int] = {name: i for i, name in enumerate(part.inputs)}
    choices: dict[str, int] = {}

    def entry_form(entry: Entry) -> Hashable:
        if isinstance(entry, Region):
            guard = None if entry.partial else shape_of(entry.guard, choices)
            return "region", guard, tuple(map(entry_form, entry.entries))
        inputs = tuple(numbers[t] for t in entry.inputs)
        for tensor in entry.outputs:
            numbers[tensor] = len(numbers)
        kind = entry.op.kind if isinstance(entry, OpEntry) else ""
        return place_of(entry), kind, signature(found, entry), inputs

    entries = tuple(map(entry_form, part.entries))
    return entries, tuple(numbers[name] for name in part.outputs)


# --- where tensors come from ---


@dataclass(slots=True, eq=False)
class Flow:
    """`names`: what the class calls each instance's tensors; `makers`: which instances make each; `homes`: the list of
    nodes that makes it, and where in it; `joins`: what is to be put behind a place of a list."""

    names: list[dict[str, str]]
    makers: dict[str, Mask]
    homes: dict[str, tuple[list[Node], int]]
    joins: list[tuple[list[Node], int, Join]]
    known: dict[tuple[str, ...], str]

    def __init__(
        self, names: list[dict[str, str]], makers: dict[str, Mask], homes: dict[str, tuple[list[Node], int]]
    ) -> None:
        self.names, self.makers, self.homes, self.joins, self.known = names, makers, homes, [], {}

    def source(self, wanted: tuple[str | None, ...]) -> str:
        """The tensor that is `wanted` in each instance (None: whichever). Raises Differs where no join gives it."""
        different = {name for name in wanted if name is not None}
        if len(different) == 1:
            return different.pop()
        order = {name: place for place, name in enumerate(self.makers)}
        candidates = tuple(sorted(different, key=order.__getitem__, reverse=True))
        masks = tuple(self.makers[name] for name in candidates)
        for i, name in enumerate(wanted):
            made = next((c for c, mask in zip(candidates, masks, strict=True) if mask[i]), None)
            if name is not None and made != name:
                raise Differs
        if candidates not in self.known:
            level, where = self.homes[candidates[0]]
            output = f"join{len(self.known)}"
            self.known[candidates] = output
            self.joins.append((level, where, Join(candidates, output, masks)))
        return self.known[candidates]


def connect(flow: Flow, nodes: list[Node]) -> None:
    """Gives every place the names of its tensors."""
    for where, node in enumerate(nodes):
        if isinstance(node, Guarded):
            connect(flow, node.nodes)
        elif isinstance(node, Place):
            count = len(node.first.inputs)
            reads = [
                tuple(None if e is None else flow.names[i].get(e.inputs[j]) for i, e in enumerate(node.column))
                for j in range(count)
            ]
            if any(e is not None and len(e.inputs) != count for e in node.column):
                raise Differs
            node.inputs = tuple(flow.source(wanted) for wanted in reads)
            made = []
            for j in range(len(node.first.outputs)):
                name = f"t{len(flow.makers)}"
                flow.makers[name] = node.mask
                flow.homes[name] = nodes, where
                for i, entry in enumerate(node.column):
                    if entry is not None:
                        flow.names[i][entry.outputs[j]] = name
                made.append(name)
            node.outputs = tuple(made)


def settle(nodes: list[Node], around: Mask) -> None:
    """Puts what only some of the instances `around` have into arms."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Guarded):
            settle(node.nodes, node.mask)
        mask = around if isinstance(node, Join) else node.mask
        last = found[-1] if found else None
        if mask == around:
            found.append(node)
        elif isinstance(last, Arm) and last.mask == mask:
            last.nodes.append(node)
        else:
            found.append(Arm(mask, [node]))
    nodes[:] = found
