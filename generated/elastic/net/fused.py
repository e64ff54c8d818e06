"""One sub-network as a straight line of operations, made in a millisecond or two: for serving.

`extract` gives a module that can be changed, trained and exported; `fused` gives the same function
of the inputs with no layer called as a module on the way. What is traced once serves all
sub-networks of one structure - those that differ in widths, kernels and banks alone - so that
another one only costs its weights. There are two kinds:

its own weights     contiguous, norms folded into them, parallel branches merged: the fastest
the network's own   sliced at every call: no memory of its own, and later changes show through

On the CPU, maps are computed with the channels of a pixel side by side (`torch.channels_last`),
which oneDNN's convolutions and torch's pooling are faster in: a seventh of MobileNetV2's time.
Answers are contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import getitem, is_not
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from elastic.net.branches import merge_branches
from elastic.net.extract import at_rest, traced
from elastic.net.pieces import (
    LiveNorms,
    Piece,
    Step,
    Way,
    arranged,
    kind_of,
    own_pieces,
    passed,
    place,
    scaled,
    scaled_in_place,
    shared_pieces,
    thinned,
)
from elastic.net.plan import Cut, Part, Plan, Resolution
from elastic.net.resizing import sized

LINES: Final = 64
"""The structures that are kept: each takes about a megabyte, and a large space has very many."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The straight line of all sub-networks of one structure.

    `code` takes the inputs and a piece for each step.
    """

    code: fx.GraphModule
    steps: tuple[Step, ...]


class Fused(nn.Module):
    """A sub-network's straight line with weights of its own, for inference.

    It holds the state of training at which it was made: make another after a step. Weights that had
    not to be cut, folded or laid out anew are the network's.
    """

    def __init__(self, line: Line, pieces: list[Piece], resolution: Resolution = None) -> None:
        super().__init__()
        self.line = line
        self.pieces = pieces
        self.code = line.code.forward
        self.resolution = resolution

    def forward(self, *inputs: Tensor) -> Any:
        if self.resolution is not None:
            inputs = sized(inputs, self.resolution)
        return self.code(*inputs, self.pieces)


class Shared(Fused):
    """A sub-network's straight line on the network's own weights, for inference without gradients.

    They are cut, and norms are read, at every call: what `net(x, plan)` sees of changes is seen here.
    """

    def __init__(self, line: Line, pieces: list[Piece], resolution: Resolution = None) -> None:
        super().__init__(line, pieces, resolution)
        self.places = [i for i, step in enumerate(line.steps) if step.kind == "norm"]
        self.norms = LiveNorms([pieces[i] for i in self.places])

    @torch.no_grad()
    def forward(self, *inputs: Tensor) -> Any:
        pieces = list(self.pieces)
        for i, sides in zip(self.places, self.norms(), strict=True):
            pieces[i] = sides
        if self.resolution is not None:
            inputs = sized(inputs, self.resolution)
        return self.code(*inputs, pieces)


def fused(net: nn.Module, plan: Plan, lines: dict[Any, Line], share: bool = False) -> Fused:
    """The straight line of a plan's sub-network in eval mode. It resizes images as `net(x, plan)` does.

    With `share` it reads the network's own weights and statistics at every call. `lines` keeps the
    structures that were asked for last.
    """
    key = share, signature(plan)
    line = lines.pop(key, None) or line_of(net, plan, share)
    lines[key] = line  # the latest stands last
    if len(lines) > LINES:
        for oldest in list(lines)[:-LINES]:
            lines.pop(oldest, None)  # another thread may have been faster
    if any(step.way is not None and step.way.window(net, plan) is None for step in line.steps):
        line = line_of(net, plan, share)  # branches that are one convolution there are none here
    if share:
        return Shared(line, shared_pieces(net, plan, line.steps), plan.resolution)
    return Fused(line, own_pieces(net, plan, line.steps), plan.resolution)


def signature(part: Part) -> tuple[Any, ...]:
    """What of a plan decides the order of operations: all but how layers are cut.

    A layer that nothing is cut off, or that is not there, has None in a cut's place; which of the
    two it is, `absent` says.
    """
    found: list[Any] = [part.absent]
    if isinstance(part, Plan):
        found += [part.outputs, part.prediction, part.wanted]
    for name, value in part.parts.items():
        if isinstance(value, Cut):
            found.extend(() if value.leaf else (name, value.values()))
        elif isinstance(value, Part):
            found.append((name, signature(value)))
        elif value is not None:
            found.append((name, value))
    return tuple(found)


def line_of(net: nn.Module, plan: Plan, share: bool) -> Line:
    """Traces one sub-network and replaces its layers by functions of pieces."""
    graph, layers, cuts = traced(net, plan.replaced(resolution=None))
    ways = {} if share else merge_branches(graph, layers)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    with graph.inserting_after(inputs[-1]):
        given = graph.placeholder("pieces")
    steps: list[Step] = []
    folded: set[fx.Node] = set()
    alone: set[fx.Node] = set()
    for node in list(graph.nodes):
        path = str(node.target)
        layer = layers.get(path) if node.op == "call_module" else None
        if layer is None or node in folded:
            continue
        layer = at_rest(layer)
        if isinstance(layer, (nn.Dropout, nn.Identity)):
            replace_by(graph, node, node.args[0])
            continue
        where, kind, reader = place(path, plan, cuts), kind_of(layer), following_norm(node, layers)
        norm = where if kind == "norm" else None
        if reader is not None and share:
            alone.add(reader)
        elif reader is not None:
            folded.add(reader)
            norm = place(str(reader.target), plan, cuts)
        if share and kind != "norm":
            kind = "module"
        way = None
        if path in ways:
            names = [*ways[path].convs(), *ways[path].norms()]
            way = Way(ways[path], {name: place(name, plan, cuts) for name in names})
        step = Step(kind, where, norm, kind == "conv" and is_thin(net.get_submodule(path)), way)
        with graph.inserting_before(node):
            piece = graph.call_function(getitem, (given, len(steps)))
            made = called(graph, node.args[0], piece, step, layer, node in alone)
        replace_by(graph, node, made)
        if reader in folded:
            replace_by(graph, reader, made)
        steps.append(step)
    lay_out(graph, inputs, given)
    clean = fx.Graph()
    clean.output(clean.graph_copy(graph, {}))
    return Line(fx.GraphModule(nn.Module(), clean, type(net).__name__), tuple(steps))


def replace_by(graph: fx.Graph, node: fx.Node, other: Any) -> None:
    node.replace_all_uses_with(other)
    graph.erase_node(node)


def following_norm(node: fx.Node, layers: dict[str, nn.Module]) -> fx.Node | None:
    """The batch norm that alone reads a convolution or linear layer."""
    if kind_of(layers[str(node.target)]) not in ("conv", "linear") or len(node.users) != 1:
        return None
    (reader,) = node.users
    norm = layers.get(str(reader.target)) if reader.op == "call_module" else None
    return reader if norm is not None and kind_of(norm) == "norm" else None


def is_thin(layer: nn.Module) -> bool:
    """Whether a layer is a convolution of single pixels that leaves some of them out."""
    if not isinstance(layer, nn.Conv2d) or layer.kernel_size != (1, 1):
        return False
    return layer.stride != (1, 1) and layer.padding in ((0, 0), "valid")


def called(graph: fx.Graph, x: Any, piece: fx.Node, step: Step, layer: Any, alone: bool) -> fx.Node:
    """The operation of a layer as a function of its piece; `alone`: of a norm that alone reads x."""
    if step.kind == "norm":
        return graph.call_function(scaled_in_place if alone else scaled, (x, piece))
    if step.kind == "module":
        return graph.call_function(passed, (x, piece))
    if step.thin:
        x = graph.call_function(thinned, (x, layer.stride))
    function, count = (torch.conv2d, 6) if step.kind == "conv" else (F.linear, 2)
    parts = [graph.call_function(getitem, (piece, i)) for i in range(count)]
    return graph.call_function(function, (x, *parts))


def lay_out(graph: fx.Graph, inputs: Sequence[fx.Node], last: fx.Node) -> None:
    """Has the inputs arranged on the way in, and the answers contiguous on the way out."""
    with graph.inserting_after(last):
        for node in inputs:
            made = graph.call_function(arranged, (node,))
            node.replace_all_uses_with(made, partial(is_not, made))
    (output,) = graph.find_nodes(op="output")
    with graph.inserting_before(output):
        output.args = fx.map_arg(output.args, lambda n: graph.call_method("contiguous", (n,)))
