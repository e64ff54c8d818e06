"""`values 3`: numbers for each input. The squared difference, R2 and the mean absolute error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from specc.runtime.data.images import Data
from specc.runtime.train.interfaces import Recipe
from specc.runtime.train.losses import chosen, regressed
from specc.runtime.train.scores import Metric, Score


@dataclass(frozen=True)
class Values:
    """Outputs and targets are numbers (B, values), both with the mean of the training targets taken off and divided by
    their standard deviation.

    std  the standard deviations, by which errors are told in the units of the data; () where nothing was divided
    """

    count: int
    loss: Mapping[str, Any] = field(default_factory=dict)
    std: tuple[float, ...] = ()

    losses: ClassVar[tuple[str, ...]] = ("mse", "l1", "huber")
    mixed: ClassVar[tuple[str, ...]] = ("mixup",)
    kind: ClassVar[str] = "values"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("r2", "R2", share=False),
        Metric("mae", "mean absolute error", share=False, rising=False),
    )

    @property
    def sums(self) -> int:
        return 4 * self.count + 3

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Values:
        loss = self.loss if recipe is None else chosen(recipe, self.losses, self.mixed)
        return replace(self, std=data.target_std, loss=loss)

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return regressed(output, targets, self.loss, "mse")

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """The mean squared difference: a temperature has nothing to soften."""
        return regressed(output, teacher, {}, "mse")

    def entropy(self, teacher: Tensor) -> float:
        return 0.0

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of each value the sums of targets, their squares, squared and absolute errors; then of the losses, images,
        and those with an output that is not finite, which counts as the mean of the training targets."""
        finite = output.isfinite().all(dim=1)
        said, wanted = torch.where(finite[:, None], output, 0.0).double(), targets.double()
        error = said - wanted
        sums = [column.sum(dim=0) for column in (wanted, wanted**2, error**2, error.abs())]
        images = error.new_tensor(float(len(targets)))
        loss = regressed(output, targets, self.loss, "mse").double() * images
        return torch.cat([*sums, torch.stack([loss, images, (~finite).sum().double()])])

    def score(self, counted: Tensor) -> Score:
        """R2 and the mean absolute error in the data's units, the means over all values.

        A value that is the same for all images has an R2 of 1 where it is always met, and else of 0.
        """
        loss, images, broken = counted[-3:].tolist()
        if not images:
            return Score(0.0, 0.0, 0, 0, {"mae": 0.0})
        total, squares, errors, absolute = counted[:-3].view(4, self.count)
        spread = squares - total**2 / images
        constant = spread <= 1e-12 * squares.clamp(min=1e-300)
        shares = torch.where(constant, (errors == 0).double(), 1 - errors / spread)
        units = torch.tensor(self.std or [1.0] * self.count, dtype=torch.float64)
        mae = float((absolute * units).mean() / images)
        return Score(float(shares.mean()), loss / images, int(images), int(broken), {"mae": mae})
