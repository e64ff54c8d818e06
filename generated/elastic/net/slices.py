"""Networks of slices: the answers for 1, 2, .. K slices one after another, each from what the one before has computed.

Slice i of every feature map depends on slices up to i only; specc has checked that. So the step from k - 1 to k slices
computes the k-th slice of every map, and nothing again: a convolution its new output channels, a norm its new channels,
all else the new slice as if it were the whole. Only a head, which has a classifier for each k, reads all k slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.net.extract import is_elastic
from elastic.net.network import ElasticNet, sized
from elastic.net.plan import Option, Space
from elastic.net.stepwise import Place, Step, steps_of


class Memo:
    """The steps that were traced last. A copy of a network traces its own."""

    def __init__(self) -> None:
        self.chosen: object = None
        self.steps: list[Step] = []

    def __deepcopy__(self, memo: dict[int, object]) -> Memo:
        return Memo()

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


class SlicedNet(ElasticNet):
    """An elastic network of slices. `slices` is the choice of how many are active, `counts` its options."""

    slices: str
    counts: tuple[int, ...]

    def __init__(self, space: Space | None = None) -> None:
        super().__init__(space)
        self._memo = Memo()

    def steps(self, x: Tensor, assignment: Mapping[str, Option] | str = "max") -> Iterator[Tensor]:
        """The answers of ever more slices, as many as each option says; every one adds to the one before.

        Stop whenever time is up: what comes after is never computed. In eval mode. `assignment` sets other choices.
        """
        if self.training:
            raise RuntimeError(
                "steps() needs eval mode: batch statistics would be those of a slice"
            )
        plan = self.plan(assignment)
        (x,) = sized((x,), plan.resolution)
        chosen = plan.assignment
        if self._memo.chosen != chosen:
            plans = [self.plan({**chosen, self.slices: k}) for k in self.counts]
            self._memo.chosen, self._memo.steps = chosen, steps_of(self, plans)
        walk = Walk(self)
        for step in self._memo.steps:
            yield walk.run(step, x)


class Walk:
    """One walk through the steps.

    parts   the slices of each feature map that a later step reads
    done    what the first step has computed for all of them
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.parts: dict[str, list[Tensor]] = {}
        self.done: dict[str, Any] = {}

    def run(self, step: Step, x: Tensor) -> Tensor:
        """Adds a slice to every feature map. Returns the answer."""
        now: dict[str, Any] = {}

        def whole(key: str) -> Any:
            parts = self.parts.get(key)
            if parts is None:
                return now[key]
            return parts[0] if len(parts) == 1 else torch.cat(parts, channel_axis(parts[0]))

        for place in step.places:
            if place.action == "once" and place.key in self.done:
                value = self.done[place.key]
            elif place.action == "grow":
                source = place.inputs[0]
                value = grown(self.layer(place), place, lambda key=source: whole(key), now[source])  # type: ignore[misc]
            else:
                value = self.execute(
                    place, x, whole if place.action == "whole" else now.__getitem__
                )
            now[place.key] = value
            if place.action == "once":
                self.done[place.key] = value
            elif place.kept:
                self.parts.setdefault(place.key, []).append(value)
        output: Tensor = whole(step.output)
        return output

    def layer(self, place: Place) -> Any:
        return self.net.get_submodule(str(place.node.target))

    def execute(self, place: Place, x: Tensor, read: Callable[[str], Any]) -> Any:
        """A traced operation, run on what `read` gives for its inputs."""
        node, target = place.node, str(place.node.target)
        if node.op == "placeholder":
            return x
        keys = dict(zip(node.all_input_nodes, place.inputs, strict=True))
        args: Any = fx.map_arg(node.args, lambda n: read(keys[n]))
        kwargs: Any = fx.map_arg(node.kwargs, lambda n: read(keys[n]))
        if node.op == "call_module":
            layer = self.layer(place)
            return layer(args[0], place.cut) if is_elastic(layer) else layer(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


def grown(layer: Any, place: Place, whole: Callable[[], Tensor], new: Tensor) -> Tensor:
    """The output channels that a layer has in this step and had not in the one before (`place.have`).

    `whole` gives all of its input, `new` is the new slice of that.
    """
    cut, have = place.cut, place.have
    if isinstance(layer, _BatchNorm):
        weight, bias, mean, var = (part[have:] for part in layer.statistics(cut))  # type: ignore[operator]
        return F.batch_norm(new, mean, var, weight, bias, False, 0.0, layer.eps)
    if hasattr(layer, "added"):
        slice_: Tensor = layer.added(new, have)
        return slice_
    weight, bias = (layer.weight, layer.bias) if cut is None else layer.weights(cut)
    total = weight.shape[0]
    weight, bias = weight[have:], None if bias is None else bias[have:]
    if isinstance(layer, nn.Linear):
        return F.linear(whole(), weight, bias)
    groups = layer.groups if cut is None else cut.groups
    padding = layer.padding if cut is None else cut.padding
    alone = layer.groups > 1  # groups see their own slice
    x = new if alone else whole()
    groups = groups * (total - have) // total if alone else 1
    y: Tensor = F.conv2d(x, weight, bias, layer.stride, padding, layer.dilation, groups)
    return y


def channel_axis(x: Tensor) -> int:
    """1, or the last for tokens [N, T, C]."""
    return 2 if x.dim() == 3 else 1
