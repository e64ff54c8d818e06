"""Networks for the writer of `specc import` without PyTorch: the largest network of a spec, as if traced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from specc.diagnostics import Findings
from specc.importing.network import Frame, Input, Network, Operation, Written
from specc.importing.text.asking import arguments, operator_of
from specc.importing.text.structure import regrouped
from specc.importing.text.write import write
from specc.ir.graph import Graph, Op, Scope, Tensor
from specc.passes.specialise import specialise
from specc.pipeline import load
from specc.source import Source
from specc.syntax.format import format_spec
from specc.syntax.parse import parse


def largest(graph: Graph) -> Graph:
    """The largest network, without a choice."""
    return specialise(graph, {choice.name: choice.largest for choice in graph.choices})


def network_of(graph: Graph) -> Network:
    """A graph without choices as a recognised network; its scopes are the modules."""
    stacks = dict(stacks_of(graph.root, ()))
    tensors = graph.tensor_table()
    operations = tuple(
        Operation(op.name, op.kind, parameters(op, tensors), op.inputs, op.outputs, stacks[op.name], place="x.py:1")
        for op in graph.ops
    )
    inputs = tuple(
        Input(name, "image" if tensors[name].space else "vector", shape(tensors[name])) for name in graph.inputs
    )
    return Network(graph.name, inputs, operations, {t.name: shape(t) for t in graph.tensors}, graph.prediction())


def shape(tensor: Tensor) -> tuple[int, ...]:
    sizes = tuple(size for size in tensor.shape if isinstance(size, int))
    assert len(sizes) == len(tensor.shape)
    return sizes


def stacks_of(scope: Scope, around: tuple[Frame, ...]) -> list[tuple[str, tuple[Frame, ...]]]:
    """Every operation with the scopes around it. Regions are none of their own."""
    if scope.kind != "region":
        kind = f"net.{scope.block}" if scope.kind == "block" else "torch.nn.modules.container.Sequential"
        path = scope.path if scope.kind != "network" else ""
        around = (*around, Frame(path, kind))
    found = []
    for item in scope.items:
        found += [(item, around)] if isinstance(item, str) else stacks_of(item, around)
    return found


RENAMED: Mapping[str, Mapping[str, str]] = {"patch_embed": {"out": "dim"}}
"""Where an operator's parameter is called otherwise in what it keeps."""


def parameters(op: Op, tensors: Mapping[str, Tensor]) -> Mapping[str, object]:
    """The arguments that make an operation what it is."""
    renamed = RENAMED.get(op.kind, {})
    names = {p.name for p in op.operator.signature.parameters}
    found = {renamed.get(f.name, f.name): getattr(op.params, f.name) for f in fields(op.params)}  # type: ignore[arg-type]
    made = {name: value for name, value in found.items() if name in names}
    if op.kind == "split":
        made["parts"] = len(op.outputs)
    if op.kind == "drop_path":
        made["rate"] = op.params.rate  # type: ignore[attr-defined]
    if made.get("kernel", 0) is None or ("size" in made and op.kind == "pool" and made["kernel"] is None):
        made = {name: value for name, value in made.items() if name in ("mode", "size")}
    return {name: value for name, value in made.items() if value is not None}


def same_network(network: Network, written: Written) -> str:
    """How the network that a text compiles to differs from the one it was written for; "" where it is the same:
    operators and their arguments, connections, shapes, parameters and multiply-accumulates.

    Also what else must hold of a text: that the formatter leaves it alone, and that nothing in it is without effect.
    """
    network = regrouped(network)
    compiled = load(Source("import.specc", written.text))
    tree = parse(Source("import.specc", written.text), Findings())
    if tree is None or format_spec(tree) != written.text:
        return "the formatter would change the text"
    if compiled.warnings:
        return f"warning: {compiled.warnings[0].primary.message}"
    found = network_of(compiled.graph)
    theirs = {operation.name: operation for operation in network.operations}
    if sorted(written.order) != sorted(theirs) or len(found.operations) != len(theirs):
        return f"{len(found.operations)} operations, and {len(written.order)} in order, of {len(theirs)}"
    values = {theirs_.name: ours.name for theirs_, ours in zip(network.inputs, found.inputs, strict=True)}
    for ours, name in zip(found.operations, written.order, strict=True):
        problem = different(theirs[name], ours, network, found, values)
        if problem:
            return f"{name}: {problem}"
        values.update(zip(theirs[name].outputs, ours.outputs, strict=True))
    return "" if values[network.output] == found.output else "another output"


def different(theirs: Operation, ours: Operation, network: Network, found: Network, values: Mapping[str, str]) -> str:
    if theirs.operator != ours.operator:
        return f"{ours.operator} in the place of {theirs.operator}"
    inputs = [values[name] for name in theirs.inputs]
    sums = operator_of(ours.operator).sums
    if (sorted(inputs) if sums else inputs) != (sorted(ours.inputs) if sums else list(ours.inputs)):
        return f"it reads {ours.inputs}, not {inputs}"
    if arguments(theirs, network.shapes) != arguments(ours, found.shapes):
        return f"{arguments(ours, found.shapes)}, not {arguments(theirs, network.shapes)}"
    shapes = [network.shapes[name] for name in theirs.outputs]
    if shapes != [found.shapes[name] for name in ours.outputs]:
        return f"shapes are not {shapes}"
    return ""


def written_again(graph: Graph) -> Written:
    """The largest network of a spec through the writer and back. Raises AssertionError where it is another."""
    network = network_of(largest(graph))
    written = write(network)
    problem = same_network(network, written)
    assert not problem, f"{problem}\n{written.text}"
    return written
