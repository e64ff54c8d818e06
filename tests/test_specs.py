"""The published networks of specs/: every figure of the papers, torchvision and our own recount, to the last digit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from specc.cost import CostReport, Count, cost
from specc.ir.choice import Assignment
from specc.ir.expr import evaluate
from specc.ir.graph import Graph, Scope
from specc.ir.parameter import Call
from specc.methods import method_names
from tests.helpers.folders import SPECS
from tests.helpers.projects import STATIC, compiled

PSS_NET_V1 = tuple(f"mobilenet_v1_pss{kind}" for kind in ("", "_f", "_c", "_g"))
PSS_NET_V2 = tuple(f"mobilenet_v2_pss{kind}" for kind in ("", "_f", "_c", "_g"))
"""PSS-Net_M, _F, _C and _G: constraints of several kinds, on MACs, on a CPU's latency, on a GPU's."""

MAXIMA = {
    "convnext_tiny_adn": (28_589_128, 4_455_531_264),
    "csp_detector_us": (7_278_709, 9_490_432_000),  # in no paper: torch's counter says so
    "deeplabv3_resnet50": (39_638_869, 143_771_045_888),
    "densenet121": (7_978_856, 2_834_161_664),
    "ds_cnn": (23_180, 2_656_768),
    "edsr_baseline": (1_369_859, 3_162_488_832),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "efficientnet_b0_tips": (5_288_548, 385_814_752),
    "fcn_resnet50_adn": (32_957_013, 121_612_492_800),
    "mobilenet_v2_ofa": (6_108_776, 582_195_824),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "wide_resnet50_2": (68_883_240, 11_398_021_120),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v2_us": (3_504_872, 300_774_272),
    "mobilenet_v2_mutualnet": (3_504_872, 300_774_272),
    "resnet50_adn": (25_557_032, 4_089_184_256),
    "mobilenet_v4_small": (3_774_024, 186_005_568),
    "mobilenet_v2_adn": (3_504_872, 300_774_272),
    **dict.fromkeys(PSS_NET_V1, (4_231_976, 568_740_352)),
    **dict.fromkeys(PSS_NET_V2, (3_504_872, 300_774_272)),
    "mobilenet_v2_tips": (3_504_872, 300_774_272),
    "mobilenet_v2_cifar100_tips": (4_495_076, 47_559_104),
    "mobilenet_v2_tiny_tips": (4_674_376, 189_878_016),
    "resnet34_tips": (21_797_672, 3_663_761_408),
    "resnet34_tiny_tips": (21_387_272, 299_143_168),
    "repvgg_a0": (9_108_968, 1_512_581_120),
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnext50_tips": (25_028_904, 4_230_479_872),
    "swin_t": (28_288_354, 4_490_566_656),
    "series_fcn": (264_450, 25_264_384),
    "table_mlp": (134_145, 133_376),
    "unet": (31_038_933, 193_005_092_864),
    "vit_b_32": (88_224_232, 4_409_186_304),
    "vit_b_32_adn": (88_224_232, 4_409_186_304),
    "wide_resnet50_2_tips": (68_883_240, 11_398_021_120),
}
"""Parameters in use and MACs at the largest sub-network."""


COUNTED = {
    *("lenet3c1l_awn", "lenet3c1l_slimmable", "lenet3c1l_us", "mobilenet_v2_awn", "mobilenet_v3_ofa", "msdnet_cifar"),
    *("lenet3c1l_cifar_awn", "lenet3c1l_cifar_slimmable", "lenet3c1l_cifar_us"),
    *("mobilenet_v2_cifar_slimmable", "mobilenet_v2_cifar_us", "resnet34_cifar100_tips"),
    *("resnext29_inclusive", "resnext29_shallow", "resnext47_hierarchical", "resnext47_inclusive_sparse"),
    *("resnext50_hierarchical_cub", "resnext62_inclusive_sparse", "resnext65_inclusive"),
}
"""Networks of which no figures are printed: test_counts goes through their layers by hand."""

TWINS = {path.stem for path in SPECS.glob("*.specc") if path.stem.startswith(("digits", "glyphs", "scenes"))}
"""Specs that train in a minute or two; they have no published figures."""


def largest(graph: Graph) -> dict[str, object]:
    return {choice.name: choice.largest for choice in graph.choices}


def smallest(graph: Graph) -> dict[str, object]:
    return {choice.name: choice.smallest for choice in graph.choices}


def report(graph: Graph, at: Mapping[str, object], count: Count = "macs") -> CostReport:
    assignment: Assignment = dict(at)  # type: ignore[arg-type]
    return cost(graph, assignment, count)


def of_kind(graph: Graph, kind: str) -> list[str]:
    return [choice.name for choice in graph.choices if choice.kind == kind]


def test_every_spec_is_here() -> None:
    names = {path.stem for path in SPECS.glob("*.specc")}
    assert names - TWINS == {*MAXIMA, *PERCEPTRONS, *COUNTED}


def test_every_method_has_a_twin_that_trains_in_minutes() -> None:
    """And so has every kind of data that needs no files."""

    def said(what: str, names: Collection[str]) -> set[str]:
        texts = ((SPECS / f"{name}.specc").read_text(encoding="utf-8") for name in names)
        return {word for text in texts for word in re.findall(rf"^{what} (\w+)", text, re.M)}

    assert said("method", TWINS) == said("method", {*MAXIMA, *PERCEPTRONS, *COUNTED}) == set(method_names())
    assert said("data", TWINS) == {"digits", "glyphs", "scenes"}


def test_specs_without_choices_are_listed() -> None:
    assert set(STATIC) == {path.stem for path in SPECS.glob("*.specc") if not compiled(path.stem).graph.choices}


@pytest.mark.parametrize("name", MAXIMA)
def test_the_largest_sub_network_is_the_published_one(name: str) -> None:
    graph = compiled(name).graph
    found = report(graph, largest(graph))
    assert (found.params, found.macs) == MAXIMA[name]


@pytest.mark.parametrize(
    ("params", "expected"),
    [({"width_mult": "1.4"}, (6_108_776, 582_195_824)), ({"size": "192"}, (3_504_872, 221_316_608))],
)
@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v2_tips"])
def test_params_of_a_spec_give_its_other_networks(name: str, params: dict[str, str], expected: tuple[int, int]) -> None:
    graph = compiled(name, params).graph
    found = report(graph, largest(graph))
    assert (found.params, found.macs) == expected


# --- TIPS: the largest budgets of its tables on small images -----------------------------------------


@pytest.mark.parametrize(
    ("name", "millions"),
    [("mobilenet_v2_cifar100_tips", "47.56"), ("mobilenet_v2_tiny_tips", "189.9"), ("resnet34_tiny_tips", "299.1")],
)
def test_small_images_of_tips(name: str, millions: str) -> None:
    digits = len(millions.partition(".")[2])
    assert f"{MAXIMA[name][1] / 1e6:.{digits}f}" == millions


PERCEPTRONS = {"mlp80_tips": 80, "mlp100_tips": 100, "mlp120_tips": 120, "mlp140_tips": 140}


@pytest.mark.parametrize("name", PERCEPTRONS)
def test_the_perceptrons_of_tips_have_80_neurons_between_their_first_layer_and_their_last(name: str) -> None:
    graph = compiled(name).graph
    layers = PERCEPTRONS[name]
    linear = [op for op in report(graph, largest(graph)).ops if op.kind == "linear"]
    assert [op.out for op in linear] == [(80,)] * (layers + 1) + [(10,)]
    assert len(of_kind(graph, "skip")) == sum(op.kind == "add" for op in graph.ops) == layers // 2


@pytest.mark.parametrize("name", sorted(name for name in MAXIMA if name.endswith("_tips")))
def test_tips_may_drop_every_block_that_keeps_its_shape_and_no_other(name: str) -> None:
    graph = compiled(name).graph
    tensors, ops = graph.tensor_table(), {op.name: op for op in graph.ops}

    def shape(tensor: str) -> tuple[object, ...]:
        found = tensors[tensor]
        return tuple(evaluate(size, assignment) for size in (found.features, *found.space))

    assignment: Assignment = largest(graph)  # type: ignore[assignment]
    found = [(ops[inside[0]], ops[inside[-1]]) for inside in blocks(graph.root)]
    assert len(found) >= 16
    for first, last in found:
        assert (shape(first.inputs[0]) == shape(last.output)) == (first.guard != 1), first.name


def blocks(scope: Scope) -> list[list[str]]:
    """The ops of every block call in a stage, in their order."""
    if scope.kind == "block":
        return [ops_inside(scope)]
    return [found for item in scope.items if isinstance(item, Scope) for found in blocks(item)]


def ops_inside(scope: Scope) -> list[str]:
    return [name for item in scope.items for name in ([item] if isinstance(item, str) else ops_inside(item))]


# --- US-Nets: one width ------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "millions"), [("1", 300.77), ("0.75", 209.07), ("0.5", 97.13), ("0.35", 59.29)])
def test_the_four_widths_of_us_nets(width: str, millions: float) -> None:
    graph = compiled("mobilenet_v2_us").graph
    (choice,) = graph.choices
    assert choice.name == "width"
    assert len(choice.options) == 27
    option = Fraction(width)
    macs = report(graph, {"width": int(option) if option == 1 else option}).macs / 1e6
    assert macs == pytest.approx(millions, abs=0.0051)


# --- ADN: skippable sub-paths ------------------------------------------------------------------------

RESNET50_FLAGS = {
    "FFFF": (4_089_184_256, 4_111_412_224),
    "TFFF": (3_870_818_304, 3_890_637_824),
    "TTFF": (3_434_086_400, 3_451_497_472),
    "TTTF": (2_778_988_544, 2_794_593_280),
    "TTTT": (2_560_622_592, 2_575_926_272),
}
"""T: the stage's sub-path is skipped. MACs, and MACs with 2 for every normalised element."""


