"""torch.compile takes the live elastic network: a graph for each plan without breaks, in every mode."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import SPECS, inputs_of
from tests.helpers.projects import Project, compiled, from_text, image_shape, project
from tests.helpers.twins import OTHERS, TWINS

JOINED = """
supernet joined {
  input image(1, resolution=8..12 step 4);  classes 4
  norm batch
  width per_group {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { concat(here, conv(8, kernel=3)); norm; relu; conv(16, kernel=1); norm }
  exit early { pool(avg); linear(classes) }
  stage s2 { skippable keep { residual { conv(16, kernel={3, 5}); norm; relu; drop_path(0.1) } } }
  head { pool(avg); dropout(0.1); linear(classes) }
}
method us_net
"""
MODES: dict[str, Callable[[], Any]] = {
    "train": nullcontext,
    "eval": nullcontext,
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
}


class Counted:
    """A backend that runs graphs as they are and counts them."""

    def __init__(self) -> None:
        self.graphs: list[fx.GraphModule] = []

    def __call__(self, graph: fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        self.graphs.append(graph)
        return graph.forward


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    texts = {**{name: text for name, (text, _, _) in SPECS.items()}, "joined": JOINED}
    return {name: project(from_text(text), tmp_path_factory.mktemp(name)) for name, text in texts.items()}


def inputs(name: str) -> tuple[Tensor, ...]:
    return (torch.randn(2, 1, 12, 12),) if name == "joined" else inputs_of(name)


def check(net: Any, plans: list[Any], given: tuple[Tensor, ...], mode: str) -> None:
    """As many graphs as plans, whatever order they come in; and the answers of the network as it is."""
    torch.compiler.reset()
    backend = Counted()
    net.train(mode == "train")
    fast: Any = torch.compile(net, backend=backend, fullgraph=True)
    with MODES[mode]():
        for plan in (*plans, *plans, *plans):
            found = fast(*given, plan)
            if mode != "train":
                wanted = net(*given, plan)
                for mine, own in zip(listed(found), listed(wanted), strict=True):
                    assert relative(mine, own) < 1e-5
    assert len(backend.graphs) == len(plans)


def listed(answers: Any) -> list[Tensor]:
    return [*answers.values()] if isinstance(answers, dict) else [answers]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["elastic", "tokens", "nested", "pairs", "joined"])
def test_two_plans_alternate_as_two_graphs(made: dict[str, Project], name: str, mode: str) -> None:
    net = made[name].model.Model()
    scramble(net)
    check(net, [net.plan("min"), net.plan("max")], inputs(name), mode)


def test_several_answers_calibrated_plans_and_the_plan_in_use_are_graphs_as_well(made: dict[str, Project]) -> None:
    net = made["joined"].model.Model().eval()
    scramble(net)
    given = inputs("joined")
    calibrate = made["joined"].calibrate
    assert calibrate is not None
    calibrated = calibrate.calibrate(net, net.plan("min"), [torch.randn(16, 1, 12, 12)])
    check(net, [net.plan("max", outputs=("early", "head")), calibrated], given, "no_grad")
    torch.compiler.reset()
    backend = Counted()
    fast: Any = torch.compile(net, backend=backend, fullgraph=True)
    with torch.no_grad():
        for at in ("min", "max", "min"):
            net.use(net.plan(at))
            assert relative(fast(*given), net(*given)) < 1e-5
    assert len(backend.graphs) == 2


def test_beyond_the_limit_plans_run_as_they_are_with_one_warning(
    made: dict[str, Project], caplog: pytest.LogCaptureFixture
) -> None:
    """torch keeps eight graphs of a function."""
    torch.compiler.reset()
    net, space = made["joined"].model.Model().eval(), made["joined"].modules["space"]
    scramble(net)
    backend = Counted()
    fast: Any = torch.compile(net, backend=backend)
    given = inputs("joined")
    plans = [net.plan(at) for at, _ in zip(space.every(), range(12), strict=False)]
    with caplog.at_level(logging.WARNING, logger="torch._dynamo"), torch.no_grad():
        for plan in plans:
            assert relative(fast(*given, plan), net(*given, plan)) < 1e-5
    assert len(backend.graphs) == torch._dynamo.config.recompile_limit == 8
    warnings = [record for record in caplog.records if "recompile_limit" in record.getMessage()]
    assert len(warnings) == 1
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_what_was_gathered_before_compiled_training_is_not_used_after_it(made: dict[str, Project]) -> None:
    """A fused optimizer's steps are not counted by torch: a call in training tells, a compiled one as well."""
    torch.compiler.reset()
    net = made["joined"].model.Model().eval()
    scramble(net)
    plan, given = net.plan("min"), inputs("joined")
    fast: Any = torch.compile(net, backend=Counted(), fullgraph=True)
    optimizer = torch.optim.Adam(net.parameters(), 0.1, fused=True)
    for _ in range(3):
        with torch.no_grad():
            before = net(*given, plan)  # remembers
        fast(*given, plan).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            after = net(*given, plan)
            copied = made["joined"].model.Model().eval()
            copied.load_state_dict(net.state_dict())
            assert relative(after, copied(*given, copied.plan("min"))) < 1e-6
            assert relative(after, before) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*TWINS, *OTHERS])
def test_two_plans_of_any_spec_alternate_as_two_graphs(name: str, mode: str, tmp_path: Path) -> None:
    spec = compiled(name)
    if not spec.graph.choices or len(spec.graph.inputs) > 1:
        return
    net = project(spec, tmp_path).model.Model()
    shape = image_shape(spec.graph, {choice.name: choice.largest for choice in spec.graph.choices})
    check(net, [net.plan("min"), net.plan("max")], (torch.randn(2, *shape),), mode)
