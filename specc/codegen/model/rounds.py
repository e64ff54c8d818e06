"""Rounds of a repeat that are no single block: parts of their own, so that a stage is a loop over them.

Lowering writes a repeat out, round by round. Here the rounds are found again by the places in the spec that their
operations come from. Each becomes a part whose modules are the stage's (`specc/runtime/net/rounds.py`), so that names
stay as they are. What only some rounds have for good - the last round before an exit makes maps that nobody reads
there - stands under a condition in all of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from specc.codegen.model.structure import Entry, OpEntry, Part, Region, Structure, tensor_ranks, walk
from specc.ir.expr import Expr, both, free
from specc.ir.graph import Scope

NUMBERED = re.compile(r"(.*\D)(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """An op or part of a stage with the regions around it."""

    entry: OpEntry | Part
    regions: tuple[Region, ...]

    @property
    def key(self) -> Hashable:
        """Where the spec writes it."""
        origin = self.entry.op.origin if isinstance(self.entry, OpEntry) else self.entry.scope.origin
        return type(self.entry), origin.start, origin.end

    @property
    def guard(self) -> Expr:
        guard: Expr = 1
        for region in self.regions:
            guard = both(guard, region.guard)
        return guard


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rounds one after another: `count` times `size` atoms from `start` on."""

    start: int
    size: int
    count: int

    @property
    def end(self) -> int:
        return self.start + self.size * self.count


def find_rounds(found: Structure, apart: frozenset[int]) -> None:
    """Makes parts of the rounds in all stems and stages, but for the runs `apart`, by number."""
    made: list[list[Atom]] = []
    for part in list(found.parts):
        if part.scope.kind in ("stem", "stage") and not part.scope.output:
            part.entries = with_rounds(found, part, part.entries, made, apart)
    kinds: dict[Hashable, list[tuple[Part, list[Atom]]]] = {}
    parts = [part for part in found.parts if part.scope.kind == "round"]
    for part, atoms in zip(parts, made, strict=True):
        kinds.setdefault(tuple(map(kind_of, atoms)), []).append((part, atoms))
    for number, same in enumerate(kinds.values()):
        fill(same, number)


def kind_of(atom: Atom) -> Hashable:
    """What the rounds of one class have in common at each place."""
    entry = atom.entry
    if isinstance(entry, Part):
        return "part", local(entry.attribute), entry.scope.block
    return "op", local(entry.attribute), entry.op.kind


def with_rounds(
    found: Structure, stage: Part, entries: tuple[Entry, ...], made: list[list[Atom]], apart: frozenset[int]
) -> tuple[Entry, ...]:
    """The entries with rounds instead of what belongs to one."""
    atoms = list(atoms_of(entries, ()))
    runs = {}
    for run in runs_in([atom.key for atom in atoms]):
        if is_fit(found, atoms, run):
            found.runs += 1
            if found.runs not in apart:
                runs[found.runs] = run
    in_run = {id(atom.entry) for run in runs.values() for atom in atoms[run.start : run.end]}
    starts = {id(atoms[run.start].entry): number for number, run in runs.items()}
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Region) and not any(id(inner) in in_run for inner in walk((entry,))):
            kept.append(Region(entry.guard, with_rounds(found, stage, entry.entries, made, apart)))
            continue
        first = next(iter(walk((entry,))))
        if id(first) in starts:
            number = starts[id(first)]
            run = runs[number]
            for at in range(run.start, run.end, run.size):
                part = Part(round_scope(stage, atoms[at]), "")
                part.run = number
                made.append(atoms[at : at + run.size])
                found.parts.append(part)
                kept.append(part)
        elif id(first) not in in_run:
            kept.append(entry)
    return tuple(kept)


def round_scope(stage: Part, first: Atom) -> Scope:
    entry = first.entry
    origin = entry.op.origin if isinstance(entry, OpEntry) else entry.scope.origin
    return Scope(f"{stage.scope.name}_round", stage.scope.path, "round", 1, (), origin)


def atoms_of(entries: Sequence[Entry], regions: tuple[Region, ...]) -> Iterator[Atom]:
    for entry in entries:
        if isinstance(entry, Region):
            yield from atoms_of(entry.entries, (*regions, entry))
        else:
            yield Atom(entry, regions)


def runs_in(keys: Sequence[Hashable]) -> Iterator[Run]:
    """Repetitions in a sequence, outer ones instead of those in them."""
    places: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    at = 0
    while at < len(keys):
        same = places[keys[at]]
        best = Run(at, 1, 1)
        while (following := bisect_left(same, max(best.end, at + 1))) < len(same):
            run = run_of(keys, at, same[following] - at)
            if run.count < 2:
                break
            best = run
        if best.count > 1:
            yield best
        at = best.end


