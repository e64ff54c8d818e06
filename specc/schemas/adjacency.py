"""A network given as a graph, for `specc importance --adjacency`."""

from __future__ import annotations

from pydantic import Field

from specc.schemas.document import Count, Document, Flag, Positive, Text


class AdjacencyEdge(Document):
    """An operation, from one feature map to another."""

    source: Text = Field(description="the node that it reads")
    target: Text = Field(description="the node that it makes")
    name: Text = Field(default="", description="`source->target` if not given; parallel edges need names")
    weight: Positive = Field(default=1, description="1 in the paper; of parallel edges the largest counts")
    kind: Text = Field(default="edge", description="the operator")
    stage: Text = ""
    macs: Count = Field(default=0, description="multiply-accumulates; of equal paths the one with fewer is best")
    droppable: Flag | None = Field(
        default=None,
        description="whether a sub-network may leave it out; if not given: whether one of `subnets` does",
    )


class AdjacencyFile(Document):
    """A graph, or T sub-networks of it, for `specc importance --adjacency`: cycles are allowed."""

    name: Text = Field(default="", description="of the network; the file's if not given")
    nodes: tuple[Text, ...] = Field(min_length=1, description="feature maps")
    edges: tuple[AdjacencyEdge, ...]
    inputs: tuple[Text, ...] = Field(default=(), description="nodes where paths begin; the first if not given")
    outputs: tuple[Text, ...] = Field(default=(), description="nodes where paths end; the last if not given")
    subnets: tuple[tuple[Text, ...], ...] | None = Field(
        default=None, min_length=1, description="the edges of each sub-network, by name; one that has all if not given"
    )
