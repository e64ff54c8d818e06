"""What kind of choice a choice is: what it decides, whatever it is called."""

from __future__ import annotations

import pytest

from specc.pipeline import load
from specc.source import Source
from tests.helpers.networks import graph_of, network, spec


def kinds(stages: str, rest: str = "", settings: str = "norm batch") -> dict[str, str]:
    return {choice.name: choice.kind for choice in graph_of(rest + spec(stages, settings)).choices}


def test_an_argument_that_counts_rounds_is_a_depth() -> None:
    block = "block group(out, layers) { conv(out, kernel=3); repeat layers { conv(out, kernel=3) } }\n"
    assert kinds("stage s1 { group(16, layers=0..2) }", block) == {"s1.b1.layers": "depth"}


def test_an_argument_that_is_a_kernel_is_one() -> None:
    block = "block group(out, size) { conv(out, kernel=size) }\n"
    assert kinds("stage s1 { group(16, size={3, 5}) }", block) == {"s1.b1.size": "kernel"}


def test_an_argument_that_multiplies_channels_is_an_expansion() -> None:
    block = "block wide(ratio) { conv(in * ratio, kernel=1); conv(16, kernel=1) }\n"
    assert kinds("stage s1 { wide(ratio={2, 3}) }", block) == {"s1.b1.ratio": "expand"}


def test_declared_choices_are_what_they_decide() -> None:
    assert kinds(
        "choice d in 1..2\n  choice k in {3, 5}\n  choice c in {8, 16}\n"
        "  stage s1 { repeat d { conv(16, kernel=k) }; conv(c, kernel=1) }"
    ) == {"d": "depth", "k": "kernel", "c": "width"}


@pytest.mark.parametrize(
    "stages",
    [
        "choice k in 1..2\n  stage s1 { repeat k { conv(8 * k, kernel=3) } }",
        "choice k in 1..2\n  stage s1 { branches 4 by k sum { conv(4, kernel=1); relu; conv(16, kernel=1) } }",
        "choice k in 1..2\n  stage s1 { when k == 1 { relu } else { relu6 } }",
        "choice k in 1..2\n  stage s1 { width by k; conv(16, kernel=3) }",
    ],
)
def test_what_decides_several_things_or_slices_is_a_value(stages: str) -> None:
    assert kinds(stages) == {"k": "value"}


def test_words_choose_operators() -> None:
    assert kinds("choice op in {a, b}\n  stage s1 { when op == a { relu } else { relu6 } }") == {"op": "operator"}


def test_once_for_all_releases_depths_that_blocks_are_given() -> None:
    block = "block group(out, layers) { conv(out, kernel=3); norm; repeat layers { conv(out, kernel={3, 5}); norm } }\n"
    text = block + spec("stage s1 { group(16, layers=0..2) }", rest="method ofa(phases=[full, kernel, depth])")
    names = [choice.name for choice in load(Source("test.specc", text)).graph.choices]
    assert names == ["s1.b1.layers", "s1.b1.conv2.kernel", "s1.b1.conv3.kernel"]


def test_other_kinds_stay() -> None:
    found = {
        c.name: c.kind for c in network("stage s1 { repeat 1..2 { skippable { conv(16, kernel={3, 5}) } } }").choices
    }
    assert found == {
        "s1.depth": "depth",
        "s1.keep1": "skip",
        "s1.keep2": "skip",
        "s1.conv1.kernel": "kernel",
        "s1.conv2.kernel": "kernel",
    }
