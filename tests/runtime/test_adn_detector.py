"""Adaptive depth's step for a detector (Kang and Lee, 2024, section 4.5), written out by hand: its train.py, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.methods.adn import step as adn
from specc.outputs.boxes.task import Boxes
from tests.helpers.scripts import run, write_project
from tests.helpers.steps import drawn, generated, trainer_of

torch.set_num_threads(1)

SPEC = """
supernet tiny {
  input image(3, 16, 16); boxes 2
  norm batch(bank=skip)
  stage s1 { conv(6, kernel=3, stride=2); norm; relu; skippable { residual { conv(6, kernel=3); norm } } }
  stage s2 { conv(8, kernel=3, stride=2); norm; relu; skippable { residual { conv(8, kernel=3); norm } } }
  stage p2 { conv(5, kernel=1, bias=yes) }
  stage p1 { add(conv(5, kernel=1, bias=yes, from=s1), upsample(2)); conv(5, kernel=3, bias=yes) }
  head { relu; conv(boxes + 5, kernel=1, bias=yes) }
}
method adn(features=pyramid, logits=no)
"""
RECIPE = """
data scenes(images=40, test_images=20, size=16, shapes=2, objects=1)
train { epochs=1; batch_size=16; optimizer=sgd(lr=0.01); calibrate=0 }
"""
IMAGES = drawn(2, 3, 16, 16)
TARGETS = torch.full((2, 2, 5), -1.0)
TARGETS[0] = torch.tensor([[0.1, 0.1, 0.86, 0.8, 0.0], [0.5, 0.5, 0.9, 0.9, 1.0]])


def network(net: nn.Module, keep: bool) -> tuple[Tensor, list[Tensor]]:
    """The boxes' map and the pyramid of the super-net (`keep`) or the base-net, from the parameters by name."""
    values = dict(net.named_parameters())
    x, bank = IMAGES, int(keep)

    def norm(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(x, None, None, values[f"{name}.weight"], values[f"{name}.bias"], True)

    def conv(x: Tensor, name: str) -> Tensor:
        weight = values[f"{name}.weight"]
        return F.conv2d(x, weight, values[f"{name}.bias"], padding=weight.shape[-1] // 2)

    stages = []
    for stage in ("s1", "s2"):
        x = F.conv2d(x, values[f"{stage}.conv1.weight"], stride=2, padding=1)
        x = F.relu(norm(x, f"{stage}.norm1.{bank}"))
        if keep:
            x = x + norm(F.conv2d(x, values[f"{stage}.conv2.weight"], padding=1), f"{stage}.norm2")
        stages.append(x)
    coarse = conv(stages[1], "p2.conv")
    larger = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    fine = conv(conv(stages[0], "p1.conv1") + larger, "p1.conv2")
    return conv(F.relu(fine), "head.conv"), [coarse, fine]


def loss_by_hand(output: Tensor) -> Tensor:
    """Focal loss, GIoU loss and centre-ness, place by place of maps (2, 7, 8, 8), over the number of places that learn:
    those within 1.5 places of an object's centre, of two the smaller."""
    losses, learning = [], 0
    for image, maps in enumerate(output):
        for row in range(8):
            for column in range(8):
                x, y = column + 0.5, row + 0.5
                mine = None
                for left, top, right, bottom, label in TARGETS[image].tolist():
                    box = [8 * side for side in (left, top, right, bottom)]
                    near = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2)) < 1.5
                    if label >= 0 and near and box[0] < x < box[2] and box[1] < y < box[3]:
                        mine = (box, int(label))  # the second object is the smaller
                for label in range(2):
                    p = (maps[label, row, column] - 4.595).sigmoid()
                    if mine is not None and mine[1] == label:
                        losses.append(-0.25 * (1 - p) ** 2 * p.log())
                    else:
                        losses.append(-0.75 * p**2 * (1 - p).log())
                if mine is None:
                    continue
                learning += 1
                left, top, right, bottom = mine[0]
                before_x, before_y, after_x, after_y = maps[2:6, row, column].exp()
                said = [x - before_x, y - before_y, x + after_x, y + after_y]
                width = torch.clamp(said[2], max=right) - torch.clamp(said[0], min=left)
                height = torch.clamp(said[3], max=bottom) - torch.clamp(said[1], min=top)
                shared = width * height
                both = (said[2] - said[0]) * (said[3] - said[1]) + (right - left) * (bottom - top) - shared
                around = (torch.clamp(said[2], min=right) - torch.clamp(said[0], max=left)) * (
                    torch.clamp(said[3], min=bottom) - torch.clamp(said[1], max=top)
                )
                losses.append(1 - shared / both + (around - both) / around)
                sides = sorted((x - left, right - x)), sorted((y - top, bottom - y))
                wanted = (sides[0][0] / sides[0][1] * sides[1][0] / sides[1][1]) ** 0.5
                p = maps[6, row, column].sigmoid()
                losses.append(-wanted * p.log() - (1 - wanted) * (1 - p).log())
    assert learning > 8
    return torch.stack(losses).sum() / learning


def test_a_step_is_algorithm_1_on_the_pyramid(tmp_path: Path) -> None:
    """0.5 (loss of the super-net's boxes) + 0.5 sum over p2, p1 of KL(super || base) of softmaxes over channels."""
    net, _ = generated(SPEC, tmp_path)
    reference, space = generated(SPEC, tmp_path / "again")
    plans = [net.plan(at, outputs=["head", "p2", "p1"]) for at in adn.pair(space)]
    losses = adn.step(trainer_of(net, task=Boxes(2)), IMAGES, TARGETS, plans, logits=False)

    output, taught = network(reference, True)
    _, learnt = network(reference, False)
    learns = 0.5 * loss_by_hand(output)
    apart = []
    for teacher, pupil in zip(taught, learnt, strict=True):
        p, q = teacher.detach().mean((2, 3)).softmax(1), pupil.mean((2, 3)).softmax(1)
        apart.append((p * (p / q).log()).sum() / 2)
    distils = 0.5 * (apart[0] + apart[1])
    torch.testing.assert_close(losses, [learns.detach(), distils.detach()], rtol=1e-5, atol=1e-6)
    assert float(distils.detach()) > 1e-5

    (learns + distils).backward()  # type: ignore[no-untyped-call]
    theirs = dict(reference.named_parameters())
    for name, mine in net.named_parameters():
        wanted = theirs[name].grad
        assert wanted is not None, name
        torch.testing.assert_close(mine.grad, wanted, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.slow
def test_the_projects_train_py_does_this_step(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC + RECIPE, "")
    text = (project / "train.py").read_text()
    assert 'OUTPUTS = ["head", "p2", "p1"]' in text
    assert "losses = adn.step(trainer, images, labels, plans, logits=False)" in text
    out = run(project, "train.py")
    for line in ("test mAP, super-net: ", "test mAP, base-net: ", "skipped"):
        assert line in out
    settings = [line[:2] for line in out.splitlines() if line[:2] in ("FF", "FT", "TF", "TT")]
    assert settings[0] == "FF"
    assert sorted(settings) == ["FF", "FT", "TF", "TT"]
