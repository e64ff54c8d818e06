"""Channels that are cut because they meet a concatenation or a split: against networks written by hand, in which what a
sub-network leaves out is zero."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specc.cost.report import cost
from specc.runtime.verify import macs
from specc.space.choices import every
from specc.subnets.space import space_of
from tests.helpers.comparing import relative
from tests.helpers.projects import Project, from_text, project

HEAD = """
supernet net {{
  input image(3, 8, 8); classes 5
  width per_group 0.5..1.0 round 2
  stem {{ conv(8, kernel=3, bias=yes) }}
  stage s {{ {stage} }}
  head {{ pool(avg); linear(classes) }}
}}
"""
STAGES = {
    "ghost": "residual { y = conv(4, kernel=1, bias=yes); relu; concat(here, depthwise(kernel=3, bias=yes)) }; relu",
    "c2f": "x = conv(8, kernel=1, bias=yes); relu; (a, b) = split(2); y = conv(4, kernel=3, bias=yes, from=b); relu\n"
    "    concat(a, b, here); out = conv(6, kernel=1, bias=yes); relu",
    "transposed": "both = concat(conv(4, kernel=1, bias=yes), conv(4, kernel=1, bias=yes))\n"
    "    up = conv_transpose(8, kernel=2, stride=2, bias=yes); add(here, upsample(2, from=both))",
    "gate": "both = concat(conv(4, kernel=1, bias=yes), conv(8, kernel=1, bias=yes)); pool(avg)\n"
    "    down = linear(4); relu; up = linear(12); sigmoid; scale(both, here)",
}


def only(x: Tensor, *active: int, of: tuple[int, ...]) -> Tensor:
    """The first `active` channels of each run of so many; zeros elsewhere."""
    kept = torch.cat([torch.arange(size) < count for count, size in zip(active, of, strict=True)])
    return x * kept.to(x).view(1, -1, *(1 for _ in x.shape[2:]))


def conv(w: dict[str, Tensor], name: str, x: Tensor, **more: int) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w[f"{name}.bias"], padding=weight.shape[-1] // 2, **more)


def linear(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def ghost(w: dict[str, Tensor], x: Tensor, at: dict[str, int]) -> Tensor:
    y = at["s.y.width"]
    x = only(conv(w, "stem.conv", x), y, y, of=(4, 4))
    made = only(F.relu(conv(w, "s.y", x)), y, of=(4,))
    other = only(conv(w, "s.depthwise", made, groups=4), y, of=(4,))
    return F.relu(x + torch.cat((made, other), 1))


def c2f(w: dict[str, Tensor], x: Tensor, at: dict[str, int]) -> Tensor:
    x = only(conv(w, "stem.conv", x), at["stem.conv.width"], of=(8,))
    first, second = at["s.x.width1"], at["s.x.width2"]
    x = only(F.relu(conv(w, "s.x", x)), first, second, of=(4, 4))
    y = only(F.relu(conv(w, "s.y", x[:, 4:])), at["s.y.width"], of=(4,))
    return only(F.relu(conv(w, "s.out", torch.cat((x, y), 1))), at["s.out.width"], of=(6,))


def gate(w: dict[str, Tensor], x: Tensor, at: dict[str, int]) -> Tensor:
    x = only(conv(w, "stem.conv", x), at["stem.conv.width"], of=(8,))
    one, two = at["s.conv1.width"], at["s.conv2.width"]
    both = only(torch.cat((conv(w, "s.conv1", x), conv(w, "s.conv2", x)), 1), one, two, of=(4, 8))
    down = only(F.relu(linear(w, "s.down", both.mean((2, 3)))), at["s.down.width"], of=(4,))
    return both * torch.sigmoid(linear(w, "s.up", down))[:, :, None, None]


def transposed(w: dict[str, Tensor], x: Tensor, at: dict[str, int]) -> Tensor:
    x = only(conv(w, "stem.conv", x), at["stem.conv.width"], of=(8,))
    active = at["s.conv1.width"], at["s.conv2.width"]
    both = only(torch.cat((conv(w, "s.conv1", x), conv(w, "s.conv2", x)), 1), *active, of=(4, 4))
    up = F.conv_transpose2d(both, w["s.up.weight"], w["s.up.bias"], 2)
    return only(up, *active, of=(4, 4)) + F.interpolate(both, scale_factor=2)


BY_HAND = {"transposed": transposed, "ghost": ghost, "c2f": c2f, "gate": gate}


@pytest.fixture(params=BY_HAND)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_sub_network_is_the_network_with_zeros_elsewhere(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = from_text(HEAD.format(stage=STAGES[name]))
    made: Project = project(spec, tmp_path)
    net = made.model.Model().eval()
    w = dict(net.state_dict())
    x = torch.randn(2, 3, 8, 8)
    assert spec.graph.choices
    for chosen in every(space_of(spec.graph)):
        at = {name: int(number) for name, number in chosen.items()}
        plan = net.plan(at)
        with torch.no_grad():
            expected = linear(w, "head.linear", BY_HAND[name](w, x, at).mean((2, 3)))
            assert relative(net(x, plan), expected) < 1e-5, at
            plain = net.extract(plan)
            assert relative(plain(x), expected) < 1e-5, at
        found = cost(spec.graph, at)
        assert sum(p.numel() for p in plain.parameters()) == found.params, at
        assert macs(plain, [x[:1]]) == found.macs, at
