"""A bound network in whole numbers: weights and activations in eight bits, for torch's own kernels on the CPU.

PyTorch's own tools go away (torch.ao.quantization), or write programs that are slower than floats until a C++
compiler builds them (torchao). So the graph is rewritten here, for the kernels below the first: convolutions, linear
layers, their relus and residual additions compute with whole numbers, whatever else there is in floating point.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from elastic.deploy.int8_layers import Int8Conv2d, Int8Linear
from elastic.deploy.int8_ranges import Scale, measured

WEIGHTS: Final = 63
"""The largest whole number of a weight, its sign aside. Seven bits: where a processor has no instruction of its own for
them, two products of eight bits times eight bits overflow the sixteen in which they are added."""

ADDS: Final = (operator.add, operator.iadd, torch.add)
RELUS: Final = (F.relu, torch.relu, nn.ReLU)
CUTS: Final = (*RELUS, F.relu6, nn.ReLU6)
"""What cuts off below zero. Above, as relu6 does, the range of whole numbers cuts off."""

KEEPS: Final = (F.max_pool2d, F.avg_pool2d, torch.flatten, nn.MaxPool2d, nn.AvgPool2d, nn.Flatten)
"""What takes whole numbers as it takes real ones, and keeps their scale."""

SWISHES: Final = (F.hardswish, nn.Hardswish)
GONE: Final = (nn.Dropout, nn.Identity)


@torch.no_grad()
def quantised(static: fx.GraphModule, batches: Iterable[tuple[Tensor, ...]]) -> fx.GraphModule:
    """A copy of a bound network, norms folded, that computes in eight bits; its inputs and answers are floats.

    `batches` are inputs, of training images: they say which numbers occur. Raises ValueError where there is nothing to
    gain (no convolution or linear layer) or torch has no such kernels here, naming the cause.
    """
    if torch.backends.quantized.engine == "none":
        raise ValueError("this build of torch has no kernels for whole numbers")
    seen: dict[fx.Node, Scale] = {}
    Rewriter(static, lambda node: seen.setdefault(node, Scale(1.0, 0))).run()
    if not seen:
        raise ValueError("the network has no convolution and no linear layer")
    scales = measured(static, seen, batches)
    return Rewriter(static, scales.__getitem__).run()


class Rewriter:
    """Writes a graph anew, step by step. A value is there as floats, as whole numbers or, once asked for, as both."""

    def __init__(self, static: fx.GraphModule, scale: Callable[[fx.Node], Scale]) -> None:
        self.static = static
        self.scale = scale
        self.graph = fx.Graph()
        self.layers: dict[str, nn.Module] = {}
        self.floats: dict[fx.Node, fx.Node] = {}
        self.wholes: dict[fx.Node, fx.Node] = {}

    def run(self) -> fx.GraphModule:
        done: set[fx.Node] = set()
        for node in self.static.graph.nodes:
            if node not in done:
                done |= self.step(node)
        made = fx.GraphModule(self.layers, self.graph, type(self.static).__name__)
        return made.eval()

    def step(self, node: fx.Node) -> set[fx.Node]:
        """Writes a step, and with it the relu that alone reads it. Returns the steps that are written by that."""
        kind, args = self.kind(node), list[Any](node.args)
        if kind in GONE:
            (before,) = node.all_input_nodes
            for values in (self.floats, self.wholes):
                if before in values:
                    values[node] = values[before]
        elif kind in (nn.Conv2d, nn.Linear) and self.fits(node):
            return self.layer(node)
        elif kind in ADDS and len(args) == 2 and all(side in self.wholes for side in args):
            return self.sum(node, args)
        elif kind in SWISHES and args[0] in self.wholes:
            swish = torch.ops.quantized.hardswish
            self.wholes[node] = self.into(swish, node, self.wholes[args[0]])
        elif kind is torch.cat and len(args) == 2 and self.feeds_layers(node, args[0]):
            sides = [self.wholes[side] for side in args[0]]
            self.wholes[node] = self.into(torch.ops.quantized.cat, node, sides, args[1])
        elif kind in KEEPS and args[0] in self.wholes:
            self.wholes[node] = self.graph.node_copy(node, self.wholes.__getitem__)
            self.carry(node)
        elif kind in RELUS and args[0] in self.wholes:
            self.wholes[node] = self.graph.call_function(torch.relu, (self.wholes[args[0]],))
        else:
            self.floats[node] = self.graph.node_copy(node, self.as_float)
            self.carry(node)
        return {node}

    def kind(self, node: fx.Node) -> Any:
        """The class of a layer, or the function."""
        if node.op == "call_module":
            return type(self.static.get_submodule(str(node.target)))
        return node.target if node.op == "call_function" else None

    def fits(self, node: fx.Node) -> bool:
        """Whether there is a fast kernel: none for other paddings than zeros, and for depthwise convolutions only
        where channels come in fours."""
        layer = self.static.get_submodule(str(node.target))
        if not isinstance(layer, nn.Conv2d):
            return True
        depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
        plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return plain and not (depthwise and layer.groups % 4)

    def layer(self, node: fx.Node) -> set[fx.Node]:
        path = str(node.target)
        layer, (last, relu) = self.static.get_submodule(path), self.with_relu(node)
        while path in self.layers:
            path += (
                "_again"  # a layer that is run twice: each time with the scale of its own result
            )
        self.layers[path] = int8_layer(layer, relu, self.scale(last))
        self.wholes[last] = self.graph.call_module(path, (self.as_whole(node.args[0]),))
        return {node, last}

    def sum(self, node: fx.Node, sides: list[Any]) -> set[fx.Node]:
        last, relu = self.with_relu(node)
        add = torch.ops.quantized.add_relu if relu else torch.ops.quantized.add
        self.wholes[last] = self.into(add, last, *(self.wholes[side] for side in sides))
        return {node, last}

    def into(self, function: Any, node: fx.Node, *args: Any) -> fx.Node:
        """A function of whole numbers whose result has the scale of a step's."""
        scale = self.scale(node)
        return self.graph.call_function(function, (*args, scale.scale, scale.zero))

    def feeds_layers(self, node: fx.Node, parts: list[Any]) -> bool:
        """Whether whole numbers are joined that only layers read: to a norm, floats are nearer."""
        readers = {self.kind(reader) for reader in node.users}
        return readers <= {nn.Conv2d, nn.Linear} and all(part in self.wholes for part in parts)

    def with_relu(self, node: fx.Node) -> tuple[fx.Node, bool]:
        """The relu that alone reads a step; the step itself where there is none."""
        readers = [*node.users]
        alone = len(readers) == 1 and self.kind(readers[0]) in CUTS
        return (readers[0], True) if alone else (node, False)

    def carry(self, node: fx.Node) -> None:
        """The layer, or the tensor, of a step that stays as it is."""
        if node.op in ("call_module", "get_attr"):
            path = str(node.target)
            self.layers[path] = attrgetter(path)(self.static)

    def as_float(self, node: fx.Node) -> fx.Node:
        if node not in self.floats:
            self.floats[node] = self.graph.call_method("dequantize", (self.wholes[node],))
        return self.floats[node]

    def as_whole(self, node: Any) -> fx.Node:
        if node not in self.wholes:
            scale = self.scale(node)
            args = (self.floats[node], scale.scale, scale.zero, torch.quint8)
            self.wholes[node] = self.graph.call_function(torch.quantize_per_tensor, args)
        return self.wholes[node]


def int8_layer(layer: nn.Module, relu: bool, out: Scale) -> nn.Module:
    """A layer with its weights rounded: codes = round(w / s), with s the channel's largest |w| over WEIGHTS."""
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    weight = layer.weight.detach().float()
    largest = weight.abs().flatten(1).amax(dim=1)
    scales = (largest / 63).clamp_min(1e-12)
    made: Int8Conv2d | Int8Linear
    if isinstance(layer, nn.Conv2d):
        made = Int8Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            stride=layer.stride,  # type: ignore[arg-type]
            padding=layer.padding,  # type: ignore[arg-type]
            dilation=layer.dilation,  # type: ignore[arg-type]
            groups=layer.groups,
            relu=relu,
            scale=out.scale,
            zero=out.zero,
        )
    else:
        numbers = (layer.in_features, layer.out_features)
        made = Int8Linear(*numbers, relu=relu, scale=out.scale, zero=out.zero)
    codes = torch.round(weight / scales.view(-1, *[1] * (weight.dim() - 1)))
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().float()
    made.load_state_dict({"weight": codes.to(torch.int8), "scales": scales, "bias": bias})
    return made
