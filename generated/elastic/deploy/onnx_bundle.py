"""Several sub-networks as ONNX graphs beside one file of weights, for onnxruntime and numpy alone.

A graph reads slices of the network's weights, `Mul(Slice(W), s)` where a norm is folded in; a runtime computes them
once, when it loads the graph. What a graph has of its own is two numbers a channel: that scale, and an offset.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from elastic.deploy.checked import Outputs, checksums, compare_all, named
from elastic.deploy.onnx_weights import WEIGHTS, Weights, share_weights
from elastic.deploy.programs import onnx_model
from elastic.deploy.regions import Marked
from elastic.files.whole import whole_folder, write_text
from elastic.net.extract import extract

INDEX: Final = "index.json"
RUNTIME: Final = "anytime.py"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Subnet:
    """One sub-network to write: its `name` in the index, its plan, inputs of its size, and what is `known` of it."""

    name: str
    plan: Any
    inputs: tuple[Tensor, ...]
    known: Mapping[str, Any]


def save_onnx(
    folder: Path,
    net: nn.Module,
    subnets: Sequence[Subnet],
    inputs: Sequence[str],
    about: Mapping[str, Any],
    answer: Callable[[Subnet], Outputs],
) -> None:
    """Writes the folder: weights.bin, a graph for every sub-network, index.json, and anytime.py, which runs them.

    `inputs` are the names of what the network takes, `about` goes into the index. Every graph is loaded by onnxruntime
    and compared with `answer`, what the network answers; its time for one image is kept. The folder is replaced as a
    whole. Raises ImportError where a package for it is missing.
    """
    try:
        from elastic.deploy import onnx_runtime
    except ImportError:
        raise ImportError("pip install onnx onnxscript onnxruntime") from None
    marked = Marked(net)
    state = {
        name: value.detach().float().cpu().numpy()
        for name, value in net.state_dict().items()
        if value.is_floating_point()
    }
    rows: list[dict[str, Any]] = []
    with whole_folder(folder) as aside:
        weights = Weights(aside / WEIGHTS)
        weights.path.touch()
        for subnet in sorted(subnets, key=lambda subnet: -subnet.known["macs"]):
            wanted = answer(subnet)
            static = extract(net, subnet.plan, fold=True, resized=False)
            model = onnx_model(static, subnet.inputs, inputs, [*named(wanted)])
            share_weights(model, static, marked.regions(subnet.plan), state, weights)
            file = f"{subnet.name}.onnx"
            (aside / file).write_bytes(model.SerializeToString())
            took = compared(aside / file, subnet, inputs, wanted)
            shapes = {name: [*x.shape[1:]] for name, x in zip(inputs, subnet.inputs, strict=True)}
            outputs = [*named(wanted)]
            rows.append(
                {"name": subnet.name, "file": file, **subnet.known, "milliseconds": took}
                | {"shapes": shapes, "outputs": outputs}
            )
        shutil.copyfile(onnx_runtime.__file__, aside / RUNTIME)
        order = [subnet.name for subnet in subnets]
        rows.sort(key=lambda row: order.index(row["name"]))
        index = {"version": VERSION, **about, "subnets": rows, "files": checksums(aside)}
        write_text(aside / INDEX, index_text(index))


def index_text(index: Mapping[str, Any]) -> str:
    """index.json, with a line for every sub-network."""
    lines = [f'"{name}": {json.dumps(value)}' for name, value in index.items() if name != "subnets"]
    rows = ",\n  ".join(json.dumps(row) for row in index["subnets"])
    return "{\n" + ",\n".join([*lines, f'"subnets": [\n  {rows}\n]']) + "\n}\n"


def compared(path: Path, subnet: Subnet, names: Sequence[str], wanted: Outputs) -> float:
    """Compares what onnxruntime makes of a graph with what the network answers; the milliseconds of one image, by one
    thread: the middle one of eleven."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = {name: x.numpy() for name, x in zip(names, subnet.inputs, strict=True)}
    keys = [*named(wanted)]
    found = map(torch.from_numpy, session.run(keys, given))
    compare_all(
        f"{path.name}, loaded by onnxruntime", [(dict(zip(keys, found, strict=True)), wanted)]
    )
    one = {name: x[:1] for name, x in given.items()}
    times = []
    for _ in range(11):
        start = time.perf_counter()
        session.run(keys, one)
        times.append(time.perf_counter() - start)
    return round(sorted(times)[5] * 1000, 3)
