"""Sums of parallel linear branches, which are one convolution: the blocks of RepVGG and MobileOne.

In eval mode a convolution, a convolution with a norm, a norm and the identity are linear. So a sum of such branches of
one tensor is one convolution, whose weight is the sum of theirs: a smaller kernel lies in the middle of a larger one,
an identity is a 1 in the middle of each channel's own filter (Ding et al., "RepVGG", 2021). Training keeps the
branches.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.net.windows import Linear, Pair, Window, two, window_of

SUMS: Final = (operator.add, operator.iadd, torch.add)


def window(conv: nn.Conv2d) -> Window | None:
    """The window of a plain convolution; None of one whose border is not of zeros."""
    if conv.padding_mode != "zeros":
        return None
    if conv.padding == "same":
        reach = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
        padding = tuple(r // 2 for r in reach)
        if any(r % 2 for r in reach):
            return None
    else:
        padding = (0, 0) if conv.padding == "valid" else conv.padding  # type: ignore[assignment]
    return Window(
        two(conv.kernel_size),
        two(conv.stride),
        two(padding),
        two(conv.dilation),
        conv.groups,
        (conv.in_channels, conv.out_channels),
    )


# In a traced network

Way: TypeAlias = tuple[fx.Node, Linear]
"""The tensor that a way starts from, and the way."""


def merge_branches(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> dict[str, Linear]:
    """Replaces sums of parallel linear branches of a traced network by one convolution each.

    Returns what each of these is, by the path of the convolution whose call stays; its layer is still the old one.
    """
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    once = {path: layer for path, layer in layers.items() if calls[path] == 1}
    place = {node: at for at, node in enumerate(graph.nodes)}
    ways: dict[fx.Node, Way] = {}
    for node in graph.nodes:
        found = sum_of(node, ways, place, once) if is_sum(node) else way_of(node, ways, once)
        if found is not None:
            ways[node] = found
    merged: dict[str, Linear] = {}
    for node, (_, way) in reversed(ways.items()):
        if not is_sum(node) or not way.convs() or node not in place:
            continue
        path = max(way.convs(), key=lambda name: taps(once[name]))
        main = next(n for n in ways if n.target == path)
        node.replace_all_uses_with(main)
        for gone in erased(graph, node, main):
            place.pop(gone)
        merged[path] = way
    return dict(reversed(merged.items()))  # in the order in which they run


def windows_in(layers: Mapping[str, nn.Module]) -> Callable[[str], Window | None]:
    def of(path: str) -> Window | None:
        conv = layers[path]
        assert isinstance(conv, nn.Conv2d)
        return window(conv)

    return of


def taps(conv: nn.Module) -> int:
    """The pixels of a convolution's kernel."""
    assert isinstance(conv, nn.Conv2d)
    return conv.kernel_size[0] * conv.kernel_size[1]


def way_of(
    node: fx.Node, ways: Mapping[fx.Node, Way], layers: Mapping[str, nn.Module]
) -> Way | None:
    """The linear way that a layer is, or that goes on with it where nothing else reads what came before."""
    path = str(node.target)
    layer = layers.get(path) if node.op == "call_module" else None
    if layer is None or len(node.args) != 1 or not isinstance(node.args[0], fx.Node):
        return None
    before = node.args[0]
    if type(layer) is nn.Conv2d and window(layer) is not None:
        return before, Linear(conv=path)
    source, way = ways[before] if before in ways and len(before.users) == 1 else (before, Linear())
    if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
        return (before, Linear(norm=path)) if way.norm else (source, replace(way, norm=path))
    return (source, way) if rests(layer) else None


def rests(layer: nn.Module) -> bool:
    """Whether a layer does nothing in eval mode."""
    return isinstance(layer, (nn.Identity, nn.Dropout, nn.Dropout2d)) or bool(
        getattr(type(layer), "only_training", False)
    )


def is_sum(node: fx.Node) -> bool:
    """Whether a step adds two different tensors."""
    if node.op != "call_function" or node.target not in SUMS or node.kwargs:
        return False
    return len(node.args) == 2 and len(node.all_input_nodes) == 2


