"""Of every spec: what runs sliced, extracted, fused, as plain source and from a bundle gives the same answers; so do
torch.export and ONNX programs. The small twins decide in every run, the networks at paper size at night."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.ir.graph import Graph
from tests.helpers.comparing import images, relative, scramble
from tests.helpers.formatting import formatted
from tests.helpers.parts import part
from tests.helpers.projects import Project, assignments, compiled, plain, project
from tests.helpers.twins import OTHERS, TWINS

SHIPPED = ["digits", "digits_awn", "digits_hierarchical", "digits_mobilenet_v3_ofa", "digits_vit_adn"]
"""Twins whose programs are written in every run: a program takes seconds, and these have every kind of operator."""
SIDE = 32
"""Height and width of the images where a network takes any size."""


@dataclass(frozen=True, eq=False)
class Case:
    """One sub-network to check: `plan` is None in a network without choices."""

    at: dict[str, Any]
    plan: Any
    x: Tensor
    wanted: Tensor


@dataclass(frozen=True, eq=False)
class Shipped:
    """A spec's project with a network that has weights and norm statistics as if it were trained."""

    graph: Graph
    made: Project
    net: Any


def shipped(name: str, folder: Path) -> Shipped:
    spec = compiled(name)
    made = project(spec, folder)
    net = made.model.Model().eval()
    scramble(net)
    for module in net.modules():
        if hasattr(module, "keep_zeros"):
            module.keep_zeros()
    return Shipped(spec.graph, made, net)


@torch.no_grad()
def cases(it: Shipped, count: int) -> list[Case]:
    """The largest, the smallest and `count` random sub-networks with their sliced answers, every second calibrated."""
    found: dict[Any, Case] = {}
    for number, at in enumerate(assignments(it.graph, count)):
        x = images(it.graph, at, SIDE)
        plan = it.net.plan(plain(it.graph, at)) if it.graph.choices else None
        if plan in found:
            continue
        if plan is not None and number % 2 and it.made.calibrate is not None:
            # Enough of them that no channel varies by rounding alone where the last images are single pixels.
            others = 2 * torch.randn(16, *x.shape[1:], generator=torch.Generator().manual_seed(number)) + 0.5
            plan = it.made.calibrate.calibrate(it.net, plan, [others])
        found[plan] = Case(at, plan, x, it.net(x) if plan is None else it.net(x, plan))
    return [*found.values()]


def answers(it: Shipped, case: Case, file: Path) -> Iterator[tuple[str, Tensor]]:
    """The sub-network's answers as a module of its own, fused and as source, `file`, with its weights."""
    yield "extracted", it.made.extract.extract(it.net, case.plan)(case.x)
    if case.plan is not None:
        yield "fused", it.net.fused(case.plan)(case.x)
    static = it.made.extract.extract(it.net, case.plan, fold=False)
    writer = part(it.made, "deploy.static_source")
    with it.made.known():
        text = writer.static_source(static, "A sub-network.", (case.x,))
    file.write_text(text)
    module: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "model.py", "exec"), module)
    twin = module["Model"]().eval()
    twin.load_state_dict(static.state_dict())
    yield "source", twin(case.x)


@torch.no_grad()
def check_answers(name: str, folder: Path, count: int = 20, at_once: int = 22) -> None:
    """Sliced answers are the oracle. Of a large network only some fused ones are in memory at a time."""
    it = shipped(name, folder / "project")
    every = cases(it, count)
    (folder / "written").mkdir()
    for number, case in enumerate(every):
        for way, found in answers(it, case, folder / "written" / f"sub{number}.py"):
            assert relative(found, case.wanted) < 1e-4, (way, case.at)
    assert formatted(folder / "written") == ""
    if not it.graph.choices:
        return
    check_bundle(it, folder / "anytime", every, fused=False)
    for start in range(0, len(every), at_once):
        check_bundle(it, folder / "anytime", every[start : start + at_once], fused=True)


def check_bundle(it: Shipped, folder: Path, every: Sequence[Case], fused: bool) -> None:
    """A bundle, read into another network, answers as the one that it was made of."""
    part(it.made, "deploy.bundle").save(folder, it.net, [case.plan for case in every])
    runtime = part(it.made, "deploy.serving").Runtime.load(folder, it.made.model.Model, fused=fused)
    for number, case in enumerate(every):
        runtime.switch(number)
        assert relative(runtime.run(case.x), case.wanted) < 1e-4, ("bundle", fused, case.at)
    del runtime
    gc.collect()


@torch.no_grad()
def check_programs(name: str, folder: Path) -> None:
    """torch.export and ONNX programs of two random sub-networks; `compare` exits where answers differ."""
    it = shipped(name, folder / "project")
    programs = part(it.made, "deploy.programs")
    for case in cases(it, 2)[-2:]:
        static = it.made.extract.extract(it.net, case.plan)
        programs.write_program(static, (case.x,), case.wanted, folder / "net.pt2")
        programs.write_onnx(static, (case.x,), ["images"], case.wanted, folder / "net.onnx")


@pytest.mark.parametrize("name", TWINS)
def test_sub_networks_of_a_twin_answer_alike_however_they_run(name: str, tmp_path: Path) -> None:
    check_answers(name, tmp_path, 20 if name in SHIPPED else 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TWINS if name not in SHIPPED])
def test_twenty_sub_networks_of_every_twin_answer_alike_however_they_run(name: str, tmp_path: Path) -> None:
    check_answers(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_twenty_sub_networks_of_any_spec_answer_alike_however_they_run(name: str, tmp_path: Path) -> None:
    check_answers(name, tmp_path, at_once=5)


@pytest.mark.parametrize("name", [n if n in SHIPPED else pytest.param(n, marks=pytest.mark.slow) for n in TWINS])
def test_two_programs_of_a_twin_answer_alike(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_programs(name, tmp_path)
    out = capsys.readouterr().out
    assert out.count("torch.export: same outputs") == out.count("onnxruntime: same outputs") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_two_programs_of_any_spec_answer_alike(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_programs(name, tmp_path)
    out = capsys.readouterr().out
    assert out.count("torch.export: same outputs") == out.count("onnxruntime: same outputs") >= 1
