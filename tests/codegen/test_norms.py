"""Layer and group norms in generated networks: on maps, vectors and tokens, elastic, banked and static."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specc.cost.report import cost
from tests.helpers.comparing import scramble
from tests.helpers.projects import from_text, project
from tests.helpers.transformers import check

torch.set_num_threads(1)

LAYER, GROUP = "norm layer(eps=1e-6)", "norm group(groups=4)"
UNIFORM = "width uniform {0.5, 1.0}"
SETTINGS = {
    "layer, banks by skip": ("norm layer(bank=skip)", ""),
    "layer, one width": (LAYER, UNIFORM),
    "layer, any width": (LAYER, "width any 0.25..1.0"),
    "layer, banks by width": ("norm layer(bank=width)", UNIFORM),
    "group, whole": (GROUP, ""),
    "group, banks by skip": ("norm group(4, bank=skip)", UNIFORM),
    "group, a width a group": (GROUP, "width per_group 0.5..1.0"),
    "group, any width": (GROUP, "width any 0.25..1.0"),
    "group, banks by width": ("norm group(4, bank=width)", UNIFORM),
}


def spec(norm: str, width: str = "") -> str:
    """Norms of maps in a stem and a stage, and one of a vector in the head."""
    return (
        f"supernet small {{\n  input image(3, 8, 8)\n  classes 5\n  {norm}\n  {width}\n"
        "  stem { conv(16, kernel=3); norm(bank=shared); relu }\n"
        "  stage s {\n    residual { norm; gelu; conv(16, kernel=1) }\n"
        "    skippable { conv(16, kernel=3); norm; relu }\n  }\n"
        "  head { pool(avg); norm(bank=shared); linear(classes) }\n}\n"
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_norms_of_maps_and_vectors(setting: str, tmp_path: Path) -> None:
    check(spec(*SETTINGS[setting]), tmp_path, count=2)


def test_the_groups_of_a_norm_keep_their_size() -> None:
    graph = from_text(spec(*SETTINGS["group, a width a group"])).graph
    widths = [choice for choice in graph.choices if choice.kind == "width"]
    assert widths
    assert all(tuple(choice.options) == (8, 12, 16) for choice in widths)


def test_a_layer_norm_of_a_map_normalises_every_pixel(tmp_path: Path) -> None:
    text = (
        "supernet small { input image(3, 4, 4); classes 3; norm layer(eps=1e-6)\n"
        "stem { norm }; head { pool(avg); linear(classes) } }\n"
    )
    net = project(from_text(text), tmp_path).model.Model().eval()
    scramble(net)
    x = torch.randn(2, 3, 4, 4)
    mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    norm, linear = net.stem.norm, net.head.linear
    wanted = (x - mean) / torch.sqrt(var + 1e-6) * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(net(x), linear(wanted.mean((2, 3))))


def test_norms_count_only_where_they_are_asked_for() -> None:
    graph = from_text(spec(LAYER)).graph
    at = {choice.name: choice.largest for choice in graph.choices}
    plain, counted = cost(graph, at), cost(graph, at, "with_norms")
    assert counted.macs - plain.macs == 2 * (16 * 8 * 8 * 3 + 16)


TOKENS = {
    "a resolution": "input image(3, resolution=8..16 step 4)\n  stem { patch_embed(4, dim=12); class_token }\n"
    "  stage s { encoder(2, mlp=20) }\n  head { norm; take(class_token); linear(classes) }",
    "flattened": "input image(3, 8, 8)\n  width uniform {0.5, 1.0}\n  stem { patch_embed(4, dim=12); position }\n"
    "  stage s { encoder(2, mlp=20) }\n  head { flatten; linear(classes) }",
    "padded": "input image(3, 8, 8)\n  width per_group 0.5..1.0\n"
    "  stem { patch_embed(4, dim=8); position; pad_channels(12) }\n"
    "  stage s { linear(12); relu }\n  head { take(mean); pad_channels(14); linear(classes) }",
    "after maps": "input image(3, 8, 8)\n  width uniform {0.5, 1.0}\n"
    "  stem { conv(8, kernel=3); norm; relu; patch_embed(2, dim=12); class_token; position; dropout(0.1) }\n"
    "  stage s { encoder(2, mlp=20) }\n  head { norm; take(class_token); linear(classes) }",
    "alternatives": "choice few in {0, 1}\n  input image(3, 8, 8)\n  stem { patch_embed(4, dim=12); position }\n"
    "  stage s { when few == 1 { attention(2) } else { residual { norm; attention(4) } }; linear(12); silu }\n"
    "  head { norm; take(mean); linear(classes) }",
}


@pytest.mark.parametrize("body", TOKENS)
def test_constructs_on_tokens(body: str, tmp_path: Path) -> None:
    settings = "classes 5\n  norm layer(eps=1e-6)"
    check(f"import std.vit\n\nsupernet small {{\n  {settings}\n  {TOKENS[body]}\n}}\n", tmp_path, count=2)


def test_a_width_between_listed_ones_normalises_by_the_next_larger(tmp_path: Path) -> None:
    """In the generated network: fractions such as 0.35 and 0.7 are compared exactly."""
    text = """
    supernet net {
      input image(1, 8, 8); classes 10
      norm batch(bank=width)
      width uniform 0.35..1.0 step 0.05 round 1
      stem { conv(20, kernel=3); norm; relu }
      stage s1 { conv(20, kernel=3); norm(bank=subnet); relu }
      head { pool(avg); linear(classes) }
    }
    method independent(subnets=[max, at(width=0.35), at(width=0.7)])
    """
    net = project(from_text(text), tmp_path).model.Model()
    assert (len(net.stem.norm), len(net.s1.norm)) == (3, 3)
    for hundredths in range(35, 101, 5):
        plan = net.plan({"width": hundredths / 100})
        place = 0 if hundredths <= 35 else 1 if hundredths <= 70 else 2
        assert (plan.stem.norm.bank, plan.s1.norm.bank) == (place, (1, 2, 0)[place])