@pytest.mark.parametrize("flags", RESNET50_FLAGS)
def test_flags_of_resnet50_adn_in_both_counts(flags: str) -> None:
    graph = compiled("resnet50_adn").graph
    at = {f"s{i + 1}.keep": int(flag == "F") for i, flag in enumerate(flags)}
    assert set(at) == {choice.name for choice in graph.choices}
    counts = report(graph, at).macs, report(graph, at, "with_norms").macs
    assert counts == RESNET50_FLAGS[flags]


def test_resnet50_adn_allocates_two_banks_for_the_mandatory_norms() -> None:
    graph = compiled("resnet50_adn").graph
    assert report(graph, largest(graph)).params_total == 25_583_144
    assert round(report(graph, smallest(graph)).params / 1e6, 2) == 17.11


def test_mobilenet_v2_adn_skips_one_one_two_one_one_blocks() -> None:
    graph = compiled("mobilenet_v2_adn").graph
    assert len(of_kind(graph, "skip")) == len(graph.choices) == 5
    whole, base = report(graph, largest(graph)), report(graph, smallest(graph))
    assert (whole.macs, base.macs) == (300_774_272, 205_254_848)
    assert whole.params_total == 3_527_544
    additions = [op.stage for op in whole.ops if op.kind == "add"]
    kept = [op.stage for op in base.ops if op.kind == "add"]
    assert [additions.count(f"s{i}") - kept.count(f"s{i}") for i in range(2, 7)] == [1, 1, 2, 1, 1]


