"""What the important operations say of what is drawn: width groups and sub-paths (TIPS, section 4.3 and B.2)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from specc.ir.choice import Choice
from specc.ir.expr import Var, free
from specc.ir.graph import Graph, Op

SETTINGS: Final = ("subnets", "coupling", "damping", "damping_share", "directed", "expected", "nodes", "seed")
"""What importance.json says first of an analysis."""
NUMBERS: Final = 8
"""Significant digits of what is written down."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A choice and the layers that decide whether it counts as important: those that write a width group, or those
    that a sub-path switches. `scores` are the layers' mean TAS, where known."""

    choice: Choice
    layers: tuple[str, ...]
    important: bool
    score: float


def width_groups(graph: Graph) -> tuple[Choice, ...]:
    """The choices that are one group's width each: named after the group's first writer, as `s1.conv.width`, or after
    the argument that is one, as `s1.conv.out` of `conv({16, 32}, ..)`."""
    writers = {f"{op.name}.{argument}" for op in graph.ops for argument in ("width", "out")}
    return tuple(choice for choice in graph.choices if choice.kind == "width" and choice.name in writers)


def drawn_groups(graph: Graph, scores: Mapping[str, float], important: Collection[str]) -> tuple[Drawn, ...]:
    """Every width group; important if an important convolution or linear layer writes it."""
    tensors = graph.tensor_table()

    def writes(op: Op, choice: Choice) -> bool:
        segments = (segment for name in op.outputs for segment in tensors[name].channels)
        return op.operator.layer and any(segment.size == Var(choice.name) for segment in segments)

    return tuple(
        drawn(choice, (op for op in graph.ops if writes(op, choice)), scores, important)
        for choice in width_groups(graph)
    )


def drawn_paths(graph: Graph, scores: Mapping[str, float], important: Collection[str]) -> tuple[Drawn, ...]:
    """Every skippable sub-path; important if it holds an important convolution or linear layer."""
    return tuple(
        drawn(
            choice,
            (op for op in graph.ops if op.operator.layer and choice.name in free(op.guard)),
            scores,
            important,
        )
        for choice in graph.choices
        if choice.kind == "skip"
    )


def drawn(choice: Choice, layers: Iterable[Op], scores: Mapping[str, float], important: Collection[str]) -> Drawn:
    names = tuple(op.name for op in layers)
    score = max((scores.get(name, 0.0) for name in names), default=0.0)
    return Drawn(choice, names, any(name in important for name in names), score)


def importance_json(graph: Graph, found: Mapping[str, Any]) -> str:
    """importance.json: what is drawn and how, then what the analysis found; one line a group, op or feature map.

    `found` is empty where no analysis was asked for: nothing is important then.
    """
    ops = found.get("ops", [])
    scores = {op["name"]: op["score"] for op in ops}
    important = {op["name"] for op in ops if op["important"]}
    sections: dict[str, list[dict[str, Any]]] = {
        "groups": [row(d) for d in drawn_groups(graph, scores, important)],
        "sub_paths": [row(d) for d in drawn_paths(graph, scores, important)],
        "ops": [
            {"name": op["name"], "kind": op["kind"], "important": op["important"], "score": rounded(op["score"])}
            for op in ops
        ],
        "tensors": [{"name": t["name"], "tas": rounded(t["tas"])} for t in found.get("tensors", [])],
    }
    head = {key: found[key] for key in SETTINGS if key in found}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in {"network": graph.name, **head}.items()]
    for key, rows in sections.items():
        body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{key}": [\n{body}\n  ]' if rows else f'  "{key}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def row(d: Drawn) -> dict[str, Any]:
    """A group or a sub-path as data."""
    return {"choice": d.choice.name, "important": d.important, "score": rounded(d.score), "layers": list(d.layers)}


def rounded(score: float) -> float:
    """Without the last digits, which differ from one processor to another."""
    return float(f"{score:.{NUMBERS}g}")
