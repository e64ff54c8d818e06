"""Average precision of predicted boxes, as COCO's evaluation counts it."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

THRESHOLDS: Final = tuple(0.5 + 0.05 * step for step in range(10))
"""Of intersection over union, above which a box is right."""


def average_precision(boxes: Tensor, targets: Tensor, classes: int) -> list[float]:
    """At each of `THRESHOLDS` the mean, over the classes that occur, of the average precision; 0 where none occurs.

    `boxes` are (N, most, 6): left, top, right, bottom, class and score, in any order, with a score below 0 where there
    is none. `targets` are (N, M, 5), with a class below 0 where there is none.
    """
    rows: list[list[float]] = []
    for label in range(classes):
        own = torch.where(boxes[..., 4] == label, boxes[..., 5], -1.0)
        scores, order = own.sort(dim=1, descending=True, stable=True)
        most = int((scores >= 0).sum(dim=1).max()) if len(scores) else 0
        found = boxes[..., :4].gather(1, order[:, :most, None].expand(-1, -1, 4))
        there = targets[..., 4] == label
        if not bool(there.any()):
            continue
        scores = scores[:, :most]
        kept = scores >= 0
        hits = [
            matched(found[part], targets[part, :, :4], kept[part], there[part])
            for part in parts(len(boxes))
        ]
        by_score = scores[kept].argsort(descending=True, stable=True)
        right = torch.cat(hits, dim=1)[:, kept][:, by_score]
        rows.append([precision(hit, int(there.sum())) for hit in right])
    return [sum(column) / len(rows) for column in zip(*rows)] if rows else [0.0] * len(THRESHOLDS)


def parts(images: int, size: int = 500) -> list[slice]:
    """Some images at a time: overlaps of all at once would be large."""
    return [slice(first, first + size) for first in range(0, images, size)]


def matched(found: Tensor, targets: Tensor, kept: Tensor, there: Tensor) -> Tensor:
    """Which boxes (N, n, 4) of images, each image's surest first, are right at each threshold (thresholds, N, n).

    Each takes the object (N, m, 4) that it overlaps most, of those that none before it has taken. `kept` (N, n) and
    `there` (N, m) say which boxes and objects there are.
    """
    overlaps = torch.vmap(box_iou)(found, targets)
    least = overlaps.new_tensor(THRESHOLDS)[:, None] - 1e-10
    free = there.expand(len(THRESHOLDS), *there.shape).clone()
    right = torch.zeros(len(THRESHOLDS), *kept.shape, dtype=torch.bool)
    for number in range(kept.shape[1]):
        best, which = torch.where(free, overlaps[:, number], -1.0).max(dim=2)
        hit = (best >= least) & kept[:, number]
        right[:, :, number] = hit
        free &= ~(F.one_hot(which, there.shape[1]).bool() & hit[..., None])
    return right


def precision(hits: Tensor, wanted: int) -> float:
    """The area under the curve of precision over recall, as the mean of its value at the recalls 0, .01, .., 1.

    `hits` are in the order of falling scores. The curve's value at a recall is the best precision from there on. The
    recalls are rounded as COCO rounds them, a bit above .07 for one, which seven of a hundred objects do not reach.
    """
    if not len(hits):
        return 0.0
    right = hits.double().cumsum(0)
    recall = right / wanted
    curve = right / torch.arange(1, len(hits) + 1)
    best = curve.flip(0).cummax(0).values.flip(0)
    places = torch.searchsorted(recall, torch.arange(101, dtype=torch.float64) * 0.01)
    there = places < len(best)
    return float((best[places.clamp(max=len(best) - 1)] * there).sum() / 101)
