"""Schedules against torch's own, parameter groups, optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, RMSprop
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
    StepLR,
)

from specc.runtime.train.optim import build_optimizer, build_schedule, learning_rate, parameter_groups

EPOCHS, STEPS = 8, 5


def sgd() -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=0.2)


def rates(optimizer: SGD, schedule: LRScheduler) -> list[float]:
    """The learning rate of every step of the run."""
    seen = []
    for _ in range(EPOCHS * STEPS):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def ours(settings: Mapping[str, Any]) -> list[float]:
    optimizer = sgd()
    return rates(optimizer, build_schedule(optimizer, settings, EPOCHS, STEPS))


def test_cosine_is_torchs_stepped_after_every_update() -> None:
    optimizer = sgd()
    theirs = rates(optimizer, CosineAnnealingLR(optimizer, EPOCHS * STEPS, eta_min=0.02))
    assert ours({"name": "cosine", "final": 0.1, "warmup": 0}) == pytest.approx(theirs)


def test_cosine_with_warmup_is_torchs_linear_then_cosine() -> None:
    optimizer = sgd()
    warm = LinearLR(optimizer, start_factor=0.01, total_iters=2 * STEPS)
    main = CosineAnnealingLR(optimizer, (EPOCHS - 2) * STEPS)
    theirs = rates(optimizer, SequentialLR(optimizer, [warm, main], [2 * STEPS]))
    assert ours({"name": "cosine", "final": 0, "warmup": 2}) == pytest.approx(theirs)


def test_multistep_counts_epochs_or_shares_of_the_run() -> None:
    optimizer = sgd()
    theirs = rates(optimizer, MultiStepLR(optimizer, [4 * STEPS, 6 * STEPS], gamma=0.1))
    assert ours({"name": "multistep", "milestones": [4, 6], "gamma": 0.1}) == pytest.approx(theirs)
    assert ours({"name": "multistep", "milestones": [0.5, 0.75], "gamma": 0.1}) == pytest.approx(theirs)


def test_linear_reaches_its_end_and_exponential_drops_every_epoch() -> None:
    optimizer = sgd()
    theirs = rates(optimizer, LinearLR(optimizer, 1.0, 0.25, EPOCHS * STEPS))
    assert ours({"name": "linear", "final": 0.25}) == pytest.approx(theirs)
    wanted = []
    optimizer = sgd()
    schedule = ExponentialLR(optimizer, 0.9)
    for _ in range(EPOCHS):
        wanted += [optimizer.param_groups[0]["lr"]] * STEPS
        optimizer.step()
        schedule.step()
    assert ours({"name": "exponential", "gamma": 0.9}) == pytest.approx(wanted)


def test_drops_at_even_distances_are_torchs_step() -> None:
    optimizer = sgd()
    theirs = rates(optimizer, StepLR(optimizer, 12, gamma=0.5))
    assert ours({"name": "exponential", "gamma": 0.5, "every": 2.4}) == pytest.approx(theirs)


def test_warmup_starts_where_the_recipe_says() -> None:
    optimizer = sgd()
    warm = LinearLR(optimizer, start_factor=0.25, total_iters=2 * STEPS)
    main = CosineAnnealingLR(optimizer, (EPOCHS - 2) * STEPS)
    theirs = rates(optimizer, SequentialLR(optimizer, [warm, main], [2 * STEPS]))
    assert ours({"name": "cosine", "final": 0, "warmup": 2, "warmup_from": 0.25}) == pytest.approx(theirs)


def test_an_unknown_schedule_is_reported_at_once() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'cosinus'"):
        learning_rate({"name": "cosinus"}, 1, 1)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)  # sees one channel, but is no depthwise convolution
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, groups=8, bias=False)
        self.head = nn.Linear(8, 3)
        self.where = Position()


class Position(nn.Module):
    decays_as = "position"

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(4, 8))


def names(net: nn.Module, group: Mapping[str, Any]) -> set[str]:
    return {name for name, parameter in net.named_parameters() if any(parameter is p for p in group["params"])}


def test_weight_decay_spares_the_kinds_that_the_recipe_names() -> None:
    net = Net()
    decayed, spared = parameter_groups(net, 1e-4, ["bias", "norm", "depthwise"])
    assert names(net, decayed) == {"stem.weight", "head.weight", "where.table"}
    assert names(net, parameter_groups(net, 1e-4, ["position", "class_token"])[1]) == {"where.table"}
    assert names(net, spared) == {"stem.bias", "norm.weight", "norm.bias", "deep.weight", "head.bias"}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (1e-4, 0.0)
    (everything,) = parameter_groups(net, 1e-4, [])
    assert len(names(net, everything)) == 8
    with pytest.raises(ValueError, match="not biases"):
        parameter_groups(net, 1e-4, ["biases"])


def test_optimizers_take_their_settings() -> None:
    net = Net()
    first = build_optimizer(net, {"name": "sgd", "lr": 0.3, "momentum": 0.8, "weight_decay": 0.01, "nesterov": True})
    assert isinstance(first, SGD)
    group = first.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"], group["nesterov"]) == (0.3, 0.8, 0.01, True)
    adam = {"name": "adamw", "lr": 1e-3, "weight_decay": 0.05, "beta1": 0.9, "beta2": 0.98, "eps": 1e-7}
    second = build_optimizer(net, adam)
    assert isinstance(second, AdamW)
    assert second.param_groups[0]["betas"] == (0.9, 0.98)
    third = build_optimizer(
        net, {"name": "rmsprop", "lr": 0.064, "momentum": 0.9, "weight_decay": 1e-5, "alpha": 0.95, "eps": 0.0316}
    )
    assert isinstance(third, RMSprop)
    group = third.param_groups[0]
    assert (group["lr"], group["momentum"], group["alpha"], group["eps"]) == (0.064, 0.9, 0.95, 0.0316)
    assert group["weight_decay"] == 1e-5
    with pytest.raises(ValueError, match="unknown optimizer 'lion'"):
        build_optimizer(net, {**adam, "name": "lion"})
