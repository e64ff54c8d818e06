"""The generated model of every spec against its graph and against torch: parameters, MACs, and sliced against bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.cost.report import cost
from specc.ir.graph import Graph
from specc.passes.specialise import specialise
from specc.runtime.verify import macs, scatter, size
from tests.helpers.comparing import assert_plain, counted, images, relative, scramble
from tests.helpers.folders import spec_names
from tests.helpers.projects import (
    STATIC,
    Project,
    assignments,
    compiled,
    elastic_names,
    extremes,
    image_shape,
    plain,
    project,
)

MANY = 50
FEW = 2
SMALL = ("digits", "mobilenet_v2_us", "mobilenet_v1_pss", "resnet34_tips", "resnet50_adn", "mlp80_tips")
"""What the default run compares with extracted networks, at images small enough to be quick."""


def masked(graph: Graph) -> bool:
    """Whether torch would count weights that are zero: those that a triangle per channel leaves out."""
    return any(op.connection.kind == "triangular" and op.connection.blocks is None for op in graph.ops)


def check_macs(name: str, folder: Path, count: int) -> None:
    """Masked networks are counted by their non-zeros; kernels are transformed in sliced networks only."""
    spec = compiled(name)
    made = project(spec, folder)
    with torch.device("cpu" if masked(spec.graph) else "meta"):
        net = made.model.Model().eval()
    if masked(spec.graph):
        scatter(net)
    assert sum(p.numel() for p in net.parameters()) == cost(spec.graph, extremes(spec.graph)[0]).params_total
    for at in assignments(spec.graph, count):
        plan = net.plan(plain(spec.graph, at)) if spec.graph.choices else None
        shape, expected = image_shape(spec.graph, at), cost(spec.graph, at)
        if masked(spec.graph):
            extracted = net.extract(plan, fold=False)
            found = macs(extracted, [torch.randn(1, *shape)]), size(extracted)
            assert found == (expected.macs, expected.params), at
        elif spec.model.method.name == "ofa":
            assert counted(net.extract(plan, fold=False), shape, None) == expected.macs, at
        else:
            assert counted(net, shape, plan) == expected.macs, at


@pytest.mark.parametrize("name", spec_names())
def test_parameters_and_macs_are_those_of_the_graph(name: str, tmp_path: Path) -> None:
    check_macs(name, tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", spec_names())
def test_macs_at_fifty_sub_networks(name: str, tmp_path: Path) -> None:
    check_macs(name, tmp_path, MANY)


@pytest.mark.parametrize("name", spec_names())
def test_modules_are_named_as_the_graphs_ops(name: str, tmp_path: Path) -> None:
    graph = compiled(name).graph
    with torch.device("meta"):
        net = project(compiled(name), tmp_path).model.Model()
    weighty = [op.name for op in graph.ops if op.operator.weights(op, *tensors(graph, op))]
    owners = [path for path, module in net.named_modules() if list(module.parameters(recurse=False))]
    assert list(dict.fromkeys(op_of(path, weighty) for path in owners)) == weighty


def op_of(path: str, ops: Collection[str]) -> str:
    """The op that a module belongs to: itself, a bank of a norm or a projection of an attention. "" for none."""
    while path and path not in ops:
        path = path.rpartition(".")[0]
    return path


def tensors(graph: Graph, op: Any) -> tuple[list[Any], list[Any]]:
    table = graph.tensor_table()
    return [table[name] for name in op.inputs], [table[name] for name in op.outputs]


def check_bound(name: str, folder: Path, count: int, side: int) -> None:
    """Sliced, bound by torch.fx, folded, and bound by the compiler: one network."""
    spec = compiled(name)
    graph = spec.graph
    made = project(spec, folder / "elastic")
    net = made.model.Model().eval()
    scramble(net)
    deep = sum(op.kind in ("conv", "depthwise", "linear") for op in graph.ops) > 50
    bar = 1e-4 if deep else 1e-5
    for number, at in enumerate(assignments(graph, count)):
        plan = net.plan(plain(graph, at))
        static = project(spec, folder / str(number), specialise(graph, at))
        assert_plain((static.folder / "model.py").read_text())
        twin = static.model.Model().eval()
        extracted = net.extract(plan, fold=False)
        twin.load_state_dict(extracted.state_dict())
        assert size(twin) == cost(graph, at).params
        x = images(graph, at, side)
        with torch.no_grad():
            sliced = net(x, plan)
            assert relative(twin(x), sliced) <= bar, at
            assert relative(extracted(x), sliced) <= bar, at
            assert relative(net.extract(plan)(x), sliced) <= 10 * bar, at


@pytest.mark.parametrize("name", SMALL)
def test_sliced_and_bound_networks_agree(name: str, tmp_path: Path) -> None:
    check_bound(name, tmp_path, 1, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", elastic_names())
def test_sliced_and_bound_networks_agree_at_fifty_sub_networks(name: str, tmp_path: Path) -> None:
    check_bound(name, tmp_path, MANY, 96)


@pytest.mark.parametrize("name", STATIC)
def test_static_networks_run_and_fold(name: str, tmp_path: Path) -> None:
    made: Project = project(compiled(name), tmp_path)
    assert_plain((tmp_path / "model.py").read_text())
    net = made.model.Model().eval()
    scramble(net)
    x = images(compiled(name).graph, {}, 64)
    folded = made.extract.extract(net, fold=True)
    merged = ", ".join(folded.meta["merged"].values())  # norms of branches that are one convolution
    lasting = [norm for norm in lasting_norms(compiled(name).graph) if norm not in merged]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in folded.modules()) == len(lasting)
    with torch.no_grad():
        assert relative(folded(x), net(x)) <= 1e-4


def lasting_norms(graph: Graph) -> list[str]:
    """The norms that do not stand right behind a convolution whose only reader they are."""
    writers = {op.output: op for op in graph.ops}
    readers = Counter(name for op in graph.ops for name in op.inputs)
    return [
        op.name
        for op in graph.ops
        if op.kind == "batch_norm"
        and (readers[op.inputs[0]] > 1 or writers[op.inputs[0]].kind not in ("conv", "depthwise"))
    ]


@pytest.mark.parametrize("name", ["digits", "resnet50_adn", "mobilenet_v2_tips"])
def test_training_reaches_what_is_active(name: str, tmp_path: Path) -> None:
    """Forward and backward of the smallest sub-network: its weights get gradients, absent blocks none."""
    spec = compiled(name)
    net = project(spec, tmp_path).model.Model().train()
    at = extremes(spec.graph)[1]
    x = images(spec.graph, at, 32)
    net(x, net.plan("min")).square().mean().backward()
    present = {row.name for row in cost(spec.graph, at).ops if row.params}
    for path, module in net.named_modules():
        for parameter in module.parameters(recurse=False):
            op = path.removesuffix(".0").removesuffix(".1")
            if parameter.grad is None:
                assert op not in present or path != op
            else:
                assert op in present
