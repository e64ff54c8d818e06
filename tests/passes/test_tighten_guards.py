"""What only an optional part reads is there only where that part is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specc.cost.report import cost
from specc.ir.expr import evaluate
from specc.ir.graph import Graph
from tests.helpers.comparing import counted
from tests.helpers.networks import network, spec
from tests.helpers.projects import assignments, from_text, image_shape, plain, project

READ_IN_A_SKIPPABLE = (
    "stage s1 { a = conv(8, kernel=5); norm; conv(16, kernel=3, from=stem)\n"
    "skippable keep { concat(here, a); conv(16, kernel=1) } }"
)
GIVEN_ANEW = (
    "stage s1 { skippable keep { conv(16, kernel=3) }; h = conv(8, kernel=7)\n"
    "when keep { h = conv(8, kernel=3, from=s1) }; conv(16, kernel=1, from=h) }"
).replace("from=s1", "from=stem")
CHAIN = (
    "choice op in {one, two}\n"
    "stage s1 { a = conv(8, kernel=3); b = conv(8, kernel=1); conv(16, kernel=3, from=stem)\n"
    "when op == one { residual { conv(16, kernel=3, from=b) } } else { relu } }"
)


def guard_of(graph: Graph, name: str) -> list[int]:
    """Whether an op is present at each option of the one choice."""
    (choice,) = graph.choices
    guard = next(op.guard for op in graph.ops if op.name == name)
    return [int(bool(evaluate(guard, {choice.name: option}))) for option in choice.options]


def test_a_tensor_that_a_skippable_reads() -> None:
    graph = network(READ_IN_A_SKIPPABLE)
    assert guard_of(graph, "s1.a") == [0, 1]
    assert guard_of(graph, "s1.conv1") == [1, 1]


def test_a_tensor_that_is_given_anew() -> None:
    assert guard_of(network(GIVEN_ANEW), "s1.h1") == [1, 0]


def test_a_chain_that_one_alternative_reads() -> None:
    graph = network(CHAIN)
    assert guard_of(graph, "s1.a") == guard_of(graph, "s1.b") == [1, 0]


@pytest.mark.parametrize("stages", [READ_IN_A_SKIPPABLE, GIVEN_ANEW, CHAIN])
def test_generated_code_computes_what_is_counted(stages: str, tmp_path: Path) -> None:
    compiled = from_text(spec(stages, inputs="image(3, 8, 8)"))
    graph = compiled.graph
    with torch.device("meta"):
        net = project(compiled, tmp_path).model.Model().eval()
    for at in assignments(graph, 2):
        macs = counted(net, image_shape(graph, at), net.plan(plain(graph, at)))
        assert macs == cost(graph, at).macs, at
