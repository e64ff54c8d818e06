"""Attention inside windows and grids of a map, with relative positions and cosine scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import maxvit, swin_transformer

from specc.cost import cost
from specc.ops.window_attention.torch import ElasticWindowAttention, WindowAttention
from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import from_text, project
from tests.helpers.transformers import check

torch.set_num_threads(1)

SWIN = "window=4, shift=2, position=relative"
SWIN_V2 = "window=4, shift=1, position=continuous, position_hidden=16, scores=cosine, key_bias=none"


def spec(attention: str, settings: str = "", image: str = "3, 24, 24") -> str:
    """A small network on a map of 12 x 12 pixels, of 24 channels."""
    return (
        f"supernet small {{\n  input image({image})\n  classes 5\n  norm layer\n{settings}"
        f"  stem {{ conv(24, kernel=2, stride=2, padding=0) }}\n"
        f"  stage s {{ residual {{ norm; attention({attention}) }} }}\n"
        "  head { norm; pool(avg); linear(classes) }\n}\n"
    )


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 8), (7, 9), (3, 4), (4, 9)])
@pytest.mark.parametrize("shift", [(0, 0), (2, 2), (1, 3)])
@pytest.mark.parametrize("v2", [False, True])
def test_windows_are_swins(height: int, width: int, shift: tuple[int, int], v2: bool) -> None:
    """Torchvision's modules, on maps that windows divide, that they do not, and that one covers."""
    make = swin_transformer.ShiftedWindowAttentionV2 if v2 else swin_transformer.ShiftedWindowAttention
    theirs = make(12, [4, 4], [*shift], 3)
    coordinates = {name: value.clone() for name, value in theirs.named_buffers()}
    more: Any = {"position": "continuous", "scores": "cosine", "key_bias": "zero"} if v2 else {"position": "relative"}
    ours = WindowAttention(12, 3, window=4, shift=shift, **more)
    scramble(theirs)
    theirs.load_state_dict(coordinates, strict=False)
    copied(theirs, ours)
    x = torch.randn(2, height, width, 12)
    torch.testing.assert_close(ours(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), theirs(x), atol=1e-5, rtol=1e-4)


def copied(theirs: nn.Module, ours: nn.Module) -> None:
    """The weights of torchvision's attention."""
    state = dict(theirs.named_parameters())
    names = {"qkv.weight": "qkv.weight", "qkv.bias": "qkv.bias", "out.weight": "proj.weight", "out.bias": "proj.bias"}
    if "logit_scale" in state:
        names |= {"log_scale": "logit_scale", "positions.hidden.weight": "cpb_mlp.0.weight"}
        names |= {"positions.hidden.bias": "cpb_mlp.0.bias", "positions.out.weight": "cpb_mlp.2.weight"}
    else:
        names["positions.weight"] = "relative_position_bias_table"
    own = dict(ours.named_parameters())
    assert own.keys() == names.keys()
    with torch.no_grad():
        for name, other in names.items():
            own[name].copy_(state[other].reshape(own[name].shape))


@pytest.mark.parametrize("kind", ["window", "grid"])
def test_grids_are_maxvits(kind: str) -> None:
    """Torchvision's partition attention without its residuals, norm and perceptron."""
    theirs = maxvit.PartitionAttentionLayer(12, 4, 3, kind, (6, 6), 1, nn.GELU, nn.LayerNorm, 0.0, 0.0, 0.0)
    scramble(theirs)
    inner = theirs.attn_layer[1]
    options: Any = {kind: 3}
    ours = WindowAttention(12, 3, position="relative", scale=12**-0.5, **options)
    state = {"qkv": inner.to_qkv, "out": inner.merge}
    with torch.no_grad():
        for name, layer in state.items():
            getattr(ours, name).load_state_dict(layer.state_dict())
        ours.positions.weight.copy_(inner.relative_position_bias_table)
    x = torch.randn(2, 12, 6, 6)
    parts = theirs.partition_swap(theirs.partition_op(x, theirs.p))
    wanted = theirs.departition_op(theirs.departition_swap(inner(parts)), theirs.p, 6 // theirs.p, 6 // theirs.p)
    torch.testing.assert_close(ours(x), wanted)


def test_positions_of_tokens_beside_a_class_token() -> None:
    """Three distances more: from the class token, to it, and from it to itself (BEiT)."""
    timm = pytest.importorskip("timm.models.beit")
    theirs = timm.Attention(12, num_heads=3, qkv_bias=True, window_size=(3, 3))
    scramble(theirs)
    ours = WindowAttention(12, 3, area=3, extra=True, position="relative", key_bias="none")
    with torch.no_grad():
        ours.qkv.weight.copy_(theirs.qkv.weight)
        ours.q_bias.copy_(theirs.q_bias)
        ours.v_bias.copy_(theirs.v_bias)
        ours.out.load_state_dict(theirs.proj.state_dict())
        ours.positions.weight.copy_(theirs.relative_position_bias_table)
    x = torch.randn(2, 10, 12)
    torch.testing.assert_close(ours(x), theirs(x))


def test_without_windows_it_is_attention_between_all_pixels() -> None:
    ours, plain = WindowAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    scramble(ours)
    with torch.no_grad():
        plain.in_proj_weight.copy_(ours.qkv.weight)
        plain.in_proj_bias.copy_(ours.qkv.bias)
        plain.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 12, 3, 5)
    tokens = x.flatten(2).transpose(1, 2)
    wanted = plain(tokens, tokens, tokens)[0].transpose(1, 2).view(x.shape)
    torch.testing.assert_close(ours(x), wanted)


