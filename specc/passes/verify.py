"""What every graph keeps after every pass. A broken promise is a bug in specc, not in a spec."""

from __future__ import annotations

from collections.abc import Iterator

from specc.ir.graph import SUBNET, Graph
from specc.passes.drop_dead import choices_read


class BrokenGraph(AssertionError):
    """A pass made a graph that no spec should lead to."""


def verify(graph: Graph, after: str) -> None:
    """Raises BrokenGraph unless names are unique, everything read is written before, and all choices read exist."""
    problem = next(problems(graph), None)
    if problem is not None:
        raise BrokenGraph(f"after {after}: {problem}")


def problems(graph: Graph) -> Iterator[str]:
    """What is wrong with a graph, if anything."""
    tensors = graph.tensor_table()
    if len(tensors) != len(graph.tensors):
        yield "two tensors have one name"
    if len({op.name for op in graph.ops}) != len(graph.ops):
        yield "two ops have one name"
    known = set(graph.inputs)
    for op in graph.ops:
        for name in op.inputs:
            if name not in known:
                yield f"{op.name} reads {name}, which is not written before it"
        for name in op.outputs:
            if name not in tensors:
                yield f"{op.name} writes {name}, which is no tensor"
            if name in known:
                yield f"{name} is written twice"
            known.add(name)
    for output in graph.outputs:
        if output.tensor not in known:
            yield f"the output {output.name} is not written"
    if graph.prediction() not in known:
        yield "the answer of a plain call is not written"
    choices = graph.choice_table()
    if len(choices) != len(graph.choices):
        yield "two choices have one name"
    exists = {*choices, *(g.variable for g in graph.widths), SUBNET.choice}
    for name in sorted(choices_read(graph.ops, graph.tensors) - exists):
        yield f"the choice {name} is read and does not exist"
    if sorted(graph.root.ops()) != sorted(op.name for op in graph.ops):
        yield "the nesting does not hold exactly the ops"
