"""What training reads and writes: metrics, what the compiler says of importance, the phases of shrinking."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from specc.schemas.document import Count, Document, Flag, Integer, Number, Positive, Share, Text


class MetricsLine(Document):
    """A line of `metrics.jsonl`: an epoch. Other keys are numbers: loss, lr, accuracy/NAME, ..."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number]

    epoch: Count = Field(description="from 0 on")


class Group(Document):
    """A choice that `method tips` draws: a width group or a sub-path."""

    choice: Text
    important: Flag
    score: Positive = Field(description="highest mean TAS of its layers")
    layers: tuple[Text, ...]


class ImportantOp(Document):
    """An operation."""

    name: Text
    kind: Text
    important: Flag
    score: Positive = Field(description="mean TAS of its two ends")


class FeatureMap(Document):
    """A feature map."""

    name: Text
    tas: Positive = Field(description="topological accumulated score")


class ImportanceFile(Document):
    """`importance.json`, which the compiler writes for `method tips`: which widths and sub-paths are important."""

    network: Text = Field(description="its name")
    subnets: Count | None = Field(default=None, description="T, the number of sampled sub-networks")
    coupling: Share | None = None
    damping: Share | None = None
    damping_share: Positive | None = Field(default=None, description="the share of all transitions that damping makes")
    directed: Flag | None = None
    expected: Flag | None = None
    nodes: Count | None = None
    seed: Integer | None = None
    groups: tuple[Group, ...]
    sub_paths: tuple[Group, ...]
    ops: tuple[ImportantOp, ...]
    tensors: tuple[FeatureMap, ...]


class Stage(Document):
    """A phase of progressive shrinking, or a part of one."""

    phase: Text
    share: Share = Field(description="of the run's epochs")
    subnets: Count = Field(description="that a step trains")
    drawn: dict[str, Count] = Field(description="how many options of each choice are drawn, the largest ones")


class Channels(Document):
    """Channels that are sorted together."""

    rows: tuple[Text, ...] = Field(description="modules with an entry for each channel in their first dimension")
    columns: tuple[Text, ...] = Field(description="modules whose weight has one in its second dimension")
    judges: tuple[Text, ...] = Field(description="modules whose weights say how important a channel is")
    sorted: dict[str, Count] = Field(description="how many are sorted before a stage, by the stage's number")


class ChannelRow(Document):
    """Channels that stand in the same place everywhere, and may change places there."""

    rows: tuple[Text, ...] = Field(description="modules with an entry for each channel in their first dimension")
    columns: tuple[Text, ...] = Field(description="modules whose weight has one in its second dimension")
    judges: tuple[Text, ...] = Field(description="modules whose weights say how important a channel is")
    scores: tuple[Positive, ...] = Field(default=(), description="the TAS of each of `judges`")


class ChannelsFile(Document):
    """`channels.json`, which the compiler writes: the channels that `train.py --start` may sort by importance."""

    network: Text = Field(description="its name")
    channels: tuple[ChannelRow, ...]


class Shrinking(Document):
    """`shrinking.json`, which the compiler writes for `method ofa`: its stages and the channels that are sorted."""

    network: Text = Field(description="its name")
    always: tuple[Text, ...] = Field(description="choices that are drawn in every stage")
    stages: tuple[Stage, ...]
    channels: tuple[Channels, ...]
