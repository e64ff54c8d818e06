"""What a recipe may say of images, labels and weights, each against a computation by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.us_net import step as us_net
from specc.outputs.classes.task import Classes
from specc.pipeline import load
from specc.runtime.data.augment import Mixing, coarse, cutmix, soft
from specc.runtime.data.images import Data, Images, each_input
from specc.runtime.data.loading import Loading, repeated
from specc.runtime.run.distributed import World
from specc.runtime.train.optim import initialise, residual_ends
from specc.runtime.train.trainer import Trainer
from specc.source import Source
from tests.helpers.projects import project
from tests.helpers.tiny import TinyNet, TinySpace, tiny_net

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mixup_is_the_weighted_sum_of_two_images_and_of_their_losses() -> None:
    images, labels = torch.rand(6, 1, 2, 2, generator=generator()), torch.tensor([0, 1, 2, 0, 1, 2])
    torch.manual_seed(3)
    mixed, shares = Mixing(0.4, 0, 3)(images, labels)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(6))
    logits = torch.randn(6, 3, generator=generator(1))
    share = next(float(v) for v in shares.flatten() if 0.001 < v < 0.999)
    # Which partner each image has is read off the images themselves: exactly one of the batch explains it.
    total = torch.zeros(())
    for i in range(6):
        for weight in (share, 1 - share):
            partners = [
                j
                for j in range(6)
                if torch.allclose(mixed[i], weight * images[i] + (1 - weight) * images[j], atol=1e-6)
            ]
            if partners:
                break
        assert len(partners) == 1
        own, other = labels[i], labels[partners[0]]
        log = F.log_softmax(logits[i], dim=0)
        total = total - weight * log[own] - (1 - weight) * log[other]
    torch.testing.assert_close(nn.CrossEntropyLoss()(logits, shares), total / 6)


def test_without_mixing_labels_stay_classes_and_with_both_a_coin_decides() -> None:
    images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 3])
    assert Mixing(0, 0, 4)(images, labels) == (images, labels)
    torch.manual_seed(0)
    pasted = 0
    for _ in range(60):
        mixed, _ = Mixing(1.0, 1.0, 4)(images, labels)
        assert isinstance(mixed, torch.Tensor)
        # A pasted picture has no value of its own; a blended one hardly any other.
        pasted += int(torch.isin(mixed, images).all())
    assert 18 < pasted < 42


def test_the_share_of_mixup_is_drawn_from_beta() -> None:
    """Of Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1))."""
    torch.manual_seed(0)
    images, labels = torch.zeros(2, 1, 1, 1), torch.tensor([0, 1])
    for alpha in (0.2, 2.0):
        found: list[float] = []
        while len(found) < 400:
            shares = Mixing(alpha, 0, 2)(images, labels)[1]
            if shares[0, 0] + shares[1, 0] == 1 and shares[0, 0] not in (0, 1):  # the two were exchanged
                found.append(float(shares[0, 0]))
        drawn = torch.tensor(found)
        assert abs(float(drawn.mean()) - 0.5) < 0.06
        assert float(drawn.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_cutmix_counts_the_pasted_area_exactly() -> None:
    torch.manual_seed(0)
    for share in (0.05, 0.3, 0.75, 1.0):
        for _ in range(20):
            (mixed,), kept = cutmix([torch.zeros(2, 3, 12, 20)], [torch.ones(2, 3, 12, 20)], share)
            assert float(mixed.mean()) == pytest.approx(1 - kept, abs=1e-6)
            pasted = mixed[0, 0].nonzero()
            if len(pasted):  # one rectangle, of the image's shape unless the border cuts it
                height, width = (pasted.max(dim=0).values - pasted.min(dim=0).values + 1).tolist()
                assert height * width == len(pasted)
                assert height <= 12 * math.sqrt(1 - share) + 1e-6
                assert width <= 20 * math.sqrt(1 - share) + 1e-6
            assert kept >= share - 1e-6
    black, white = [torch.zeros(1, 1, 64, 64)], [torch.ones(1, 1, 64, 64)]
    areas = torch.tensor([1 - cutmix(black, white, 0.75)[1] for _ in range(400)])
    assert float(areas.max()) == pytest.approx(0.25)  # 32 x 32 of 64 x 64 where nothing falls outside
    # Centred anywhere, a side of half the image keeps on average 7/8 of its length inside, either way.
    assert float(areas.mean()) == pytest.approx(0.25 * (7 / 8) ** 2, rel=0.05)


def test_soft_labels_smooth_as_hard_ones_do() -> None:
    logits, labels = torch.randn(5, 4, generator=generator()), torch.tensor([0, 3, 1, 1, 2])
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    torch.testing.assert_close(criterion(logits, soft(labels, 4)), criterion(logits, labels))
    assert soft(soft(labels, 4), 4) is not None
    assert soft(labels, 4).tolist()[1] == [0, 0, 0, 1]


def test_labels_of_a_coarser_level_hard_and_soft() -> None:
    table = torch.tensor([1, 0, 1, 2])
    labels = torch.tensor([0, 3, 1])
    assert coarse(labels, table, 3).tolist() == [1, 2, 0]
    shares = torch.tensor([[0.5, 0.1, 0.2, 0.2], [0.0, 0.0, 0.25, 0.75]])
    torch.testing.assert_close(coarse(shares, table, 3), torch.tensor([[0.1, 0.7, 0.2], [0.0, 0.25, 0.75]]))
    assert torch.equal(coarse(soft(labels, 4), table, 3), soft(coarse(labels, table, 3), 3))


def test_a_methods_step_takes_soft_labels() -> None:
    """US-Nets: the largest learns the shares, the others its answers; the loss is the hand-written one."""
    net, reference = tiny_net(), tiny_net()
    optimizer = SGD(net.parameters(), lr=0.1)
    trainer = Trainer(net, optimizer, LambdaLR(optimizer, lambda step: 1.0), Classes(0), ALONE)
    images = torch.randn(6, 4, generator=generator(1))
    shares = F.softmax(torch.randn(6, 3, generator=generator(2)), dim=1)
    plans = [net.plan(TinySpace().largest()), net.plan(TinySpace().smallest())]
    losses = us_net.step(trainer, images, shares, plans)
    answers = reference(images, plans[0])
    wanted = -(shares * F.log_softmax(answers, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(losses[0], wanted.detach(), rtol=0, atol=1e-6)


def test_repeated_augmentation_shows_fewer_images_more_often() -> None:
    plain = repeated(12, 1, "seed")
    assert sorted(plain) == list(range(12))
    three = repeated(12, 3, "seed")
    assert three == [image for image in plain[:4] for _ in range(3)]
    assert repeated(10, 4, "x") == [i for i in repeated(10, 1, "x")[:3] for _ in range(4)][:10]
    assert three == repeated(12, 3, "seed") != repeated(12, 3, "other")


def data(count: int = 24) -> Data:
    """Image i is filled with the number i, and is of class i mod 4."""
    pixels = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    images = Images(tuple(i % 4 for i in range(count)), (pixels,))
    return Data("made", 4, images, images, images, (0.0,), (1.0,))


def shown(world: World, batch_size: int, **more: Any) -> list[list[int]]:
    loading = Loading(data(), (1, 4, 4), world)
    batches = loading.training(batch_size, [], 0, 1, **more)
    return [(each_input(images)[0][:, 0, 0, 0] * 255).round().int().tolist() for images, _ in batches]


def test_processes_and_parts_share_what_one_process_sees_at_once() -> None:
    """Images of a batch are the same whoever computes it: alone, on two processes, in two parts, or both."""
    whole = shown(ALONE, 12, repeats=3)
    assert [len(set(batch)) for batch in whole] == [4, 4]
    pair = [World(rank, 2, CPU) for rank in range(2)]
    for batch, first, second in zip(whole, *(shown(world, 12, repeats=3) for world in pair), strict=True):
        assert batch == first + second
    halves = shown(ALONE, 12, repeats=3, parts=2)
    assert [halves[0] + halves[1], halves[2] + halves[3]] == whole
    one, two = (shown(world, 12, repeats=3, parts=2) for world in pair)
    assert [one[step] + two[step] + one[step + 1] + two[step + 1] for step in (0, 2)] == whole
    with pytest.raises(SystemExit, match="a batch of 12 cannot be cut into 26 parts"):
        shown(pair[0], 12, parts=13)


def test_a_batch_in_parts_makes_the_update_of_the_whole_batch() -> None:
    images, labels = torch.randn(8, 4, generator=generator()), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    nets: list[TinyNet] = []
    for parts in (1, 4):
        net = tiny_net()
        optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
        schedule = LambdaLR(optimizer, lambda step: 0.5**step)
        trainer = Trainer(net, optimizer, schedule, Classes(0), ALONE, clip=0.1, parts=parts)
        plans = [net.plan(TinySpace().largest()), net.plan(TinySpace().smallest())]
        for _ in range(2):
            for part in range(parts):
                mine = slice(part * 8 // parts, (part + 1) * 8 // parts)
                us_net.step(trainer, images[mine], labels[mine], plans)
                trainer.update()
        assert schedule.last_epoch == 2
        nets.append(net)
    for mine_, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(mine_, theirs, rtol=0, atol=1e-6)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(32, 64, 3, bias=True)
        self.deep = nn.Conv2d(64, 64, 5, groups=64, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.head = nn.Linear(64, 100)
        self.where = Position()


class Position(nn.Module):
    decays_as = "position"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((50, 64), 9.0))


def filled(**settings: Any) -> Net:
    torch.manual_seed(0)
    net = Net()
    initialise(net, settings)
    return net


def deviation(weight: Tensor) -> float:
    return float((weight.detach() ** 2).mean().sqrt())


def test_msra_has_variance_two_over_fan() -> None:
    net = filled(name="msra", fan="out", linear=0.01)
    assert deviation(net.conv.weight) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    # The fan of a grouped convolution is that of one channel times all channels, as torch and torchvision count it.
    assert deviation(net.deep.weight) == pytest.approx(math.sqrt(2 / (64 * 25)), rel=0.05)
    assert deviation(net.head.weight) == pytest.approx(0.01, rel=0.05)
    assert net.conv.bias is not None
    assert not net.conv.bias.any()
    assert not net.head.bias.any()
    assert bool((net.norm.weight == 1).all())
    assert bool((net.where.weight == 9).all())
    inwards = filled(name="msra", fan="in", linear=0)
    assert deviation(inwards.conv.weight) == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.02)
    torch.manual_seed(0)
    plain = Net()
    assert torch.equal(inwards.head.weight, plain.head.weight)
    assert torch.equal(inwards.head.bias, plain.head.bias)


def test_truncated_normal_and_xavier() -> None:
    net = filled(name="trunc_normal", std=0.02)
    for weight in (net.conv.weight, net.head.weight, net.where.weight):
        assert float(weight.detach().abs().max()) <= 0.04
        # Cut at two deviations, a normal keeps 0.8796 of its deviation.
        assert deviation(weight) == pytest.approx(0.02 * 0.8796, rel=0.03)
    net = filled(name="xavier")
    assert float(net.head.weight.detach().abs().max()) <= math.sqrt(6 / 164)
    assert deviation(net.head.weight) == pytest.approx(math.sqrt(2 / 164), rel=0.03)
    assert deviation(net.conv.weight) == pytest.approx(math.sqrt(1 / (32 * 9)), rel=0.02)
    assert not net.head.bias.any()


def test_the_default_changes_nothing_and_an_unknown_name_is_said() -> None:
    torch.manual_seed(0)
    plain = Net()
    for name, value in filled(name="default").named_parameters():
        assert torch.equal(value, plain.get_parameter(name))
    with pytest.raises(ValueError, match="unknown init 'he'"):
        filled(name="he")


SPEC = """
import std.resnet
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch(bank=skip)
  stem { conv(8, kernel=3); norm(bank=shared); relu }
  stage s1 { basic(8); skippable { basic(8) } }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=2)
data digits
train { zero_init_residual=yes; init=msra(linear=0.01); mixup=0.2; repeats=3; augment=[flip] }
"""


def test_residuals_start_as_the_identity(tmp_path: Path) -> None:
    """Each block's last norm, in all its banks; no other: so every block passes on what comes in."""
    made = project(load(Source("tiny.specc", SPEC)), tmp_path)
    ends = residual_ends(tmp_path / "ir.json")
    assert ends == ["s1.b1.norm2", "s1.b2.norm2"]
    net = made.model.Model().eval()
    initialise(net, {"name": "msra", "fan": "out", "linear": 0.01}, ends)
    zeroed = {name for name, value in net.named_parameters() if name.endswith("weight") and not value.any()}
    assert zeroed == {"s1.b1.norm2.0.weight", "s1.b1.norm2.1.weight", "s1.b2.norm2.0.weight"}
    images = torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        stem = F.relu(net.stem.norm(F.conv2d(images, net.stem.conv.weight, padding=1), net.plan("max").stem.norm))
        wanted = F.linear(stem.mean(dim=(2, 3)), net.head.linear.weight, net.head.linear.bias)
        for at in ("max", "min"):
            torch.testing.assert_close(net(images, net.plan(at)), wanted)
