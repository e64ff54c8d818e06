"""The recipes of the papers, as FACTS and the papers' sections on training print them, against what the specs say."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import pytest

from specc.ir.parameter import Call
from specc.pipeline import load
from tests.helpers.folders import SPECS

TIPS: Final = "sgd 0.04 0.9 0 cosine"
SMALL: Final = "200 256 sgd 0.08 0.9 0 cosine"
SLICING: Final = "sgd 0.1 0.9 1e-4 nesterov multistep"
TORCHVISION: Final = "sgd 0.1 0.9 1e-4"

RECIPES: Final[Mapping[str, str]] = {
    "mobilenet_v2_tips": f"imagenet 150 512 {TIPS}",
    "efficientnet_b0_tips": f"imagenet 150 512 {TIPS}",
    "mobilenet_v3_ofa": "imagenet 605 2048 sgd 2.6 0.9 3e-5 nesterov cosine",
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
    "mobilenet_v2_adn": "imagenet 300 256 sgd 0.1 0.9 1e-5 multistep 150 225 285 /10",
    "swin_t": "imagenet 300 1024 adamw 1e-3 0.05 cosine",
    "vit_b_32": "imagenet 300 1024 adamw 1e-3 0.05 cosine",
    "vit_b_32_adn": "imagenet 300 1024 adamw 7.5e-4 0.2 cosine",
    "mobilenet_v1_pss": "imagenet 250 1024 sgd 0.3 0.9 1e-4 cosine",
    "mobilenet_v2_pss": "imagenet 250 1024 sgd 0.3 0.9 1e-4 cosine",
    "lenet3c1l_awn": "fashion_mnist 20 128 sgd 0.01 0.9 0 multistep 0.5 0.75 /10",
    "lenet3c1l_slimmable": "fashion_mnist 20 128 sgd 0.01 0.9 0 multistep 0.5 0.75 /10",
    "mobilenet_v2_awn": "cifar10 350 128 sgd 0.01 0.9 1e-3 multistep 250 300 /10",
    "mobilenet_v2_us": "imagenet 250 1024 sgd 0.5 0.9 1e-4 nesterov linear",
    "mobilenet_v2_mutualnet": "imagenet 250 1024 sgd 0.5 0.9 1e-4 nesterov cosine",
    "lenet3c1l_us": "fashion_mnist 20 128 sgd 0.01 0.9 0 multistep 0.5 0.75 /10",
    **dict.fromkeys(
        ("lenet3c1l_cifar_awn", "lenet3c1l_cifar_slimmable", "lenet3c1l_cifar_us"),
        "cifar10 100 128 sgd 0.01 0.9 5e-4 multistep 0.5 0.75 /10",
    ),
    **dict.fromkeys(
        ("mobilenet_v2_cifar_slimmable", "mobilenet_v2_cifar_us"), "cifar10 100 128 sgd 0.1 0.9 5e-4 linear"
    ),
    "resnet34_cifar100_tips": f"cifar100 {SMALL}",
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


def words(train: Call, name: str = "augment") -> list[str]:
    """The names of a list of words."""
    found = train[name]
    assert isinstance(found, tuple)
    return [word.name for word in found]


def has(name: str, kind: str) -> bool:
    """Whether a spec's network has an operation of a kind."""
    return any(op.kind == kind for op in load(SPECS / f"{name}.specc").graph.ops)


def test_a_transformer_is_trained_as_deit() -> None:
    """Touvron et al., 2021, Table 9, at a batch of 1024."""
    train = load(SPECS / "vit_b_32.specc").model.train
    assert (train["mixup"], train["cutmix"], train["repeats"]) == (Fraction(8, 10), 1, 3)
    assert train["label_smoothing"] == Fraction(1, 10)
    assert train["no_decay"] == ("bias", "norm", "position", "class_token")
    assert words(train) == ["resized_crop", "flip", "randaugment", "erase"]
    assert train["init"] == Call("trunc_normal", (("std", Fraction(2, 100)),))
    assert has("vit_b_32", "drop_path")


def test_an_adaptive_transformer_is_trained_as_its_authors_commands_say() -> None:
    train = load(SPECS / "vit_b_32_adn.specc").model.train
    assert (train["mixup"], train["cutmix"], train["repeats"]) == (Fraction(2, 10), 1, 3)
    assert (train["label_smoothing"], train["clip"], train["no_decay"]) == (Fraction(11, 100), 1, ())
    schedule = train["schedule"]
    assert isinstance(schedule, Call)
    assert (schedule["warmup"], schedule["warmup_from"]) == (30, Fraction(33, 1000))
    assert words(train) == ["resized_crop", "flip", "randaugment"]
    assert train["ema"]
    assert not has("vit_b_32_adn", "drop_path")


@pytest.mark.parametrize("name", ["mobilenet_v2_us", "mobilenet_v2_mutualnet"])
def test_us_nets_and_mutualnet_are_trained_as_their_code_says(name: str) -> None:
    """No dropout, no warm-up, colours jittered and shifted."""
    train = load(SPECS / f"{name}.specc").model.train
    schedule = train["schedule"]
    assert isinstance(schedule, Call)
    assert schedule["warmup"] == 0
    assert words(train) == ["resized_crop", "color_jitter", "lighting", "flip"]
    assert not has(name, "dropout")


def test_once_for_alls_colours() -> None:
    augment = load(SPECS / "mobilenet_v3_ofa.specc").model.train["augment"]
    assert isinstance(augment, tuple)
    jitter = next(word for word in augment if word.name == "color_jitter")
    assert (jitter["brightness"], jitter["contrast"], jitter["saturation"]) == (Fraction(32, 256), 0, Fraction(1, 2))


@pytest.mark.parametrize("name", [n for n in RECIPES if n.startswith("lenet3c1l") or "_cifar_" in n])
def test_the_networks_of_any_width_learn_all_training_images(name: str) -> None:
    model = load(SPECS / f"{name}.specc").model
    assert model.data is not None
    assert model.data["validation"] == 0
    init = model.train["init"]
    assert isinstance(init, Call)
    assert (init.name, init["fan"], init["linear"]) == ("msra", "out", Fraction(1, 100))


def test_msdnets_classifiers_are_one_layer() -> None:
    """As in the comparison with slicing networks (their footnote 1)."""
    ops = load(SPECS / "msdnet_cifar.specc").graph.ops
    classifiers = [op for op in ops if op.kind == "linear"]
    makers = {tensor: op.kind for op in ops for tensor in op.outputs}
    assert len(classifiers) == 11
    assert {makers[op.inputs[0]] for op in classifiers} == {"pool"}
    pooled = [op for op in ops if op.kind == "pool"]
    assert {makers[op.inputs[0]] for op in pooled} == {"concat"}


def test_us_nets_spare_what_their_paper_spares_from_weight_decay() -> None:
    assert load(SPECS / "mobilenet_v2_us.specc").model.train["no_decay"] == ("bias", "norm", "depthwise")