# --- PSS-Net: a width a group, and the resolution ----------------------------------------------------


def space_size(graph: Graph) -> int:
    from specc.subnets.space import size

    return size(graph)


def test_mobilenet_v2_pss_has_41184_sub_networks() -> None:
    graph = compiled("mobilenet_v2_pss").graph
    assert space_size(graph) == 41_184
    assert report(graph, smallest(graph)).macs == 69_129_728


def test_mobilenet_v1_pss_has_a_width_a_layer() -> None:
    graph = compiled("mobilenet_v1_pss").graph
    assert len(of_kind(graph, "width")) == 14
    assert report(graph, smallest(graph)).macs == 106_770_432


def lower_bound(name: str, bound: str) -> float:
    """MACs, in millions, of a PSS-Net spec's smallest sub-network with another lower bound of its widths."""
    graph = compiled(name, {"lower": bound}).graph
    return report(graph, smallest(graph)).macs / 1e6


@pytest.mark.parametrize(
    ("name", "bound", "millions"),
    [("mobilenet_v1_pss", "0.25", 13.57), ("mobilenet_v2_pss", "0.7", 57.56), ("mobilenet_v2_pss", "0.8", 73.51)],
)
def test_the_lower_bounds_of_table_4(name: str, bound: str, millions: float) -> None:
    assert lower_bound(name, bound) == pytest.approx(millions, abs=0.0051)


