"""By what the files of a network know it: its fingerprint, and what the first version of specc called otherwise."""

from __future__ import annotations

from specc.codegen.fingerprint import fingerprint, first_fingerprint
from specc.frozen import frozen
from specc.ir.graph import Graph
from specc.portable.files.renames import Renamed, renames


@frozen
class Identity:
    """A network's fingerprint, the one of the first version, and the names that files of that version have.

    `renamed` holds what files name - weights, choices and the blocks around them - and is empty where all that is
    called as it was.
    """

    fingerprint: str
    first: str
    renamed: Renamed


def identity(graph: Graph) -> Identity:
    """The identity of a graph that the passes are through with."""
    tensors = graph.tensor_table()
    named = {choice.name for choice in graph.choices}
    for op in graph.ops:
        inputs, outputs = ([tensors[name] for name in names] for names in (op.inputs, op.outputs))
        if op.operator.weights(op, inputs, outputs):
            named.add(op.name)
    table = renames(pair for pair in graph.renamed if pair[1] in named)
    return Identity(fingerprint(graph), first_fingerprint(graph), table)
