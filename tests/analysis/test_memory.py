"""Peak memory: what is counted on the graph, what torch allocates while a network runs, and what projects count."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from specc.codegen.graph_json import graph_json
from specc.cost.names import plain_option
from specc.cost.report import cost
from specc.ir.choice import Assignment
from specc.ir.graph import Graph
from specc.pipeline import Compiled, load
from specc.runtime.deploy.int8_files import peak_bytes
from specc.space.functions import exact
from specc.space.memory import Memory, most_alive, value
from specc.space.steps import Step
from specc.subnets.space import complete, draw
from tests.helpers.folders import SPECS, spec_names
from tests.helpers.projects import from_text, image_shape, project

TRIED = (
    "digits",
    "digits_inclusive_sparse",
    "digits_msdnet",
    "digits_mutualnet",
    "digits_vit_adn",
    "mobilenet_v2_tips",
    "mobilenet_v2_awn",
    "resnet50_adn",
)


def plain(graph: Graph, at: Assignment) -> dict[str, Any]:
    """An assignment as projects write it: decimals, yes and no."""
    table = graph.choice_table()
    return {name: plain_option(table[name], option) for name, option in at.items()}


@pytest.mark.parametrize("name", TRIED)
def test_projects_count_the_memory_that_the_compiler_reports(name: str) -> None:
    graph = load(SPECS / f"{name}.specc").graph
    memory = Memory(json.loads(graph_json(graph)))
    tried: list[Assignment] = [complete(graph, {}, "max"), complete(graph, {}, "min")]
    tried += cast("list[Assignment]", draw(graph, 5, 0, "independent").assignments)
    for at in tried:
        assert memory(plain(graph, at)) == cost(graph, at).peak_bytes


UNET = """
block double(out) { conv(out, kernel=3); norm; relu; conv(out, kernel=3); norm; relu }
block up(skip, out) { concat(skip, upsample(2)); double(out) }
supernet u {
  input image(3, 32, 32); classes 2
  norm batch
  width per_group 0.5..1.0 round 8
  stem { double(16) }
  stage d1 { maxpool(2); double(32) }
  stage d2 { maxpool(2); double(32) }
  stage u2 { up(d1, 32) }
  stage u1 { up(stem, 16) }
  stage seg { conv(classes, kernel=1, bias=yes) }
  head { pool(avg) }
}
"""
ALEXNET = """
supernet alex {
  input image(3, 224, 224); classes 10
  stem { conv(64, kernel=11, stride=4, padding=2); relu; maxpool(3, stride=2, padding=0) }
  stage s1 { conv(192, kernel=5); relu; maxpool(3, stride=2, padding=0); pool(avg, size=6) }
  head { flatten; dropout(0.5); linear(64); relu; linear(classes) }
}
"""
SQUEEZENET = """
block fire(squeeze, expand) {
  conv(squeeze, kernel=1); relu
  concat(conv(expand, kernel=1), conv(expand, kernel=3)); relu
}
supernet squeeze {
  input image(3, 64, 64); classes 10
  stem { conv(64, kernel=3, stride=2, padding=0); relu; maxpool(3, stride=2, padding=0, ceil=yes) }
  stage s1 { fire(16, 64); fire(16, 64); maxpool(3, stride=2, padding=0, ceil=yes) }
  head { pool(avg); linear(classes) }
}
"""
MIXED = """
supernet mixed {
  input image(2, 16, 16); classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { norm; relu; conv(16, kernel=3); hswish }
  stage s1 {
    residual { norm group(groups=2); conv(16, kernel=3); norm; silu; conv(16, kernel=3); norm }
    relu; concat(here, conv(8, kernel=1)); gelu; pool(avg, 3, stride=1, padding=1); conv(32, kernel=1); relu
    skippable keep { residual { conv(32, kernel=3); norm; relu6 } }
    pool(max, 2); pool(max, size=2)
  }
  head { flatten; dropout(0.1); linear(16); norm; relu; linear(classes) }
}
"""


def check_peaks(spec: Compiled, folder: Path, count: int = 3) -> None:
    """The deployed form of the largest, the smallest and some random sub-networks, run by torch."""
    made, graph = project(spec, folder), spec.graph
    net = made.model.Model().eval()
    memory = Memory(json.loads(graph_json(graph)))
    ats: list[Assignment] = [complete(graph, {}, "max"), complete(graph, {}, "min")]
    ats += cast("list[Assignment]", draw(graph, count, 0, "independent").assignments) if graph.choices else []
    for at in ats:
        full = {choice.name: at.get(choice.name, choice.largest) for choice in graph.choices}
        x = torch.zeros(1, *image_shape(graph, full))
        static = made.extract.extract(net, net.plan(plain(graph, at)) if graph.choices else None, fold=True)
        assert cost(graph, at).peak_bytes == memory(plain(graph, at)) == peak_bytes(static, x), at


@pytest.mark.parametrize("text", [UNET, ALEXNET, SQUEEZENET, MIXED], ids=["unet", "alexnet", "squeezenet", "mixed"])
def test_the_peak_is_what_torch_allocates_for_the_network_as_it_is_deployed(text: str, tmp_path: Path) -> None:
    """Skips that wait, indices of maxima, activations in place, norms that nothing takes up, views."""
    check_peaks(from_text(text), tmp_path)


@pytest.mark.parametrize(
    "name", ["digits", "digits_vit_adn", "digits_densenet", "digits_mobilenet_v3_ofa", "mobilenet_v2"]
)
def test_the_peak_of_specs_is_what_torch_allocates(name: str, tmp_path: Path) -> None:
    check_peaks(load(SPECS / f"{name}.specc"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", spec_names())
def test_the_peak_of_any_spec_is_what_torch_allocates(name: str, tmp_path: Path) -> None:
    check_peaks(load(SPECS / f"{name}.specc"), tmp_path, 2)


def test_figures_by_hand(tmp_path: Path) -> None:
    """MobileNetV2: the image, and of its second block the wide map before and after its stride. AlexNet: the image,
    the first map, the pooled one and the indices of its maxima, of eight bytes each."""
    assert cost(load(SPECS / "mobilenet_v2.specc").graph, {}).peak_bytes == 4 * (3 * 224**2 + 96 * (112**2 + 56**2))
    assert cost(from_text(ALEXNET).graph, {}).peak_bytes == 4 * (3 * 224**2 + 64 * (55**2 + 27**2 + 2 * 27**2))


def test_tensors_live_until_their_last_reader_has_run() -> None:
    """input 4 -> a 8 -> b 2, then c 1 of b and the input, which the caller holds to the end."""
    steps = [Step(["in"], ["a"]), Step(["a"], ["b"]), Step(["b", "in"], ["c"])]
    sizes = {"in": 4, "a": 8, "b": 2, "c": 1}
    assert most_alive(steps, sizes, ["in"], "c", {}) == 14
    assert most_alive(steps[:2], sizes, ["in"], "b", {}) == 14
    # an activation overwrites what nothing reads afterwards, and nothing else
    relu = [Step(["in"], ["a"]), Step(["a"], ["d"], role="overwrites")]
    sizes |= {"d": 8}
    assert most_alive(relu, sizes, ["in"], "d", {}) == 12
    assert most_alive([*relu, Step(["a", "d"], ["c"])], sizes, ["in"], "c", {}) == 21
    assert most_alive([Step(["in"], ["e"], role="overwrites")], {"in": 4, "e": 4}, ["in"], "e", {}) == 8
    # a view of a tensor holds on to all of it, and is nothing of its own
    viewed = [steps[0], steps[1], Step(["b", "part"], ["c"])]
    assert most_alive(viewed, sizes, ["in"], "c", {"part": "a"}) == 4 + 8 + 2 + 1


def test_expressions_are_exact() -> None:
    rng = random.Random(0)
    for _ in range(50):
        width = round(rng.random(), 2)
        assert value(["floor", ["mul", 100, {"choice": "w"}]], {"w": exact(width)}) == round(100 * width)
    assert value(["if", ["eq", {"choice": "kind"}, "wide"], 3, 4], {"kind": "wide"}) == 3
    assert exact(True) == 1
