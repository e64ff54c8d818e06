"""Networks in eight bits: layers against whole-number arithmetic by hand, ranges against all others, the files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from specc.runtime.deploy import int8_files
from specc.runtime.deploy.int8 import WEIGHTS, int8_layer, quantised
from specc.runtime.deploy.int8_layers import Int8Conv2d
from specc.runtime.deploy.int8_ranges import BINS, LEVELS, Scale, best_range, measured, scale_of

IN, OUT = Scale(0.03, 100), Scale(0.05, 90)


def whole(x: Tensor, scale: Scale) -> Tensor:
    """The whole numbers of real ones, by the definition."""
    return torch.round(x.double() / scale.scale + scale.zero).clamp(0, 255)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 12, 3, padding=1),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2),
        nn.Linear(8, 5),
    ],
    ids=["conv", "depthwise", "grouped", "linear"],
)
@torch.no_grad()
def test_a_layer_is_whole_number_arithmetic(layer: nn.Module, relu: bool) -> None:
    """sum (q - z) w in whole numbers, then one rounding: another way of rounding may differ by one step."""
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    x = torch.randn(3, 8) if isinstance(layer, nn.Linear) else torch.randn(3, 8, 7, 7)
    made = int8_layer(layer, relu, OUT)
    found = made(torch.quantize_per_tensor(x, IN.scale, IN.zero, torch.quint8))
    scales = layer.weight.abs().flatten(1).amax(1).double() / WEIGHTS
    columns = scales.view(-1, *[1] * (layer.weight.dim() - 1))
    codes = torch.round(layer.weight.double() / columns)
    assert float(codes.abs().max()) == WEIGHTS
    q = whole(x, IN) - IN.zero
    if isinstance(layer, nn.Linear):
        sums = F.linear(q, codes)
        per = scales
    else:
        sums = F.conv2d(q, codes, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        per = scales.view(-1, 1, 1)
    real = sums * per * IN.scale
    if layer.bias is not None:
        real += layer.bias.double().view(per.shape)
    wanted = whole(real.clamp_min(0) if relu else real, OUT)
    apart = (found.int_repr().double() - wanted).abs()
    assert float(apart.max()) <= 1
    assert float((apart > 0).double().mean()) < 0.02


def test_the_range_of_least_error_is_found() -> None:
    """Brute force: numbers rounded within every shrunk range. Outliers are cut off, even numbers are not."""
    torch.manual_seed(0)
    for values in (torch.rand(20_000) * 6, torch.cat([torch.randn(500_000), torch.tensor([25.0])])):
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        counts = torch.histc(values, BINS, low, high).double()
        found = best_range(low, high, counts)

        def error(shrink: float, values: Tensor = values, low: float = low, high: float = high) -> float:
            step = (high - low) * shrink / LEVELS
            kept = values.clamp(low * shrink, high * shrink)
            return float(((torch.round(kept / step) * step - values) ** 2).mean())

        best = min(error(n / 64) for n in range(1, 65))
        assert error(found[1] / high) <= 1.05 * best
    assert found[1] < 20
    assert scale_of(0.0, 6.0) == Scale(float(f"{6 / 255:.6g}"), 0)
    assert scale_of(0.0, 0.0).zero == 0


class Small(nn.Module):
    """What networks have: relu and relu6, a residual sum, joined features, pooling, hardswish, floats."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.odd = nn.Conv2d(18, 18, 3, padding=1, groups=18)
        self.wide = nn.Conv2d(16, 18, 1)
        self.second = nn.Conv2d(34, 24, 1)
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Linear(24, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.first(x), inplace=True)
        y = F.relu(self.depthwise(x))
        x = x + y
        z = self.odd(F.relu(self.wide(x)))
        x = torch.cat((x, F.hardswish(z)), 1)
        x = F.max_pool2d(self.second(x), 2)
        x = torch.sigmoid(x) * x
        return self.last(self.dropout(x.mean((2, 3))))  # type: ignore[no-any-return]


def small() -> tuple[fx.GraphModule, list[tuple[Tensor]]]:
    torch.manual_seed(0)
    static = fx.symbolic_trace(Small().eval())
    return static, [(torch.randn(16, 3, 8, 8),) for _ in range(3)]


@torch.no_grad()
def test_a_network_keeps_its_answers_nearly() -> None:
    static, batches = small()
    made = quantised(static, batches)
    (x,) = batches[0]
    wanted, found = static(x), made(x)
    assert float((found - wanted).abs().max()) < 0.04 * float(wanted.abs().max())
    kinds = [type(made.get_submodule(str(n.target))).__name__ for n in made.graph.nodes if n.op == "call_module"]
    assert sorted(kinds) == ["Conv2d"] + ["Int8Conv2d"] * 4 + ["Int8Linear"]  # depthwise by 18: no fast kernel
    assert "dropout" not in made.code
    assert torch.equal(static(x), wanted)  # the network that it was made of has not changed
    first: Any = made.get_submodule("first")
    assert first.relu is True
    assert first.scale * 255 <= 6.001  # a relu6 is the end of the range


