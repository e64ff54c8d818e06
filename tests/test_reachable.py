"""Every option of every choice of every spec is one that the training of its method comes to.

Methods that list their sub-networks are trained on that list: what lies between is marked (search/test_trained.py).
Those that draw are asked for their draws, by the very functions that training calls, until each option has been seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from torch import nn

from specc.codegen.training import subnets as plain_subnets
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.methods import find_method, own_names
from specc.methods.awn.step import widths
from specc.methods.mutualnet.step import subnets_of_a_step
from specc.methods.ofa.step import Shrinking
from specc.methods.protocol import Method
from specc.methods.pss.step import build_pools
from specc.methods.tips.step import draws_of, read_importance, sub_networks
from specc.methods.us_net.step import sandwich
from specc.pipeline import Compiled, method_files
from specc.runtime.train.subnets import resolved
from tests.helpers.projects import compiled, elastic_names, from_text
from tests.helpers.space_modules import space_of_graph

Steps: TypeAlias = Iterator[Sequence[Mapping[str, Any]]]
MOST = 60_000
"""Steps after which an option that was never drawn counts as one that never is."""


def constant(method: Method, spec: Compiled, name: str) -> Any:
    """A constant of train.py, as train.py has it."""
    (found,) = (c.value for c in method.constants(spec.graph, spec.model.method) if c.name == name)
    return plain_subnets(found, spec.graph)


def written(spec: Compiled, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(method_files(spec, spec.graph)[name], encoding="utf-8")
    return path


def us_net(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    number = constant(method, spec, "SUBNETS")
    while True:
        yield sandwich(space, rng, number)


def mutualnet(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    number, resolutions = constant(method, spec, "SUBNETS"), constant(method, spec, "RESOLUTIONS")
    while True:
        yield subnets_of_a_step(space, rng, number, resolutions)


def awn(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    number = constant(method, spec, "WIDTHS")
    while True:
        yield widths(space, rng, number)


def tips(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    call = spec.model.method
    boost, keep = (float(call[name]) for name in ("boost", "keep"))  # type: ignore[arg-type]
    found = read_importance(written(spec, folder, "importance.json"), space)
    draws = draws_of(found, space, boost, keep, call["groups"] == "together")
    number = constant(method, spec, "SUBNETS")
    while True:
        yield sub_networks(space, rng, draws, number)


def ofa(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    """Steps of the last stage, in which all that was let go before is drawn, too."""
    shrinking = Shrinking(written(spec, folder, "shrinking.json"), space, nn.Module())
    assert all(stage.share > 0 for stage in shrinking.stages)
    for stage in shrinking.stages:
        shrinking.released.update(stage.drawn)
        shrinking.subnets = stage.subnets
    while True:
        yield shrinking.draws(space, rng)


def pss(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    """Steps of the first epoch, which draw from the whole space. Latencies are nobody's here: MACs stand for them."""
    budgets = constant(method, spec, "BUDGETS")
    counted = [budget for budget in budgets if budget["name"] != "latency"] or [{"name": "macs", "step": 10_000_000}]
    pools = build_pools(space.SPACE, counted, constant(method, spec, "POOLS"), folder)
    while True:
        yield space.largest(), pools.pick(rng, 0, 100).at, space.smallest()


def every_answer(method: Method, spec: Compiled, space: Any, rng: random.Random, folder: Path) -> Steps:
    """Every step trains each option of the one choice."""
    (choice,) = (name for name, options in space.CHOICES.items() if len(options) > 1)
    while True:
        yield [{choice: option} for option in space.CHOICES[choice]]


STEPS: Mapping[str, Callable[[Method, Compiled, Any, random.Random, Path], Steps]] = {
    "us_net": us_net,
    "mutualnet": mutualnet,
    "awn": awn,
    "tips": tips,
    "ofa": ofa,
    "pss": pss,
    "early_exit": every_answer,
    "inclusive": every_answer,
    "inclusive_sparse": every_answer,
}
LISTS_ALWAYS = {"independent", "adn"}


