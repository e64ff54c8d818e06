"""A loss of one's own: the functions `loss`, `metric` and `distance` of a Python file beside train.py."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from elastic.data.images import Data
from elastic.run.raised import raised
from elastic.train.interfaces import Recipe, Task
from elastic.train.scores import Metric, Score
from elastic.train.several import listed

PROJECT: Final = Path(__file__).parents[2]
OPTIONAL: Final = ("metric", "distance")


@dataclass(frozen=True)
class Own:
    """What `inner` predicts, with the loss of the file `path`: `loss(outputs, targets)`, the mean over the batch. Where
    the network returns several outputs, they are a dict.

    With `metric(outputs, targets)`, the mean over the batch, too, outputs are scored by that; a higher value is better,
    unless the file says `better = "lower"`. With `distance(outputs, teacher)` pupils learn by that.
    """

    inner: Task
    path: str
    functions: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.functions:
            object.__setattr__(self, "functions", functions_of(PROJECT / self.path))

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def count(self) -> int:
        return self.inner.count

    @property
    def metrics(self) -> Sequence[Metric]:
        if "metric" not in self.functions:
            return self.inner.metrics
        rising = self.functions.get("better", "higher") != "lower"
        return (Metric("metric", "metric", share=False, rising=rising),)

    @property
    def scored(self) -> str:
        """The function that outputs are scored by, the loss where nothing else can; "" where the inner task scores."""
        return "metric" if "metric" in self.functions else "loss" if self.kind == "free" else ""

    @property
    def sums(self) -> int:
        return 4 if self.scored else self.inner.sums

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Own:
        return replace(self, inner=self.inner.fitted(data, recipe))

    def criterion(self, output: Any, targets: Tensor) -> Tensor:
        return self.called("loss", output, targets)

    def distance(self, output: Any, teacher: Any, temperature: float = 1.0) -> Tensor:
        if "distance" in self.functions:
            return self.called("distance", output, teacher)
        return self.inner.distance(output, teacher, temperature)

    def entropy(self, teacher: Any) -> Tensor | float:
        return 0.0 if "distance" in self.functions else self.inner.entropy(teacher)

    def counted(self, output: Any, targets: Tensor) -> Tensor:
        """As the inner task counts; or the sums over images of metric and loss, images, and those not finite."""
        if not self.scored:
            return self.inner.counted(output, targets)
        loss = self.called("loss", output, targets).double()
        value = self.called(self.scored, output, targets).double()
        every = [x.isfinite().flatten(1).all(dim=1) for x in listed(output)]
        finite = torch.stack(every).all(dim=0)
        images = loss.new_tensor(float(len(finite)))
        return torch.stack([value * images, loss * images, images, (~finite).sum().double()])

    def score(self, counted: Tensor) -> Score:
        if not self.scored:
            return self.inner.score(counted)
        value, loss, images, broken = counted.tolist()
        return Score(value / max(1.0, images), loss / max(1.0, images), int(images), int(broken))

    def called(self, name: str, outputs: Any, others: Any) -> Tensor:
        """A function's value as a tensor of one number. Exits where it is none, or where no loss reads an output."""
        given = Reading(outputs) if isinstance(outputs, dict) else outputs
        made: Any = self.functions[name](given, others)
        if isinstance(made, (int, float)):
            made = torch.tensor(float(made), device=listed(outputs)[0].device)
        if not isinstance(made, Tensor) or made.numel() != 1:
            shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise SystemExit(
                f"{self.path}: {name} returns {shape}; one number is wanted, the mean over the batch"
            )
        if name == "loss" and isinstance(given, Reading):
            unread = [output for output in outputs if output not in given.read]
            if unread:
                raise SystemExit(
                    f"{self.path}: no loss reads the output {unread[0]!r}: it would learn nothing. Read "
                    f"outputs[{unread[0]!r}] in `loss`, or take the output out of the spec"
                )
        return made.reshape(())


class Reading(dict[str, Tensor]):
    """Outputs by name, and which of them a function has read."""

    def __init__(self, outputs: Mapping[str, Tensor]) -> None:
        super().__init__(outputs)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self.read.add(name)
        return super().pop(name, *default)

    def values(self) -> Any:
        self.read.update(self)
        return super().values()

    def items(self) -> Any:
        self.read.update(self)
        return super().items()


def functions_of(file: Path) -> dict[str, Callable[..., Any]]:
    """What a file defines. Exits where it is not there, cannot be run, or has no `loss`."""
    if not file.is_file():
        raise SystemExit(f"there is no {file}, which has the loss")
    try:
        made = runpy.run_path(str(file))
    except Exception as error:
        raise SystemExit(f"{file}: {raised(error, file.parent)}") from error
    if not callable(made.get("loss")):
        raise SystemExit(f"{file} has no function `loss(outputs, targets)`")
    if wrong := next((name for name in OPTIONAL if name in made and not callable(made[name])), ""):
        raise SystemExit(f"{file}: `{wrong}` is no function")
    if made.get("better", "higher") not in ("higher", "lower"):
        raise SystemExit(f'{file}: better = {made["better"]!r}; "higher" or "lower" is wanted')
    return made
