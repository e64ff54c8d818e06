"""The recipes of the papers, as FACTS and the papers' sections on training print them, against what the specs say."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import pytest

from specc.ir.parameter import Call
from specc.pipeline import load
from tests.folders import SPECS

TIPS: Final = "sgd 0.04 0.9 0 cosine"
SMALL: Final = "200 256 sgd 0.08 0.9 0 cosine"
SLICING: Final = "sgd 0.1 0.9 1e-4 nesterov multistep"
TORCHVISION: Final = "sgd 0.1 0.9 1e-4"

RECIPES: Final[Mapping[str, str]] = {
    "mobilenet_v2_tips": f"imagenet 150 512 {TIPS}",
    "efficientnet_b0_tips": f"imagenet 150 512 {TIPS}",
    "mobilenet_v2_ofa": f"imagenet 150 512 {TIPS}",
    "resnet34_tips": f"imagenet 90 512 {TIPS}",
    "wide_resnet50_2_tips": f"imagenet 90 512 {TIPS}",
    "resnext50_tips": f"imagenet 90 512 {TIPS}",
    "mobilenet_v2_cifar100_tips": f"cifar100 {SMALL}",
    "mobilenet_v2_tiny_tips": f"tiny_imagenet {SMALL}",
    "resnet34_tiny_tips": f"tiny_imagenet {SMALL}",
    "resnext65_inclusive": f"cifar100 300 64 {SLICING} 0.5 0.75 /10",
    "resnext29_inclusive": f"cifar10 300 64 {SLICING} 0.5 0.75 /10",
    "resnext29_shallow": f"cifar10 300 64 {SLICING} 0.5 0.75 /10",
    "resnext47_inclusive_sparse": f"cifar100 300 64 {SLICING} 0.5 0.75 /10",
    "resnext47_hierarchical": f"cifar100 300 64 {SLICING} 0.5 0.75 /10",
    "msdnet_cifar": f"cifar100 300 64 {SLICING} 0.5 0.75 /10",
    "resnext50_hierarchical_cub": f"cub200 150 64 {SLICING} 0.5 0.75 /10",
    "resnext62_inclusive_sparse": f"imagenet 90 96 {SLICING} 30 60 /10",
    "resnet50_adn": f"imagenet 150 256 {TORCHVISION} multistep 60 100 140 /10",
    "mobilenet_v2_adn": "imagenet 150 256 sgd 0.045 0.9 4e-5 multistep 60 100 140 /10",
    "vit_b_32": "imagenet 300 1024 adamw 1e-3 0.05 cosine",
    "vit_b_32_adn": "imagenet 300 1024 adamw 1e-3 0.05 cosine",
    "mobilenet_v1_pss": "imagenet 250 1024 sgd 0.3 0.9 1e-4 cosine",
    "mobilenet_v2_pss": "imagenet 250 1024 sgd 0.3 0.9 1e-4 cosine",
    "lenet3c1l_awn": "fashion_mnist 20 128 sgd 0.01 0.9 0 multistep 0.5 0.75 /10",
    "lenet3c1l_slimmable": "fashion_mnist 20 128 sgd 0.01 0.9 0 multistep 0.5 0.75 /10",
    "mobilenet_v2_awn": "cifar10 350 128 sgd 0.01 0.9 1e-3 multistep 250 300 /10",
    "mobilenet_v2_us": "imagenet 250 1024 sgd 0.5 0.9 4e-5 nesterov linear",
    "mobilenet_v2": "imagenet 300 256 sgd 0.045 0.9 4e-5 exponential 0.98 every 1",
    "resnext50_32x4d": f"imagenet 100 256 {TORCHVISION} exponential 0.1 every 30",
    "efficientnet_b0": "imagenet 350 4096 rmsprop 0.256 0.9 1e-5 exponential 0.97 every 2.4",
}
"""Data, epochs, batch, optimizer, highest rate, momentum (not of adamw), weight decay, schedule."""


def number(value: object) -> str:
    assert isinstance(value, (int, Fraction))
    return f"{float(value):g}"


def said(data: Call, train: Call) -> str:
    """A spec's recipe in the words of RECIPES."""
    optimizer, schedule = train["optimizer"], train["schedule"]
    assert isinstance(optimizer, Call)
    assert isinstance(schedule, Call)
    rates = ["lr", "weight_decay"] if optimizer.name == "adamw" else ["lr", "momentum", "weight_decay"]
    words = [data.name, str(train["epochs"]), str(train["batch_size"]), optimizer.name]
    words += [number(optimizer[name]) for name in rates]
    words += ["nesterov"] if optimizer.name == "sgd" and optimizer["nesterov"] else []
    words.append(schedule.name)
    if schedule.name == "multistep":
        milestones, gamma = schedule["milestones"], schedule["gamma"]
        assert isinstance(milestones, tuple)
        assert isinstance(gamma, Fraction)
        words += [*map(number, milestones), f"/{number(1 / gamma)}"]
    if schedule.name == "exponential":
        words += [number(schedule["gamma"]), "every", number(schedule["every"])]
    return " ".join(words)


def spelled(recipe: str) -> str:
    """`1e-4` as `number` writes it."""
    words = recipe.split()
    return " ".join(f"{float(word):g}" if word[0].isdigit() else word for word in words)


@pytest.mark.parametrize("name", RECIPES)
def test_a_spec_says_its_papers_recipe(name: str) -> None:
    model = load(SPECS / f"{name}.specc").model
    assert model.data is not None
    assert said(model.data, model.train) == spelled(RECIPES[name])


def test_transformers_are_trained_as_deit() -> None:
    """Touvron et al., 2021, Table 9, at a batch of 1024."""
    for name in ("vit_b_32", "vit_b_32_adn"):
        train = load(SPECS / f"{name}.specc").model.train
        assert (train["mixup"], train["cutmix"], train["repeats"]) == (Fraction(8, 10), 1, 3)
        assert train["label_smoothing"] == Fraction(1, 10)
        assert train["no_decay"] == ("bias", "norm", "position", "class_token")
        augment = train["augment"]
        assert isinstance(augment, tuple)
        assert [word.name for word in augment] == ["resized_crop", "flip", "randaugment", "erase"]
        assert train["init"] == Call("trunc_normal", (("std", Fraction(2, 100)),))


def test_us_nets_spare_what_their_paper_spares_from_weight_decay() -> None:
    assert load(SPECS / "mobilenet_v2_us.specc").model.train["no_decay"] == ("bias", "norm", "depthwise")