# --- The demo ----------------------------------------------------------------------------------------


def test_digits_shrinks_to_a_fifth() -> None:
    graph = compiled("digits").graph
    assert sorted(choice.kind for choice in graph.choices) == ["depth", "depth", "width"]
    assert report(graph, smallest(graph)).macs * 5 <= report(graph, largest(graph)).macs


# --- All of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.specc")), ids=lambda path: path.stem)
def test_specs_are_formatted(path: Path) -> None:
    from specc.diagnostics import Findings
    from specc.source import Source
    from specc.syntax.format import format_spec
    from specc.syntax.parse import parse

    text = path.read_text(encoding="utf-8")
    tree = parse(Source(path.name, text), Findings())
    assert tree is not None
    assert format_spec(tree) == text


TRAINING = {
    "efficientnet_b0_tips": ("tips", 150, 512, "0.04", "0", "cosine"),
    "mobilenet_v2_cifar100_tips": ("tips", 200, 256, "0.08", "0", "cosine"),
    "mobilenet_v2_ofa": ("ofa", 150, 512, "0.04", "0", "cosine"),
    "mobilenet_v2_tiny_tips": ("tips", 200, 256, "0.08", "0", "cosine"),
    "resnet34_tiny_tips": ("tips", 200, 256, "0.08", "0", "cosine"),
    "resnext50_tips": ("tips", 90, 512, "0.04", "0", "cosine"),
    "wide_resnet50_2_tips": ("tips", 90, 512, "0.04", "0", "cosine"),
    "mobilenet_v2_us": ("us_net", 250, 1024, "0.5", "1e-4", "linear"),
    "mobilenet_v2_mutualnet": ("mutualnet", 250, 1024, "0.5", "1e-4", "cosine"),
    "resnet50_adn": ("adn", 150, 256, "0.1", "1e-4", "multistep"),
    "mobilenet_v2_adn": ("adn", 300, 256, "0.1", "1e-5", "multistep"),
    **dict.fromkeys((*PSS_NET_V1, *PSS_NET_V2), ("pss", 250, 1024, "0.3", "1e-4", "cosine")),
    "mobilenet_v2_tips": ("tips", 150, 512, "0.04", "0", "cosine"),
    "resnet34_tips": ("tips", 90, 512, "0.04", "0", "cosine"),
}
"""Method, epochs, images a batch, SGD's learning rate and weight decay, schedule."""


@pytest.mark.parametrize("name", TRAINING)
def test_the_papers_training_recipes(name: str) -> None:
    model = compiled(name).model
    optimizer, schedule = model.train["optimizer"], model.train["schedule"]
    assert isinstance(optimizer, Call)
    assert isinstance(schedule, Call)
    method, epochs, batch, rate, decay, shape = TRAINING[name]
    assert (model.method.name, model.train["epochs"], model.train["batch_size"]) == (method, epochs, batch)
    assert (optimizer.name, optimizer["momentum"], schedule.name) == ("sgd", Fraction("0.9"), shape)
    assert (optimizer["lr"], optimizer["weight_decay"]) == (Fraction(rate), Fraction(decay))
    if method == "adn":
        assert schedule["milestones"] == ((60, 100, 140) if epochs == 150 else (150, 225, 285))
        assert model.train["no_decay"] == ("bias", "norm")
    if method == "pss":
        assert model.train["calibrate"] == model.search["calibrate"] == 8192
    if method in ("us_net", "mutualnet"):
        assert model.train["no_decay"] == ("bias", "norm", "depthwise")