@pytest.mark.parametrize("position", ["relative", "continuous"])
def test_fewer_heads_are_the_first_heads_on_the_first_features(position: str) -> None:
    options: Any = {"window": 2, "shift": 1, "position": position, "hidden": 8, "scores": "cosine", "key_bias": "none"}
    attention = ElasticWindowAttention(24, 4, 6, 2, **options)
    scramble(attention)
    cut = attention.cut(12, 2, 1)
    alone = attention.extracted(cut)
    x = torch.randn(2, 12, 4, 4)
    torch.testing.assert_close(attention(x, cut), alone(x))
    rows = torch.tensor([*range(12), *range(24, 30), *range(36, 42)])
    assert torch.equal(alone.qkv.weight, attention.qkv.weight[rows, :12])
    assert torch.equal(alone.log_scale, attention.log_scale[:2])
    assert torch.equal(alone.v_bias, attention.v_bias[:6])
    assert attention.cut(24, 4, 2) is None


FORMS = {
    "width": ("  width uniform {0.5, 1.0}\n", "4, window=6", "3, 24, 24"),
    "width of swin": ("  width per_group 0.25..1.0\n", f"4, {SWIN}", "3, 24, 24"),
    "heads of swin v2": ("", f"{{1, 3, 4}}, head_dim=6, {SWIN_V2}", "3, 24, 24"),
    "padded windows": ("  width uniform {0.5, 1.0}\n", "2, window=5, shift=2, position=relative", "3, 24, 24"),
    "resolution": ("  width uniform {0.5, 1.0}\n", f"{{2, 4}}, {SWIN}", "3, resolution=12..24 step 6"),
    "grid": ("  width uniform {0.5, 1.0}\n", "4, grid=3, position=relative", "3, 24, 24"),
    "whole": ("", "{2, 4}, position=relative, scale=0.5", "3, 24, 12"),
    "shared keys": ("  width uniform {0.5, 1.0}\n", "4, kv_heads=2, window=[3, 4], qk_norm=rms", "3, 24, 24"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_sub_network_computes_and_costs_what_it_should(form: str, tmp_path: Path) -> None:
    settings, attention, image = FORMS[form]
    check(spec(attention, settings, image), tmp_path)


def test_counts_by_hand() -> None:
    """12 x 12 pixels in windows of 5 x 5, which fill 15 x 15; 4 heads of 6 features."""
    graph = from_text(spec("4, window=5, position=relative")).graph
    found, without = cost(graph, {}), cost(from_text(spec("4")).graph, {})
    assert found.params - without.params == 9 * 9 * 4
    all_pixels = 4 * 144 * 24 * 24 + 2 * 144 * 144 * 24
    assert found.macs - without.macs == 4 * 225 * 24 * 24 + 2 * 225 * 25 * 24 - all_pixels


def test_swin_t_is_torchvisions(tmp_path: Path) -> None:
    """specs/swin_t.specc with torchvision's weights computes what torchvision computes."""
    made = project(from_text(Path("specs/swin_t.specc").read_text()), tmp_path / "project")
    net = made.model.Model().eval()
    theirs = torchvision.models.swin_t().eval()
    scramble(theirs)
    taken_over(theirs, net)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert relative(net(x), theirs(x)) <= 1e-5


def taken_over(theirs: nn.Module, net: nn.Module) -> None:
    """All weights of torchvision's Swin, layer after layer: a patch merging's norm stands behind its linear layer."""
    layers = [m for m in theirs.modules() if isinstance(m, (nn.Conv2d, nn.LayerNorm, nn.Linear)) and owner(theirs, m)]
    attentions = [m for m in theirs.modules() if isinstance(m, swin_transformer.ShiftedWindowAttention)]
    own = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.LayerNorm, nn.Linear)) and owner(net, m)]
    for mine, other in zip([m for m in net.modules() if hasattr(m, "in_use")], attentions, strict=True):
        copied(other, mine)
    for kind in ((nn.LayerNorm,), (nn.Conv2d, nn.Linear)):
        pairs = zip([m for m in own if isinstance(m, kind)], [m for m in layers if isinstance(m, kind)], strict=True)
        for mine, other in pairs:
            mine.load_state_dict({n: v.reshape(getattr(mine, n).shape) for n, v in other.state_dict().items()})


def owner(net: nn.Module, layer: nn.Module) -> bool:
    """Whether a layer stands in no attention."""
    path = next(path for path, module in net.named_modules() if module is layer)
    return ".attn." not in path and ".attention." not in path


@pytest.mark.slow
@pytest.mark.parametrize("attention", [SWIN, SWIN_V2, "grid=3, position=relative"])
def test_it_is_exported(attention: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = project(from_text(spec("{2, 4}, " + attention)), tmp_path / "project")
    programs = part(made, "deploy.programs")
    net: nn.Module = made.model.Model().eval()
    scramble(net)
    static, x = net.extract(net.plan("min")), torch.randn(2, 3, 24, 24)  # type: ignore[operator]
    with torch.no_grad():
        wanted = static(x)
        assert relative(net(x, net.plan("min")), wanted) <= 1e-5  # type: ignore[operator]
    writer = part(made, "deploy.static_source")
    with made.known():
        source = writer.static_source(static, "A network.", (x,))
    names: dict[str, object] = {"__name__": "written"}
    exec(source, names)  # as a file of its own
    alone: nn.Module = names["Model"]()  # type: ignore[operator]
    alone.load_state_dict(static.state_dict())
    assert_same(alone.eval()(x), wanted)
    programs.write_program(static, (x,), wanted, tmp_path / "net.pt2")
    programs.write_onnx(static, (x,), ["x"], wanted, tmp_path / "net.onnx")
    out = capsys.readouterr().out
    assert "torch.export: same outputs" in out
    assert "onnxruntime: same outputs" in out


def assert_same(answer: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(answer, wanted)
