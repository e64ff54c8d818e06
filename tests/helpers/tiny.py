"""A small elastic network made by hand, and its space: what the tests of training and search run on."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from specc.runtime.net.plan import short
from specc.space import choices

WIDTHS = (2, 4, 8)
CHOICES: dict[str, tuple[Any, ...]] = {"width": WIDTHS, "keep": (False, True)}


@dataclass(frozen=True)
class TinyPlan:
    """An assignment, which messages spell as a plan's."""

    assignment: dict[str, Any]

    def __str__(self) -> str:
        return short(self.assignment)


class TinyNet(nn.Module):
    """Linear(4, width), a square layer of that width where `keep` holds, Linear(width, 3). A plan is an assignment."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.middle = nn.Linear(8, 8)
        self.last = nn.Linear(8, 3)
        self.ran: list[dict[str, Any]] = []

    def plan(self, at: Mapping[str, Any]) -> TinyPlan:
        return TinyPlan(dict(at))

    def forward(self, images: Tensor, plan: Any) -> Tensor:
        at = plan.assignment
        self.ran.append(at)
        n = at["width"]
        x = F.relu(F.linear(images.flatten(1), self.first.weight[:n], self.first.bias[:n]))
        if at["keep"]:
            x = x + F.relu(F.linear(x, self.middle.weight[:n, :n], self.middle.bias[:n]))
        return F.linear(x, self.last.weight[:, :n], self.last.bias)


def tiny_net(seed: int = 0) -> TinyNet:
    torch.manual_seed(seed)
    return TinyNet()


class TinySpace:
    """What space.py offers, for TinyNet. Costs are those of its linear layers."""

    @property
    def CHOICES(self) -> Mapping[str, Sequence[Any]]:
        return CHOICES

    def canonical(self, at: Mapping[str, Any]) -> dict[str, Any]:
        return {name: at[name] for name in CHOICES}

    def largest(self) -> dict[str, Any]:
        return {"width": 8, "keep": True}

    def smallest(self) -> dict[str, Any]:
        return {"width": 2, "keep": False}

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {name: rng.choice(options) for name, options in CHOICES.items()}

    def macs(self, at: Mapping[str, Any]) -> int:
        n = int(at["width"])
        return 7 * n + (n * n if at["keep"] else 0)

    def params(self, at: Mapping[str, Any]) -> int:
        return self.macs(at) + int(at["width"]) * (2 if at["keep"] else 1) + 3

    @property
    def SIZE(self) -> int:
        return 6

    @property
    def SPACE(self) -> choices.Space:
        def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            at = [choices.assignment_at(self.SPACE, row) for row in rows.tolist()]
            return np.array([*map(self.macs, at)]), np.array([*map(self.params, at)])

        return choices.Space(self.CHOICES, {}, (tuple(self.CHOICES),), costs)

    def every(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(CHOICES, options, strict=True)) for options in itertools.product(*CHOICES.values()))