def test_every_method_is_asked() -> None:
    assert set(STEPS) | LISTS_ALWAYS == own_names()


def never(space: ModuleType, steps: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """The options of every choice that none of the steps had."""
    left = {name: {*options} for name, options in space.CHOICES.items()}
    for step in islice(steps, MOST):
        for at in step:
            for name, option in at.items():
                if name in left:
                    left[name].discard(option)
                    if not left[name]:
                        del left[name]
        if not left:
            break
    return {name: sorted(options) for name, options in left.items()}


def method_of(spec: Compiled) -> tuple[Method, Call]:
    call = spec.model.method
    method = find_method(call.name)
    assert method is not None
    return method, call


def unreached(spec: Compiled, folder: Path) -> dict[str, list[Any]]:
    """The options that no training comes to; of a method with a list, nothing but what is wrong with the list."""
    method, call = method_of(spec)
    space = space_of_graph(spec.graph)
    listed = method.listed(spec.graph, call)
    if listed is None:
        return never(space, STEPS[call.name](method, spec, space, random.Random(0), folder))
    names: Sequence[Any] = plain_subnets(listed, spec.graph)  # type: ignore[assignment]
    assert all(resolved(space, one) for one in names)
    return {}


@pytest.mark.parametrize("name", elastic_names())
def test_every_option_is_trained(name: str, tmp_path: Path) -> None:
    assert unreached(compiled(name), tmp_path) == {}


SMALL = """
supernet net {
  input image(1, 8, 8); classes 10
  norm batch
  width per_group 0.25..1.0 round 1
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { repeat 2 { skippable { residual { conv(24, kernel=3); norm; relu; conv(16, kernel={1, 3}); norm } } } }
  head { pool(avg); linear(classes) }
}
method METHOD
"""


@pytest.mark.parametrize(
    "method",
    [
        *("us_net", "us_net(subnets=3, distill=no)", "pss(budgets=[macs(step=20k)])"),
        *("tips", "tips(boost=3)", "tips(groups=apart)", "tips(boost=1)", "tips(keep=0.9)", "tips(analysis=none)"),
        "ofa(phases=[full, width, kernel, depth])",
    ],
)
def test_whatever_the_settings(method: str, tmp_path: Path) -> None:
    assert unreached(from_text(SMALL.replace("METHOD", method)), tmp_path) == {}


@pytest.mark.parametrize("name", ["digits_tips", "mobilenet_v2_tips", "resnet34_tips"])
def test_the_rarest_option_of_tips_is_in_some_draws_of_a_thousand(name: str, tmp_path: Path) -> None:
    """Whether or not its group is in the sub-network."""
    spec = compiled(name)
    space = space_of_graph(spec.graph)

    class Whole:
        CHOICES = space.CHOICES

        def largest(self) -> dict[str, Any]:
            return {}

        def canonical(self, at: dict[str, Any]) -> dict[str, Any]:
            return at

    counts: dict[tuple[str, Any], int] = {}
    steps = tips(*method_of(spec)[:1], spec, Whole(), random.Random(1), tmp_path)
    for step in islice(steps, 2000):
        for at in step[1:]:
            for pair in at.items():
                counts[pair] = counts.get(pair, 0) + 1
    rarest = min(counts.get((n, o), 0) for n, options in space.CHOICES.items() for o in options)
    assert rarest / 6000 > 0.0015


def test_a_graph_with_options_that_nothing_draws_is_noticed() -> None:
    """The test itself: an older reading of TIPS drew important groups from three quarters on."""
    graph: Graph = from_text(SMALL.replace("METHOD", "tips")).graph
    space = space_of_graph(graph)
    drawn = ([{"stem.conv.width": n, "s1.keep1": True, "s1.keep2": True}] for n in range(12, 17))
    assert set(never(space, drawn)) >= {"stem.conv.width", "s1.keep1"}
