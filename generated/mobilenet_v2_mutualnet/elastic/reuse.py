"""Memory that inference can do without: an activation overwrites its input where nothing reads that afterwards.

In training autograd may need the input; a network whose norms are folded is not trained.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import fx, nn

OVERWRITING: Final = (F.relu, F.relu6, F.hardswish, F.silu)
VIEWS: Final = (operator.getitem, builtins.getattr, torch.unflatten, torch.flatten)
VIEW_METHODS: Final = (
    *("chunk", "flatten", "permute", "reshape", "size", "split", "squeeze"),
    *("transpose", "unbind", "unflatten", "unsqueeze", "view"),
)


def overwrite(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> None:
    """Has activations of a traced network work in place, where that changes nothing."""
    place = {node: at for at, node in enumerate(graph.nodes)}
    base: dict[fx.Node, fx.Node] = {}
    last: dict[fx.Node, int] = {}
    for node in graph.nodes:
        base[node] = node
        first = node.args[0] if node.args else None
        if isinstance(first, fx.Node) and shares(node, layers):
            base[node] = base[first]
        for before in node.all_input_nodes:
            last[base[before]] = place[node]
    for node in graph.nodes:
        if node.op != "call_function" or node.target not in OVERWRITING:
            continue
        (before,) = node.all_input_nodes
        source = base[before]
        if source.op in ("placeholder", "get_attr") or last[source] != place[node]:
            continue
        node.kwargs = {**node.kwargs, "inplace": True}
        for other, its in base.items():
            if its is node:
                base[other] = source
        last[source] = max(last.get(node, place[node]), place[node])


def shares(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the output of a step may lie where its first input does."""
    match node.op:
        case "call_module":
            kinds = (nn.Dropout, nn.Identity, nn.Flatten, nn.Unflatten)
            return isinstance(layers.get(str(node.target)), kinds) or str(node.target) not in layers
        case "call_method":
            return node.target in VIEW_METHODS or str(node.target).endswith("_")
        case "call_function":
            return node.target in VIEWS or bool(node.kwargs.get("inplace")) or is_inplace(node)
    return False


def is_inplace(node: fx.Node) -> bool:
    return node.target in (operator.iadd, operator.imul, operator.isub) or "resize" in str(
        node.target
    )
