"""Small specs for tests, and the graphs they become."""

from __future__ import annotations

from itertools import product

from specc.diagnostics import Findings
from specc.ir.choice import Assignment
from specc.ir.expr import Expr, Option, evaluate
from specc.ir.graph import Graph
from specc.pipeline import compile_spec, load
from specc.source import Source


def graph_of(text: str, **params: str) -> Graph:
    """The graph of a whole spec."""
    return load(Source("test.specc", text), params).graph


def network(stages: str, settings: str = "norm batch", inputs: str = "image(3, 32, 32)", rest: str = "") -> Graph:
    """The graph of a supernet with the given stages between a stem of 16 channels and a head of 10 classes."""
    return graph_of(spec(stages, settings, inputs, rest))


def spec(stages: str, settings: str = "norm batch", inputs: str = "image(3, 32, 32)", rest: str = "") -> str:
    return (
        f"supernet net {{\n  input {inputs}\n  classes 10\n  {settings}\n  stem {{ conv(16, kernel=3); norm; relu }}\n"
        f"  {stages}\n  head {{ pool(avg); linear(classes) }}\n}}\n{rest}\n"
    )


def reported(text: str) -> list[str]:
    """The names of the rules that a spec breaks."""
    findings = Findings()
    compile_spec(Source("test.specc", text), {}, findings)
    return [d.rule.name for d in findings.diagnostics]


def assignments(graph: Graph) -> list[dict[str, Option]]:
    """Every combination of options."""
    names = [c.name for c in graph.choices]
    return [dict(zip(names, options, strict=True)) for options in product(*(tuple(c.options) for c in graph.choices))]


def size_at(graph: Graph, tensor: str, assignment: Assignment) -> tuple[Option, ...]:
    """A tensor's active features, height and width."""
    found = graph.tensor_table()[tensor]
    sizes: tuple[Expr, ...] = (found.features, *found.space)
    return tuple(evaluate(size, assignment) for size in sizes)


def choices(graph: Graph) -> dict[str, tuple[Option, ...]]:
    return {c.name: tuple(c.options) for c in graph.choices}
