"""The methods' training steps against references written out by hand."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.independent import step as independent
from specc.methods.us_net import step as us_net
from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import World
from specc.runtime.train.trainer import Trainer
from tests.helpers.tiny import TinyNet, TinySpace, tiny_net

IMAGES = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
WORLD = World(0, 1, torch.device("cpu"))


def trainer_of(net: TinyNet, clip: float = 0.0, ema: float = 0.0, amp: bool = False) -> Trainer:
    optimizer = SGD(net.parameters(), lr=0.1)
    return Trainer(
        net, optimizer, LambdaLR(optimizer, lambda step: 1.0), Classes(0), WORLD, clip=clip, ema=ema, amp=amp
    )


def test_sandwich_holds_the_largest_first_the_smallest_last_and_n_minus_two_drawn() -> None:
    space, rng = TinySpace(), random.Random(3)
    expected = random.Random(3)
    drawn = [space.draw(expected), space.draw(expected)]
    assert us_net.sandwich(space, rng, 4) == [space.largest(), *drawn, space.smallest()]
    assert us_net.sandwich(space, rng, 2) == [space.largest(), space.smallest()]


def test_us_net_distils_the_largest_into_the_others() -> None:
    net, reference = tiny_net(), tiny_net()
    trainer = trainer_of(net)
    plans = [net.plan(at) for at in us_net.sandwich(TinySpace(), random.Random(5), 4)]
    losses = us_net.step(trainer, IMAGES, LABELS, plans)

    assert net.ran == [plan.assignment for plan in plans]
    answers = reference(IMAGES, plans[0])
    teacher = answers.detach().softmax(dim=1)
    wanted = [F.cross_entropy(answers, LABELS)]
    said = [reference(IMAGES, plan).log_softmax(dim=1) for plan in plans[1:]]
    wanted += [(teacher * (teacher.log() - pupil)).sum(dim=1).mean() for pupil in said]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)

    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    for mine, theirs in zip(net.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-6)


def test_us_net_without_distillation_learns_the_labels_everywhere() -> None:
    net, reference = tiny_net(), tiny_net()
    plans = [net.plan({"width": 8, "keep": True}), net.plan({"width": 2, "keep": False})]
    losses = us_net.step(trainer_of(net), IMAGES, LABELS, plans, distill=False)
    wanted = [F.cross_entropy(reference(IMAGES, plan), LABELS) for plan in plans]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)


def test_a_distance_keeps_the_gradients_size_under_a_temperature() -> None:
    logits, teacher = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(2)) * 1e-3
    grown = []
    for temperature in (1.0, 4.0):
        student = logits.clone().requires_grad_()
        Classes(3).distance(student, teacher, temperature).backward()  # type: ignore[no-untyped-call]
        assert student.grad is not None
        grown.append(student.grad.norm())
    torch.testing.assert_close(grown[0], grown[1], rtol=1e-2, atol=0)


def test_independent_sums_the_cross_entropies_and_leaves_unused_weights_alone() -> None:
    net, reference = tiny_net(), tiny_net()
    trainer = trainer_of(net)
    listed = independent.listed(TinySpace(), ["min", {"width": 4, "keep": False}])
    assert listed == [{"width": 2, "keep": False}, {"width": 4, "keep": False}]
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    plans = [net.plan(at) for at in listed]
    losses = independent.step(trainer, IMAGES, LABELS, plans)
    trainer.update()

    wanted = [F.cross_entropy(reference(IMAGES, plan), LABELS) for plan in plans]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    for (name, mine), theirs in zip(net.named_parameters(), reference.parameters(), strict=True):
        moved = theirs.grad if theirs.grad is not None else torch.zeros_like(theirs)
        torch.testing.assert_close(mine, before[name] - 0.1 * moved, rtol=0, atol=1e-6)
    assert torch.equal(net.middle.weight, before["middle.weight"])
    assert torch.equal(net.first.weight[4:], before["first.weight"][4:])
    assert not torch.equal(net.first.weight[:4], before["first.weight"][:4])


def test_partial_assignments_are_at_their_largest_elsewhere() -> None:
    assert independent.listed(TinySpace(), ["max", {"width": 2}]) == [
        {"width": 8, "keep": True},
        {"width": 2, "keep": True},
    ]
    with pytest.raises(ValueError, match="width cannot be 3; its options are 2, 4, 8"):
        independent.listed(TinySpace(), [{"width": 3}])
    with pytest.raises(ValueError, match="no choice 'depth'; the choices are width, keep"):
        independent.listed(TinySpace(), [{"depth": 3}])


def test_clipping_bounds_the_gradient_of_all_passes_together() -> None:
    net, reference = tiny_net(), tiny_net()
    trainer = trainer_of(net, clip=1e-3)
    plans = [net.plan(TinySpace().largest()), net.plan(TinySpace().smallest())]
    independent.step(trainer, IMAGES, LABELS, plans)
    trainer.update()
    pairs = zip(net.parameters(), reference.parameters(), strict=True)
    moved = torch.cat([(mine - theirs).flatten() for mine, theirs in pairs])
    torch.testing.assert_close(moved.norm(), torch.tensor(0.1 * 1e-3), rtol=1e-3, atol=0)


def test_the_average_follows_the_weights_and_is_what_is_evaluated() -> None:
    net = tiny_net()
    trainer = trainer_of(net, ema=0.5)
    start = net.first.weight.detach().clone()
    independent.step(trainer, IMAGES, LABELS, [net.plan(TinySpace().largest())])
    trainer.update()
    # The first update of all forgets nine tenths: min(0.5, 1 / 10).
    wanted = 0.1 * start + 0.9 * net.first.weight
    torch.testing.assert_close(trainer.evaluated.first.weight, wanted.detach())  # type: ignore[union-attr]
    assert trainer.evaluated is not net


def test_mixed_precision_trains_in_bfloat16_and_answers_in_float32() -> None:
    net = tiny_net()
    trainer = trainer_of(net, amp=True)
    logits = trainer.forward(IMAGES, net.plan(TinySpace().largest()))
    assert logits.dtype == torch.float32
    exact = net(IMAGES, net.plan(TinySpace().largest()))
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, rtol=0.05, atol=0.05)
