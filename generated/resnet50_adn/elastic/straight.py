"""One sub-network as a straight line of operations, made in a millisecond or two: for serving.

`bind` gives a module that can be changed, trained and exported; `straight` gives the same function
of the inputs with nothing around it: weights in use lie contiguously, norms are folded into them,
and no layer is called as a module on the way. What is traced once serves all sub-networks of one
structure - those that differ in widths, kernels and banks alone - so that another one only costs
its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from operator import getitem
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .bind import is_elastic, traced
from .plan import Cut, Plan

Piece: TypeAlias = tuple[Any, ...]
"""The arguments of one operation beside its input: weight, bias and numbers, or a module."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An operation of a layer.

    plain  whether it is a convolution or linear layer; any other stays a module
    norm   the path of the norm that is folded into it, "" for none
    own    whether plans say how it is cut; else all sub-networks of the line cut it as `cut`
    """

    layer: str
    plain: bool
    norm: str
    own: bool
    cut: Any


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The straight line of all sub-networks of one structure.

    `code` takes the inputs and a piece for each step.
    """

    code: fx.GraphModule
    steps: tuple[Step, ...]


class Straight(nn.Module):
    """A sub-network's straight line with its weights, for inference.

    Weights that had not to be cut or folded are the network's own. It holds the state of training
    at which it was made: make another after a step.
    """

    def __init__(self, line: Line, pieces: list[Piece]) -> None:
        super().__init__()
        self.line = line
        self.pieces = pieces
        self.code = line.code.forward

    def forward(self, *inputs: Tensor) -> Any:
        return self.code(*inputs, self.pieces)


def straight(net: nn.Module, plan: Plan, lines: dict[Any, Line]) -> Straight:
    """The straight line of a plan's sub-network in eval mode, for images of the plan's resolution.

    `lines` keeps the structures that were seen before.
    """
    key = signature(plan)
    if key not in lines:
        lines[key] = line_of(net, plan)
    return Straight(lines[key], pieces(net, plan, lines[key].steps))


def signature(part: Any) -> tuple[Any, ...]:
    """What of a plan decides the order of operations: all but how layers are cut.

    A layer that nothing is cut off, or that is not there, has None in a cut's place; which of the
    two it is, other fields say.
    """
    found: list[Any] = [type(part)]
    for name in names_of(type(part)) if isinstance(part, Plan) else type(part).__slots__:
        value = getattr(part, name)
        if is_dataclass(value):
            found.append(signature(value))
        elif isinstance(value, Cut):
            found.extend(() if value.leaf else (name, value.values()))
        elif value is not None:
            found.append((name, value))
    return tuple(found)


def names_of(plan: type[Plan]) -> list[str]:
    """The fields of a network's plan but its assignment and resolution."""
    return [field.name for field in fields(plan) if field.name not in ("chosen", "resolution")]


def line_of(net: nn.Module, plan: Plan) -> Line:
    """Traces one sub-network and replaces its layers by functions of pieces."""
    graph, layers, cuts = traced(net, replace(plan, resolution=None))
    steps: list[Step] = []
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    with graph.inserting_after(inputs[-1]):
        given = graph.placeholder("pieces")
    gone: set[fx.Node] = set()
    for node in list(graph.nodes):
        layer = layers.get(node.target) if node.op == "call_module" else None
        if layer is None or node in gone:
            continue
        if isinstance(layer, nn.Dropout):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
            continue
        folded = following_norm(node, layers)
        path, norm = str(node.target), "" if folded is None else str(folded.target)
        own = has_path(plan, path)
        steps.append(Step(path, is_plain(layer), norm, own, None if own else cuts.get(path)))
        if folded is not None:
            folded.replace_all_uses_with(node)
            graph.erase_node(folded)
            gone.add(folded)
        with graph.inserting_before(node):
            piece = graph.call_function(getitem, (given, len(steps) - 1))
            made = called(graph, node, piece, layer)
        node.replace_all_uses_with(made)
        graph.erase_node(node)
    clean = fx.Graph()
    clean.output(clean.graph_copy(graph, {}))
    return Line(fx.GraphModule(nn.Module(), clean, type(net).__name__), tuple(steps))


def following_norm(node: fx.Node, layers: dict[str, nn.Module]) -> fx.Node | None:
    """The batch norm that alone reads a convolution or linear layer."""
    if not is_plain(layers[str(node.target)]) or len(node.users) != 1:
        return None
    (reader,) = node.users
    norm = layers.get(str(reader.target)) if reader.op == "call_module" else None
    return reader if isinstance(norm, _BatchNorm) else None


def is_plain(layer: nn.Module) -> bool:
    return type(layer) in (nn.Conv2d, nn.Linear)


