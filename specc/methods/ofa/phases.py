"""The phases of progressive shrinking, as the project reads them (shrinking.json), and the learning rates they take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

from specc.ir.choice import Choice, Kind
from specc.ir.expr import evaluate, free
from specc.ir.graph import Graph
from specc.ir.parameter import Call

RELEASES: Final[Mapping[str, tuple[Kind, ...]]] = {
    "kernel": ("kernel",),
    "depth": ("depth", "skip"),
    "expand": ("expand",),
    "width": ("width", "branches"),
    "resolution": ("resolution",),
}
"""The kinds of choices that each phase lets go; the phase `full` lets none go."""
EPOCHS: Final[Mapping[str, int]] = {
    "full": 180,
    "kernel": 125,
    "depth": 150,
    "expand": 150,
    "width": 150,
    "resolution": 60,
}
"""The phases' epochs in once-for-all's own training, where it has them; shares of any other run."""
SUBNETS: Final[Mapping[str, int]] = {"full": 1, "kernel": 1, "depth": 2, "expand": 4, "width": 4, "resolution": 1}
"""The sub-networks that a step of each phase trains."""
PEAKS: Final[Mapping[str, Fraction]] = {
    "full": Fraction(1),
    "kernel": Fraction(96, 260),
    "depth": Fraction(24, 260),
    "expand": Fraction(24, 260),
    "width": Fraction(24, 260),
    "resolution": Fraction(24, 260),
}
"""The highest rate of each phase, as a share of the first one's: 0.96 and 0.24 of 2.6."""
IN_TWO_STAGES: Final = frozenset(("depth", "expand", "width"))
"""Phases that let the larger options go first, for a sixth of the phase, at a third of its rate, without warm-up."""
FIRST_STAGE: Final = Fraction(1, 6)
FIRST_PEAK: Final = Fraction(1, 3)


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase, or one of the two stages of a phase.

    first    whether it is the first of two, in which only the larger half of the options may be drawn
    share    of the run's epochs
    subnets  that a step trains
    peak     the highest rate, as a share of the run's; `warmup` says whether it is reached by a warm-up
    choices  that the phase lets go
    """

    phase: str
    first: bool
    share: Fraction
    subnets: int
    peak: Fraction
    warmup: bool
    choices: tuple[Choice, ...]

    def drawn(self) -> dict[str, int]:
        """How many options of each choice may be drawn, the largest ones."""
        return {c.name: larger_half(c) if self.first else len(c.options) for c in self.choices}


def stages_of(graph: Graph, call: Call) -> tuple[Stage, ...]:
    """The stages of all phases that have something to let go, in order; their shares add up to 1."""
    names = cast("tuple[str, ...]", call["phases"])
    shares = dict(zip(names, per_phase(call, "epochs", names, EPOCHS)))
    subnets = dict(zip(names, (1, *per_phase(call, "subnets", names[1:], SUBNETS))))
    peaks = dict(zip(names, (Fraction(1), *per_phase(call, "peaks", names[1:], PEAKS))))
    released = {name: tuple(c for c in graph.choices if c.kind in RELEASES.get(name, ())) for name in names}
    kept = [name for name in names if released[name] or name == "full"]
    total = sum((Fraction(shares[name]) for name in kept), Fraction(0)) or Fraction(1)
    stages: list[Stage] = []
    for name in kept:
        share, peak = Fraction(shares[name]) / total, Fraction(peaks[name])
        count = int(subnets[name])
        choices = released[name]
        if name in IN_TWO_STAGES and any(larger_half(c) < len(c.options) for c in choices):
            stages.append(Stage(name, True, share * FIRST_STAGE, count, peak * FIRST_PEAK, False, choices))
            share -= share * FIRST_STAGE
        stages.append(Stage(name, False, share, count, peak, True, choices))
    return tuple(stages)


def larger_half(choice: Choice) -> int:
    """How many options the larger half has: at least two, where there are two."""
    count = len(choice.options)
    return min(count, max(2, (count + 1) // 2))


def per_phase(call: Call, name: str, phases: Sequence[str], usual: Mapping[str, Any]) -> tuple[Any, ...]:
    """An argument that has a number for each of `phases`, or one for all; once-for-all's where it is left out."""
    given = cast("tuple[Any, ...]", call[name])
    return (given * len(phases) if len(given) == 1 else given) or tuple(usual[phase] for phase in phases)


def restarting(graph: Graph, call: Call, schedule: Call) -> Call:
    """The schedule with a restart at each stage but the first, unless it says its own or cannot restart."""
    values = dict(schedule.values)
    stages = stages_of(graph, call)
    if values.get("restarts") != () or len(stages) == 1:
        return schedule
    starts, place = [], Fraction(0)
    for stage in stages[:-1]:
        place += stage.share
        starts.append(place)
    values["restarts"] = tuple(starts)
    values["peaks"] = values["peaks"] or tuple(stage.peak for stage in stages[1:])
    values["warmups"] = values["warmups"] or tuple(values["warmup"] if stage.warmup else 0 for stage in stages[1:])
    return Call(schedule.name, tuple(values.items()))


def from_the_start(graph: Graph, call: Call) -> list[str]:
    """The choices that are drawn in every phase: a resolution that no phase names."""
    if "resolution" in cast("tuple[str, ...]", call["phases"]):
        return []
    return [choice.name for choice in graph.choices if choice.kind == "resolution"]


def sorted_channels(graph: Graph, stages: Sequence[Stage], tensor: str) -> dict[int, int]:
    """How many channels of a feature map are sorted before each stage, the first ones; by the number of the stage.

    All of them before the first stage that makes them elastic; before the second stage of that phase those that every
    sub-network trained so far has kept, so that none of these changes its output. Channels that a later phase makes
    narrower still keep their order.
    """
    size = graph.tensor_table()[tensor].features
    largest = {choice.name: choice.largest for choice in graph.choices}
    whole = cast(int, evaluate(size, largest))
    read = free(size)
    own = next((i for i, stage in enumerate(stages) if read & stage.drawn().keys()), None)
    if own is None:
        return {}
    if not stages[own].first:
        return {own: whole}
    smallest = {c.name: c.options[len(c.options) - larger_half(c)] for c in stages[own].choices}
    return {own: whole, own + 1: cast(int, evaluate(size, largest | smallest))}


def shrinking_json(graph: Graph, call: Call, sets: Sequence[Mapping[str, Any]]) -> str:
    """shrinking.json: the stages, and the sets of channels that are sorted before a stage makes them elastic."""
    stages = stages_of(graph, call)
    head = {"network": graph.name, "always": from_the_start(graph, call)}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows_of_stages = [
        {
            "phase": f"{stage.phase}, larger options" if stage.first else stage.phase,
            "share": float(stage.share),
            "subnets": stage.subnets,
            "drawn": stage.drawn(),
        }
        for stage in stages
    ]
    rows_of_sets = [
        {
            "rows": found["rows"],
            "columns": found["columns"],
            "judges": found["judges"],
            "sorted": sorted_channels(graph, stages, found["tensor"]),
        }
        for found in sets
    ]
    sections: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "stages": rows_of_stages,
        "channels": [row for row in rows_of_sets if row["sorted"]],
    }
    for key, rows in sections.items():
        body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{key}": [\n{body}\n  ]' if rows else f'  "{key}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"
