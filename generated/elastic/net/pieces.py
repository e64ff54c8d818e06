"""What the steps of a fused sub-network need of a network's layers: weights of their own, or the layers themselves.

A norm that alone reads a convolution or linear layer is folded into it: w' = scale w, b' = scale b + shift. In eval
mode a batch norm is x * scale + shift, with scale = weight / sqrt(var + eps) and shift = bias - mean * scale, for
each channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.net.branches import merged_filters, window
from elastic.net.extract import is_elastic, refresh
from elastic.net.plan import Plan, weight_and_bias
from elastic.net.windows import Linear, Window, window_of

Norm: TypeAlias = tuple[Any, Any]
"""A norm, or banks of norms, and a cut."""

Statistics: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, float]
"""Weight, bias, mean and variance of the channels in use, and epsilon."""

Sides: TypeAlias = tuple[Tensor, Tensor]
"""Scale [C, 1, 1, 1], as a convolution's weight is multiplied by, and shift [C]."""


def affine(norms: Sequence[Norm]) -> list[Sides]:
    """The scales and shifts of norms as they are now."""
    found = [statistics(*norm) for norm in norms]
    return sides(numbers(found), found) if found else []


class LiveNorms:
    """The scales and shifts of norms, each [1, C, 1, 1], as they are at each call.

    On the CPU they are kept from one call to the next where all the numbers that they come from are
    the same, which takes a fourth of the time.
    """

    def __init__(self, norms: Sequence[Norm]) -> None:
        self.norms = norms
        self.known: tuple[Tensor, list[float], list[Sides]] | None = None

    def __call__(self) -> list[Sides]:
        if not self.norms:
            return []
        found = [statistics(*norm) for norm in self.norms]
        table, eps = numbers(found), [norm[4] for norm in found]
        known = self.known  # another thread may put others in their place meanwhile
        if known is None or eps != known[1] or not same(table, known[0]):
            known = table, eps, [for_maps(side) for side in sides(table, found)]
            self.known = known
        return known[2]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors on the CPU have the same numbers; on other devices it takes longer to know."""
    if one.device.type != "cpu" or one.device != other.device or one.dtype != other.dtype:
        return False
    return torch.equal(one, other)


def statistics(norm: Any, cut: Any) -> Statistics:
    """What a norm uses in eval mode."""
    own = norm[cut.bank] if isinstance(norm, nn.ModuleList) else norm
    return (*own.statistics(cut), own.eps) if hasattr(own, "statistics") else plain_statistics(own)


def plain_statistics(norm: _BatchNorm) -> Statistics:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = norm.weight if norm.affine else torch.ones_like(norm.running_var)
    bias = norm.bias if norm.affine else torch.zeros_like(norm.running_mean)
    return weight, bias, norm.running_mean, norm.running_var, norm.eps


def numbers(norms: Sequence[Statistics]) -> Tensor:
    """Weights, biases, means and variances [4, channels of all norms]."""
    rows: list[Any] = [norm[i] for i in range(4) for norm in norms]
    return torch.cat(rows).view(4, -1)


def sides(table: Tensor, norms: Sequence[Statistics]) -> list[Sides]:
    """Scales and shifts, all of them at once and in double precision."""
    sizes = [len(norm[0]) for norm in norms]
    weight, bias, mean, var = table.double()
    eps = {norm[4] for norm in norms}
    if len(eps) == 1:
        var += eps.pop()
    else:
        var += torch.cat(
            [var.new_full((n,), norm[4]) for n, norm in zip(sizes, norms, strict=True)]
        )
    scale = weight * var.rsqrt_()
    shift = torch.addcmul(bias, mean, scale, value=-1)
    scales = torch.split(scale.to(table.dtype).view(-1, 1, 1, 1), sizes)
    shifts = torch.split(shift.to(table.dtype), sizes)
    return list(zip(scales, shifts, strict=True))


def for_maps(side: Sides) -> Sides:
    """Scale and shift, each [1, C, 1, 1]."""
    scale, shift = side
    return scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)


Piece: TypeAlias = tuple[Any, ...]
"""The arguments of one operation beside its input."""

Kind: TypeAlias = Literal["conv", "linear", "norm", "module"]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A layer: its path, and how it is cut - by the plan where `planned`, else `cut` in all sub-networks of a line."""

    path: tuple[str, ...]
    planned: bool
    cut: Any


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An operation of a layer, and the norm that is folded into it.

    norm  the norm's own place, where it is one
    thin  whether it is a convolution of single pixels with a stride: the pixels that it reads are picked before
    way   the parallel branches that are this convolution, with the place of each layer in them; None for no branches
    """

    kind: Kind
    layer: Place
    norm: Place | None
    thin: bool
    way: Way | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Parallel linear branches, and the places of their layers by path."""

    linear: Linear
    places: Mapping[str, Place]

    def window(self, net: Any, plan: Plan) -> Window | None:
        """The window of the one convolution that they are in a sub-network; None where they are none."""
        return window_of(self.linear, lambda path: cut_window(*at(net, plan, self.places[path])))


