"""What is exported: bundles of several sub-networks beside one set of weights, and single sub-networks."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, StrictStr, model_validator

from specc.schemas.document import Assignment, Count, Document, Flag, Number, Positive, Share, Text
from specc.schemas.fronts import MetricOf

Spelling: TypeAlias = StrictStr | tuple[StrictStr | Count | None, ...]
"""The options of one sub-network: a letter for each choice (0-9, a-z, A-Z: its place), - where it is inactive; a number
in a list for choices of more options than letters."""
Figure: TypeAlias = Flag | Number | None


class InputShape(Document):
    """An input of an exported network, and how its numbers are made of images."""

    shape: tuple[Count, ...] = Field(description="without the batch")
    scale: Number = Field(
        description="what bytes are divided by, to be from 0 to 1; 1 where they are taken as they are"
    )
    mean: tuple[Number, ...] = Field(description="of each channel; it is taken off")
    std: tuple[Number, ...] = Field(description="of each channel; what is left is divided by it")


class Bundle(Document):
    """`index.json` of a bundle: the sub-networks that can run with its weights."""

    network: Text = Field(description="its name")
    fingerprint: Text = Field(default="", description="of the network's operations, choices and state")
    space: Text = Field(description="a checksum of the choices and their options")
    choices: tuple[Text, ...] = Field(description="in the order of the letters")
    columns: tuple[Text, ...] = Field(description="what a row of `subnets` holds: options, figures, outputs")
    subnets: tuple[tuple[Spelling | Figure, ...], ...] = Field(
        description="a row each: the letters of its options, its figures, and the outputs that it is asked for"
    )
    latency: dict[str, tuple[Number, ...]] = Field(
        description="milliseconds of every sub-network, by the device, threads and shapes that they were measured with"
    )
    classes: tuple[Text, ...] = Field(default=(), description="names of the classes")
    metric: MetricOf | None = Field(default=None, description="what `value` is; accuracy where there is none")
    inputs: dict[str, InputShape] = Field(default_factory=dict, description="how each is prepared")
    files: dict[str, Text] = Field(default_factory=dict, description="checksums of the other files")
    checksum: Text = Field(default="", description="of everything before it")

    @model_validator(mode="after")
    def rows_have_the_columns(self) -> Self:
        """The first column of every row spells its options, `outputs` are names, all others are figures."""
        if self.columns[:1] != ("options",):
            raise ValueError("the first column is that of options")
        for row in self.subnets:
            if not 0 < len(row) <= len(self.columns):
                raise ValueError("a row does not have the columns")
            for number, (name, cell) in enumerate(zip(self.columns, row, strict=False)):
                if not fits(cell, "options" if number == 0 else "outputs" if name == "outputs" else "figure"):
                    raise ValueError(f"`{name}` of a row is {cell!r}")
        if any(len(times) != len(self.subnets) for times in self.latency.values()):
            raise ValueError("latencies are those of all sub-networks")
        return self


def fits(cell: object, column: Literal["options", "outputs", "figure"]) -> bool:
    """Whether a cell of a row is what its column holds."""
    match column:
        case "options":
            return isinstance(cell, str | tuple)
        case "outputs":
            return cell is None or (isinstance(cell, tuple) and all(isinstance(name, str) for name in cell))
        case "figure":
            return cell is None or isinstance(cell, bool | float)


class Figures(Document):
    """How accurate, large and fast one form of a network is."""

    accuracy: Share | None = Field(default=None, description="on the test images")
    value: Number | None = Field(default=None, description="the same by another metric, in place of `accuracy`")
    bytes: Count = Field(description="of the file")
    peak_bytes: Count | None = Field(default=None, description="peak activation memory in bytes")
    ms: Positive = Field(description="milliseconds of one image on one thread of the CPU")


class Exported(Document):
    """`subnet.json`: what goes with an exported sub-network."""

    network: Text = Field(description="its name")
    fingerprint: Text = Field(default="", description="of the network's operations, choices and state")
    at: Assignment
    macs: Count | None = Field(default=None, description="multiply-accumulates of one image")
    params: Count | None = None
    accuracy: Share | None = Field(default=None, description="on the images that the search evaluated with")
    value: Number | None = Field(default=None, description="the same by another metric, in place of `accuracy`")
    metric: MetricOf | None = Field(default=None, description="what `value` is; accuracy where there is none")
    trained: Flag = Field(default=True, description="whether a step of the training runs it")
    inputs: dict[str, InputShape]
    outputs: tuple[Text, ...]
    classes: tuple[Text, ...] = Field(description="names of the classes; empty where they have none")
    free: tuple[Text, ...] = Field(description="axes whose sizes are free")
    sizes_in_steps_of: Count | None = Field(default=None, description="of which heights and widths are multiples")
    int8: dict[str, Figures] = Field(default_factory=dict, description="figures of the forms in eight bits")
    left_out: dict[str, Text] = Field(description="files that could not be written, and why")
    files: dict[str, Text] = Field(description="SHA-256 of the other files")
