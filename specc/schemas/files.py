"""What commands say of the files that they write: `compile`, `fmt`, `new` and `viz`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from specc.schemas.costs import Change
from specc.schemas.document import Count, Document, Flag, Number, Text
from specc.schemas.told import OfSpec


class Compiled(OfSpec):
    """What `specc compile` wrote."""

    spec: Text = Field(description="the network's name")
    output: Text = Field(description="the project's folder, as it was named on the command line")
    files: tuple[Text, ...] = Field(description="paths in that folder")


class Differences(OfSpec):
    """What `specc compile --check` found."""

    output: Text = Field(description="the project's folder, as it was named on the command line")
    same: Flag = Field(description="whether the folder is what the compiler makes")
    files: tuple[Change, ...] = Field(description="those that would change")


class FormattedFile(Document):
    """A file, and whether formatting changes it."""

    file: Text = Field(description="as it was named on the command line; - for standard input")
    changed: Flag


class Formatted(Document):
    """What `specc fmt` did, or with `--check` would do."""

    files: tuple[FormattedFile, ...]
    text: Text = Field(default="", description="standard input, formatted")


class Started(Document):
    """What `specc new` wrote."""

    file: Text | None = Field(description="null where the spec went to standard output")
    text: Text = Field(description="the spec")


class NotElastic(Document):
    """Something that was asked to be elastic and is not, or something to know of what is."""

    what: Literal["width", "skippable", "kernel", "resolution", "norm"]
    places: tuple[Text, ...] = Field(description="as in net.specc:12:5; none for the network as a whole")
    why: Text
    is_elastic: Flag = Field(description="whether it is elastic nevertheless, and `why` is something to know of it")


class Elastic(OfSpec):
    """What `specc elastify` wrote."""

    spec: Text = Field(description="the network's name")
    output: Text | None = Field(description="null where the spec went to standard output")
    text: Text = Field(description="the spec")
    elastic: tuple[Text, ...] = Field(description="what became elastic, in words")
    kept: tuple[NotElastic, ...] = Field(description="what did not, with the reasons")
    size: Text = Field(description="the number of sub-networks")
    params: tuple[Count, Count] = Field(description="of the smallest and the largest")
    macs: tuple[Count, Count] = Field(description="of the smallest and the largest")


class ForeignModule(Document):
    """A module of the user's that `specc import` kept, as the language has no word for it."""

    path: Text = Field(description="in the network: layers.2.attn")
    file: Text = Field(description="that it stands in, as the spec names it")
    name: Text = Field(description="its class")
    operator: Text = Field(description="what no operator of the language stands for")
    place: Text = Field(description="where it is called, as in mine.py:12")


class Imported(OfSpec):
    """What `specc import` wrote, and what it was held against."""

    spec: Text = Field(description="the network's name")
    source: Text = Field(description="as it was named on the command line")
    predicts: Text = Field(description="what the spec says that it does, such as `classes 10`")
    files: tuple[Text, ...] = Field(description="the spec, its weights, and the files of kept modules")
    lines: Count = Field(description="of the spec")
    operations: Count
    params: Count = Field(description="of the original and the spec")
    macs: Count = Field(description="of the original and the spec, for one image")
    difference: Number = Field(description="the largest of the outputs on three inputs, as a share of their spread")
    difference_trained: Number | None = Field(
        description="likewise after a step of training; null where the original cannot be trained"
    )
    precision: Literal["float64", "float32"] = Field(description="in which both were compared")
    modules: tuple[ForeignModule, ...] = Field(description="what the language has no word for")
    notes: tuple[Text, ...] = Field(description="where the spec is not all that the original is, in a sentence each")
    unused: tuple[Text, ...] = Field(
        description="parameters and buffers of the original that its output does not depend on"
    )
    frozen: tuple[Text, ...] = Field(description="parameters that the original does not train")
    seconds: dict[str, Number] = Field(description="of each phase")


class Drawing(OfSpec):
    """What `specc viz` drew: the text of the picture, or the file that it was written to."""

    spec: Text = Field(description="the network's name")
    format: Literal["html", "svg", "mermaid", "dot"]
    text: Text = Field(default="", description="of the picture, where no file was named")
    output: Text = Field(default="", description="the file, as it was named on the command line")
