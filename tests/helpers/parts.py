"""Networks for what is shipped and served, and the modules of a project's elastic/."""

from __future__ import annotations

import sys
from typing import Any

import torch

from tests.helpers.comparing import scramble
from tests.helpers.projects import Project, importing

ELASTIC = """
import std.mobilenet

supernet net {
  input image(3, resolution=12..16 step 4);  classes 4
  norm batch(bank=width)
  width uniform {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3); norm(eps=1e-3); relu6 }
  stage s1 {
    inverted_residual(16, expand=2, kernel={3, 5})
    skippable keep { inverted_residual(16, expand=2) }
    conv(24, kernel=3, bias=yes); norm; exit early { pool(avg); linear(classes) }
    maxpool(2); norm; dropout(0.2)
  }
  head { pool(avg); linear(16); norm; relu; linear(classes) }
}
method us_net(subnets=3)
"""

TOKENS = """
supernet parts {
  input image(3, 8, 8);  classes 4
  norm layer
  width uniform {0.5, 1.0} round 8
  stem { patch_embed(4, dim=16); class_token; position }
  stage s1 {
    residual { norm; attention(2) }
    skippable keep { residual { norm; linear(32); gelu; linear(16) } }
  }
  head { norm; take(class_token); linear(classes) }
}
method us_net(subnets=3)
"""

NESTED = """
choice k in 1..3
supernet nested {
  input image(2, 6, 6);  classes 3
  norm batch(bank=k)
  stem { conv(4, kernel=3) }
  stage s1 { residual { norm; relu; conv(2 * k, kernel=3); norm; relu; conv(4, kernel=1) } }
  head by k { norm; relu; pool(avg); linear(classes) }
}
method inclusive
"""

PAIRS = """
supernet pairs {
  input left image(1, 8, 8)
  input right image(1, 8, 8)
  classes 2
  width uniform {0.5, 1.0} round 8
  stem {
    a = conv(16, kernel=3, from=left)
    b = conv(16, kernel=3, from=right)
    add(a, b); relu
    concat(here, a)
  }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=2)
"""

SPECS: dict[str, tuple[str, tuple[tuple[int, ...], ...], tuple[Any, ...]]] = {
    "elastic": (ELASTIC, ((3, 16, 16),), ("max", {"width": 0.5, "s1.b1.kernel": 3}, {"exit": "early", "width": 0.75})),
    "tokens": (TOKENS, ((3, 8, 8),), ("max", "min")),
    "nested": (NESTED, ((2, 6, 6),), ("max", {"k": 2})),
    "pairs": (PAIRS, ((1, 8, 8), (1, 8, 8)), ("max", "min")),
}


def network(made: Project) -> Any:
    net = made.model.Model().eval()
    scramble(net)
    return net


def inputs_of(name: str) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, *shape, generator=generator) for shape in SPECS[name][1])


def part(made: Project, name: str) -> Any:
    """A module of the project's elastic/."""
    with importing(made.folder):
        sys.modules.update(made.modules)
        return __import__(f"elastic.{name}", fromlist=["elastic"])
