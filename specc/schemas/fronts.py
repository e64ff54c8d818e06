"""What searches and training leave of sub-networks: fronts, constraints, and journals of evaluations."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from specc.schemas.document import Assignment, Document, Flag, Number, Positive, Share, Text

Counted: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Measured: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=2.0**62)]
Objective: TypeAlias = Literal["macs", "params", "latency", "memory"]


class MetricOf(Document):
    """What values measure, where that is not accuracy."""

    key: Text = Field(description="as objectives name it")
    name: Text = Field(description="as people call it")
    share: Flag = Field(description="whether it is a share from 0 to 1")
    rising: Flag = Field(description="whether a higher value is a better one")
    unit: Text = ""


class Point(Document):
    """An evaluated sub-network. What was not measured is null or missing."""

    at: Assignment
    macs: Counted = Field(description="multiply-accumulates of one image")
    params: Counted
    accuracy: Share | None = Field(default=None, description="on the images that the search evaluates with")
    value: Number | None = Field(default=None, description="the same by another metric, in place of `accuracy`")
    latency: Measured | None = Field(default=None, description="seconds, the median")
    latency_p90: Measured | None = Field(default=None, description="seconds; nine of ten runs take no longer")
    test_accuracy: Share | None = None
    test_value: Number | None = None
    memory: Measured | None = Field(default=None, description="peak activation memory in bytes")
    trained: Flag = Field(default=True, description="whether a step of the training runs it")


class Front(Document):
    """`pareto.json`, which search.py writes: the sub-networks that no other dominates, by rising MACs."""

    format: Literal["specc front 1"] = Field(default="specc front 1", description="fronts of the first version lack it")
    network: Text = Field(default="", description="its name")
    fingerprint: Text = Field(default="", description="of the network's operations, choices and state")
    weights: Text = Field(default="", description="a hash of the weights that were evaluated")
    dataset: Text = ""
    cost: Objective = Field(default="macs", description="the first of `costs`")
    costs: tuple[Objective, ...] = Field(default=(), description="the objectives beside accuracy")
    metric: MetricOf | None = Field(default=None, description="what `value` is; accuracy where there is none")
    hypervolume: Number | None = Field(
        default=None,
        description="the part of the box of all accuracies and of costs up to the largest's that the "
        "front dominates; null where a cost of the largest is not known",
    )
    points: tuple[Point, ...]


class KeptPoint(Document):
    """The best sub-network of a constraint, its norms calibrated."""

    kind: Literal["macs", "params", "latency"] = Field(description="the cost that the constraint is on")
    target: Number = Field(description="the constraint's upper bound: a count, or seconds")
    cost: Positive = Field(description="what of that the sub-network takes")
    at: Assignment
    macs: Counted = Field(description="multiply-accumulates of one image")
    params: Counted
    score: Number = Field(description="in its pool: minus a moving average of its cross-entropy")
    accuracy: Share | None = Field(default=None, description="on the images that decided")
    value: Number | None = Field(default=None, description="the same by another metric, in place of `accuracy`")
    test_accuracy: Share | None = None
    test_value: Number | None = None


class Constraints(Document):
    """`constraints.json`, which training by prioritised sampling writes: a sub-network for every constraint."""

    format: Literal["specc constraints 1"] = Field(
        default="specc constraints 1", description="those of the first version lack it"
    )
    network: Text = Field(default="", description="its name")
    dataset: Text = ""
    fingerprint: Text = Field(default="", description="of the network's operations, choices and state")
    weights: Text = Field(default="", description="a hash of the weights that were evaluated")
    metric: MetricOf | None = Field(default=None, description="what `value` is; accuracy where there is none")
    subnets: tuple[KeptPoint, ...]


class JournalLine(Document):
    """A line of `search.jsonl`, or of a latency table that is being measured: what was measured of one sub-network.

    Other keys are what was measured, as numbers: a metric (accuracy, test_accuracy), latency, latency_p90, broken; or
    the seconds of blocks.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number]

    of: Text = Field(description="a hash of the network, its weights and the data")
    at: Assignment


class SubnetScore(Document):
    """A sub-network with its accuracy at every level of the labels."""

    answer: Text = Field(description="the output, without its level")
    at: Assignment
    macs: Counted = Field(description="multiply-accumulates of one image")
    params: Counted
    accuracy: dict[str, Share] = Field(
        default_factory=dict, description="on the test set, by label level; `accuracy` where there are no levels"
    )
    value: dict[str, Number] = Field(
        default_factory=dict, description="the same by another metric, in place of `accuracy`"
    )
    validation: dict[str, Number] = Field(default_factory=dict, description="the same on held-out images")
    finest: Text | None = Field(default=None, description="the finest level that reaches the target; null where none")


class Answers(Document):
    """`answers.json`, which training writes for networks of several outputs."""

    target: Number | None = Field(description="the accuracy, or other metric, that the finest level has to reach")
    metric: MetricOf | None = Field(default=None, description="what `value` is; accuracy where there is none")
    subnets: tuple[SubnetScore, ...]
