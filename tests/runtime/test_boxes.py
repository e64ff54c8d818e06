"""`boxes 3`: its losses and its distance against formulas written out by hand, its metric against brute force."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from specc.outputs.boxes.task import Boxes, owners
from specc.runtime.net.detect import PRIOR
from specc.runtime.train.detections import THRESHOLDS, average_precision

NONE = [-1.0] * 5


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def iou(a: Any, b: Any) -> float:
    """Intersection over union of two boxes."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = across * down
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return float(both / either)


def giou(a: Any, b: Any) -> float:
    """Rezatofighi et al., 2019: less the share of the box around both that is in neither."""
    across, down = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    either = sum(areas) / (1 + iou(a, b))
    return iou(a, b) - float((across * down - either) / (across * down))


def test_a_place_learns_the_smallest_box_whose_middle_is_near() -> None:
    """A map of 4 x 4: a box over all of it, a small one around the place (1, 1), an image without boxes."""
    targets = torch.tensor([[[0, 0, 1, 1, 2], [0.25, 0.25, 0.5, 0.5, 0], NONE], [NONE, NONE, NONE]])
    found = owners(targets, torch.Size([4, 4]))
    # The large one's centre is (2, 2): places at most 1.5 away are the middle four, and the small one has one of them.
    wanted = [[-1, -1, -1, -1], [-1, 1, 0, -1], [-1, 0, 0, -1], [-1, -1, -1, -1]]
    assert found[0].view(4, 4).tolist() == wanted
    assert (found[1] == -1).all()


def test_the_loss_is_the_papers() -> None:
    """Two classes, a map of 1 x 2, one box that the first place learns: focal, GIoU and centre-ness by hand."""
    output = torch.tensor([[4.6, 3.0], [1.0, -2.0], [0.1, 0.0], [-0.2, 0.0], [0.3, 0.0], [0.4, 0.0], [0.7, 9.0]])
    target = [0.1, 0.2, 0.45, 0.9, 1.0]  # of two places: x from 0.2 to 0.9, y from 0.2 to 0.9
    found = Boxes(2).criterion(output[None, :, None, :], torch.tensor([[target, NONE]]))
    focal = 0.0
    for place in (0, 1):
        for label in (0, 1):
            p = sigmoid(float(output[label, place]) - PRIOR)
            yes = place == 0 and label == 1
            focal += -0.25 * (1 - p) ** 2 * math.log(p) if yes else -0.75 * p**2 * math.log(1 - p)
    said = [0.5 - math.exp(0.1), 0.5 - math.exp(-0.2), 0.5 + math.exp(0.3), 0.5 + math.exp(0.4)]
    overlap = 1 - giou(said, [0.2, 0.2, 0.9, 0.9])
    near = math.sqrt(0.3 / 0.4 * 0.3 / 0.4)
    centre = -near * math.log(sigmoid(0.7)) - (1 - near) * math.log(1 - sigmoid(0.7))
    assert float(found) == pytest.approx(focal + overlap + centre, rel=1e-5)


def test_an_image_without_boxes_has_a_loss_of_its_scores_alone() -> None:
    output = torch.zeros(2, 8, 3, 3, requires_grad=True)
    torch.autograd.backward(Boxes(3).criterion(output, torch.full((2, 1, 5), -1.0)))
    assert output.grad is not None
    assert bool((output.grad[:, :3] > 0).all())
    assert not output.grad[:, 3:].any()


def test_a_pupil_learns_where_its_teacher_is_sure() -> None:
    """One class, two places: the teacher is sure of the first, and sees nothing at the second."""
    teacher = torch.tensor([[PRIOR + 3.0, PRIOR - 6.0], *([0.2, 0.1],) * 4, [1.0, -1.0]])[None, :, None]
    pupil = torch.tensor([[PRIOR - 1.0, PRIOR - 5.0], *([0.5, -0.3],) * 4, [0.0, 0.5]])[None, :, None]
    total, weights = 0.0, [sigmoid(3.0), 0.0]

    def kl(said: float, wanted: float) -> float:
        p, q = sigmoid(wanted), sigmoid(said)
        return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))

    for place, weight in enumerate(weights):
        said, wanted = pupil[0, :, 0, place].tolist(), teacher[0, :, 0, place].tolist()
        middle = place + 0.5, 0.5
        sides = [
            [middle[i % 2] + sign * math.exp(log) for i, (sign, log) in enumerate(zip((-1, -1, 1, 1), x[1:5]))]
            for x in (said, wanted)
        ]
        apart = sigmoid(said[0] - PRIOR) - sigmoid(wanted[0] - PRIOR)
        total += apart**2 * kl(said[0] - PRIOR, wanted[0] - PRIOR)
        total += weight * (1 - giou(*sides) + kl(said[5], wanted[5]))
    found = Boxes(1).distance(pupil, teacher)
    assert float(found) == pytest.approx(total / max(1, sum(weights)), rel=1e-4)
    assert float(Boxes(1).distance(teacher, teacher)) == pytest.approx(0, abs=1e-6)


def test_a_smaller_map_says_the_same_boxes() -> None:
    """Half as many places, twice as large: the distances are half as many places."""
    wide = torch.zeros(1, 7, 8, 8)
    wide[:, 2:6] = math.log(4)
    small = torch.zeros(1, 7, 4, 4)
    small[:, 2:6] = math.log(2)
    assert float(Boxes(2).distance(small, wide)) == pytest.approx(0, abs=1e-5)


