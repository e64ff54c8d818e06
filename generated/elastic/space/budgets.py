"""The constraints of several budgets at once: MACs, parameters, latency.

Each constraint limits one kind of cost (PSS-Net_M trains under all of them together); they are numbered through, kind
after kind, by rising cost.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from elastic.files.renames import Renamed
from elastic.space.choices import Option, Space
from elastic.space.constraints import Constraint, Kept, Ladder, ladder
from elastic.space.latency_table import NANOSECONDS, WrongTable, latency_space, read_table
from elastic.space.marginals import by_marginals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NoBudget(ValueError):
    """A budget that cannot be kept to: no latency table, or far too many constraints."""


@dataclass(frozen=True, slots=True, eq=False)
class Budgets:
    """All constraints, and how a sub-network that keeps one is drawn.

    `notes` has a line for each kind of cost that needs one: what a latency table holds for.
    """

    ladders: tuple[Ladder, ...]
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[Kept, ...]:
        return tuple(kept for found in self.ladders for kept in found.kept)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return tuple(kept.constraint for kept in self.kept)

    def draw(self, number: int, rng: random.Random) -> dict[str, Option]:
        """A sub-network that keeps constraint `number`."""
        found, place = self.placed(number)
        return found.draw(place, rng)

    def cost(self, number: int, assignment: Mapping[str, Option]) -> int:
        """What constraint `number` limits, of a canonical assignment."""
        return self.placed(number)[0].cost(assignment)

    def placed(self, number: int) -> tuple[Ladder, int]:
        """The ladder of a constraint, and its number there."""
        for found in self.ladders:
            if number < len(found.kept):
                return found, number
            number -= len(found.kept)
        raise IndexError("there is no such constraint")

    def capacities(self, most: int) -> list[int]:
        """What pools may hold: `most`, or all sub-networks of the window where they are fewer."""
        return [min(most, kept.size) for kept in self.kept]

    def summary(self) -> str:
        """A line for each kind: how many constraints, from where to where, and how they are drawn from."""
        lines = []
        for found in self.ladders:
            least, most = found.constraints[0].target, found.constraints[-1].target
            tries = max(kept.tries for kept in found.kept)
            how = (
                "drawn exactly" if tries == 1 else f"drawn in at most {tries:.1f} tries on average"
            )
            uniform = "" if found.uniform else ", each choice on its own, which is not uniform"
            if found.in_doubt:
                uniform += f"; none was found for {len(found.in_doubt)} more constraints"
            lines.append(
                f"{len(found.kept)} constraints in {found.kind}, {shown(found.kind, least)} to "
                f"{shown(found.kind, most)}: sub-networks {how}{uniform}"
            )
        return "\n".join([*lines, *self.notes])


def budgets_of(
    space: Space,
    settings: Sequence[Mapping[str, Any]],
    pool: int,
    folder: Path,
    sampler: str = "uniform",
    renamed: Renamed = MappingProxyType({}),
) -> Budgets:
    """The constraints of budgets such as {"name": "macs", "step": 10_000_000}. A latency's step is in seconds.

    `sampler` is "uniform", or "paper" for Eq. 4. Latency tables lie in `folder`; `renamed` are
    names of the first version, by which they may go. Raises NoBudget.
    """
    ladders = []
    notes: list[str] = []
    for budget in settings:
        kind = budget["name"]
        try:
            costed, step, note = costed_by(space, budget, folder, renamed)
            notes += [note] if note else []
            found = ladder(kind, costed, step, pool)
        except (OSError, ValueError) as error:
            raise NoBudget(str(error)) from None
        if not found.kept:
            raise NoBudget(f"no sub-network was found for any constraint in {kind}")
        ladders.append(by_marginals(found) if sampler == "paper" else found)
    return Budgets(tuple(ladders), tuple(notes))


def costed_by(
    space: Space, budget: Mapping[str, Any], folder: Path, renamed: Renamed
) -> tuple[Space, int, str]:
    """The space with the cost that a budget limits in the first place, the step in whole units of it, and a note."""
    if budget["name"] == "latency":
        device = str(budget["device"])
        path = folder / table_name(device)
        if not path.is_file():
            raise WrongTable(
                f"a latency budget needs measured blocks: there is no {path.name} beside train.py; "
                f"{how_to_measure(device)}"
            )
        table = read_table(path, space, renamed)
        if not device.endswith(".json") and table.device != device:
            raise WrongTable(f"{path.name} was measured on {table.device}, not on {device}")
        step = round(budget["step"] * NANOSECONDS)
        return (
            latency_space(space, table),
            max(1, step),
            f"latencies by {path.name}: {table.conditions}",
        )
    costed = space if budget["name"] == "macs" else swapped(space)
    return costed, max(1, round(budget["step"])), ""


def how_to_measure(device: str) -> str:
    """What makes the latency table of a device, or of a file that a budget names."""
    if device.endswith(".json"):
        return (
            "`python bench.py --table` measures this machine, with `--device cuda` its GPU; "
            f"call what it writes {device}"
        )
    option = "" if device == "cpu" else f" --device {device}"
    return f"`python bench.py --table{option}` measures it, on the machine that it is for"


def table_name(device: str) -> str:
    """`latency.cpu.json` for cpu; a name that ends in .json is that of the file."""
    return device if device.endswith(".json") else f"latency.{device}.json"


def swapped(space: Space) -> Space:
    """The space with parameters as its first cost."""
    both = space.costs
    assert both is not None

    def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        macs, params = both(rows)
        return params, macs

    return Space(space.choices, space.active, space.together, costs, space.kinds[::-1])


def shown(kind: str, cost: int) -> str:
    """A cost for people: `69,129,728`, `1.250 ms`."""
    return f"{cost / 1e6:.3f} ms" if kind == "latency" else f"{cost:,}"
