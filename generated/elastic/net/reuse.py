"""Memory that inference can do without: an activation overwrites its input where nothing reads that afterwards.

In training autograd may need the input; a network whose norms are folded is not trained.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import fx, nn

OVERWRITING: Final = (F.relu, F.relu6, F.hardswish, F.silu)
ACTIVATIONS: Final = (
    *(*OVERWRITING, F.hardsigmoid, F.gelu, torch.sigmoid, torch.tanh, F.mish, F.selu, F.leaky_relu),
    *(F.elu, F.celu, F.softplus, F.hardtanh, torch.softmax),
)
FUNCTIONS: Final = (
    *(*ACTIVATIONS, operator.add, operator.sub, operator.mul, torch.add, torch.sub, torch.mul),
    *(torch.cat, F.pad),
    F.scaled_dot_product_attention,
)
"""Functions whose result lies in memory of its own, if they are not told to work in place."""
UPDATES: Final = (operator.iadd, operator.imul, operator.isub)
"""What changes its first input."""
METHODS: Final = ("mean", "amax", "sum")
LAYERS: Final = (
    *(nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm),
    *(nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample),
    *(nn.InstanceNorm2d, nn.RMSNorm, nn.LocalResponseNorm),
    *(nn.LeakyReLU, nn.ELU, nn.CELU, nn.Softplus, nn.Hardtanh),
)


def overwrite(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> None:
    """Has activations of a traced network work in place, where that changes nothing."""
    place = {node: at for at, node in enumerate(graph.nodes)}
    base: dict[fx.Node, fx.Node] = {}
    last: dict[fx.Node, int] = {}
    shared: set[fx.Node] = set()
    for node in graph.nodes:
        base[node] = node
        if node.all_input_nodes and not is_fresh(node, layers):
            base[node] = base[node.all_input_nodes[0]]
            if node.target not in UPDATES:
                shared.update(base[before] for before in node.all_input_nodes[1:])
        for before in node.all_input_nodes:
            last[base[before]] = place[node]
    for node in graph.nodes:
        if node.op != "call_function" or node.target not in OVERWRITING:
            continue
        (before,) = node.all_input_nodes
        source = base[before]
        given = source.op in ("placeholder", "get_attr")
        if given or source in shared or last[source] != place[node]:
            continue
        node.kwargs = {**node.kwargs, "inplace": True}
        for other, its in base.items():
            if its is node:
                base[other] = source
        last[source] = max(last.get(node, place[node]), place[node])


def is_fresh(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the output of a step lies in memory of its own. Of a step that is not known here it may not."""
    match node.op:
        case "call_module":
            return isinstance(layers.get(str(node.target)), LAYERS)
        case "call_method":
            return node.target in METHODS
        case "call_function":
            return node.target in FUNCTIONS and not node.kwargs.get("inplace")
    return False