def called(graph: fx.Graph, node: fx.Node, piece: fx.Node, layer: nn.Module) -> fx.Node:
    """The operation of a layer as a function of its piece."""
    if not is_plain(layer):
        return graph.call_function(call, (piece, *node.args))
    count = 2 if isinstance(layer, nn.Linear) else 6
    parts = [graph.call_function(getitem, (piece, i)) for i in range(count)]
    function = torch.nn.functional.linear if isinstance(layer, nn.Linear) else torch.conv2d
    return graph.call_function(function, (*node.args, *parts))


def call(piece: Piece, x: Tensor) -> Any:
    """A layer that stays a module."""
    return piece[0](x)


@torch.no_grad()
def pieces(net: nn.Module, plan: Plan, steps: Sequence[Step]) -> list[Piece]:
    """The weights and numbers of every step."""
    found: list[Piece] = [piece(s, module_at(net, s.layer), plan) for s in steps]
    folded = [i for i, step in enumerate(steps) if step.norm]
    if folded:
        norms = [statistics(module_at(net, s.norm), cut_at(plan, s.norm)) for s in steps if s.norm]
        scales, shifts = affine(norms)
        own = [found[i][0] for i in folded]
        columns = [s.view(-1, *[1] * (w.dim() - 1)) for s, w in zip(scales, own, strict=True)]
        weights = torch._foreach_mul(own, columns)
        for i, weight, scale, shift in zip(folded, weights, scales, shifts, strict=True):
            bias = found[i][1]
            bias = shift if bias is None else torch.addcmul(shift, bias, scale)
            found[i] = (weight, bias, *found[i][2:])
    return [
        made if step.norm or not step.plain else (made[0].contiguous(), *made[1:])
        for step, made in zip(steps, found, strict=True)
    ]


def has_path(plan: Any, path: str) -> bool:
    """Whether a plan says of a layer how it is cut: plans have the shape of the module tree."""
    for name in path.split("."):
        if not hasattr(plan, name):
            return False
        plan = getattr(plan, name)
    return True


def cut_at(plan: Any, path: str) -> Any:
    """The cut of a layer; None where nothing is cut off."""
    for name in path.split("."):
        plan = getattr(plan, name)
    return plan


def module_at(net: Any, path: str) -> Any:
    for name in path.split("."):
        net = net._modules[name]
    return net


def piece(step: Step, layer: Any, plan: Plan) -> Piece:
    """What one step needs of its layer: views of the weights in use, and numbers; or a module."""
    cut = cut_at(plan, step.layer) if step.own else step.cut
    if not step.plain:
        return (layer.bound(cut) if is_elastic(layer) else layer,)
    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
    if cut is not None:
        weight, bias = cut_of(layer, cut, weight, bias)
    if isinstance(layer, nn.Linear):
        return weight, bias
    numbers = layer if cut is None else cut
    return weight, bias, layer.stride, numbers.padding, layer.dilation, numbers.groups


def cut_of(
    layer: Any, cut: Any, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The part of a layer's weight and bias that a cut uses."""
    if hasattr(layer, "slices"):
        weight, bias = layer.slices(cut, weight, bias)
    else:
        plain = layer.bound(cut)
        weight, bias = plain.weight.detach(), None if plain.bias is None else plain.bias.detach()
    return weight, bias


def statistics(norm: Any, cut: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Scale, offset, mean and variance of the channels in use, and epsilon."""
    own = norm[cut.bank] if isinstance(norm, nn.ModuleList) else norm
    return (*own.statistics(cut), own.eps) if hasattr(own, "statistics") else plain_statistics(own)


def plain_statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps


def affine(
    norms: Sequence[tuple[Tensor, Tensor, Tensor, Tensor, float]],
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Every norm in eval mode as x * scale + shift, all of them at once and in double precision."""
    sizes = [len(norm[0]) for norm in norms]
    weight = torch.cat([norm[0] for norm in norms]).double()
    bias = torch.cat([norm[1] for norm in norms]).double()
    mean = torch.cat([norm[2] for norm in norms]).double()
    var = torch.cat([norm[3] for norm in norms]).double()
    eps = {norm[4] for norm in norms}
    if len(eps) == 1:
        var += eps.pop()
    else:
        var += torch.cat(
            [var.new_full((size,), norm[4]) for size, norm in zip(sizes, norms, strict=True)]
        )
    scale = weight * var.rsqrt_()
    shift = torch.addcmul(bias, mean, scale, value=-1)
    kind = norms[0][0].dtype
    sides: list[tuple[Tensor, ...]] = [
        side.to(kind).split(sizes)  # type: ignore[no-untyped-call]
        for side in (scale, shift)
    ]
    return sides[0], sides[1]
