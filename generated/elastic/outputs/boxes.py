"""`boxes 3`: the boxes of objects, as FCOS predicts them (Tian et al., 2019): at every place of a map the scores of all
classes, how far the sides of the box around it are, and how near its centre is.

Focal loss of the scores, GIoU loss of the boxes, binary cross-entropy of centre-ness; mean average precision as COCO
counts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from elastic.data.images import Data
from elastic.net import detect
from elastic.net.detect import LEAST, MOST, decoded, middles, places
from elastic.train.detections import average_precision
from elastic.train.interfaces import Recipe
from elastic.train.losses import chosen
from elastic.train.scores import Metric, Score

RADIUS: Final = 1.5
"""How far from an object's centre, in places, a place may be that learns its box."""


@dataclass(frozen=True)
class Boxes:
    """Outputs are maps (B, classes + 5, H, W): logits, four logarithms of distances in places, a logit of centre-ness.

    Targets are boxes (B, most, 5): left, top, right, bottom as shares of width and height, and the class; -1 for none.
    """

    count: int
    loss: Mapping[str, Any] = field(default_factory=dict)

    losses: ClassVar[tuple[str, ...]] = ("focal",)
    kind: ClassVar[str] = "boxes"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("map", "mAP"),
        Metric("map50", "mAP at IoU 0.5"),
    )
    sums: ClassVar[int] = 0
    reader: ClassVar[str] = detect.__file__
    """The file that makes boxes of an output: it goes with every exported network."""

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Boxes:
        return self if recipe is None else replace(self, loss=chosen(recipe, self.losses))

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum of the three losses over all places, divided by the number of places that learn a box."""
        said = places(output)
        owner = owners(targets, output.shape[-2:])
        mine = owner >= 0
        number = mine.sum().clamp(min=1)
        image = torch.arange(len(targets), device=targets.device)[:, None].expand_as(owner)[mine]
        wanted = targets[image, owner[mine]]
        classes = torch.zeros_like(said.logits)
        classes[mine] = F.one_hot(wanted[:, 4].long(), self.count).to(classes.dtype)
        gamma = float(self.loss.get("gamma", 2))
        scores = sigmoid_focal_loss(said.logits, classes, gamma=gamma, reduction="sum")
        boxes = in_places(wanted[:, :4], output.shape[-2:])
        overlap = generalized_box_iou_loss(said.boxes[mine], boxes, reduction="sum")
        near = centredness(middles(output)[None].expand_as(said.boxes[..., :2])[mine], boxes)
        centre = F.binary_cross_entropy_with_logits(said.centre[mine], near, reduction="sum")
        loss: Tensor = (scores + overlap + centre) / number
        return loss

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """How far the boxes are from a teacher's: the divergence of each class's two probabilities, summed over classes
        and places; the GIoU loss and the divergence of centre-ness, where the teacher is sure of an object.

        As the loss is focal, each divergence of classes weighs by the square of how far the probabilities p of the
        teacher and q of the pupil are apart (Li et al., "Generalized Focal Loss", 2020), or all the places without an
        object would count most: (p - q)^2 KL(p || q). A box weighs as much as the teacher's surest class there, where
        that is above `LEAST`; all is divided by the sum of these weights.
        """
        said = places(resized(output, teacher, self.count))
        wanted = places(teacher)
        sure = wanted.logits.sigmoid().amax(dim=2)
        sure = sure * (sure > LEAST)
        apart = said.logits.sigmoid() - wanted.logits.sigmoid()
        scores = (apart.square() * divergence(said.logits, wanted.logits)).sum()
        overlap = (sure * generalized_box_iou_loss(said.boxes, wanted.boxes)).sum()
        centre = (sure * divergence(said.centre, wanted.centre)).sum()
        far: Tensor = (scores + overlap + centre) / sure.sum().clamp(min=1)
        return far

    def entropy(self, teacher: Tensor) -> float:
        return 0.0

    def predicted(self, output: Tensor, least: float = LEAST) -> list[Tensor]:
        """For each image its boxes (n, 6), the surest first: left, top, right, bottom as shares of width and height,
        the class and the score. Of overlapping boxes of a class the surest is left."""
        return [
            torch.cat([each.boxes, each.labels[:, None], each.scores[:, None]], dim=1)
            for each in decoded(output, least)
        ]

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """A row for each image: `MOST` boxes, those that are missing with the score -1, its targets, its loss, and
        whether an output is not finite: then it has no boxes."""
        finite = output.flatten(1).isfinite().all(dim=1)
        found = output.new_full((len(output), MOST, 6), -1)
        for row, boxes in zip(found, self.predicted(output.nan_to_num(0.0, 0.0, 0.0)), strict=True):
            row[: len(boxes)] = boxes
        found[~finite] = -1
        loss = [self.criterion(output[i : i + 1], targets[i : i + 1]) for i in range(len(output))]
        numbers = torch.stack([torch.stack(loss), (~finite).to(output.dtype)], dim=1)
        return torch.cat([found.flatten(1), targets.flatten(1).to(found), numbers], dim=1).double()

    def score(self, counted: Tensor) -> Score:
        """The mean, over classes and the thresholds .5, .55, .., .95 of intersection over union, of their average
        precision."""
        boxes = counted[:, : 6 * MOST].view(len(counted), MOST, 6)
        targets = torch.unflatten(counted[:, 6 * MOST : -2], 1, (-1, 5))
        whole = average_precision(boxes, targets, self.count)
        loss = float(counted[:, -2].mean()) if len(counted) else 0.0
        broken = int(counted[:, -1].sum())
        return Score(sum(whole) / len(whole), loss, len(counted), broken, {"map50": whole[0]})


def in_places(boxes: Tensor, size: torch.Size) -> Tensor:
    """Boxes (.., 4) in shares of width and height as boxes in places of a map of that size."""
    height, width = size
    return boxes * boxes.new_tensor([width, height, width, height])


def owners(targets: Tensor, size: torch.Size) -> Tensor:
    """For each place (B, P) the number of the box that it learns; -1 for none.

    A place learns a box that it is in, within `RADIUS` places of its centre; of several the smallest.
    """
    boxes = in_places(targets[..., :4], size)[:, None]  # (B, 1, most, 4)
    middle = middles(targets.new_empty(1, 1, *size))[None, :, None]  # (1, P, 1, 2)
    sides = torch.cat([middle - boxes[..., :2], boxes[..., 2:] - middle], dim=3)
    off = (middle - (boxes[..., :2] + boxes[..., 2:]) / 2).abs().amax(dim=3)
    fits = (sides.amin(dim=3) > 0) & (off < RADIUS) & (targets[:, None, :, 4] >= 0)
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    least, which = torch.where(fits, area, torch.inf).min(dim=2)
    return torch.where(least.isfinite(), which, -1)


def centredness(middle: Tensor, boxes: Tensor) -> Tensor:
    """How near places (n, 2) are to the centres of boxes (n, 4): 1 in it, 0 on a side.

    sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)), of the distances to the four sides.
    """
    before, after = middle - boxes[:, :2], boxes[:, 2:] - middle
    return (torch.minimum(before, after) / torch.maximum(before, after)).prod(dim=1).sqrt()


def divergence(said: Tensor, wanted: Tensor) -> Tensor:
    """The divergence of the two probabilities behind each logit from those that are wanted."""
    yes = wanted.sigmoid() * (F.logsigmoid(wanted) - F.logsigmoid(said))
    no = (-wanted).sigmoid() * (F.logsigmoid(-wanted) - F.logsigmoid(-said))
    return yes + no


def resized(output: Tensor, like: Tensor, classes: int) -> Tensor:
    """A map with as many places as another: that of a sub-network of smaller images has fewer, and larger ones."""
    (height, width), (tall, wide) = output.shape[-2:], like.shape[-2:]
    if (height, width) == (tall, wide):
        return output
    maps = F.interpolate(output, (tall, wide), mode="bilinear", align_corners=False)
    more = maps.new_zeros(maps.shape[1])
    more[classes : classes + 4] = maps.new_tensor(
        [wide / width, tall / height, wide / width, tall / height]
    ).log()
    return maps + more[:, None, None]
