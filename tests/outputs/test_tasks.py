"""Losses, distances and metrics of every kind of output against other implementations of them, or the arithmetic."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score, jaccard_score, mean_absolute_error, r2_score
from torch import Tensor

from specc.outputs import output_kinds, task_module
from specc.outputs.classes.task import Classes
from specc.outputs.pixels.task import Pixels
from specc.outputs.restored.task import Restored
from specc.outputs.tags.task import Tags
from specc.outputs.values.task import Values
from specc.runtime.run.distributed import World
from specc.runtime.train.evaluate import together
from specc.runtime.train.interfaces import Task
from specc.runtime.train.losses import classified, regressed, tagged
from specc.runtime.train.scores import Score
from tests.helpers.steps import drawn

WORLD = World(0, 1, torch.device("cpu"))


def scored(task: Task, outputs: Tensor, targets: Tensor, batch: int = 7) -> Score:
    """The score of what is counted batch by batch."""
    places = range(0, len(targets), batch)
    counted = [task.counted(outputs[i : i + batch], targets[i : i + batch]) for i in places]
    return task.score(together(counted, task, WORLD))


def recipe(**given: Any) -> Any:
    return SimpleNamespace(**{"loss": {}, "label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0, **given})


# What the compiler and the project say of a kind.


@pytest.mark.parametrize("kind", output_kinds(), ids=lambda kind: kind.name)
def test_the_task_is_what_the_compiler_says_of_its_kind(kind: Any) -> None:
    module = __import__(task_module(kind.name), fromlist=[kind.task])
    task = getattr(module, kind.task)(3)
    assert task.kind == kind.name
    assert [metric.key for metric in task.metrics] == [*kind.metrics]
    assert task.metrics[0].name == kind.scored
    assert [*task.losses] == [loss.name for loss in kind.losses]
    assert [*getattr(task, "mixed", ())] == [*kind.mixed]


# Losses.


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_focal_loss_of_classes(gamma: float, smoothing: float) -> None:
    """Lin et al., 2017, Eq. 4: -(1 - p)^gamma log p; with gamma 0 the cross-entropy."""
    logits, classes = drawn(5, 4), torch.tensor([0, 3, 1, 2, 2])
    found = classified(logits, classes, {"name": "focal", "gamma": gamma}, smoothing)
    wanted = 0.0
    for row, target in zip(logits.tolist(), classes.tolist()):
        total = sum(math.exp(x) for x in row)
        for place, x in enumerate(row):
            p, share = math.exp(x) / total, (1 - smoothing) * (place == target) + smoothing / 4
            wanted -= share * (1 - p) ** gamma * math.log(p) / 5
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    if not gamma:
        torch.testing.assert_close(found, F.cross_entropy(logits, classes, label_smoothing=smoothing))


@pytest.mark.parametrize("loss", [{}, {"name": "focal", "gamma": 2.0}])
def test_pixels_that_are_not_judged_count_for_nothing(loss: dict[str, Any]) -> None:
    logits, masks = drawn(2, 3, 4, 5).requires_grad_(), torch.randint(0, 3, (2, 4, 5)).to(torch.uint8)
    masks[0, :2], masks[1, 1, 3] = 255, 255
    found = classified(logits, masks, loss)
    kept = masks != 255
    flat = logits.movedim(1, -1)[kept]
    torch.testing.assert_close(found, classified(flat, masks[kept].long(), loss))
    found.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert not logits.grad.movedim(1, -1)[~kept].any()
    assert logits.grad.movedim(1, -1)[kept].any(dim=1).all()


def test_a_batch_without_a_judged_pixel_has_no_loss_and_no_nan() -> None:
    logits = drawn(2, 3, 4, 4).requires_grad_()
    loss = classified(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8), {})
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_losses_of_tags(gamma: float) -> None:
    logits, tags = drawn(6, 3), drawn(6, 3, seed=2).gt(0).float()
    wanted = 0.0
    for row, has in zip(logits.tolist(), tags.tolist()):
        for x, y in zip(row, has):
            p = 1 / (1 + math.exp(-x))
            p = p if y else 1 - p
            wanted -= (1 - p) ** gamma * math.log(p) / 18
    assert float(tagged(logits, tags, {"name": "focal", "gamma": gamma})) == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(tagged(logits, tags, {}), F.binary_cross_entropy(logits.sigmoid(), tags))


def test_the_losses_of_numbers() -> None:
    output, targets = torch.tensor([[0.0, 3.0], [1.0, -1.0]]), torch.tensor([[0.5, 0.0], [1.0, -3.0]])
    # The differences are 0.5, 3, 0 and 2.
    assert float(regressed(output, targets, {}, "mse")) == pytest.approx((0.25 + 9 + 4) / 4)
    assert float(regressed(output, targets, {}, "l1")) == pytest.approx(5.5 / 4)
    assert float(regressed(output, targets, {"name": "mse"}, "l1")) == pytest.approx(13.25 / 4)
    # Huber of delta 1: x^2 / 2 up to 1, |x| - 1/2 beyond; of delta 2.5: up to there, then 2.5 (|x| - 1.25).
    assert float(regressed(output, targets, {"name": "huber", "delta": 1.0}, "mse")) == pytest.approx(
        (0.125 + 2.5 + 1.5) / 4
    )
    assert float(regressed(output, targets, {"name": "huber", "delta": 2.5}, "mse")) == pytest.approx(
        (0.125 + 2.5 * 1.75 + 2.0) / 4
    )


# Distances.


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distances_of_logits_are_their_divergences(temperature: float) -> None:
    """T^2 KL(p || q), by torch.distributions."""
    output, teacher = drawn(4, 3), drawn(4, 3, seed=2)
    divergence = torch.distributions.kl_divergence
    many = [torch.distributions.Categorical(logits=x / temperature) for x in (teacher, output)]
    torch.testing.assert_close(
        Classes(3).distance(output, teacher, temperature), divergence(*many).mean() * temperature**2
    )
    two = [torch.distributions.Bernoulli(logits=x / temperature) for x in (teacher, output)]
    torch.testing.assert_close(Tags(3).distance(output, teacher, temperature), divergence(*two).mean() * temperature**2)
    maps = [x.view(1, 3, 2, 2) for x in (output, teacher)]
    flat = [x.movedim(1, -1).reshape(-1, 3) for x in maps]
    torch.testing.assert_close(
        Pixels(3).distance(maps[0], maps[1], temperature), Classes(3).distance(flat[0], flat[1], temperature)
    )


@pytest.mark.parametrize("task", [Classes(3), Pixels(3), Tags(3), Values(3), Restored(3)], ids=lambda task: task.kind)
def test_what_agrees_with_its_teacher_is_at_no_distance(task: Task) -> None:
    output = drawn(2, 3, 4, 4) if task.kind in ("pixels", "restored") else drawn(2, 3)
    assert float(task.distance(output, output.clone(), 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(task.distance(output, output + 0.1 * drawn(*output.shape, seed=5), 2.0)) > 1e-5


def test_maps_of_a_smaller_sub_network_are_brought_to_the_size_of_what_they_are_compared_with() -> None:
    small, masks = drawn(2, 3, 4, 4), torch.randint(0, 3, (2, 8, 8)).to(torch.uint8)
    large = F.interpolate(small, (8, 8), mode="bilinear")
    task = Pixels(3)
    torch.testing.assert_close(task.criterion(small, masks), F.cross_entropy(large, masks.long()))
    torch.testing.assert_close(task.distance(small, large), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert scored(task, small, masks).value == scored(task, large, masks).value


# Metrics.


def test_the_mean_iou_is_scikit_learns() -> None:
    logits, masks = drawn(11, 4, 6, 6), torch.randint(0, 4, (11, 6, 6)).to(torch.uint8)
    masks[2], masks[:, 0, :3] = 255, 255
    found = scored(Pixels(4), logits, masks)
    kept = (masks != 255).numpy()
    said, wanted = logits.argmax(1).numpy()[kept], masks.numpy()[kept]
    assert found.value == pytest.approx(jaccard_score(wanted, said, average="macro"))
    assert found.also["accuracy"] == pytest.approx((said == wanted).mean())
    assert found.images == 11


def test_a_class_that_is_nowhere_has_no_share_in_the_mean_iou() -> None:
    """Two pixels of class 0, both met; class 1 is said once for class 2: 1, 0 and 0; class 3 is nowhere."""
    logits = torch.full((1, 4, 1, 3), -9.0)
    for place, said in enumerate((0, 0, 1)):
        logits[0, said, 0, place] = 9.0
    assert scored(Pixels(4), logits, torch.tensor([[[0, 0, 2]]])).value == pytest.approx(1 / 3)


def test_the_mean_average_precision_is_scikit_learns() -> None:
    logits, tags = drawn(40, 5).round(decimals=1), drawn(40, 5, seed=2).gt(0.8).float()  # equal scores among them
    tags[:, 4] = 0  # a tag that no image has is not counted
    wanted = average_precision_score(tags[:, :4].numpy(), logits[:, :4].numpy(), average="macro")
    assert scored(Tags(5), logits, tags).value == pytest.approx(wanted)


def test_the_average_precision_of_four_images() -> None:
    """By falling score: yes, no, yes, no. Precision 1 at recall 1/2, then 2/3 at 1."""
    logits, tags = torch.tensor([[4.0], [3.0], [2.0], [1.0]]), torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    assert scored(Tags(1), logits, tags, batch=1).value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_r2_and_the_mean_absolute_error_are_scikit_learns() -> None:
    """The error in the data's own units, which the targets were divided by."""
    output, targets, std = drawn(23, 3), drawn(23, 3, seed=2), (2.0, 0.5, 10.0)
    found = scored(Values(3, std=std), output, targets)
    assert found.value == pytest.approx(r2_score(targets.numpy(), output.numpy()))
    units = np.array(std)
    assert found.also["mae"] == pytest.approx(mean_absolute_error(targets.numpy() * units, output.numpy() * units))


