"""Which operations matter: what `specc importance` prints (TAS and TPS; Li et al., "TIPS", 2023)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from specc.schemas.document import Count, Document, Flag, Integer, Positive, Share, Text
from specc.schemas.told import OfSpec


class TensorScore(Document):
    """A feature map."""

    name: Text
    tas: Positive = Field(description="topological accumulated score: its part of the stationary distribution")


class OpScore(Document):
    """An operation, from one feature map to another."""

    name: Text
    kind: Text = Field(description="the operator")
    stage: Text
    source: Text = Field(description="the feature map that it reads")
    target: Text = Field(description="the feature map that it makes")
    present: tuple[Literal[0, 1], ...] = Field(
        description="for each sampled sub-network, whether it is there; empty where probabilities replace samples"
    )
    important: Flag
    score: Positive = Field(description="mean TAS of its two ends")
    macs: Count = Field(description="multiply-accumulates in the largest sub-network")
    probability: Share = Field(default=1, description="of being in a sub-network, with `--expected`")


class PathScore(Document):
    """The best path of a number of nodes."""

    nodes: Count
    tps: Positive = Field(description="topological path score: the sum of its nodes' TAS")
    mean_tas: Positive = Field(description="tps / nodes")


class BestPath(Document):
    """The path that marks operations as important."""

    nodes: Count
    tps: Positive
    ops: tuple[Text, ...] = Field(description="its operations, from the input on")


class Importance(OfSpec):
    """What `specc importance` prints."""

    spec: Text = Field(description="the network's name")
    tensors: tuple[TensorScore, ...] = Field(description="feature maps, in the order of the graph")
    ops: tuple[OpScore, ...] = Field(description="operations, in the order of the graph; with `--top` by their scores")
    paths: tuple[PathScore, ...] = Field(description="the best path of every number of nodes that paths have")
    all_important: Flag = Field(description="whether all operations are: the analysis then cannot tell them apart")
    best: BestPath = Field(description="of 0 nodes where there are no paths, as in a graph with cycles")
    subnets: Count = Field(description="T, the number of sub-networks")
    coupling: Share = Field(description="lambda, between copies of a feature map")
    damping: Share = Field(description="kappa, between any two states")
    damping_share: Positive = Field(description="the share of all transitions that damping makes")
    directed: Flag
    expected: Flag = Field(description="whether expected degrees replace samples")
    nodes: Count | None = Field(description="the number of nodes that `--nodes` asked for")
    seed: Integer
