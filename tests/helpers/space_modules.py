"""A network's space.py, with its costs.py, imported without a project around them."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType
from typing import Any

from specc.cost.names import plain_option
from specc.ir.choice import Assignment
from specc.ir.graph import Graph
from specc.subnets.module import costs_module, space_module

HOSTILE = (
    'x"); raise SystemExit("',
    "x'); raise SystemExit('",
    "a\nraise SystemExit",
    '"""\nraise SystemExit\n"""',
    "\\",
    "{x}",
    "\u2028raise SystemExit",
    "lambda",
    "a or b",
    "a and b",
)
"""Texts of a spec that must not become code."""


def space_of_graph(graph: Graph) -> Any:
    """The module `space`; what it imports are the compiler's own parts."""
    sys.modules["costs"] = executed("costs", costs_module(graph))
    try:
        return executed("space", space_module(graph))
    finally:
        del sys.modules["costs"]


def executed(name: str, text: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module


def as_json(graph: Graph, at: Assignment) -> dict[str, Any]:
    """An assignment that went through JSON, as generated projects read it."""
    table = graph.choice_table()
    found: dict[str, Any] = json.loads(json.dumps({name: plain_option(table[name], o) for name, o in at.items()}))
    return found


def assert_formatted(text: str) -> None:
    """Whether a file of a project is laid out as `ruff format` would."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
