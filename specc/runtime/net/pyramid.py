"""A backbone for torchvision's detectors: an elastic network whose stages feed a feature pyramid.

    backbone = Pyramid(Model(), ["s1", "s2", "s3", "s4"])
    detector = FasterRCNN(backbone, num_classes=91)
    backbone.use({"s3.keep": False})  # at any time, also between two images

Images may have any size that the network's strides allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from specc.runtime.net.extract import evaluating
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Option, Plan


class Pyramid(nn.Module):
    """The named stages of an elastic network behind torchvision's feature pyramid.

    Input [N, C, H, W]; output a dict of maps [N, out_channels, h, w] under the names that detectors
    expect: "0" for the finest stage, "1", .., and "pool", pooled from the last. Narrower stages are
    filled up with zeros, which is the pyramid on their channels alone. Raises ValueError where a
    stage is none of the network's.
    """

    def __init__(
        self, net: ElasticNet, return_layers: Sequence[str], out_channels: int = 256
    ) -> None:
        super().__init__()
        self.net = net
        self.layers = tuple(return_layers)
        self.out_channels = out_channels
        plan = self.planned("max")
        self.channels = widths(net, plan)
        self.fpn = FeaturePyramidNetwork(
            list(self.channels.values()), out_channels, extra_blocks=LastLevelMaxPool()
        )
        self.use(plan)

    def planned(self, assignment: Mapping[str, Option] | str) -> Plan:
        """The plan of a sub-network up to its stages, for images of any size."""
        return self.net.plan(assignment, outputs=self.layers).replaced(resolution=None)

    def use(self, sub_network: Mapping[str, Option] | str | Plan) -> None:
        """Makes a sub-network the one that runs: choices, "max", "min", or what `planned` gave. Raises ValueError where
        there is no such sub-network, or a plan gives other outputs than the stages."""
        plan = sub_network if isinstance(sub_network, Plan) else self.planned(sub_network)
        if plan.outputs != self.layers:
            raise ValueError(
                f"the plan lacks the outputs {', '.join(self.layers)}; planned(..) makes one that has them"
            )
        self.net.use(plan)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        stages: dict[str, Tensor] = self.net(images)
        filled = {
            str(level): filled_up(stages[name], width)
            for level, (name, width) in enumerate(self.channels.items())
        }
        pyramid: dict[str, Tensor] = self.fpn(filled)
        return pyramid


@torch.no_grad()
def widths(net: ElasticNet, plan: Plan, side: int = 64) -> dict[str, int]:
    """The channels of the stages that a plan asks for. Raises ValueError for one that is no map."""
    first = next(p for p in net.parameters() if p.dim() == 4)
    with evaluating(net):
        stages = net(first.new_zeros(1, first.shape[1], side, side), plan)
    for name, stage in stages.items():
        if stage.dim() != 4:
            raise ValueError(f"{name} gives no feature map, and a pyramid needs maps")
    return {name: stage.shape[1] for name, stage in stages.items()}


def filled_up(stage: Tensor, channels: int) -> Tensor:
    """A map [N, c, h, w] with zeros up to `channels`."""
    missing = channels - stage.shape[1]
    return F.pad(stage, (0, 0, 0, 0, 0, missing)) if missing else stage


def adaptive_step(
    detector: nn.Module,
    images: Sequence[Tensor],
    targets: Sequence[Mapping[str, Tensor]],
    alpha: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Adaptive depth's step for a detector (Kang and Lee, 2024, Algorithm 1, section 4.5), without
    the update.

    The super-net learns the boxes, with the weight `alpha`; the base-net, which skips all it can,
    learns with 1 - `alpha` what the super-net's pyramid shows: the sum over stages of KL(super ||
    base) between softmaxes over channels of the pooled features. A stage's features are the
    pyramid's map of it; the map behind the last, a subsample of that stage's, is no stage's own.
    Both backward passes are done.
    Returns the two losses, detached.
    """
    backbone: Any = detector.backbone
    backbone.use("max")
    seen: list[tuple[Tensor, dict[str, Tensor]]] = []
    hook = backbone.register_forward_hook(
        lambda module, args, output: seen.append((args[0], output))
    )
    try:
        losses = detector(list(images), list(targets))
    finally:
        hook.remove()
    ((batch, shown),) = seen  # the images as the detector has resized them: by chance, maybe
    taught: Tensor = alpha * torch.stack(list(losses.values())).sum()
    torch.autograd.backward(taught)

    backbone.use("min")
    pupil = backbone(batch)
    stages = [str(level) for level in range(len(backbone.layers))]
    terms = [divergence(pupil[name], shown[name].detach()) for name in stages]
    learned = (1 - alpha) * torch.stack(terms).sum()
    torch.autograd.backward(learned)
    backbone.use("max")
    return taught.detach(), learned.detach()


def divergence(pupil: Tensor, teacher: Tensor) -> Tensor:
    """KL between maps [N, C, h, w]: of softmaxes over channels of their means over places."""
    said, wanted = (F.log_softmax(x.mean((2, 3)), dim=1) for x in (pupil, teacher))
    return F.kl_div(said, wanted, reduction="batchmean", log_target=True)