def test_the_psnr_is_the_mean_over_images() -> None:
    """10 log10(1 / mse): of an error of 0.1 everywhere 20 dB, of one of 0.01 40 dB; what is beyond 1 is shown as 1."""
    targets = torch.full((2, 1, 4, 4), 204, dtype=torch.uint8)
    output = torch.full((2, 1, 4, 4), 0.8)
    output[0] += 0.1
    output[1] -= 0.01
    assert scored(Restored(1), output, targets).value == pytest.approx(30, abs=1e-4)
    white = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
    assert scored(Restored(1), torch.full((2, 1, 4, 4), 7.0), white).value == pytest.approx(100)


@pytest.mark.parametrize(
    ("task", "output", "targets"),
    [
        (Classes(3), drawn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])),
        (Pixels(3), drawn(6, 3, 2, 2), torch.arange(24).view(6, 2, 2) % 3),
        (Tags(3), drawn(6, 3), drawn(6, 3, seed=2).gt(0).float()),
        (Values(3), drawn(6, 3), drawn(6, 3, seed=2)),
        (Restored(3), drawn(6, 3, 4, 4).sigmoid(), drawn(6, 3, 4, 4, seed=2).sigmoid()),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_output_that_is_not_finite_is_counted_and_never_right(task: Task, output: Tensor, targets: Tensor) -> None:
    whole = scored(task, output, targets)
    broken = output.clone()
    broken[2].fill_(math.nan)
    found = scored(task, broken, targets, batch=4)
    assert found.broken == 1
    assert found.images == whole.images == 6
    assert math.isfinite(found.value)
    broken.fill_(math.inf)
    worst = scored(task, broken, targets)
    assert worst.broken == 6
    assert worst.value <= max(0.0, whole.value) or task.kind == "tags"


