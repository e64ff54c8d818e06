"""Networks in eight bits: what onnxruntime makes of an ONNX file, against rounding by hand; and what is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, fx, nn

from specc.runtime.deploy.int8_files import table, write_int8
from specc.runtime.deploy.programs import write_onnx


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
        x = F.relu6(self.first(x))
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights.safetensors").write_bytes(bytes(1000))
    return tmp_path


def test_the_file_is_made_checked_and_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    static, batches = small()
    (x,) = batches[0]
    with torch.inference_mode():
        wanted = static(x)
    write_onnx(static, (x,), ["images"], wanted, folder / "subnet.onnx")

    def accuracy_of(net: nn.Module) -> float:
        return float((net(x).argmax(1) == wanted.argmax(1)).float().mean())

    figures = write_int8(static, (x,), ["images"], batches, folder, accuracy_of)
    assert [*figures] == ["float32", "subnet.onnx", "int8.onnx"]
    assert figures["float32"]["accuracy"] == 1
    assert figures["int8.onnx"]["accuracy"] > 0.8
    assert figures["int8.onnx"]["bytes"] == (folder / "int8.onnx").stat().st_size
    out = capsys.readouterr().out
    assert "float32: test accuracy 100.00%, 1 KB" in out
    assert f"int8.onnx: test accuracy {figures['int8.onnx']['accuracy']:.2%}" in out
    # Run by the package alone, it answers nearly what the floats did.
    session = onnxruntime.InferenceSession(folder / "int8.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": x.numpy()})
    assert float((torch.from_numpy(found) - wanted).abs().max()) < 0.06 * float(wanted.abs().max())
    # Every layer's weights are whole numbers of seven bits, each channel's rounded to a scale of its own.
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(folder / "int8.onnx").graph.initializer}
    for name, layer in static.named_modules():
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        (key,) = [key for key in tensors if key.startswith(f"{name}.weight") and key.endswith("_quantized")]
        codes = torch.from_numpy(tensors[key].copy())
        scales = torch.from_numpy(tensors[key.replace("_quantized", "_scale")].copy())
        weight = layer.weight.detach()
        columns = scales.view(-1, *[1] * (weight.dim() - 1))
        assert codes.dtype == torch.int8
        assert len(scales) == len(weight)
        assert 32 <= int(codes.abs().max()) <= 64
        assert float((codes.float() * columns - weight).abs().max()) <= 0.5001 * float(scales.max())


def test_what_there_is_no_file_of_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    static, batches = small()

    def told(batches: Any) -> str:
        assert [*write_int8(static, batches0, ["images"], batches, folder, None)] == ["float32"]
        assert not (folder / "int8.onnx").exists()
        return capsys.readouterr().out

    batches0 = batches[0]
    assert "no int8.onnx: it is made of subnet.onnx, which is not there\n" in told(batches)
    (folder / "subnet.onnx").write_bytes(b"")
    assert "no int8.onnx: there are no training images to calibrate with\n" in told([])
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    out = told(batches)
    assert "no int8.onnx: " in out
    assert "pip install onnx onnxruntime\n" in out


def test_slower_networks_are_named() -> None:
    rows: dict[str, dict[str, float]] = {
        "float32": {"accuracy": 0.9, "bytes": 4000, "ms": 1.0},
        "subnet.onnx": {"bytes": 4000, "ms": 0.4},
        "int8.onnx": {"accuracy": 0.89, "bytes": 1000, "ms": 0.5},
    }
    lines = table(rows).splitlines()
    assert lines[2] == "int8.onnx: test accuracy 89.00%, 1 KB, 0.5 ms an image"
    assert lines[-1] == "no faster in eight bits here"
    assert len(table(rows | {"int8.onnx": {"bytes": 1000, "ms": 0.3}}).splitlines()) == 3
