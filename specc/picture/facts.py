"""The lines beside a picture: what the network costs, how many sub-networks it has, which choices there are."""

from __future__ import annotations

from collections.abc import Iterable

from specc.assignments import show_assignment
from specc.cost.report import CostReport, cost
from specc.diagnostics import SpecError
from specc.ir.choice import Assignment, Choice
from specc.ir.extent import Extents, choice_range, short
from specc.ir.graph import Graph
from specc.picture.words import shape_of
from specc.subnets.space import complete, size

MANY = 400
"""Choices beyond which sub-networks are not counted for a picture."""
WORDS = 110
"""Characters of an assignment that are shown."""


def facts_of(graph: Graph, report: CostReport, at: Assignment | None) -> tuple[str, ...]:
    """Parameters, MACs and sub-networks; of one sub-network which that is."""
    params = f"{short(report.params)} parameters"
    if at is None and short(report.params_total) != short(report.params):
        params += f", {short(report.params_total)} with all norm banks"
    macs = f"{short(report.macs)} MACs"
    extents, tensors = Extents(graph, at), graph.tensor_table()
    arrives = "input " + " and ".join(shape_of(tensors[name], extents) for name in graph.inputs[:3])
    if at is not None:
        chosen = show_assignment(graph, at)
        return arrives, params, macs, chosen if len(chosen) <= WORDS else chosen[: WORDS - 1] + "…"
    if not graph.choices:
        return arrives, params, macs
    least = cost(graph, complete(graph, {}, "min"))
    return arrives, params, f"{macs}, {short(least.macs)} at the smallest", count(graph)


def count(graph: Graph) -> str:
    """`41,184 sub-networks`, `2.3e+23 sub-networks`."""
    if len(graph.choices) > MANY:
        return f"{len(graph.choices):,} choices"
    try:
        number = size(graph)
    except SpecError:
        return f"{len(graph.choices):,} choices"
    if number < 10**9:
        return f"{number:,} sub-networks"
    digits = str(number) if number < 10**4000 else ""
    return f"{digits[0]}.{digits[1:3]}e{len(digits) - 1} sub-networks" if digits else "more than 1e4000 sub-networks"


def global_choices(graph: Graph, at: Assignment | None) -> tuple[str, ...]:
    """The choices that belong to no lane: `width 0.25–1 step 0.125`."""
    if at is not None:
        return ()
    lanes = lane_paths(graph)
    return tuple(said(choice) for choice in graph.choices if choice.name.partition(".")[0] not in lanes)


def lane_paths(graph: Graph) -> frozenset[str]:
    return frozenset(item.path for item in graph.root.items if not isinstance(item, str) and item.path)


def said(choice: Choice) -> str:
    return f"{choice.name} yes or no" if choice.kind == "skip" else f"{choice.name} {choice_range(choice.options)}"


def lane_notes(choices: Iterable[Choice]) -> tuple[str, ...]:
    """The elastic dimensions of a lane: `depth 0–2`, `2 skippable`, `kernel 3, 5, 7`, `5 widths`."""
    kinds: dict[str, list[Choice]] = {}
    for choice in choices:
        kinds.setdefault(choice.kind, []).append(choice)
    notes = []
    for kind, alike in kinds.items():
        ranges = list(dict.fromkeys(choice_range(choice.options) for choice in alike))
        if kind == "skip":
            notes.append(f"{len(alike)} skippable")
        elif kind == "width":
            notes.append(f"{len(alike)} width{'s'[: len(alike) != 1]}")
        else:
            notes.append(f"{kind} {ranges[0]}" if len(ranges) == 1 else f"{len(alike)} {kind}s")
    return tuple(notes)


def by_lane(graph: Graph) -> dict[str, list[Choice]]:
    """The choices that are named after something in a lane, by the lane's path."""
    found: dict[str, list[Choice]] = {path: [] for path in lane_paths(graph)}
    for choice in graph.choices:
        path, dot, _ = choice.name.partition(".")
        if dot and path in found:
            found[path].append(choice)
    return found