def cut_window(layer: Any, cut: Any) -> Window | None:
    """The window of a convolution as a sub-network cuts it."""
    whole = window(layer)
    if cut is None or whole is None:
        return whole
    weight, _ = weights(layer, cut)
    out, alone, height, width = weight.shape
    return replace(
        whole,
        kernel=(height, width),
        padding=cut.padding,
        groups=cut.groups,
        channels=(alone * cut.groups, out),
    )


def place(path: str, plan: Plan, cuts: Mapping[str, Any]) -> Place:
    """The place of a layer; `cuts` are those that layers were traced with."""
    planned = has_path(plan, path)
    return Place(tuple(path.split(".")), planned, None if planned else cuts.get(path))


def has_path(plan: Any, path: str) -> bool:
    """Whether a plan says of a layer how it is cut: plans have the shape of the module tree."""
    for name in path.split("."):
        if not hasattr(plan, name):
            return False
        plan = getattr(plan, name)
    return plan is not True  # a layer of torch that is there under a condition


def at(net: Any, plan: Any, where: Place) -> tuple[Any, Any]:
    """A place's layer and cut; None where nothing is cut off."""
    layer = net
    for name in where.path:
        layer = layer._modules[name]
    refresh(layer)
    if not where.planned:
        return layer, where.cut
    for name in where.path:
        plan = getattr(plan, name)
    return layer, plan


def kind_of(plain: nn.Module) -> Kind:
    """The kind of the step of a layer whose plain twin this is."""
    if type(plain) is nn.Conv2d:
        return "conv"
    if type(plain) is nn.Linear:
        return "linear"
    return "norm" if isinstance(plain, _BatchNorm) else "module"


# Operations


