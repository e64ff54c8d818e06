"""The few types that the parts of a project know each other by."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from elastic.data.images import Data, Inputs
from elastic.train.scores import Metric, Score

Assignment: TypeAlias = Mapping[str, Any]
"""One option for each choice, by the choice's name. The choices it leaves out are at their largest option."""

Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The loss of outputs against targets, the mean over the batch."""

Batches: TypeAlias = Iterable[tuple[Inputs, Tensor]]
"""Pairs of inputs, such as images (B, C, H, W), and targets: classes (B), masks (B, H, W), numbers (B, values), .."""


class Recipe(Protocol):
    """What `[train]` of settings.toml says of the loss, where an empty one is the usual one, and of mixed images."""

    @property
    def loss(self) -> Mapping[str, Any]: ...

    @property
    def label_smoothing(self) -> float: ...

    @property
    def mixup(self) -> float: ...

    @property
    def cutmix(self) -> float: ...


class Task(Protocol):
    """What a network predicts: what its outputs are compared with, how it learns, and how it is scored."""

    @property
    def kind(self) -> str:
        """Of which kind the outputs are, and so of which the targets have to be: "classes", "pixels", .."""
        ...

    @property
    def count(self) -> int:
        """How many classes, tags or values it predicts."""
        ...

    @property
    def metrics(self) -> Sequence[Metric]:
        """What a score measures: its `value` first, then what it has in `also`."""
        ...

    def fitted(self, data: Data, recipe: Recipe | None = None, /) -> Task:
        """The same for some data, and with the loss of a recipe."""
        ...

    def criterion(self, output: Tensor, targets: Tensor, /) -> Tensor:
        """The loss of a network's output, the mean over the batch."""
        ...

    def distance(self, output: Tensor, teacher: Tensor, /, temperature: float = 1.0) -> Tensor:
        """How far a pupil's output is from its teacher's, which is detached: 0 where they agree."""
        ...

    def entropy(self, teacher: Tensor, /) -> Tensor | float:
        """What the soft cross-entropy with a teacher's output has beside the distance, and no gradient: the entropy of
        its probabilities. 0 where it has none."""
        ...

    def counted(self, output: Tensor, targets: Tensor, /) -> Tensor:
        """What a score is made of, of one batch, in float64: a vector of `sums` numbers, which are added up over
        batches and processes; or, where no sum tells a score, a row for each image, which are all kept."""
        ...

    @property
    def sums(self) -> int:
        """How many numbers are added up; 0 where rows are kept."""
        ...

    def score(self, counted: Tensor, /) -> Score:
        """The score of what was counted in all batches."""
        ...


class Distance(Protocol):
    def __call__(self, output: Tensor, teacher: Tensor, /, temperature: float = 1.0) -> Tensor: ...


class Entropy(Protocol):
    def __call__(self, teacher: Tensor, /) -> Tensor | float: ...


class Space(Protocol):
    """The project's module `space.py`."""

    @property
    def CHOICES(self) -> Mapping[str, Sequence[Any]]: ...

    @property
    def SIZE(self) -> int | None: ...

    @property
    def SPACE(self) -> Any: ...

    def every(self) -> Iterator[dict[str, Any]]: ...

    def canonical(self, assignment: Assignment, /) -> dict[str, Any]: ...

    def largest(self) -> dict[str, Any]: ...

    def smallest(self) -> dict[str, Any]: ...

    def draw(self, rng: random.Random, /) -> dict[str, Any]: ...

    def macs(self, assignment: Assignment, /) -> int: ...

    def params(self, assignment: Assignment, /) -> int: ...


class Passes(Protocol):
    """What a method's step asks of the trainer: the passes of one step, each forward and backward."""

    criterion: Criterion
    distance: Distance
    entropy: Entropy

    def passes(self, plans: Sequence[Any], /) -> Iterator[Any]:
        """The plans, one after another, each within the setting that its pass needs."""
        ...

    def forward(self, images: Inputs, plan: Any, /) -> Any:
        """The output of one sub-network, such as logits (B, classes); a dict by name where there are several."""
        ...

    def outputs(self, images: Inputs, plan: Any, /) -> dict[str, Tensor]:
        """The outputs of one sub-network, by name, for a plan that asks for several."""
        ...

    def backward(self, loss: Tensor, /) -> None:
        """Adds the loss's gradients to those of the step's other passes."""
        ...


class Memory(Protocol):
    """What a method keeps from one step to the next; saved in checkpoints as plain data."""

    def state(self) -> Any: ...

    def restore(self, state: Any, /) -> None: ...