def sum_of(
    node: fx.Node,
    ways: Mapping[fx.Node, Way],
    place: Mapping[fx.Node, int],
    layers: Mapping[str, nn.Module],
) -> Way | None:
    """The way that a sum is: its terms are ways from one tensor that nothing else reads, or that tensor."""
    first, second = node.all_input_nodes
    if node.target is operator.iadd and any(place[user] > place[node] for user in first.users):
        return None  # what it is added into is read after it
    own = {term: ways[term] for term in (first, second) if term in ways and len(term.users) == 1}
    for source in {source: None for source, _ in own.values()}:
        terms = [
            Linear()
            if term is source
            else own[term][1]
            if term in own and own[term][0] is source
            else None
            for term in (first, second)
        ]
        parts = [part for term in terms if term is not None for part in parts_of(term)]
        way = Linear(parts=tuple(parts))
        if None in terms or (way.convs() and window_of(way, windows_in(layers)) is None):
            continue
        return source, way
    return None


def parts_of(way: Linear) -> tuple[Linear, ...]:
    """The terms of a sum that no norm follows; any other way as it is."""
    return way.parts if way.parts and not way.norm else (way,)


def erased(graph: fx.Graph, node: fx.Node, keep: fx.Node) -> Iterator[fx.Node]:
    """Takes out a step that nothing reads any more, and what was there for it alone."""
    if node is keep or node.users or node.op in ("placeholder", "output"):
        return
    before = node.all_input_nodes
    graph.erase_node(node)
    yield node
    for one in before:
        yield from erased(graph, one, keep)


# Weights

Filters: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight [out, in / groups, height, width] and a bias [out]."""
Scaling: TypeAlias = tuple[Tensor, Tensor]
"""A norm in eval mode: scale and shift [C]."""


def merged_filters(
    way: Linear,
    whole: Window,
    filters: Callable[[str], Filters],
    scaling: Callable[[str], Scaling],
) -> Filters:
    """The weight and bias of the one convolution that a way is, with the window `whole`."""
    like = next(iter(map(filters, way.convs())))[0]
    return filters_of(way, whole, filters, scaling, like)


def filters_of(
    way: Linear,
    whole: Window,
    filters: Callable[[str], Filters],
    scaling: Callable[[str], Scaling],
    like: Tensor,
) -> Filters:
    """`merged_filters`, also of a way without convolutions; `like` has the kind of numbers."""
    if way.parts:
        inner = [filters_of(part, whole, filters, scaling, like) for part in way.parts]
        weight = torch.stack([weight for weight, _ in inner]).sum(0)
        biases = [bias for _, bias in inner if bias is not None]
        bias = torch.stack(biases).sum(0) if biases else None
    elif way.conv:
        weight, bias = filters(way.conv)
        weight = bordered(weight, whole.kernel)
    else:
        weight, bias = identity(whole, like), None
    if way.norm:
        scale, shift = scaling(way.norm)
        weight = weight * scale.view(-1, 1, 1, 1)
        bias = shift if bias is None else torch.addcmul(shift, bias, scale)
    return weight, bias


def bordered(weight: Tensor, kernel: Pair) -> Tensor:
    """A weight with zeros around it, up to the size of a kernel."""
    rows, columns = (whole - own for whole, own in zip(kernel, weight.shape[2:], strict=True))
    if not rows and not columns:
        return weight
    return F.pad(weight, (columns // 2, columns // 2, rows // 2, rows // 2))


def identity(whole: Window, like: Tensor) -> Tensor:
    """The weight of a convolution that changes nothing."""
    inputs, outputs = whole.channels
    alone = inputs // whole.groups
    weight = like.new_zeros(outputs, alone, *whole.kernel)
    channels = torch.arange(outputs, device=like.device)
    weight[channels, channels % alone, whole.kernel[0] // 2, whole.kernel[1] // 2] = 1
    return weight
