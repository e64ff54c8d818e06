"""`ir.json`: the graph of a network as data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue, StrictBool, StrictFloat, StrictInt, StrictStr
from typing_extensions import TypeAliasType

from specc.schemas.document import Count, Document, Option, Text

Constant: TypeAlias = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr


class ChoiceRead(Document):
    """The value of a choice."""

    choice: Text


Expression = TypeAliasType("Expression", "Constant | ChoiceRead | tuple[Expression, ...]")
"""A constant, the value of a choice, or a function's name followed by its arguments."""


class GraphChoice(Document):
    """A choice with its options, or of long ranges the first, the last and the step."""

    name: Text
    kind: Text
    options: tuple[Option, ...] = ()
    range: tuple[Option, Option, Option] | None = None
    origin: Text = Field(description="file:line of the spec")


class GraphTensor(Document):
    """A feature map."""

    name: Text
    channels: tuple[Expression, ...] = Field(description="its segments: the size of each, or [size, repetitions]")
    space: tuple[Expression, ...] = Field(description="height and width, or tokens; none for vectors")


class Bank(Document):
    """The norm banks of an operation, and which of them is used."""

    count: Count
    index: Expression


class Memory(Document):
    """What an operation takes of the peak activation memory, in elements of one image."""

    role: Literal["own", "view", "alias", "overwrites", "adds", "folds"] = Field(
        default="own", description="where its output is stored"
    )
    absorbs: StrictBool = Field(default=False, description="whether a norm that alone reads it is folded into it")
    summed: StrictBool = Field(default=False, description="whether a sum may be added into its output")
    more: Expression = Field(default=0, description="needed while it runs, beside its output")
    inner: tuple[Expression, ...] = Field(
        default=(), description="of an attention: queries, keys and values; the heads' outputs and scores; the outputs"
    )
    window: tuple[Expression, ...] = Field(
        default=(),
        description="of a convolution, by which parallel ones are merged: height and width of its kernel, strides, "
        "paddings and dilations, groups, channels that enter and that leave",
    )


class GraphOp(Document):
    """An operation."""

    name: Text
    kind: Text = Field(description="the operator")
    inputs: tuple[Text, ...]
    outputs: tuple[Text, ...]
    params: dict[str, JsonValue] = Field(description="the operator's parameters")
    effect: Literal["", "normalises", "sums", "selects"] = Field(
        default="", description="a norm, a sum of tensors, or a choice of the first whose condition holds"
    )
    guard: Expression = Field(default=1, description="whether it is there")
    connection: dict[str, JsonValue] = Field(default_factory=dict, description="which weights there are, if not all")
    bank: Bank | None = None
    memory: Memory = Field(default=Memory(), description="what the peak activation memory is counted from")
    origin: Text = Field(description="file:line of the spec")


class GraphOutput(Document):
    """An output of the network."""

    name: Text
    tensor: Text
    kind: Text = Field(description="head, exit or features")
    level: Text = Field(default="", description="the level of the labels that it predicts")


class Scope(Document):
    """A part of the network, in the order of the text."""

    path: Text
    kind: Text
    depth: Count = Field(description="how deep it is nested")
    block: Text = Field(default="", description="the block that it is a call of")
    args: dict[str, JsonValue] = Field(default_factory=dict)
    guard: Expression = Field(default=1, description="whether it is there")
    output: Text = ""
    ops: tuple[Text, ...]


class Labels(Document):
    """A level of the labels."""

    name: Text
    classes: Count
    of: tuple[Text, ...] = Field(default=(), description="names of the finest level's classes")
    parents: tuple[Count, ...] = Field(default=(), description="this level's class of each of the finest level's")


class Block(Document):
    """A block whose latency can be tabulated."""

    name: Text = Field(description="its module's path in model.py")
    choices: tuple[Text, ...] = Field(description="what its shape depends on")


class Graph(Document):
    """`ir.json`, which the compiler writes beside model.py: operations, feature maps and choices."""

    format: Literal["specc graph 1"]
    name: Text
    classes: Count | None = Field(default=None, description="where it predicts one class for each input")
    predicts: Text = Field(default="", description="what else it predicts: pixels, tags, values, restored, ..")
    count: Count | None = Field(default=None, description="how many classes, tags, values or channels of that")
    enlarged: Count = Field(default=1, description="how many times as high and wide as the input a predicted map is")
    inputs: tuple[Text, ...] = Field(description="feature maps")
    answer: Text = Field(description="the feature map that a plain call returns")
    choices: tuple[GraphChoice, ...]
    tensors: tuple[GraphTensor, ...]
    ops: tuple[GraphOp, ...]
    outputs: tuple[GraphOutput, ...]
    scopes: tuple[Scope, ...]
    labels: tuple[Labels, ...] = ()
    blocks: tuple[Block, ...] = ()
