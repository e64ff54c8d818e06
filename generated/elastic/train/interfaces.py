"""The few types that the parts of a project know each other by."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from elastic.data.images import Inputs

Assignment: TypeAlias = Mapping[str, Any]
"""One option for each choice, by the choice's name. The choices it leaves out are at their largest option."""

Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The loss of logits (B, classes) against labels: classes (B), or shares of all classes (B, classes)."""

Batches: TypeAlias = Iterable[tuple[Inputs, Tensor]]
"""Pairs of inputs, such as images (B, C, H, W), and labels (B)."""


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

    def passes(self, plans: Sequence[Any], /) -> Iterator[Any]:
        """The plans, one after another, each within the setting that its pass needs."""
        ...

    def forward(self, images: Inputs, plan: Any, /) -> Tensor:
        """The logits (B, classes) of one sub-network."""
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
