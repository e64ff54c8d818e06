"""Narrow sub-networks with operators that imports bring, as ONNX and torch.export programs: onnxruntime and torch give
the answers of the sliced network. Each has as many operators as can stand in one network: a program takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers.checks import text_of
from tests.helpers.comparing import scramble
from tests.helpers.parts import part
from tests.helpers.projects import from_text, image_shape, plain, project

NETWORKS = {
    "maps": """
        conv(12, kernel=3); prelu(channels=yes); layer_scale(0.5); standardized_conv(12, kernel=3, gain=yes)
        local_response_norm(3); norm instance; norm; affine; offset; mish; leaky_relu(0.2); elu; selu; celu; softplus
        hardtanh(-2, 2); clamp(low=-1); scale_by(0.5); shift_by(1); subtract_from(2); gelu_tanh; quick_gelu
        norm layer(affine=no); norm; norm rms; norm; norm group(groups=2, bias=no); norm
        wide = conv(12, kernel=[1, 3]); multiply(here, wide); subtract(here, wide)
    """,
    "shapes": """
        conv(16, kernel=3); pad(1, 1, 1, 1, mode=reflect); pad(1, mode=lowest); maxpool(2, ceil=yes)
        pool(avg, 3, stride=1, padding=1, count_padding=no); conv_transpose(8, kernel=4, stride=2)
        upsample(2, mode=bilinear); upsample(size=12, mode=bicubic); upsample(size=9); space_to_depth(3)
        conv(32, kernel=1); pixel_shuffle(2); x = conv(12, kernel=1); (a, b) = split(2, first=4)
        concat(b, softmax(a)); y = conv(12, kernel=1); pool(avg); channel_conv(3); sigmoid; scale(y, here)
        rows = pool(avg, over=width); multiply(y, sigmoid(rows)); pool(max, size=2)
    """,
}
TOKENS = """
    patch_embed(2, dim=16); norm layer; residual { norm; token_linear(24); gelu; token_linear(16) }
    position; norm rms(eps=1e-6); norm; prelu(channels=yes); affine; linear(12); (a, b) = split(2); multiply(a, b)
    attention(2); to_map; conv(8, kernel=3); to_tokens; class_token; take(class_token); layer_scale; linear(classes)
"""
WIDTHS = "norm batch; width per_group 0.25..1.0 round 4"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, "tokens"])
def test_a_narrow_sub_network_answers_alike_as_a_program(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = f"stage {{ {NETWORKS[name]} }}" if name in NETWORKS else ""
    spec = from_text(text_of(stages, WIDTHS, *(() if stages else (TOKENS,))))
    made = project(spec, tmp_path / "project")
    net = made.model.Model().eval()
    scramble(net)
    at = {choice.name: choice.options[0] for choice in spec.graph.choices}
    plan = net.plan(plain(spec.graph, at))
    x = torch.randn(2, *image_shape(spec.graph, at), generator=torch.Generator().manual_seed(0))
    programs = part(made, "deploy.programs")
    with torch.no_grad():
        wanted, static = net(x, plan), made.extract.extract(net, plan)
        programs.write_program(static, (x,), wanted, tmp_path / "net.pt2")
        programs.write_onnx(static, (x,), ["images"], wanted, tmp_path / "net.onnx")
    out = capsys.readouterr().out
    assert out.count("torch.export: same outputs") == out.count("onnxruntime: same outputs") == 1
