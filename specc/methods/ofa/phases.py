"""The phases of progressive shrinking, as the project reads them: shrinking.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, cast

from specc.ir.choice import Kind
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
EPOCHS: Final[Mapping[str, int]] = {"full": 6, "kernel": 4, "depth": 5, "expand": 5, "width": 5, "resolution": 2}
"""The phases' shares of the epochs: 180, 120, 145 and 145 in once-for-all's own training."""
IN_TWO_STAGES: Final = frozenset(("depth", "expand", "width"))
"""Phases whose larger options are let go first, for a sixth of the phase."""
FIRST_STAGE: Final = Fraction(1, 6)


def phases_of(graph: Graph, call: Call) -> list[dict[str, Any]]:
    """Every phase that has something to do: its name, its share of the epochs, the share of the phase in which only
    the larger half of the options are drawn, and the choices that it lets go."""
    names = cast("tuple[str, ...]", call["phases"])
    given = cast("tuple[Fraction | int, ...]", call["epochs"]) or tuple(EPOCHS[name] for name in names)
    released = {
        name: [choice.name for choice in graph.choices if choice.kind in RELEASES.get(name, ())] for name in names
    }
    shares = {
        name: Fraction(share) for name, share in zip(names, given, strict=True) if released[name] or name == "full"
    }
    total = sum(shares.values()) or Fraction(1)
    return [
        {
            "name": name,
            "share": float(share / total),
            "larger": float(FIRST_STAGE) if name in IN_TWO_STAGES else 0.0,
            "choices": released[name],
        }
        for name, share in shares.items()
    ]


def from_the_start(graph: Graph, call: Call) -> list[str]:
    """The choices that are drawn in every phase: a resolution that no phase names."""
    if "resolution" in cast("tuple[str, ...]", call["phases"]):
        return []
    return [choice.name for choice in graph.choices if choice.kind == "resolution"]


def shrinking_json(graph: Graph, call: Call, sets: Sequence[Mapping[str, Any]]) -> str:
    """shrinking.json: the phases, and the sets of channels that are sorted before a phase makes them elastic."""
    head = {"network": graph.name, "always": from_the_start(graph, call)}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    sections: Mapping[str, Sequence[Mapping[str, Any]]] = {"phases": phases_of(graph, call), "channels": sets}
    for key, rows in sections.items():
        body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{key}": [\n{body}\n  ]' if rows else f'  "{key}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"
