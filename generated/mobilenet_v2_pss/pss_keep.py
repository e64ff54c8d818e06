"""The end of PSS-Net's training (Algorithm 1, lines 11 to 17): one sub-network for every constraint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic.data.loading import Loading
from elastic.deploy import bundle
from elastic.files.whole import write_text
from elastic.run.distributed import same_buffers
from elastic.run.progress import amount, table
from elastic.space.budgets import shown
from elastic.space.constraints import Constraint
from elastic.train.calibrate import calibrated
from elastic.train.checkpoint import digest
from elastic.train.evaluate import evaluate
from elastic.train.interfaces import Space
from elastic.train.scores import Metric, measured_by, valued
from elastic.train.trainer import Trainer


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best sub-network of a pool, its norms calibrated.

    score     its score in the pool
    cost      of the cost that the constraint is on, in the constraint's unit
    value     of the task's metric on the images that decided; `test_value` was looked at afterwards
    """

    constraint: Constraint
    plan: Any
    score: float
    cost: int
    value: float
    test_value: float


def keep_best(trainer: Trainer, loading: Loading, calibrate: int, top: int) -> list[Best]:
    """For every pool that holds any: of its `top` best by score, calibrated, the best on held-out images by the metric.

    A sub-network that several pools hold is calibrated once. Pools that no step came to are left out.
    """
    net: Any = trainer.evaluated
    pools: Any = trainer.memory
    same_buffers(net, trainer.world)
    fitting = loading.calibration(calibrate)
    batches = loading.evaluation(loading.data.validation)
    testing = loading.evaluation(loading.data.test)
    evaluated: dict[tuple[Any, ...], tuple[float, Any]] = {}
    tested: dict[tuple[Any, ...], float] = {}

    metric = trainer.task.metrics[0]

    def value_of(at: Mapping[str, Any]) -> tuple[float, Any]:
        """The value of the metric, and the plan with its statistics."""
        key = tuple(at.items())
        if key not in evaluated:
            plan = calibrated(net, net.plan(at), fitting)
            evaluated[key] = evaluate(net, plan, batches, trainer.task, trainer.world).value, plan
        return evaluated[key]

    found = []
    for number, constraint in enumerate(pools.budgets.constraints):
        candidates = pools.best(number, top)
        if not candidates:
            continue
        # Of equals the first, which has the best score.
        at = max(candidates, key=lambda candidate: metric.merit(value_of(candidate)[0]))
        value, plan = value_of(at)
        key = tuple(at.items())
        if key not in tested:
            tested[key] = evaluate(net, plan, testing, trainer.task, trainer.world).value
        score, cost = pools.score(number, at), pools.budgets.cost(number, at)
        found.append(Best(constraint, plan, score, cost, value, tested[key]))
    return found


def write_kept(
    folder: Path, trainer: Trainer, kept: Sequence[Best], space: Space, about: Mapping[str, Any]
) -> str:
    """Writes constraints.json and the bundle anytime/; returns a table of what is in them.

    The bundle holds the weights once and, for every sub-network in the order of constraints.json, its norm statistics:
    `elastic.deploy.serving.Runtime` runs them, `elastic.deploy.bundle.load` gives a network the weights and returns the
    plans.
    """
    net, metric = trainer.evaluated, trainer.task.metrics[0]
    rows = [as_data(best, space, metric) for best in kept]
    folder.mkdir(parents=True, exist_ok=True)
    of = {"fingerprint": getattr(net, "fingerprint", ""), "weights": digest(net.state_dict())}
    about = {"format": "specc constraints 1", **about, **measured_by(metric)}
    text = json.dumps({**about, **of, "subnets": rows}, indent=2) + "\n"
    figures = [
        {"macs": row["macs"], "params": row["params"], **valued(metric, best.value)}
        for best, row in zip(kept, rows, strict=True)
    ]
    plans = [best.plan for best in kept]
    bundle.save(folder / "anytime", net, plans, figures, about["network"], metric=metric)
    write_text(folder / "constraints.json", text)
    lines = [
        [
            f"{best.constraint.kind} {shown(best.constraint.kind, best.constraint.target)}",
            shown(best.constraint.kind, best.cost),
            amount(row["params"]),
            metric.shown(best.value),
            metric.shown(best.test_value),
        ]
        for best, row in zip(kept, rows, strict=True)
    ]
    header = ["constraint", "cost", "params", "validation", "test"]
    return f"{table(header, lines)}\nwrote {folder / 'constraints.json'} and {folder / 'anytime'}"


def as_data(best: Best, space: Space, metric: Metric) -> dict[str, Any]:
    """A row of constraints.json; latencies are in seconds."""
    at = best.plan.assignment
    unit = 1e-9 if best.constraint.kind == "latency" else 1
    return {
        "kind": best.constraint.kind,
        "target": best.constraint.target * unit,
        "cost": best.cost * unit,
        "at": at,
        "macs": space.macs(at),
        "params": space.params(at),
        "score": best.score,
        **valued(metric, best.value),
        **valued(metric, best.test_value, "test_"),
    }
