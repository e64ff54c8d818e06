"""Vision transformers: torchvision's as an oracle, and elastic ones against their own extracted twins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from tests.helpers.comparing import relative, scramble
from tests.helpers.formatting import formatted
from tests.helpers.projects import from_text, project
from tests.helpers.transformers import check

torch.set_num_threads(1)


def spec(stage: str, settings: str = "", stem: str = "class_token\n    position", take: str = "class_token") -> str:
    """A small transformer on images of 16 x 16: 16 patches, 24 features, heads of 6."""
    return (
        "import std.vit\n\nsupernet small {\n  input image(3, 16, 16)\n  classes 5\n"
        f"  norm layer(eps=1e-6)\n{settings}  stem {{\n    patch_embed(4, dim=24)\n    {stem}\n  }}\n{stage}"
        f"  head {{\n    norm(bank=shared)\n    take({take})\n    linear(classes)\n  }}\n}}\n"
    )


STATIC = spec("  stage s { repeat 3 { encoder(4, mlp=40) } }\n")


def torchvisions() -> VisionTransformer:
    net = VisionTransformer(
        image_size=16, patch_size=4, num_layers=3, num_heads=4, hidden_dim=24, mlp_dim=40, num_classes=5
    )
    scramble(net)
    return net.eval()


def with_weights_of(net: nn.Module, other: VisionTransformer) -> None:
    """Copies by order: ours begin with the patch embedding, torchvision's with the class token."""
    token, weight, bias, *rest = other.parameters()
    mine, theirs = list(net.parameters()), [weight, bias, token, *rest]
    assert [p.shape for p in mine] == [p.shape for p in theirs]
    with torch.no_grad():
        for p, q in zip(mine, theirs, strict=True):
            p.copy_(q)


def test_a_static_transformer_computes_what_torchvisions_does(tmp_path: Path) -> None:
    made = project(from_text(STATIC), tmp_path)
    net, other = made.model.Model().eval(), torchvisions()
    with_weights_of(net, other)
    x = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        assert relative(net(x), other(x)) <= 1e-5
        assert relative(made.extract.extract(net)(x), other(x)) <= 1e-5
    net.train()
    torch.testing.assert_close(gradients(net, x), gradients(other.train(), x), rtol=1e-4, atol=1e-6)
    assert formatted(tmp_path / "model.py") == ""


def gradients(net: nn.Module, x: torch.Tensor) -> list[float]:
    """The sizes of the parameters' gradients, sorted."""
    net.zero_grad()
    net(x).logsumexp(1).mean().backward()
    return sorted(float(p.grad.norm()) for p in net.parameters() if p.grad is not None)


PAIR = "{ encoder(4, mlp=40); skippable { encoder(4, mlp=40) } }\n"
STAGES = {
    "one width": ("  width uniform {0.5, 1.0}\n", "  stage s { repeat 2 { encoder(4, mlp=40) } }\n"),
    "a width a group": ("  width per_group 0.25..1.0\n", "  stage s { repeat 2 { encoder(4, mlp=40) } }\n"),
    "any width": ("  width any 0.25..1.0\n", "  stage s { encoder(4, mlp=40) }\n"),
    "elastic depth": ("", "  stage s { repeat 1..3 { encoder(4, mlp=40) } }\n"),
    "elastic perceptrons": ("", "  stage s { repeat 2 { encoder(4, mlp={20, 40}) } }\n"),
    "elastic heads": ("", "  stage s { encoder({1, 2, 4}, mlp=40); encoder({2, 4}, mlp=40) }\n"),
    "elastic heads and width": (
        "  width uniform {0.5, 1.0}\n",
        "  stage s { repeat 2 { encoder({2, 4}, mlp=40) } }\n",
    ),
    "skipped blocks": ("  norm layer(eps=1e-6, bank=skip)\n", f"  stage s {PAIR}  stage t {PAIR}"),
    "banks by width": (
        "  width uniform {0.5, 1.0}\n  norm layer(bank=width)\n",
        f"  stage s {PAIR}",
    ),
    "noise": (
        "  width uniform {0.5, 1.0}\n",
        "  stage s { encoder(4, mlp=40, dropout=0.1, attention_dropout=0.2, drop_path=0.3) }\n",
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_elastic_transformers(stage: str, tmp_path: Path) -> None:
    check(spec(STAGES[stage][1], STAGES[stage][0]), tmp_path)


def test_a_transformer_without_a_class_token(tmp_path: Path) -> None:
    settings, body = STAGES["one width"]
    check(spec(body, settings, stem="position", take="mean"), tmp_path)


def test_a_network_in_training_is_extracted_in_eval_mode(tmp_path: Path) -> None:
    """Neither the dropout inside attention nor any other is recorded, and the network goes on training."""
    settings, stage = STAGES["noise"]
    net = project(from_text(spec(stage, settings)), tmp_path).model.Model()
    scramble(net)
    x, plan = torch.randn(2, 3, 16, 16), net.plan("min")
    extracted = net.extract(plan)
    assert net.training
    assert net.s.b1.attention.training
    with torch.no_grad():
        assert not torch.equal(net(x, plan), net(x, plan))
        assert relative(extracted(x), net.eval()(x, plan)) <= 1e-5


def test_bound_transformers_hold_plain_layers_and_can_be_exported(tmp_path: Path) -> None:
    settings, stage = STAGES["one width"]
    net = project(from_text(spec(stage, settings)), tmp_path).model.Model().eval()
    scramble(net)
    extracted = net.extract(net.plan("min"))
    assert not [m for m in extracted.modules() if "Elastic" in type(m).__name__ or "Banked" in type(m).__name__]
    x = torch.randn(3, 3, 16, 16)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(extracted, (x,), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        assert relative(program.module()(x[:2]), extracted(x[:2])) <= 1e-5
