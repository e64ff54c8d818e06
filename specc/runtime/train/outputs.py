"""Judging networks of several answers: the accuracy of every sub-network at every level of the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.runtime.data.images import each_input
from specc.runtime.files.whole import write_text, writing
from specc.runtime.net.plan import short
from specc.runtime.run.distributed import World
from specc.runtime.run.progress import amount, table
from specc.runtime.train.evaluate import together
from specc.runtime.train.interfaces import Batches, Space, Task
from specc.runtime.train.levels import Levels
from specc.runtime.train.scores import Score


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
    """A sub-network with its accuracy at every level, finest first; without levels it is called `accuracy`.

    held_out  the same on images that are no test images, by which a level is picked; `accuracy` where there are none
    """

    name: str
    at: Mapping[str, Any]
    macs: int
    params: int
    accuracy: Mapping[str, float]
    held_out: Mapping[str, float] | None = None

    def finest(self, target: float) -> str | None:
        """The finest level at which it is right often enough; None where there is none."""
        shares = self.accuracy if self.held_out is None else self.held_out
        return next((level for level, share in shares.items() if share >= target), None)


def subnets(
    space: Space,
    levels: Levels,
    plans: Sequence[Any],
    scores: Mapping[str, Score],
    held_out: Mapping[str, Score] | None = None,
) -> list[Subnet]:
    """A row for each of some plans, whose answers are among those that were scored."""

    def by_level(plan: Any, scores: Mapping[str, Score]) -> dict[str, float]:
        names = [name for name in levels.beside(plan.prediction) if name in scores]
        return {levels.of[name] or "accuracy": scores[name].value for name in names}

    return [
        Subnet(
            levels.stem(plan.prediction),
            plan.assignment,
            space.macs(plan.assignment),
            space.params(plan.assignment),
            by_level(plan, scores),
            None if held_out is None else by_level(plan, held_out),
        )
        for plan in plans
    ]


def report(rows: Sequence[Subnet], target: float | None, folder: Path) -> str:
    """The table of sub-networks and levels, which is also written as answers.json.

    With a target it says for every sub-network the finest level that reaches it (slicing, section 3.3): on held-out
    images, as the test images are to say how good that choice is.
    """
    levels = list(rows[0].accuracy)
    heads = ["answer", "sub-network", "MACs", "params", *levels]
    if target is not None:
        heads.append(f"at {target:.0%}")
    lines = []
    for row in rows:
        cells = [row.name, short(row.at, 32), amount(row.macs), amount(row.params)]
        cells += [f"{row.accuracy[level]:.2%}" for level in levels]
        if target is not None:
            level = row.finest(target)
            cells.append("-" if level is None else "yes" if level == "accuracy" else level)
        lines.append(cells)
    data = [
        {
            "answer": row.name,
            "at": dict(row.at),
            "macs": row.macs,
            "params": row.params,
            "accuracy": dict(row.accuracy),
        }
        | ({} if row.held_out is None else {"validation": dict(row.held_out)})
        | ({} if target is None else {"finest": row.finest(target)})
        for row in rows
    ]
    text = json.dumps({"target": target, "subnets": data}, indent=2) + "\n"
    with writing(folder / "answers.json"):
        write_text(folder / "answers.json", text)
    return table(heads, lines)