def test_images_decide_about_ranges_and_there_must_be_some() -> None:
    static, batches = small()
    (node,) = [n for n in static.graph.nodes if n.name == "first"]
    found = measured(static, [node], batches)[node]
    with torch.no_grad():
        values = torch.cat([static.get_submodule("first")(x) for (x,) in batches])
    assert found.scale * LEVELS <= float(values.max() - values.min()) * 1.001
    assert found.scale * LEVELS >= 0.5 * float(values.max() - values.min())
    with pytest.raises(ValueError, match="no images to calibrate with"):
        quantised(static, [])
    plain = fx.symbolic_trace(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match="no convolution and no linear layer"):
        quantised(plain, batches)


def test_a_layer_run_twice_has_two_scales_and_other_paddings_stay_floats() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1)
            self.mirror = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")

        def forward(self, x: Tensor) -> Tensor:
            return self.mirror(self.conv(self.conv(x) * 10))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    static = fx.symbolic_trace(Twice().eval())
    x = torch.randn(4, 4, 6, 6)
    made = quantised(static, [(x,)])
    scales = [float(m.scale) for m in made.modules() if isinstance(m, Int8Conv2d)]
    assert len(scales) == 2
    assert max(scales) > 2 * min(scales)
    assert type(made.get_submodule("mirror")) is nn.Conv2d
    with torch.no_grad():
        assert float((made(x) - static(x)).abs().max()) < 0.05 * float(static(x).abs().max())


LOADED = """
import sys
sys.modules["safetensors"] = None
sys.path = [p for p in sys.path if p]
import importlib.util, torch
spec = importlib.util.spec_from_file_location("shipped", "int8.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
net = module.Model().eval()
net.load_state_dict(module.load_weights("int8.safetensors"))
x, wanted = torch.load("answers.pt")
assert torch.equal(net(x), wanted)
state = {name: 0 * value if name == "last.bias" else value for name, value in net.state_dict().items()}
net.load_state_dict(state)
assert not torch.equal(net(x), wanted), "weights of before are still packed"
assert not [name for name in sys.modules if name.split(".")[0] in ("elastic", "specc")]
print("ran")
"""


def test_the_files_are_checked_measured_and_run_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    static, batches = small()
    (x,) = batches[0]
    (tmp_path / "weights.safetensors").write_bytes(bytes(1000))
    title, judge = "Small.", lambda net: float((net(x).argmax(1) == static(x).argmax(1)).float().mean())
    figures = int8_files.write_int8(static, title, (x,), ["images"], batches, tmp_path, judge)
    assert sorted(figures) == ["float32", "int8.py"]
    assert figures["float32"]["accuracy"] == 1
    assert figures["int8.py"]["accuracy"] > 0.8
    assert figures["int8.py"]["bytes"] == (tmp_path / "int8.safetensors").stat().st_size
    out = capsys.readouterr().out
    assert "int8.py and its weights: same answers" in out
    assert "float32: test accuracy 100.00%, 1 KB" in out
    with torch.no_grad():
        torch.save((x, quantised(static, batches)(x)), tmp_path / "answers.pt")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LOADED], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "ran\n", done.stderr


def test_a_torch_without_such_kernels_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    static, batches = small()
    (tmp_path / "weights.safetensors").write_bytes(bytes(1000))

    def none(*_: Any) -> Any:
        raise RuntimeError("Didn't find engine for operation quantized::conv2d_prepack")

    monkeypatch.setattr(int8_files, "quantised", none)
    figures = int8_files.write_int8(static, "Small.", batches[0], ["images"], batches, tmp_path, None)
    assert [*figures] == ["float32"]
    assert "no int8.py: Didn't find engine" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_slower_networks_are_named() -> None:
    rows: dict[str, dict[str, float]] = {
        "float32": {"accuracy": 0.9, "bytes": 4000, "ms": 1.0},
        "int8.py": {"accuracy": 0.89, "bytes": 1000, "ms": 0.5},
        "int8.onnx": {"accuracy": 0.89, "bytes": 1000, "ms": 0.5},
        "subnet.onnx": {"bytes": 4000, "ms": 0.4},
    }
    lines = int8_files.table(rows).splitlines()
    assert lines[1] == "int8.py: test accuracy 89.00%, 1 KB, 0.5 ms an image"
    assert lines[-1] == "no faster in eight bits here: int8.onnx"
