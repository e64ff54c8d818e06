"""What export.py --int8 writes: the network in eight bits as source and as ONNX, and what that gains and costs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, fx, nn

from specc.runtime.deploy.checked import Answers
from specc.runtime.deploy.exporting import write_source
from specc.runtime.deploy.int8 import quantised
from specc.runtime.latency.alive import peak_bytes
from specc.runtime.latency.timing import measure

Inputs: TypeAlias = tuple[Tensor, ...]
Judge: TypeAlias = Callable[[nn.Module], float]

IMAGES: Final = 512
"""Training images that say which numbers occur."""


def write_int8(
    static: fx.GraphModule,
    title: str,
    inputs: Inputs,
    names: Sequence[str],
    batches: Sequence[Inputs],
    folder: Path,
    judge: Judge | None,
) -> dict[str, dict[str, float]]:
    """int8.py with int8.safetensors, and int8.onnx of the folder's subnet.onnx. Returns and prints figures of each.

    static   a bound network, norms folded
    inputs   what it is checked and timed with; `names` are theirs in the ONNX file
    batches  inputs of training images
    judge    accuracy of a network of these inputs, None where there is none to ask for

    The figures are accuracy, bytes of the file, peak activation memory in torch, and ms
    an image: of one image, on one thread of this CPU, the fastest of many.
    """
    figures = {"float32": measured(static, inputs, folder / "weights.safetensors", judge)}
    try:
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor.* are deprecated")
        small = quantised(static, batches)
        with torch.inference_mode():
            answers = small(*inputs)
        files = ("int8.py", "int8.safetensors")
        write_source(small, f"{title} In eight bits.", inputs, answers, folder, *files)
        figures["int8.py"] = measured(small, inputs, folder / "int8.safetensors", judge)
    except (ValueError, RuntimeError) as error:
        (folder / "int8.safetensors").unlink(missing_ok=True)
        print(f"no int8.py: {error}")
    if (folder / "subnet.onnx").is_file():
        try:
            net = onnx_int8(folder / "subnet.onnx", folder / "int8.onnx", names, batches)
            figures["int8.onnx"] = measured(net, inputs, folder / "int8.onnx", judge)
            float_net = OnnxNet(folder / "subnet.onnx", names)
            figures["subnet.onnx"] = measured(float_net, inputs, folder / "subnet.onnx", None)
        except ImportError as error:
            print(f"no int8.onnx: {error}; pip install onnx onnxruntime")
    print(table(figures))
    return figures


def measured(net: nn.Module, inputs: Inputs, file: Path, judge: Judge | None) -> dict[str, float]:
    """A network's figures."""
    one = tuple(x[:1] for x in inputs)
    layers: list[Any] = [layer for layer in net.modules() if hasattr(layer, "_packed")]
    for layer in layers:
        layer._packed = None  # anew: the kernels are fastest at the batch size that they ran first
    ms = 1000 * measure(net, one).fastest
    known = {} if judge is None else {"accuracy": round(judge(net), 5)}
    size = {} if isinstance(net, OnnxNet) else {"peak_bytes": peak_bytes(net, *one)}
    return {**known, "bytes": file.stat().st_size, **size, "ms": round(ms, 4)}


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each of them; and a plain word where eight bits are no faster."""
    lines = []
    for name, row in figures.items():
        accuracy = f"test accuracy {row['accuracy']:.2%}, " if "accuracy" in row else ""
        size, time = f"{row['bytes'] / 1000:,.0f} KB", f"{row['ms']:.3g} ms an image"
        peak = f"{row['peak_bytes'] / 1000:,.3g} KB of activations, " if "peak_bytes" in row else ""
        lines.append(f"{name}: {accuracy}{size}, {peak}{time}")
    pairs = (("int8.py", "float32"), ("int8.onnx", "subnet.onnx"))
    slow = [a for a, b in pairs if a in figures and figures[a]["ms"] >= figures[b]["ms"]]
    if slow:
        lines.append(f"no faster in eight bits here: {', '.join(slow)}")
    return "\n".join(lines)


class OnnxNet(nn.Module):
    """An ONNX file as a network: one thread of the CPU, one answer or a dict of them."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.names = tuple(names)

    def forward(self, *inputs: Tensor) -> Answers:
        given = {name: x.numpy() for name, x in zip(self.names, inputs, strict=True)}
        keys = [output.name for output in self.session.get_outputs()]
        found = [*map(torch.from_numpy, self.session.run(keys, given))]
        return found[0] if len(found) == 1 else dict(zip(keys, found, strict=True))


def onnx_int8(
    float_file: Path, path: Path, names: Sequence[str], batches: Sequence[Inputs]
) -> OnnxNet:
    """An ONNX file in eight bits, as onnxruntime's own quantiser makes it of one in floats."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, rows: Iterator[Inputs]) -> None:
            self.rows = rows

        def get_next(self) -> dict[str, Any] | None:
            row = next(self.rows, None)
            if row is None:
                return None
            return {name: x.numpy() for name, x in zip(names, row, strict=True)}

    logging.disable(logging.WARNING)  # it asks for a step that the float file has behind it
    quantize_static(
        float_file,
        path,
        Reader(iter(batches)),
        per_channel=True,
        reduce_range=True,  # as in int8.py: weights in seven bits
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    logging.disable(logging.NOTSET)
    return OnnxNet(path, names)
