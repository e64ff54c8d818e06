"""Judging networks of several answers: how good every sub-network is, at every level of the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elastic.data.images import each_input
from elastic.files.whole import write_text, writing
from elastic.net.plan import short
from elastic.run.distributed import World
from elastic.run.progress import amount, table
from elastic.train.evaluate import together
from elastic.train.interfaces import Batches, Space, Task
from elastic.train.levels import Levels
from elastic.train.scores import ACCURACY, Metric, Score, measured_by


@torch.no_grad()
def evaluate_outputs(
    net: Any, plan: Any, batches: Batches, task: Task, world: World, levels: Levels
) -> dict[str, Score]:
    """The score of every output that the plan asks for, by its name, from one pass over all processes' batches."""
    was_training = net.training
    net.eval()
    names = list(plan.outputs)
    counts: dict[str, list[Tensor]] = {name: [] for name in names}
    for images, labels in batches:
        wanted = levels.labels(labels)
        predictions = net(*each_input(images), plan)
        for name, rows in counts.items():
            rows.append(task.counted(predictions[name].float(), wanted[levels.of[name]]))
    net.train(was_training)
    return {name: task.score(together(rows, task, world)) for name, rows in counts.items()}


@dataclass(frozen=True, slots=True)
class Subnet:
    """A sub-network with the value of the metric at every level, finest first; without levels it has the metric's key.

    held_out  the same on images that are no test images, by which a level is picked; `value` where there are none
    """

    name: str
    at: Mapping[str, Any]
    macs: int
    params: int
    value: Mapping[str, float]
    held_out: Mapping[str, float] | None = None
    metric: Metric = ACCURACY

    def finest(self, target: float) -> str | None:
        """The finest level at which it is right often enough; None where there is none."""
        values = self.value if self.held_out is None else self.held_out
        enough = self.metric.merit(target)
        return next((n for n, value in values.items() if self.metric.merit(value) >= enough), None)


def subnets(
    space: Space,
    levels: Levels,
    plans: Sequence[Any],
    scores: Mapping[str, Score],
    held_out: Mapping[str, Score] | None = None,
    metric: Metric = ACCURACY,
) -> list[Subnet]:
    """A row for each of some plans, whose answers are among those that were scored."""

    def by_level(plan: Any, scores: Mapping[str, Score]) -> dict[str, float]:
        names = [name for name in levels.beside(plan.prediction) if name in scores]
        return {levels.of[name] or metric.key: scores[name].value for name in names}

    return [
        Subnet(
            levels.stem(plan.prediction),
            plan.assignment,
            space.macs(plan.assignment),
            space.params(plan.assignment),
            by_level(plan, scores),
            None if held_out is None else by_level(plan, held_out),
            metric,
        )
        for plan in plans
    ]


def report(rows: Sequence[Subnet], target: float | None, folder: Path) -> str:
    """The table of sub-networks and levels, which is also written as answers.json.

    With a target it says for every sub-network the finest level that reaches it (slicing, section 3.3): on held-out
    images, as the test images are to say how good that choice is.
    """
    levels, metric = list(rows[0].value), rows[0].metric
    heads = ["answer", "sub-network", "MACs", "params", *levels]
    if target is not None:
        heads.append(f"at {target:.0%}" if metric.share else f"at {metric.shown(target)}")
    lines = []
    for row in rows:
        cells = [row.name, short(row.at, 32), amount(row.macs), amount(row.params)]
        cells += [metric.shown(row.value[level]) for level in levels]
        if target is not None:
            level = row.finest(target)
            cells.append("-" if level is None else "yes" if level == metric.key else level)
        lines.append(cells)
    data = [
        {
            "answer": row.name,
            "at": dict(row.at),
            "macs": row.macs,
            "params": row.params,
            "accuracy" if metric == ACCURACY else "value": dict(row.value),
        }
        | ({} if row.held_out is None else {"validation": dict(row.held_out)})
        | ({} if target is None else {"finest": row.finest(target)})
        for row in rows
    ]
    about = {"target": target, **measured_by(metric)}
    text = json.dumps({**about, "subnets": data}, indent=2) + "\n"
    with writing(folder / "answers.json"):
        write_text(folder / "answers.json", text)
    return table(heads, lines)
