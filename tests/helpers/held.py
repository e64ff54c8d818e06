"""Holds one spec against PyTorch: what is accepted runs and costs what it is said to, what is refused says why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.cost.report import cost
from specc.diagnostics import Findings, SpecError
from specc.diagnostics.render import render_all
from specc.ir.expr import Option, evaluate
from specc.ir.graph import Graph
from specc.passes.specialise import specialise
from specc.pipeline import Compiled, compile_project, load
from specc.runtime.verify import macs, scatter, size
from specc.source import Source
from specc.subnets.space import complete
from specc.syntax.format import format_spec, same
from specc.syntax.parse import parse
from tests.helpers.projects import assignments, plain, project

CLOSE = 1e-8
"""Answers that are meant to be equal may differ by this share, in double precision."""


def held(text: str, folder: Path, *, random_subnets: int = 1, exported: bool = False) -> str:
    """The name of the rule that a spec breaks; "" for one that is right, after it was compared with PyTorch."""
    formats(text)
    source = Source("drawn.specc", text)
    try:
        compiled = load(source)
    except SpecError as error:
        assert render_all(error.diagnostics)
        return error.diagnostics[0].rule.name
    compile_project(compiled)
    compare(compiled, folder, random_subnets, exported)
    return ""


def formats(text: str) -> None:
    """Formatting changes nothing that is said, and what it made is left as it is."""
    tree = parse(Source("drawn.specc", text), Findings())
    assert tree is not None, "the generator keeps to the grammar"
    once = format_spec(tree)
    again = parse(Source("drawn.specc", once), Findings())
    assert again is not None
    assert same(tree.items, again.items)
    assert format_spec(again) == once


def compare(compiled: Compiled, folder: Path, random_subnets: int, exported: bool) -> None:
    """Parameters, MACs and answers at the largest, the smallest and some random sub-networks."""
    graph = compiled.graph
    torch.manual_seed(0)
    net = project(compiled, folder / "elastic").model.Model().eval()
    scatter(net)
    net = net.double()
    drawn = assignments(graph, random_subnets)
    assert sum(p.numel() for p in net.parameters()) == cost(graph, drawn[0]).params_total
    most = cost(graph, drawn[0])
    for at in drawn:
        expected, inputs = cost(graph, at), inputs_at(graph, at)
        assert expected.params <= most.params_total
        with torch.no_grad():
            if not graph.choices:
                assert macs(net, inputs) == expected.macs
                continue
            plan = net.plan(plain(graph, at))
            sliced = net(*inputs, plan)
            extracted = net.extract(plan, fold=False)
            assert (macs(extracted, inputs), size(extracted)) == (expected.macs, expected.params), at
            agree(sliced, extracted(*inputs), at, "extracted")
            agree(sliced, net.extract(plan)(*inputs), at, "folded")
            agree(sliced, net.fused(plan)(*inputs), at, "fused")
            agree(sliced, net.fused(plan, share=True)(*inputs), at, "fused, shared")
    if graph.choices:
        static(compiled, net, drawn[-1], folder)
        if exported:
            plan, inputs = net.plan(plain(graph, drawn[-1])), inputs_at(graph, drawn[-1])
            extracted = net.extract(plan)
            program = torch.export.export(extracted, tuple(inputs)).module()
            with torch.no_grad():
                agree(extracted(*inputs), program(*inputs), drawn[-1], "exported")
    trains(net, graph, drawn[0])


def static(compiled: Compiled, net: Any, at: Mapping[str, Option], folder: Path) -> None:
    """The network that the compiler makes of one sub-network takes the weights of the bound one."""
    graph, inputs = compiled.graph, inputs_at(compiled.graph, at)
    made = project(compiled, folder / "static", specialise(graph, at))
    twin = made.model.Model().eval().double()
    plan = net.plan(plain(graph, at))
    twin.load_state_dict(net.extract(plan, fold=False).state_dict())
    with torch.no_grad():
        agree(net(*inputs, plan), twin(*inputs), at, "static")
    assert cost(specialise(graph, at), {}).macs == cost(graph, complete(graph, at)).macs


def trains(net: Any, graph: Graph, at: Mapping[str, Option]) -> None:
    """A step of training goes through every operation."""
    net.train()
    inputs = inputs_at(graph, at, batch=3)
    answer = net(*inputs)
    answer.logsumexp(1).mean().backward()
    assert torch.isfinite(answer).all()


def inputs_at(graph: Graph, at: Mapping[str, Option], batch: int = 1) -> list[Tensor]:
    """Random inputs in the sizes that a sub-network takes."""
    tensors = [graph.tensor_table()[name] for name in graph.inputs]
    shapes = [[evaluate(size, at) for size in (tensor.features, *tensor.space)] for tensor in tensors]
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes]  # type: ignore[arg-type]


def agree(a: Tensor, b: Tensor, at: Mapping[str, Option], what: str) -> None:
    """Two answers are the same but for rounding."""
    assert a.shape == b.shape, (what, dict(at))
    scale = max(float(a.abs().max()), 1e-3)
    difference = float((a - b).abs().max()) / scale
    assert difference <= CLOSE, f"{what}: {difference:.1e} at {dict(at)}"
