"""Calibration: norm statistics of one sub-network, measured on images instead of inherited from training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from specc.runtime.data.images import each_input
from specc.runtime.net.extract import evaluating, wide
from specc.runtime.net.plan import Cut, SomePart, map_cuts
from specc.runtime.train.interfaces import Batches


class Moments:
    """The exact mean and variance of all values of a channel seen so far, whatever the batches they came in.

    Chan, Golub and LeVeque's update: with n, m, s the count, mean and summed squared deviation so far,
    k, u, v those of a batch, and d = u - m: m += d k / (n + k), s += v + d^2 n k / (n + k), n += k.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.deviation: Tensor | float = 0.0

    def add(self, count: int, mean: Tensor, var: Tensor) -> None:
        """Takes in a batch: `count` values a channel, their mean and (biased) variance [C]."""
        mean, var = wide(mean), wide(var)
        total = self.count + count
        apart = mean - self.mean
        self.mean = self.mean + apart * (count / total)
        self.deviation = self.deviation + var * count + apart**2 * (self.count * count / total)
        self.count = total

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and unbiased variance [C], as running statistics keep them."""
        assert isinstance(self.mean, Tensor)
        assert isinstance(self.deviation, Tensor)
        return self.mean.float(), (self.deviation / max(self.count - 1, 1)).float()


@torch.no_grad()
def calibrate(net: nn.Module, plan: SomePart, batches: Iterable[Any]) -> SomePart:
    """The same plan with norm statistics measured on `batches`: of images, or of pairs of inputs and labels.

    As in a training step every norm normalises with its batch's own statistics; the mean and variance over
    all images, each counting alike, become the plan's. A sub-network without an active batch norm keeps its plan.
    The network's own statistics, its mode and the random number generators stay as they are. Raises ValueError
    where there are no images, or where a norm sees a single value of each channel, which has no variance.
    """
    found: dict[int, tuple[Cut, Moments]] = {}
    seen = False

    def measure(norm: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x, cut = args
        var, mean = torch.var_mean(x.float(), [0, *range(2, x.dim())], correction=0)
        _, moments = found.setdefault(id(cut), (cut, Moments()))
        moments.add(x.numel() // x.shape[1], mean, var)
        return x, cut.calibrated(mean, var)

    device = next(net.parameters()).device
    norms = [module for module in net.modules() if hasattr(type(module), "normalise_batch")]
    with evaluating(net):
        hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
        try:
            for batch in batches:
                images = batch if isinstance(batch, Tensor) else batch[0]
                net(*(x.to(device) for x in each_input(images)), plan)
                seen = True
        finally:
            for hook in hooks:
                hook.remove()
    if norms and not seen:
        raise ValueError("there are no images to calibrate with")
    if any(moments.count < 2 for _, moments in found.values()):
        raise ValueError("one image is too few to calibrate with: a norm of vectors needs two")

    def with_statistics(place: str, cut: Cut) -> Cut:
        if id(cut) not in found:
            return cut
        calibrated: Cut = cut.calibrated(*found[id(cut)][1].result())  # type: ignore[attr-defined]
        return calibrated

    return map_cuts(plan, with_statistics)


def calibrated(net: nn.Module, plan: Any, batches: Batches | None) -> Any:
    """The plan with norm statistics of its own, measured on these images; as it is where there are none.

    Exits where the images are too few to measure by.
    """
    if plan is None or batches is None:
        return plan
    try:
        return calibrate(net, plan, batches)
    except ValueError as error:
        raise SystemExit(str(error)) from None
