"""A project's space.py, imported."""

from __future__ import annotations

from types import ModuleType

from specc.analysis.module import space_module
from specc.ir.graph import Graph


def space_of_graph(graph: Graph) -> ModuleType:
    made = ModuleType("space")
    text = space_module(graph).replace("from elastic import", "from specc.portable import")
    exec(text, made.__dict__)
    return made