# Recipes that do not fit.


@pytest.mark.parametrize(
    ("task", "wrong", "message"),
    [
        (Classes(3), {"loss": {"name": "mse"}}, "learns by cross_entropy, focal"),
        (Values(3), {"loss": {"name": "cross_entropy"}}, "learns by mse, l1, huber"),
        (Tags(3), {"loss": {"name": "focal"}}, "focal needs a number gamma"),
        (Values(3), {"loss": {"name": "huber", "delta": "1"}}, "huber needs a number delta"),
        (Pixels(3), {"mixup": 0.2}, "mixup mixes images"),
        (Restored(3), {"cutmix": 1.0}, "cutmix mixes images"),
        (Values(3), {"cutmix": 1.0}, "cutmix mixes images"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_before_the_first_step(
    task: Task, wrong: dict[str, Any], message: str
) -> None:
    data: Any = SimpleNamespace(target_std=())
    with pytest.raises(SystemExit, match=message):
        task.fitted(data, recipe(**wrong))
    task.fitted(data, recipe())


def test_labels_are_smoothed_for_classes_and_tags() -> None:
    data: Any = SimpleNamespace(target_std=())
    logits, classes = drawn(4, 3), torch.tensor([0, 1, 2, 1])
    task = Classes(3).fitted(data, recipe(label_smoothing=0.1))
    torch.testing.assert_close(task.criterion(logits, classes), F.cross_entropy(logits, classes, label_smoothing=0.1))
    tags = torch.tensor([[1.0, 0.0, 1.0]] * 4)
    smoothed = Tags(3).fitted(data, recipe(label_smoothing=0.1)).criterion(logits, tags)
    torch.testing.assert_close(smoothed, F.binary_cross_entropy_with_logits(logits, 0.9 * tags + 0.05))