def run_of(keys: Sequence[Hashable], at: int, size: int) -> Run:
    end = at + size
    while end < len(keys) and keys[end] == keys[end - size]:
        end += 1
    return Run(at, size, (end - at) // size)


def is_module(found: Structure, entry: OpEntry | Part) -> bool:
    """Whether an entry has weights."""
    if isinstance(entry, Part):
        return True
    op = entry.op
    sides = ([found.tensors[t] for t in tensors] for tensors in (op.inputs, op.outputs))
    return bool(op.operator.weights(op, *sides))


def is_fit(found: Structure, atoms: Sequence[Atom], run: Run) -> bool:
    """Whether rounds can be parts: of more than one block or op, without outputs or alternatives of their own, each
    region in one round as a whole."""
    inside = atoms[run.start : run.end]
    entries = [atom.entry for atom in inside[: run.size]]
    if run.size == 1 or (run.count == 2 and sum(is_module(found, entry) for entry in entries) < 2):
        return False  # two lines are no loop
    if any(isinstance(a.entry, Part) and (a.entry.notes or a.entry.scope.output) for a in inside):
        return False
    if any(isinstance(a.entry, OpEntry) and a.entry.op.operator.selects for a in inside):
        return False
    if all(isinstance(entry, Part) for entry in entries):
        return False
    around = {id(r): (r, at // run.size) for at, a in enumerate(inside) for r in a.regions}
    exits = {choice.name for choice in found.graph.choices if choice.kind == "exit"}
    if any(not free(region.guard) <= exits for region, _ in around.values()):
        return False  # a select stands behind it
    for number, atom in enumerate(inside):
        if any(around[id(region)][1] != number // run.size for region in atom.regions):
            return False
    counted = Counter(id(region) for atom in inside for region in atom.regions)
    return all(counted[key] == sum(1 for _ in walk(region.entries)) for key, (region, _) in around.items())


def local(attribute: str) -> str:
    """An attribute without the number that the stage gives it."""
    found = NUMBERED.fullmatch(attribute)
    return found[1] if found else attribute


def fill(same: Sequence[tuple[Part, list[Atom]]], number: int) -> None:
    """Gives rounds of one kind their entries: what all have, and in regions what a condition guards in some."""
    size = len(same[0][1])
    absent = [tuple(atoms[i].guard for _, atoms in same) for i in range(size)]
    bases = [local(atom.entry.attribute) for atom in same[0][1]]
    count = Counter(bases)
    seen: Counter[str] = Counter()
    names = []
    for base in bases:
        seen[base] += 1
        names.append(f"{base}{seen[base]}" if count[base] > 1 or base == "b" else base)
    for row, (part, atoms) in enumerate(same):
        part.kind = number
        entries: list[Entry] = []
        for i, atom in enumerate(atoms):
            atom.entry.stage_name = atom.entry.attribute
            atom.entry.attribute = names[i]
            atom.entry.place = i
            guards = absent[i]
            if all(guard == 1 for guard in guards):
                entries.append(atom.entry)
            elif i and guards == absent[i - 1]:
                region = entries[-1]
                assert isinstance(region, Region)
                region.entries = (*region.entries, atom.entry)
            else:
                entries.append(Region(guards[row], (atom.entry,), partial=True))
        part.entries = tuple(entries)


def join_boundaries(found: Structure) -> None:
    """Lets all rounds of a kind take and give tensors in one order, and the same outputs: those that are read of some.

    The order is that of the tensors of the first round.
    """
    kinds: dict[tuple[int, int], list[Part]] = {}
    for part in found.parts:
        if part.scope.kind == "round":
            kinds.setdefault((part.kind, len(part.inputs)), []).append(part)
    ranks = tensor_ranks(found)
    for parts in kinds.values():
        first, *_ = parts
        order = sorted(range(len(first.inputs)), key=lambda i: ranks[first.inputs[i]])
        made = [[t for entry in walk(part.entries) for t in entry.outputs] for part in parts]
        places = {tensors.index(t) for part, tensors in zip(parts, made, strict=True) for t in part.outputs}
        given = sorted(places, key=lambda i: ranks[made[0][i]])
        for part, tensors in zip(parts, made, strict=True):
            part.inputs = tuple(part.inputs[i] for i in order)
            part.outputs = tuple(tensors[i] for i in given)