def recorded(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Has torch.fx note a call of `function` as one operation: it traces a line anew when that is pickled."""

    @wraps(function)
    def run(x: Any, *more: Any) -> Any:
        if isinstance(x, fx.Proxy):
            return x.tracer.create_proxy("call_function", run, (x, *more), {})
        return function(x, *more)

    return run


def laid_out(x: Tensor) -> Tensor:
    """A map or a weight in the layout in which its device computes faster."""
    if x.dim() == 4 and x.device.type == "cpu":
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous()


@recorded
def arranged(x: Tensor) -> Tensor:
    """`laid_out`, as an operation of a line."""
    return laid_out(x)


def thinned(x: Tensor, stride: Sequence[int]) -> Tensor:
    """The pixels that a convolution of single pixels reads, side by side: oneDNN is slow in passing over others."""
    return arranged(x[:, :, :: stride[0], :: stride[1]])


@recorded
def passed(x: Tensor, piece: Piece) -> Any:
    """Through a layer as it is, or as a sub-network cuts it; with its hooks, where it has some."""
    layer = piece[0]
    return (layer if layer._forward_pre_hooks else layer.forward)(x, *piece[1:])


def scaled(x: Tensor, piece: Piece) -> Tensor:
    """Through a norm in eval mode."""
    scale, shift = fitting(x, piece)
    return torch.addcmul(shift, x, scale)


def scaled_in_place(x: Tensor, piece: Piece) -> Tensor:
    """Through a norm in eval mode that alone reads x."""
    scale, shift = fitting(x, piece)
    return torch.addcmul(shift, x, scale, out=x)


@recorded
def fitting(x: Tensor, piece: Piece) -> Any:
    """A norm's scale and shift in a shape that goes with maps, or with vectors."""
    return piece if x.dim() == 4 else [side.flatten() for side in piece]


# Pieces


@torch.no_grad()
def own_pieces(net: nn.Module, plan: Plan, steps: Sequence[Step]) -> list[Piece]:
    """What every step works with: weights that are the line's own, where norms are folded into them."""
    found = [
        own_piece(step, *at(net, plan, step.layer))
        if step.way is None
        else merged_piece(net, plan, step.way, step.thin)
        for step in steps
    ]
    places = {i: at(net, plan, step.norm) for i, step in enumerate(steps) if step.norm}
    norms = dict(zip(places, affine(list(places.values())), strict=True))
    fold = [i for i in norms if steps[i].kind != "norm"]
    columns = [norms[i][0] if found[i][0].dim() == 4 else norms[i][0].flatten(1) for i in fold]
    weights = torch._foreach_mul([found[i][0] for i in fold], columns) if fold else ()
    for i, weight in zip(fold, weights, strict=True):
        scale, shift = norms[i]
        bias = found[i][1]
        bias = shift if bias is None else torch.addcmul(shift, bias, scale.flatten())
        found[i] = (weight, bias, *found[i][2:])
    for i, step in enumerate(steps):
        if step.kind == "norm":
            found[i] = for_maps(norms[i])
        elif step.kind != "module":
            found[i] = (laid_out(found[i][0]), *found[i][1:])
    return found


def own_piece(step: Step, layer: Any, cut: Any) -> Piece:
    """What one step needs of its layer: views of the weights in use, and numbers; or a module."""
    if step.kind == "norm":
        return ()
    if step.kind == "module":
        return (layer.extracted(cut).eval() if is_elastic(layer) else layer,)
    weight, bias = weights(layer, cut)
    if step.kind == "linear":
        return weight, bias
    numbers = layer if cut is None else cut
    stride = (1, 1) if step.thin else layer.stride
    return weight, bias, stride, numbers.padding, layer.dilation, numbers.groups


def merged_piece(net: nn.Module, plan: Plan, way: Way, thin: bool) -> Piece:
    """What the one convolution that parallel branches are works with."""
    whole = way.window(net, plan)
    assert whole is not None
    norms = way.linear.norms()
    known = dict(
        zip(norms, affine([at(net, plan, way.places[path]) for path in norms]), strict=True)
    )
    weight, bias = merged_filters(
        way.linear,
        whole,
        lambda path: weights(*at(net, plan, way.places[path])),
        lambda path: (known[path][0].flatten(), known[path][1]),
    )
    stride = (1, 1) if thin else whole.stride
    return weight, bias, stride, whole.padding, whole.dilation, whole.groups


def shared_pieces(net: nn.Module, plan: Plan, steps: Sequence[Step]) -> list[Piece]:
    """The network's own layers, with their cuts."""
    found = [at(net, plan, step.layer) for step in steps]
    return [
        (layer, cut) if step.kind == "norm" or is_elastic(layer) else (layer,)
        for step, (layer, cut) in zip(steps, found, strict=True)
    ]


def weights(layer: Any, cut: Any) -> tuple[Tensor, Tensor | None]:
    """The part of a layer's weight and bias that a cut uses: views where they can be, and nothing remembered of what
    was gathered. Of a layer that keeps them in a form of its own, such as blocks, they are its plain twin's."""
    if cut is None and (hasattr(layer, "weights") or not is_elastic(layer)):
        weight, bias = weight_and_bias(layer)
    elif hasattr(layer, "weights") and not hasattr(layer, "remembered"):
        weight, bias = layer.weights(cut)
    else:
        plain = layer.extracted(cut)
        weight, bias = plain.weight, plain.bias
    return weight.detach(), None if bias is None else bias.detach()
