"""What networks cost, and how many there are: `plan`, `cost`, `space` and `sample`. Costs are of one image."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from specc.schemas.document import Assignment, Count, Document, Flag, Option, Positive, Text
from specc.schemas.told import OfSpec


class Ends(Document):
    """The least and the most over all sub-networks."""

    min: Count
    max: Count


class HowTrained(Document):
    """How the sub-networks are trained together."""

    name: Text = Field(description="of the method")
    subnets_per_step: Count = Field(description="sub-networks that a step runs forward and backward")
    listed: Count | None = Field(description="how many sub-networks are trained at all; null where any may be")


class TrainedOn(Document):
    """What the network is trained on, and for how long."""

    name: Text | None = Field(description="of the data set; null where the spec names none")
    epochs: Count
    batch_size: Count = Field(description="images")


class Change(Document):
    """A file of a project, and what compiling would do to it."""

    path: Text = Field(description="in the project's folder")
    change: Literal["new", "changed", "same", "removed"]


class Plan(OfSpec):
    """What `specc plan` prints: what compiling a spec would give."""

    spec: Text = Field(description="the network's name")
    size: Text = Field(pattern=r"^[0-9]+$", description="distinct sub-networks: a whole number, which may be long")
    choices: Count
    operations: Count
    params: Ends
    params_total: Count = Field(description="parameters allocated, all norm banks and heads included")
    macs: Ends = Field(description="multiply-accumulates")
    weight_bytes: Ends = Field(description="bytes of the weights, as float32")
    peak_bytes: Ends = Field(description="peak activation memory in bytes, in float32")
    exact: Flag = Field(description="whether the ranges are exact, or of the sub-networks that were looked at")
    method: HowTrained
    data: TrainedOn
    files: tuple[Change, ...]


class OpCost(Document):
    """What one operation costs."""

    name: Text
    kind: Text = Field(description="the operator")
    stage: Text
    params: Count
    macs: Count
    out: tuple[Count, ...] = Field(description="shape of its output: channels, then height and width or tokens")


class Cost(OfSpec):
    """What `specc cost` prints: parameters, multiply-accumulates and memory of one sub-network."""

    spec: Text = Field(description="the network's name")
    at: Assignment
    params: Count = Field(description="parameters of the sub-network")
    params_total: Count = Field(description="parameters allocated, all norm banks and heads included")
    macs: Count = Field(description="multiply-accumulates")
    activations: Count = Field(description="elements written by all operations")
    peak_bytes: Count = Field(description="peak activation memory in bytes, in float32, norms folded")
    latency: Positive = Field(default=0, description="seconds, as the latency table of `--latency` predicts them")
    ops: tuple[OpCost, ...]


class Choice(Document):
    """A choice with all its options, in order."""

    name: Text
    kind: Text = Field(description="what it decides: width, depth, skip, kernel, ...")
    options: tuple[Option, ...]


class Space(OfSpec):
    """What `specc space` prints: the choices, and how many distinct sub-networks they make."""

    choices: tuple[Choice, ...]
    size: Text = Field(pattern=r"^[0-9]+$", description="distinct sub-networks: a whole number, which may be long")


class Draw(Document):
    """A sub-network drawn at random."""

    at: Assignment
    macs: Count = Field(description="multiply-accumulates")
    params: Count = Field(description="parameters of the sub-network")
    exact: Flag = Field(description="whether it is drawn from exactly the distribution that was asked for")
    why: Text = Field(description="why not; empty where it is")
    latency: Positive = Field(default=0, description="seconds, as the table of `--latency-table` predicts them")


class Draws(RootModel[tuple[Draw, ...]]):
    """What `specc sample` prints: independent draws. Warnings go to standard error."""


class Compared(Document):
    """Parameters and multiply-accumulates of a sub-network, as one of the two counts them."""

    params: Count
    params_total: Count
    macs: Count


class Case(Document):
    """A sub-network of which `specc verify` compared what specc says with what PyTorch says."""

    at: Assignment
    specc: Compared
    torch: Compared
    difference: Positive | None = Field(
        description="of the extracted network's output from the sliced one's, as a share of the largest value; "
        "null where it is not finite"
    )
    folded: Positive | None = Field(description="the same with norms folded")
    agrees: Flag


class Verified(OfSpec):
    """What `specc verify` found."""

    spec: Text = Field(description="the network's name")
    agrees: Flag = Field(description="whether all cases agree; if not, that is a bug in specc")
    cases: tuple[Case, ...]
