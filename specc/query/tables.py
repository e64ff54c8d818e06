"""The tables that can be asked, column by column. Counts are for one image, at the largest network if not said."""

from __future__ import annotations

from typing import Literal, TypeAlias

from specc.frozen import frozen

Type: TypeAlias = Literal["TEXT", "INTEGER", "REAL"]


@frozen
class Column:
    """One column; flags are 0 and 1, what does not apply is NULL."""

    name: str
    type: Type
    doc: str


@frozen
class Table:
    """One table; its first column, with the second where that is needed, is its key."""

    name: str
    doc: str
    columns: tuple[Column, ...]


OPS = Table(
    "ops",
    "the operations, in the order of execution",
    (
        Column("name", "TEXT", "its path: s3.b1.conv2"),
        Column("kind", "TEXT", "conv, depthwise, linear, batch_norm, relu, add, select, ..."),
        Column("stage", "TEXT", "the stem, stage or head it is in"),
        Column("block", "TEXT", "the innermost block call it is in"),
        Column("position", "INTEGER", "its place in the order, from 0"),
        Column("guard", "TEXT", "the condition under which it is present; 1 for always"),
        Column("output", "TEXT", "the first tensor it writes"),
        Column("params", "INTEGER", "parameters at the largest sub-network"),
        Column("macs", "INTEGER", "multiply-accumulates there"),
        Column("macs_min", "INTEGER", "multiply-accumulates at the smallest sub-network, 0 where it is absent"),
        Column("share", "REAL", "its share of the largest sub-network's MACs"),
        Column("important", "INTEGER", "TIPS: whether it is important; NULL for what is no operation of its own there"),
        Column("score", "REAL", "TIPS: the mean TAS of its two ends; NULL likewise"),
        Column("origin", "TEXT", "the line of the spec"),
    ),
)
INPUTS = Table(
    "inputs",
    "which tensors an operation reads",
    (
        Column("op", "TEXT", "the operation"),
        Column("place", "INTEGER", "which of its inputs, from 0"),
        Column("tensor", "TEXT", "the tensor"),
    ),
)
TENSORS = Table(
    "tensors",
    "the feature maps",
    (
        Column("name", "TEXT", "the operation that writes it, or input"),
        Column("op", "TEXT", "the operation that writes it; NULL for an input"),
        Column("stage", "TEXT", "the stage of that operation"),
        Column("channels", "INTEGER", "channels, or features, at most"),
        Column("channels_min", "INTEGER", "and at least"),
        Column("height", "INTEGER", "at the largest resolution; of tokens how many; NULL for a vector"),
        Column("width", "INTEGER", "likewise"),
        Column("elements", "INTEGER", "numbers in it at most"),
        Column("size", "TEXT", "the expression behind its channels: divisible(32 * width, 8)"),
        Column("readers", "INTEGER", "how many operations read it"),
    ),
)
CHOICES = Table(
    "choices",
    "what can be chosen",
    (
        Column("name", "TEXT", "s2.keep, s1.depth, width, resolution, ..."),
        Column("kind", "TEXT", "width, depth, skip, kernel, expand, resolution, branches, exit, operator, value"),
        Column("options", "INTEGER", "how many options it has"),
        Column("smallest", "TEXT", "the first option"),
        Column("largest", "TEXT", "the last option"),
        Column("active", "TEXT", "the condition under which it matters; 1 for always"),
        Column("macs_saved", "INTEGER", "MACs that the largest network saves with only this at its first option"),
        Column("params_saved", "INTEGER", "parameters likewise"),
    ),
)
READS = Table(
    "reads",
    "which choices touch which operations, and how",
    (
        Column("op", "TEXT", "the operation"),
        Column("choice", "TEXT", "the choice it depends on"),
        Column("how", "TEXT", "width (of its output), input (width of its input), size (of its map), guard, ..."),
    ),
)
STAGES = Table(
    "stages",
    "the stem, the stages and the heads",
    (
        Column("name", "TEXT", "stem, s1, head, ..."),
        Column("kind", "TEXT", "stem, stage or head"),
        Column("position", "INTEGER", "its place in the order, from 0"),
        Column("ops", "INTEGER", "operations in it"),
        Column("blocks", "INTEGER", "block calls in it, not counting those inside blocks"),
        Column("skippable", "INTEGER", "skip choices that switch operations of it"),
        Column("params", "INTEGER", "parameters at the largest sub-network"),
        Column("macs", "INTEGER", "multiply-accumulates there"),
        Column("macs_min", "INTEGER", "multiply-accumulates at the smallest"),
        Column("share", "REAL", "its share of the largest sub-network's MACs"),
    ),
)
COSTS = Table(
    "costs",
    "what each present operation costs at the largest and at the smallest sub-network",
    (
        Column("at", "TEXT", "max or min"),
        Column("op", "TEXT", "the operation"),
        Column("params", "INTEGER", "parameters in use"),
        Column("macs", "INTEGER", "multiply-accumulates"),
        Column("elements", "INTEGER", "numbers in its output"),
    ),
)
TAS = Table(
    "tas",
    "TIPS: how important each feature map is",
    (
        Column("tensor", "TEXT", "the feature map; name#i for the i-th input where an operation has a row for it"),
        Column("tas", "REAL", "topological accumulated score: its share of the stationary distribution"),
        Column("place", "INTEGER", "1 for the highest; equal scores share a place"),
    ),
)
EDGES = Table(
    "edges",
    "TIPS: the operations as edges between feature maps, norms and activations folded in",
    (
        Column("op", "TEXT", "the operation; with #2 the row of the second of its inputs, if it has several"),
        Column("kind", "TEXT", "its kind"),
        Column("stage", "TEXT", "its stage"),
        Column("source", "TEXT", "the feature map it starts at"),
        Column("target", "TEXT", "the feature map it ends at"),
        Column("macs", "INTEGER", "multiply-accumulates at the largest sub-network"),
        Column("important", "INTEGER", "whether it is important"),
        Column("score", "REAL", "the mean TAS of its two ends"),
    ),
)
PATHS = Table(
    "paths",
    "TIPS: the best path of every node count",
    (
        Column("nodes", "INTEGER", "feature maps on it"),
        Column("tps", "REAL", "topological path score: the sum of their TAS"),
        Column("mean_tas", "REAL", "tps / nodes"),
        Column("best", "INTEGER", "whether it is the one with the highest mean"),
    ),
)
STEPS = Table(
    "steps",
    "TIPS: the operations of the best path, from the input on",
    (
        Column("place", "INTEGER", "from 1"),
        Column("op", "TEXT", "the operation, as in edges"),
    ),
)
SUBNETS = Table(
    "subnets",
    "TIPS: the sub-networks that were sampled, every width at its largest",
    (
        Column("subnet", "INTEGER", "from 1"),
        Column("macs", "INTEGER", "multiply-accumulates"),
        Column("params", "INTEGER", "parameters"),
        Column("kept", "INTEGER", "how many skippable sub-paths it keeps"),
        Column("at", "TEXT", "the options that were drawn, as JSON"),
    ),
)
PRESENT = Table(
    "present",
    "TIPS: which operations the sampled sub-networks have",
    (
        Column("subnet", "INTEGER", "from 1"),
        Column("op", "TEXT", "an operation of the table edges that it has"),
    ),
)

TABLES = (OPS, INPUTS, TENSORS, CHOICES, READS, STAGES, COSTS, TAS, EDGES, PATHS, STEPS, SUBNETS, PRESENT)


def table_list() -> str:
    """`ops, inputs, ...`, for messages."""
    return ", ".join(table.name for table in TABLES)
