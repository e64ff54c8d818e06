"""Activations with numbers of their own, products and differences: sliced, extracted and static code agree, and each
is what torch says it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.helpers.checks import check, text_of
from tests.helpers.projects import from_text, project

STAGES = {
    "functions": "gelu_tanh; quick_gelu; mish; selu; leaky_relu; elu; celu; softplus; hardtanh; softmax",
    "layers": "repeat 2 { conv(in, kernel=3); leaky_relu(0.2); elu(0.5) }; celu(2); softplus(2, 10); hardtanh(0, 6)",
    "held by a parameter": "b(leaky_relu); b(relu); b(mish)",
    "products": "a = conv(16, kernel=3); multiply(sigmoid(a), silu(conv(in, kernel=3))); subtract(a, here)",
    "a number a place": "g = sigmoid(conv(1, kernel=3)); multiply(g, stem); norm",
    "a number a channel": "a = conv(16, kernel=1); pool(avg, size=1); conv(16, kernel=1, bias=yes); multiply(here, a)\n"
    "subtract(here, linear(16, from=pool(avg))); relu(norm(here))",
    "joined": "a = concat(conv(16, kernel=3), conv(8, kernel=1)); multiply(a, sigmoid(conv(1, kernel=3)))\n"
    "conv(16, kernel=1)",
}
BLOCK = "block b(act) { conv(16, kernel=3); act(norm(here)) }"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("settings", ["norm batch", "norm batch; width per_group 0.25..1.0 round 2"])
def test_sliced_extracted_and_static_code_agree(stage: str, settings: str, tmp_path: Path) -> None:
    check(text_of(f"stage {{ {STAGES[stage]} }}", settings, blocks=BLOCK), tmp_path)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "mish": F.mish,
    "selu": F.selu,
    "leaky_relu(0.2)": lambda x: torch.where(x > 0, x, 0.2 * x),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "elu(0.5)": lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1)),
    "celu(2)": lambda x: torch.where(x > 0, x, 2 * ((x / 2).exp() - 1)),
    "softplus(2, 10)": lambda x: torch.where(2 * x > 10, x, (1 + (2 * x).exp()).log() / 2),
    "hardtanh(0, 6)": lambda x: x.clamp(0, 6),
    "softmax": lambda x: x.exp() / x.exp().sum(1, keepdim=True),
}


@pytest.mark.parametrize("written", ACTIVATIONS)
def test_activations_are_what_their_formulas_say(written: str, tmp_path: Path) -> None:
    text = f"supernet net {{ input image(3, 4, 4); classes 3; stem {{ {written} }}; head {{ pool(avg) }} }}"
    net = project(from_text(text), tmp_path).model.Model()
    x = 4 * torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x), ACTIVATIONS[written](x).mean((2, 3)))