def test_what_is_predicted_is_what_was_written_into_the_map() -> None:
    """Two objects far from one another, the second seen by two places: the surer one is left."""
    output = torch.full((1, 8, 8, 8), -20.0)
    output[:, 3:7] = 0.0

    def say(label: int, row: int, column: int, sides: tuple[float, ...], score: float) -> None:
        output[0, label, row, column] = PRIOR + score
        output[0, 3:7, row, column] = torch.tensor(sides).log()
        output[0, 7, row, column] = 20.0

    say(1, 1, 1, (1.5, 1.5, 0.5, 1.5), 3.0)
    say(2, 5, 5, (1.5, 1.5, 1.5, 1.5), 2.0)
    say(2, 5, 6, (2.5, 1.5, 0.5, 1.5), 1.0)
    (found,) = Boxes(3).predicted(output)
    wanted = [
        [0.0, 0.0, 2 / 8, 3 / 8, 1, math.sqrt(sigmoid(3))],
        [4 / 8, 4 / 8, 7 / 8, 7 / 8, 2, math.sqrt(sigmoid(2))],
    ]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-4, rtol=1e-4)


def random_scene(rng: random.Random, classes: int) -> tuple[list[list[float]], list[list[float]]]:
    """Objects, and boxes near them and elsewhere, with scores of which some are equal."""

    def box() -> list[float]:
        x, y = rng.random() * 0.7, rng.random() * 0.7
        return [x, y, x + 0.05 + rng.random() * 0.25, y + 0.05 + rng.random() * 0.25]

    targets = [[*box(), float(rng.randrange(classes))] for _ in range(rng.randrange(4))]
    boxes = []
    for target in targets:
        for _ in range(rng.randrange(4)):
            near = [side + rng.gauss(0, 0.03) for side in target[:4]]
            label = target[4] if rng.random() < 0.8 else float(rng.randrange(classes))
            boxes.append([*near, label, round(rng.random(), 1)])
    boxes += [[*box(), float(rng.randrange(classes)), round(rng.random(), 1)] for _ in range(rng.randrange(3))]
    return targets, [row for row in boxes if row[2] > row[0] and row[3] > row[1]]


def brute_force(scenes: list[tuple[Any, Any]], classes: int, threshold: float) -> float:
    """COCO's average precision, one box at a time."""
    found = []
    for label in range(classes):
        wanted = sum(target[4] == label for targets, _ in scenes for target in targets)
        if not wanted:
            continue
        rows = []  # (score, right), image by image
        for targets, boxes in scenes:
            taken: set[int] = set()
            for box in sorted((b for b in boxes if b[4] == label), key=lambda b: -b[5]):
                best, which = threshold, -1
                for number, target in enumerate(targets):
                    if target[4] == label and number not in taken and iou(box, target) >= best:
                        best, which = iou(box, target), number
                taken.add(which)
                rows.append((box[5], which >= 0))
        rows.sort(key=lambda row: -row[0])
        right = np.cumsum([hit for _, hit in rows])
        curve = [(n / wanted, n / (i + 1)) for i, n in enumerate(right)]
        heights = [max((p for r, p in curve if r >= recall), default=0) for recall in np.linspace(0, 1, 101)]
        found.append(sum(heights) / 101)
    return sum(found) / len(found) if found else 0.0


def padded(rows: list[list[float]], most: int, width: int) -> Tensor:
    return torch.tensor(rows + [[-1.0] * width] * (most - len(rows)), dtype=torch.float64).view(most, width)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_cocos(seed: int) -> None:
    rng = random.Random(seed)
    scenes = [random_scene(rng, 3) for _ in range((1, 5, 30)[seed % 3])]
    boxes = torch.stack([padded(boxes, 16, 6) for _, boxes in scenes])
    targets = torch.stack([padded(targets, 4, 5) for targets, _ in scenes])
    found = average_precision(boxes, targets, 3)
    assert found == pytest.approx([brute_force(scenes, 3, threshold) for threshold in THRESHOLDS], abs=1e-9)


def test_a_score_is_of_all_rows() -> None:
    """A perfect image, one of whose outputs is NaN, and one without an object."""
    task = Boxes(1)
    output = torch.full((3, 6, 4, 4), -20.0)
    output[:, 0, 1, 1] = output[:, 5, 1, 1] = 20.0
    output[:, 1:5] = math.log(1.5)
    target = torch.tensor([0.0, 0.0, 0.75, 0.75, 0.0])
    targets = torch.stack([target, target, torch.full((5,), -1.0)])[:, None]
    whole = task.score(task.counted(output[:1], targets[:1]))
    assert [whole.value, whole.also["map50"], whole.images, whole.broken] == pytest.approx([1, 1, 1, 0])
    output[1, 3, 0, 0] = torch.nan
    rows = torch.cat([task.counted(output[:2], targets[:2]), task.counted(output[2:], targets[2:])])
    half = task.score(rows)
    # Of two objects one is found; a box where there is none is as sure as that one.
    assert half.broken == 1
    assert half.also["map50"] == pytest.approx(51 / 101)
    assert task.score(rows[:0].view(0, rows.shape[1])).value == 0


def test_places_without_an_object_do_not_drown_the_objects() -> None:
    """A pupil that misses the one object of 400 places is further from its teacher than one that is a little unsure
    everywhere, and than one whose boxes differ where there is nothing."""
    teacher = torch.zeros(1, 6, 20, 20)
    teacher[0, 0, 4, 4] = PRIOR + 2.0
    missed, unsure, elsewhere = (teacher.clone() for _ in range(3))
    missed[0, 0, 4, 4] = 0.0
    unsure[0, 0] += 0.5
    elsewhere[0, 1:5] += 1.0
    elsewhere[0, 1:5, 4, 4] = 0.0
    found = [float(Boxes(1).distance(pupil, teacher)) for pupil in (missed, unsure, elsewhere)]
    assert found[0] > 5 * found[1]
    assert found[2] == pytest.approx(0, abs=1e-6)
