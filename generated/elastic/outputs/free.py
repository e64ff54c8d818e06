"""`output boxes { }`: outputs of any shape. They have no loss, no metric and no distance but those of a file of yours:
`specc.runtime.train.own_loss` puts them around this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from elastic.data.images import Data
from elastic.train.interfaces import Recipe
from elastic.train.losses import chosen
from elastic.train.scores import LOSS, Metric, Score


@dataclass(frozen=True)
class Free:
    """Outputs are what the network makes, a dict by name where there are several; targets are arrays (B, ..)."""

    count: int

    losses: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "free"
    metrics: ClassVar[tuple[Metric, ...]] = (LOSS,)
    sums: ClassVar[int] = 3

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Free:
        if recipe is not None:
            chosen(recipe, self.losses)
        return self

    def criterion(self, output: Any, targets: Tensor) -> Tensor:
        raise SystemExit(NO_LOSS)

    def distance(self, output: Any, teacher: Any, temperature: float = 1.0) -> Tensor:
        raise SystemExit(NO_DISTANCE)

    def entropy(self, teacher: Any) -> float:
        return 0.0

    def counted(self, output: Any, targets: Tensor) -> Tensor:
        raise SystemExit(NO_LOSS)

    def score(self, counted: Tensor) -> Score:
        """Of the sum of the losses, images, and those with an output that is not finite."""
        loss, images, broken = counted.tolist()
        loss /= max(1.0, images)
        return Score(loss, loss, int(images), int(broken))


NO_LOSS = "these outputs have no loss: write train { loss=own(path=..) } in the spec"
NO_DISTANCE = (
    "these outputs have no distance: write `distance(outputs, teacher)` in the loss's file"
)
