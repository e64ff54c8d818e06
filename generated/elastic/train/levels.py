"""Several answers and levels of labels: what each answer of a network is compared with, and the losses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from elastic.data.augment import coarse
from elastic.data.images import Data
from elastic.train.interfaces import Criterion

GRAPH = Path(__file__).parents[2] / "ir.json"


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A level of the labels. `table` has the class that each of the data's classes belongs to; None for the finest,
    which is the data's own."""

    name: str
    classes: int
    table: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The levels from the finest to the coarsest, and the level that each head or exit answers, by its name.

    A network without `labels` has one level, whose name is empty.
    """

    levels: tuple[Level, ...]
    of: Mapping[str, str]

    def labels(self, labels: Tensor) -> dict[str, Tensor]:
        """The labels (B), or shares (B, classes), of every level, from those of the data."""
        return {
            level.name: labels
            if level.table is None
            else coarse(labels, level.table, level.classes)
            for level in self.levels
        }

    def losses(
        self, criterion: Criterion, predictions: Mapping[str, Tensor], labels: Tensor
    ) -> dict[str, Tensor]:
        """L(y_d, f_{k,d}(x)) of slicing's Eq. 2: the loss of every answer against the labels of its level."""
        wanted = self.labels(labels)
        return {
            name: criterion(logits, wanted[self.of[name]]) for name, logits in predictions.items()
        }

    def beside(self, prediction: str) -> tuple[str, ...]:
        """The answers of one classifier at all levels, given its finest one: head3_fine, head3_coarse."""
        stem = self.stem(prediction)
        return tuple(name for name in self.of if self.stem(name) == stem)

    def stem(self, prediction: str) -> str:
        """An answer's name without its level: `head3` of head3_coarse."""
        level = self.of[prediction]
        return prediction.removesuffix(f"_{level}") if level else prediction


def total(losses: Iterable[Tensor]) -> Tensor:
    """The sum over sub-networks and levels (slicing, Eq. 1 and 2)."""
    return torch.stack(list(losses)).sum()


def check_levels(data: Data, path: Path = GRAPH) -> None:
    """Exits where a file of labels names the data's classes in another order than the data has them."""
    graph = json.loads(path.read_text(encoding="utf-8"))
    place = {name: i for i, name in enumerate(data.names)}
    for level in graph.get("labels", []):
        for i, name in enumerate(level.get("of", [])):
            if place.get(name, i) != i:
                raise SystemExit(
                    f"the labels of level {level['name']} name {name} as class {i}; "
                    f"in {data.name} it is class {place[name]}: write the file in the data's order"
                )


def read_levels(path: Path = GRAPH) -> Levels:
    """The levels of the network whose graph is kept in `path`: ir.json of this project."""
    graph = json.loads(path.read_text(encoding="utf-8"))
    rows = graph.get("labels") or [{"name": "", "classes": graph.get("classes", 0)}]
    levels = tuple(
        Level(
            row["name"],
            row["classes"],
            torch.tensor(row["parents"]) if "parents" in row else None,
        )
        for row in rows
    )
    predictions = [output for output in graph["outputs"] if output["kind"] != "features"]
    return Levels(levels, {output["name"]: output.get("level", "") for output in predictions})
