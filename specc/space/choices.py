"""A space of sub-networks as plain data: choices, when they matter, what they cost.

An assignment maps the name of every choice that matters to one of its options. A choice matters (is active)
when something present in that sub-network reads it; canonical assignments name the active choices and no
other. In arrays an assignment is a row of option positions, one column a choice; inactive choices are at 0.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Option: TypeAlias = int | float | Fraction | str
Assignment: TypeAlias = Mapping[str, Option]
Term: TypeAlias = Mapping[str, Sequence[Option]]
"""A conjunction: every choice named stands at one of the options listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The sub-networks of one supernet.

    choices   the options of every choice, smallest first
    active    for a choice that does not always matter, the terms of which one must hold for it to
    together  choices that some part of the cost reads together: a cost is a sum of parts, each of which
              reads one such set, or one choice
    costs     positions [n, choices] -> MACs [n], parameters [n], exact integers, for any positions
    kinds     what the costs are called, where they are others
    """

    choices: Mapping[str, Sequence[Option]]
    active: Mapping[str, Sequence[Term]] = field(default_factory=dict)
    together: Sequence[Sequence[str]] = ()
    costs: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], ...]] | None = None
    kinds: tuple[str, ...] = ("MACs", "parameters")


def holds(term: Term, full: Assignment) -> bool:
    """Whether every choice of a term stands at one of its options."""
    return all(full[name] in options for name, options in term.items())


def complete(space: Space, assignment: Assignment, largest: bool = False) -> dict[str, Option]:
    """An option for every choice: those not given stand at their first option, or at their last."""
    end = -1 if largest else 0
    return {name: assignment.get(name, options[end]) for name, options in space.choices.items()}


def canonical(space: Space, assignment: Assignment) -> dict[str, Option]:
    """The assignment without inactive choices, in the space's order; those not given read as their first option."""
    full = complete(space, assignment)
    return {
        name: option
        for name, option in full.items()
        if name not in space.active or any(holds(term, full) for term in space.active[name])
    }


def check(space: Space, assignment: Assignment) -> None:
    """Raises ValueError for an unknown choice, an option that it does not have, or an active choice left out."""
    for name, option in assignment.items():
        if name not in space.choices:
            raise ValueError(
                f"there is no choice {name!r}; the choices are {listed(space.choices)}"
            )
        if option not in space.choices[name]:
            raise ValueError(
                f"{name!r} cannot be {option!r}; its options are {listed(space.choices[name])}"
            )
    for name in canonical(space, assignment):
        if name not in assignment:
            raise ValueError(f"{name!r} is missing; its options are {listed(space.choices[name])}")


def listed(items: Iterable[object], most: int = 12) -> str:
    """`1, 2, 3`, with the middle of a long list left out."""
    words = [str(item) for item in items]
    if len(words) > most:
        words[most - 2 : -1] = ["..."]
    return ", ".join(words)


def smallest(space: Space) -> dict[str, Option]:
    """Every choice at its first option, canonical."""
    return canonical(space, {})


def largest(space: Space) -> dict[str, Option]:
    """Every choice at its last option, canonical."""
    return canonical(space, complete(space, {}, largest=True))


def draw(space: Space, rng: random.Random) -> dict[str, Option]:
    """One sub-network of the `independent` distribution: each active choice uniform, parents first.

    All choices are drawn and the inactive ones dropped, which is the same: which option is drawn never depends
    on a parent's, only whether it matters does.
    """
    options = space.choices.items()
    return canonical(space, {name: values[rng.randrange(len(values))] for name, values in options})


def positions(space: Space, assignments: Sequence[Assignment]) -> NDArray[np.int64]:
    """Assignments as rows of option positions, [n, choices]; choices that an assignment does not name stand at 0."""
    import numpy as np

    columns = [
        {option: index for index, option in enumerate(options)}
        for options in space.choices.values()
    ]
    named = list(zip(space.choices, columns, strict=True))
    rows = [[column[a[name]] if name in a else 0 for name, column in named] for a in assignments]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(columns))


