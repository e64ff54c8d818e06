"""What transformers cost: the papers' figures, torchvision's, and a count by hand."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from specc.cost import cost
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.subnets.space import size
from tests.helpers.folders import SPECS
from tests.helpers.networks import graph_of

TOKENS, WIDTH, HIDDEN = 50, 768, 3072
BLOCK_MACS = TOKENS * (4 * WIDTH * WIDTH + 2 * TOKENS * WIDTH + 2 * WIDTH * HIDDEN)
NORM = 2 * WIDTH
BLOCK_PARAMS = 2 * NORM + 4 * WIDTH * (WIDTH + 1) + 2 * WIDTH * HIDDEN + HIDDEN + WIDTH


def spec(name: str) -> Graph:
    return load(SPECS / f"{name}.specc").graph


def test_vit_b_32_is_torchvisions() -> None:
    with torch.device("meta"):
        net = torchvision.models.vit_b_32()
        x = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        net.train()(x)
    found = cost(spec("vit_b_32"), {})
    assert (found.params, found.macs) == (88_224_232, 4_409_186_304)
    assert found.params == found.params_total == sum(p.numel() for p in net.parameters())
    assert found.macs == counter.get_total_flops() // 2


@pytest.mark.parametrize("skipped", range(5))
def test_vit_adn_leaves_out_a_block_a_flag(skipped: int) -> None:
    """Both norms of the eight mandatory blocks stand twice; the last is shared."""
    graph = spec("vit_b_32_adn")
    assert size(graph) == 16
    at = {f"g{i + 1}.keep": int(i >= skipped) for i in range(4)}
    found = cost(graph, at)
    assert found.params_total == 88_224_232 + 8 * 2 * NORM == 88_248_808
    assert found.params == 88_224_232 - skipped * BLOCK_PARAMS
    assert found.macs == 4_409_186_304 - skipped * BLOCK_MACS
    if skipped == 4:
        assert (found.params, found.macs) == (59_872_744, 2_978_248_704)


def test_norms_of_tokens_count_two_an_element_where_asked_for() -> None:
    graph = spec("vit_b_32")
    assert cost(graph, {}, "with_norms").macs - cost(graph, {}).macs == 25 * 2 * TOKENS * WIDTH


def test_a_narrow_transformer_keeps_whole_heads() -> None:
    graph = graph_of(
        "import std.vit\nsupernet net { input image(3, 16, 16); classes 5; norm layer\n"
        "width per_group 0.25..1.0\nstem { patch_embed(4, dim=48); class_token; position }\n"
        "stage s { encoder(4, mlp=96) }; head { norm; take(class_token); linear(classes) } }\n"
    )
    features, hidden = (tuple(choice.options) for choice in graph.choices)
    assert features == (12, 24, 36, 48)
    assert hidden == tuple(range(24, 97))
    names = [choice.name for choice in graph.choices]
    found = cost(graph, dict(zip(names, (24, 30), strict=True)))
    t, c, h = 17, 24, 30
    assert found.macs == 16 * 3 * 16 * c + t * (4 * c * c + 2 * t * c + 2 * c * h) + 5 * c
    attention = next(row for row in found.ops if row.kind == "attention")
    assert attention.out == (t, c)
    assert attention.params == 4 * c * c + 4 * c
