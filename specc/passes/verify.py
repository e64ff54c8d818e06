"""What every graph keeps after every pass. A broken promise is a bug in specc, not in a spec."""

from __future__ import annotations

from specc.ir.expr import Apply, Var
from specc.ir.graph import Graph, Scope
from specc.passes.drop_dead import choices_read


class BrokenGraph(AssertionError):
    """A pass made a graph that no spec should lead to."""


def verify(graph: Graph, after: str) -> None:
    """Raises BrokenGraph unless names are unique, everything read is written before, and all choices read exist."""

    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise BrokenGraph(f"after {after}: {what}")

    known = set(graph.inputs)
    tensors = graph.tensor_table()
    demand(len(tensors) == len(graph.tensors), "two tensors have one name")
    demand(len({op.name for op in graph.ops}) == len(graph.ops), "two ops have one name")
    for op in graph.ops:
        for name in op.inputs:
            demand(name in known, f"{op.name} reads {name}, which is not written before it")
        for name in op.outputs:
            demand(name in tensors, f"{op.name} writes {name}, which is no tensor")
            demand(name not in known, f"{name} is written twice")
            known.add(name)
        demand(not isinstance(op.bank.index, (Var, Apply)) or op.bank.count != 1, f"{op.name} selects its only bank")
    for output in graph.outputs:
        demand(output.tensor in known, f"the output {output.name} is not written")
    choices = graph.choice_table()
    demand(len(choices) == len(graph.choices), "two choices have one name")
    open_widths = {g.variable for g in graph.widths}
    for name in choices_read(list(graph.ops), graph.tensors):
        demand(name in choices or name in open_widths or name.startswith("%"), f"the choice {name} is read and does not exist")
    if not graph.widths:
        unresolved = [n for n in choices_read(list(graph.ops), graph.tensors) if n.startswith("%") and n != "%subnet"]
        demand(not unresolved, f"{unresolved} are still open")
    listed = list(scope_ops(graph.root))
    demand(sorted(listed) == sorted(op.name for op in graph.ops), "the nesting does not hold exactly the ops")


def scope_ops(scope: Scope) -> list[str]:
    """The ops in a scope and in those inside it, in order."""
    found: list[str] = []
    for item in scope.items:
        if isinstance(item, Scope):
            found.extend(scope_ops(item))
        else:
            found.append(item)
    return found
