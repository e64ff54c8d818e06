"""Analyses that methods may ask for: one module each, found by looking. Adding a module adds an analysis.

A method asks with a call, `Call("importance", (("subnets", 8), ..))`, and gets plain data: to check
the network by, or to write into files of the project. A module holds `ANALYSIS`, a `protocol.Analysis`, and is named
after it.

An analysis need not be specc's own: a package that is installed with an entry point in the group `specc.analyses`,

    [project.entry-points."specc.analyses"]
    my_analysis = "my_package.my_analysis"

brings one, in a module of the same make.
"""

from __future__ import annotations

from pathlib import Path

from specc.analyses.protocol import Analysis
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.methods.protocol import Found
from specc.plugins import BrokenPackage, brought, held


def analysis_names() -> tuple[str, ...]:
    """Every analysis's name, sorted; nothing of an analysis is imported."""
    own = {file.stem for file in Path(__file__).parent.glob("*.py")} - {"__init__", "protocol"}
    return tuple(sorted({*own, *brought("specc.analyses")}))


def find_analysis(name: str) -> Analysis | None:
    """The analysis of that name, or None: one of specc's own before one that a package brings. Raises
    BrokenPackage."""
    own = name != "protocol" and (Path(__file__).parent / f"{name}.py").is_file()
    module = f"{__name__}.{name}" if own else brought("specc.analyses").get(name)
    if module is None:
        return None
    analysis = held(module, "ANALYSIS")
    if not isinstance(analysis, Analysis):
        raise BrokenPackage(f"`ANALYSIS` of the installed package `{module}` is no `specc.analyses.protocol.Analysis`")
    return analysis


def answers(graph: Graph, requests: tuple[Call, ...]) -> Found:
    """The answers to the requests of a method, by their names. Raises SpecError where there is none, and ValueError
    where a method asks for an analysis that does not exist."""
    found = {}
    for request in requests:
        analysis = find_analysis(request.name)
        if analysis is None:
            raise ValueError(f"there is no analysis `{request.name}`; there are {', '.join(analysis_names())}")
        found[request.name] = analysis.answer(graph, request)
    return found