def assignment_at(space: Space, row: Sequence[int]) -> dict[str, Option]:
    """The canonical assignment of one row of option positions."""
    options = {
        name: options[at] for (name, options), at in zip(space.choices.items(), row, strict=True)
    }
    return canonical(space, options)


def assignments_at(space: Space, rows: NDArray[np.int64]) -> list[dict[str, Option]]:
    """The canonical assignments of rows of option positions, [n, choices]."""
    names = list(space.choices)
    columns = [
        [options[at] for at in column]
        for options, column in zip(map(tuple, space.choices.values()), rows.T.tolist(), strict=True)
    ]
    found = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    for name, matters in where_active(space, rows):
        for at in (~matters).nonzero()[0].tolist():
            del found[at][name]
    return found if names else [{} for _ in range(len(rows))]


def canonical_rows(space: Space, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of option positions, [n, choices], with inactive choices at 0."""
    found = rows.copy()
    place = {name: at for at, name in enumerate(space.choices)}
    for name, matters in where_active(space, rows):
        found[~matters, place[name]] = 0
    return found


def where_active(space: Space, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """For every choice that does not always matter, in which of some rows of option positions it does."""
    import numpy as np

    place = {name: at for at, name in enumerate(space.choices)}
    for name, terms in space.active.items():
        matters = np.zeros(len(rows), dtype=bool)
        for term in terms:
            fits = np.ones(len(rows), dtype=bool)
            for other, allowed in term.items():
                table = np.array([option in allowed for option in space.choices[other]])
                fits &= table[rows[:, place[other]]]
            matters |= fits
        yield name, matters


def every(space: Space) -> Iterator[dict[str, Option]]:
    """Every canonical assignment once, by backtracking: a choice is varied only where it is active.

    Choices come after those that decide about them, so that a branch is cut as soon as it is known not to matter.
    """
    order = parents_first(space)
    constraints: dict[int, list[str]] = {}
    for name, terms in space.active.items():
        scope = {name}.union(*terms)
        constraints.setdefault(max(order.index(other) for other in scope), []).append(name)
    full: dict[str, Option] = {}
    stack = [iter(space.choices[order[0]])] if order else []
    if not order:
        yield {}
    while stack:
        depth = len(stack) - 1
        option = next(stack[-1], None)
        if option is None:
            stack.pop()
            continue
        full[order[depth]] = option
        if not all(
            full[name] == space.choices[name][0]
            or any(holds(term, full) for term in space.active[name])
            for name in constraints.get(depth, ())
        ):
            continue
        if depth + 1 < len(order):
            stack.append(iter(space.choices[order[depth + 1]]))
        else:
            yield canonical(space, full)


def parents_first(space: Space) -> list[str]:
    """The choices in their own order, each after those that its activity reads; a cycle is cut where it is met."""
    order: dict[str, None] = {}
    entered: set[str] = set()
    for root in space.choices:
        stack = [(root, False)]
        while stack:
            name, left = stack.pop()
            if left:
                order[name] = None
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                parents = {parent for term in space.active.get(name, ()) for parent in term}
                stack.extend((parent, False) for parent in sorted(parents, reverse=True))
    return list(order)


def independent_parts(space: Space) -> list[Space]:
    """The space as parts that decide nothing about one another: its size is the product of theirs."""
    part_of = {name: [name] for name in space.choices}
    for name, terms in space.active.items():
        for parent in {parent for term in terms for parent in term}:
            ours, theirs = part_of[name], part_of[parent]
            if ours is not theirs:
                small, large = sorted((ours, theirs), key=len)
                large += small
                part_of.update((member, large) for member in small)
    distinct = {id(members): members for members in part_of.values()}
    place = {name: at for at, name in enumerate(space.choices)}
    found = [sorted(members, key=place.__getitem__) for members in distinct.values()]
    return [
        Space(
            {name: space.choices[name] for name in members},
            {name: space.active[name] for name in members if name in space.active},
        )
        for members in found
    ]
