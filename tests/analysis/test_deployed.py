"""Costs as deployed: what torch counts of the extracted sub-network with norms folded and branches merged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from specc.codegen.graph_json import graph_json
from specc.cost.report import cost
from specc.ir.choice import Assignment
from specc.pipeline import Compiled, load
from specc.runtime.deploy.int8_files import peak_bytes
from specc.space.memory import Memory
from specc.subnets.space import enumerate_space
from tests.helpers.branches import ELASTIC, KEPT, MERGED, branched
from tests.helpers.comparing import counted
from tests.helpers.folders import SPECS, spec_names
from tests.helpers.projects import compiled, extremes, from_text, image_shape, plain, project


def check(spec: Compiled, folder: Path, sub_networks: Sequence[Assignment]) -> None:
    """Parameters, multiply-accumulates and peak memory of some sub-networks, as torch has them."""
    graph = spec.graph
    found = project(spec, folder)
    net = found.model.Model().eval()
    memory = Memory(json.loads(graph_json(graph)))
    for at in sub_networks:
        full = {choice.name: at.get(choice.name, choice.largest) for choice in graph.choices}
        shape = image_shape(graph, full)
        static = found.extract.extract(net, net.plan(plain(graph, at)) if graph.choices else None, fold=True)
        report = cost(graph, at, deployed=True)
        assert report.params == report.params_total == sum(p.numel() for p in static.parameters()), at
        assert report.peak_bytes == memory(plain(graph, at)) == peak_bytes(static, torch.zeros(1, *shape)), at
        assert report.macs == counted(static.to("meta"), shape), at


@pytest.mark.parametrize("name", [*MERGED, *KEPT])
def test_branches_cost_what_is_left_of_them(name: str, tmp_path: Path) -> None:
    check(from_text(branched((MERGED | KEPT)[name][0])), tmp_path, [{}])


@pytest.mark.parametrize("norm", ["", "(bank=width)"])
def test_every_sub_network_costs_what_is_left_of_it(norm: str, tmp_path: Path) -> None:
    spec = from_text(branched(ELASTIC, "width uniform {0.5, 1.0} round 8", norm, "\nmethod us_net(subnets=3)\n"))
    check(spec, tmp_path, [*enumerate_space(spec.graph)])


@pytest.mark.parametrize("name", ["digits", "digits_vit_adn", "digits_repvgg", "digits_densenet"])
def test_specs_cost_what_is_left_of_them(name: str, tmp_path: Path) -> None:
    spec = compiled(name)
    check(spec, tmp_path, extremes(spec.graph))


@pytest.mark.slow
@pytest.mark.parametrize("name", spec_names())
def test_any_spec_costs_what_is_left_of_it(name: str, tmp_path: Path) -> None:
    spec = load(SPECS / f"{name}.specc")
    check(spec, tmp_path, extremes(spec.graph))


def test_repvgg_a0_costs_what_is_published() -> None:
    """timm's repvgg_a0 before and after `reparameterize_model`."""
    graph = compiled("repvgg_a0").graph
    trained, deployed = cost(graph, {}), cost(graph, {}, deployed=True)
    assert (trained.params, trained.macs) == (9_108_968, 1_512_581_120)
    assert (deployed.params, deployed.macs) == (8_309_384, 1_361_451_008)
    assert [row.kind for row in deployed.ops] == [*["conv", "relu"] * 22, "pool", "linear"]
