"""Which operations matter, by the topology of the network (TIPS): TAS, TPS and the important operations."""

from __future__ import annotations

from typing import Final

from specc.analyses.protocol import Analysis, Answer
from specc.importance import importance, settings_of
from specc.importance.data import as_data
from specc.ir.graph import Graph
from specc.ir.parameter import Call


def answer(graph: Graph, request: Call) -> Answer:
    """What `specc importance --json` prints. The request's arguments are those of `analysis=importance(..)`."""
    return as_data(graph.name, importance(graph, settings_of(Call("", (("analysis", request),)))))


ANALYSIS: Final = Analysis("importance", answer)
