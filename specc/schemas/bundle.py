"""What is exported: bundles of several sub-networks beside one set of weights, and single sub-networks."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, StrictInt, StrictStr

from specc.schemas.document import Assignment, Count, Document, Flag, Number, Positive, Share, Text

Spelling: TypeAlias = StrictStr | tuple[StrictStr | StrictInt | None, ...]
"""The options of one sub-network: a letter for each choice (0-9, a-z, A-Z: its place), - where it is inactive; a number
in a list for choices of more options than letters."""
Figure: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)] | Flag | None


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
    files: dict[str, Text] = Field(default_factory=dict, description="checksums of the other files")
    checksum: Text = Field(default="", description="of all that stands before it")


class InputShape(Document):
    """An input of an exported network, and how its numbers are made of images."""

    shape: tuple[Count, ...] = Field(description="without the batch")
    scale: Number = Field(
        description="what bytes are divided by, to be from 0 to 1; 1 where they are taken as they are"
    )
    mean: tuple[Number, ...] = Field(description="of each channel; it is taken off")
    std: tuple[Number, ...] = Field(description="of each channel; what is left is divided by it")


class Figures(Document):
    """How accurate, large and fast one form of a network is."""

    accuracy: Share | None = Field(default=None, description="on the test images")
    bytes: Count = Field(description="of the file")
    peak_bytes: Count | None = Field(default=None, description="most bytes of activations alive at once")
    ms: Positive = Field(description="milliseconds of one image on one thread of the CPU")


class Exported(Document):
    """`subnet.json`: what goes with an exported sub-network."""

    network: Text = Field(description="its name")
    fingerprint: Text = Field(default="", description="of the network's operations, choices and state")
    at: Assignment
    macs: Count | None = Field(default=None, description="multiply-accumulates of one image")
    params: Count | None = None
    accuracy: Share | None = Field(default=None, description="on the images that the search evaluated with")
    trained: Flag = Field(default=True, description="whether a step of the training runs it")
    inputs: dict[str, InputShape]
    outputs: tuple[Text, ...]
    classes: tuple[Text, ...] = Field(description="names of the classes; empty where they have none")
    free: tuple[Text, ...] = Field(description="axes whose sizes are free")
    sizes_in_steps_of: Count | None = Field(default=None, description="of which heights and widths are multiples")
    int8: dict[str, Figures] = Field(default_factory=dict, description="figures of the forms in eight bits")
    left_out: dict[str, Text] = Field(description="files that could not be written, and why")
    files: dict[str, Text] = Field(description="SHA-256 of the other files")
