"""A project's space.py, imported."""

from __future__ import annotations

from types import ModuleType

from specc.ir.graph import Graph
from specc.subnets.module import space_module


def space_of_graph(graph: Graph) -> ModuleType:
    made = ModuleType("space")
    text = space_module(graph).replace("from elastic import", "from specc.space import")
    exec(text, made.__dict__)
    return made
