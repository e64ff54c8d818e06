"""The importance analysis' answer as plain data: what `specc importance --json` prints and methods ask for."""

from __future__ import annotations

from typing import Any

from specc.importance.scores import Importance, OpScore


def as_data(spec: str, found: Importance, top: int | None = None) -> dict[str, Any]:
    """Everything but paths; `top` keeps the operations of highest score alone."""
    settings = found.settings
    return {
        "spec": spec,
        "tensors": [{"name": tensor.name, "tas": tensor.tas} for tensor in found.tensors],
        "ops": [op_data(op) for op in found.top(top)],
        "paths": [{"nodes": p.nodes, "tps": p.tps, "mean_tas": p.mean_tas} for p in found.paths],
        "all_important": found.all_important,
        "best": {"nodes": found.best.nodes, "tps": found.best.tps, "ops": [*found.best_ops]},
        "subnets": settings.subnets,
        "coupling": settings.coupling,
        "damping": settings.damping,
        "damping_share": found.damping_share,
        "directed": settings.directed,
        "expected": settings.expected,
        "nodes": settings.nodes,
        "seed": settings.seed,
    }


def op_data(op: OpScore) -> dict[str, Any]:
    """One operation."""
    row: dict[str, Any] = {
        "name": op.name,
        "kind": op.kind,
        "stage": op.stage,
        "source": op.source,
        "target": op.target,
        "present": [*op.present],
        "important": op.important,
        "score": op.score,
        "macs": op.macs,
    }
    return row if op.probability is None else {**row, "probability": op.probability}
