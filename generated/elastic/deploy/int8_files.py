"""What export.py --int8 writes: the ONNX file in eight bits, by onnxruntime's quantiser, and what that gains and costs.

Weights and activations are whole numbers. onnxruntime runs them fastest of what there is for CPUs, and needs no
compiler: torchao's programs (PT2E) need one for C++ wherever they run, and are slower than floats without it; torch's
own kernels for whole numbers are deprecated.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from elastic.deploy.checked import Outputs
from elastic.latency.timing import measure
from elastic.train.scores import ACCURACY, Metric, valued


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the memory of tensors from the operation that makes them until nobody holds them any more.

    Several tensors on one memory, as views are, count once. `known` are memories that do not count.
    """

    def __init__(self, known: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known = known
        self.holders: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.now = self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.hold(tensor)
        return made

    def hold(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        key = memory._cdata
        if key in self.known:
            return
        if key not in self.holders:
            self.holders[key], self.sizes[key] = 0, memory.nbytes()
            self.now += memory.nbytes()
            self.most = max(self.most, self.now)
        self.holders[key] += 1
        weakref.finalize(tensor, self.drop, key)

    def drop(self, key: int) -> None:
        self.holders[key] -= 1
        if not self.holders[key]:
            del self.holders[key]
            self.now -= self.sizes.pop(key)


@torch.no_grad()
def peak_bytes(net: nn.Module, *inputs: Tensor) -> int:
    """The most bytes alive while a network runs, its inputs among them all the time. Weights do not count."""
    tensors = [*net.parameters(), *net.buffers()]
    alive = Alive({tensor.untyped_storage()._cdata for tensor in tensors})
    for x in inputs:
        alive.hold(x)
    with alive:
        net(*inputs)
    return alive.most


Inputs: TypeAlias = tuple[Tensor, ...]
ValueOf: TypeAlias = Callable[[nn.Module], float]

IMAGES: Final = 512
"""Training images that say which numbers occur."""


def write_int8(
    static: nn.Module,
    inputs: Inputs,
    names: Sequence[str],
    batches: Sequence[Inputs],
    folder: Path,
    value_of: ValueOf | None,
    metric: Metric = ACCURACY,
) -> dict[str, dict[str, float]]:
    """int8.onnx of the folder's subnet.onnx. Returns and prints figures of both, and of the network in torch.

    static   an extracted network, norms folded
    inputs   what it is checked and timed with; `names` are theirs in the ONNX file
    batches  inputs of training images
    value_of  the value of `metric` of a network of these inputs; None where it has several outputs

    The figures are that value, bytes of the file, peak activation memory in torch, and ms
    an image: of one image, on one thread of this CPU, the fastest of many. Where there is no int8.onnx, it says why.
    """
    figures = {
        "float32": measured(static, inputs, folder / "weights.safetensors", value_of, metric)
    }
    floats, small = folder / "subnet.onnx", folder / "int8.onnx"
    try:
        if not floats.is_file():
            raise ValueError(f"it is made of {floats.name}, which is not there")
        if not batches:
            raise ValueError("there are no training images to calibrate with")
        quantise(floats, small, names, batches)
        figures[floats.name] = measured(OnnxNet(floats, names), inputs, floats, None, metric)
        figures[small.name] = measured(OnnxNet(small, names), inputs, small, value_of, metric)
    except ImportError as error:
        print(f"no {small.name}: {error}; pip install onnx onnxruntime")
    except ValueError as error:
        print(f"no {small.name}: {error}")
    print(table(figures, metric))
    return figures


def measured(
    net: nn.Module, inputs: Inputs, file: Path, value_of: ValueOf | None, metric: Metric
) -> dict[str, float]:
    """A network's figures."""
    one = tuple(x[:1] for x in inputs)
    ms = 1000 * measure(net, one).fastest
    known = {} if value_of is None else valued(metric, round(value_of(net), 5))
    size = {} if isinstance(net, OnnxNet) else {"peak_bytes": peak_bytes(net, *one)}
    return {**known, "bytes": file.stat().st_size, **size, "ms": round(ms, 4)}


def table(figures: Mapping[str, Mapping[str, float]], metric: Metric = ACCURACY) -> str:
    """A line for each of them; and a plain word where eight bits are no faster."""
    lines = []
    for name, row in figures.items():
        known = row.get("accuracy", row.get("value"))
        value = "" if known is None else f"test {metric.name} {metric.shown(known)}, "
        size, time = f"{row['bytes'] / 1000:,.0f} KB", f"{row['ms']:.3g} ms an image"
        peak = f"{row['peak_bytes'] / 1000:,.3g} KB of activations, " if "peak_bytes" in row else ""
        lines.append(f"{name}: {value}{size}, {peak}{time}")
    if "int8.onnx" in figures and figures["int8.onnx"]["ms"] >= figures["subnet.onnx"]["ms"]:
        lines.append("no faster in eight bits here")
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

    def forward(self, *inputs: Tensor) -> Outputs:
        given = {name: x.numpy() for name, x in zip(self.names, inputs, strict=True)}
        keys = [output.name for output in self.session.get_outputs()]
        found = [*map(torch.from_numpy, self.session.run(keys, given))]
        return found[0] if len(found) == 1 else dict(zip(keys, found, strict=True))


def quantise(float_file: Path, path: Path, names: Sequence[str], batches: Sequence[Inputs]) -> None:
    """Writes an ONNX file in eight bits, of one in floats. `batches` say which numbers occur."""
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
    try:
        quantize_static(
            float_file,
            path,
            Reader(iter(batches)),
            per_channel=True,
            # Weights in seven bits: where a processor has no instruction of its own for them, two products of eight
            # bits times eight bits overflow the sixteen in which they are added.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.disable(logging.NOTSET)
