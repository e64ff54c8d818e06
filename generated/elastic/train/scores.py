"""Scores: how good the predictions of a network are, by the metric of what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from elastic.files.documents import fields, flag, text


@dataclass(frozen=True, slots=True)
class Metric:
    """What a score is measured in.

    key     what files and `objectives` call it: "accuracy", "iou"
    name    what people call it: "accuracy", "mean IoU"
    share   whether it is a share, shown in percent, and not a number
    rising  whether a higher value is a better one
    unit    behind a number: "dB"
    """

    key: str
    name: str
    share: bool = True
    rising: bool = True
    unit: str = ""

    def merit(self, value: float) -> float:
        """What is to be made large: the value, or minus it where a lower one is better."""
        return value if self.rising else -value

    def shown(self, value: float, digits: int = 2) -> str:
        """A value for people: `97.12%`, or a number of four digits with its unit."""
        if self.share:
            return f"{value:.{digits}%}"
        return f"{value:.{digits + 2}g}{f' {self.unit}' if self.unit else ''}"


ACCURACY: Final = Metric("accuracy", "accuracy")
LOSS: Final = Metric("loss", "loss", share=False, rising=False)
METRIC: Final = fields({"key": text, "name": text, "share": flag, "rising": flag}, {"unit": text})
"""A metric in a file."""


def measured_by(metric: Metric) -> dict[str, Any]:
    """What a file says of the metric of its values; nothing where it is accuracy."""
    return {} if metric == ACCURACY else {"metric": asdict(metric)}


def metric_of(about: Mapping[str, Any]) -> Metric:
    """The metric that a file says, accuracy where it says none."""
    found = about.get("metric")
    return ACCURACY if found is None else Metric(**found)


def valued(metric: Metric, value: float, before: str = "") -> dict[str, float]:
    """A value as files keep it: called `accuracy` where it is one, and `value` where the file says the metric."""
    return {f"{before}{'accuracy' if metric == ACCURACY else 'value'}": value}


@dataclass(frozen=True, slots=True)
class Score:
    """The value of the task's metric, the mean loss, and the number of images behind both.

    `broken` counts the images with an output that is NaN or infinite: such a prediction is wrong, whatever the target.
    `also` has what else is measured, by key.
    """

    value: float
    loss: float
    images: int
    broken: int = 0
    also: Mapping[str, float] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What to say behind the value of broken outputs; "" where there are none."""
        return f" ({self.broken} outputs are NaN or infinite)" if self.broken else ""

    def of(self, key: str, metrics: Sequence[Metric]) -> float:
        """The value by one of the task's metrics."""
        return self.value if key == metrics[0].key else self.also[key]

    def told(self, metrics: Sequence[Metric]) -> str:
        """For people: `97.12% of 359 images`, `0.8123, MAE 0.2134 of 359 images`."""
        first, *others = metrics
        more = "".join(
            f", {metric.name} {metric.shown(self.also[metric.key])}" for metric in others
        )
        return f"{first.shown(self.value)}{more} of {self.images} images{self.note}"


def summary(scores: Mapping[str, Score], metric: Metric) -> str:
    """The values in a line: `accuracy: largest 97.1%, smallest 95.3%`."""
    values = (
        f"{name} {metric.shown(score.value, 1)}{score.note}" for name, score in scores.items()
    )
    return f"{metric.name}: {', '.join(values)}"


def logged(scores: Mapping[str, Score], metrics: Sequence[Metric]) -> dict[str, float]:
    """The values as metrics.jsonl keeps them: `accuracy/largest`."""
    return {
        f"{metric.key}/{name}": score.of(metric.key, metrics)
        for metric in metrics
        for name, score in scores.items()
    }


def check_scores(scores: Mapping[str, Score], epoch: int) -> None:
    """Exits where a sub-network answers nothing but NaN or Inf, before its weights get into a checkpoint."""
    broken = [name for name, score in scores.items() if 0 < score.images == score.broken]
    if broken:
        raise SystemExit(
            f"epoch {epoch + 1}: all outputs of {', '.join(broken)} are NaN or infinite: the training has diverged. "
            "checkpoint.pt stays as it was"
        )
