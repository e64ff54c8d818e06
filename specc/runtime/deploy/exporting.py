"""The source and the weights of a static network, checked; and what is said of its inputs and its free axes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, fx, nn

from specc.runtime.data.images import Inputs
from specc.runtime.data.loading import Loading
from specc.runtime.deploy.checked import FILES, Outputs, compare
from specc.runtime.deploy.programs import Wish, multiple
from specc.runtime.deploy.static_source import static_source
from specc.runtime.files.whole import save_tensors, write_text

DOC: Final = """\
{title}

    net = Model()
    net.load_state_dict(load_weights("{weights}"))
    output = net.eval()({inputs})

Needs torch alone; written by export.py. Inputs: {shapes}."""


class OnImages(nn.Module):
    """A static network that takes inputs as the data set has them."""

    def __init__(self, static: nn.Module, prepare: Callable[[Inputs], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.static = static
        self.prepare = prepare
        self.training = static.training

    def forward(self, *inputs: Tensor) -> Any:
        return self.static(*self.prepare(inputs))


def described(
    loading: Loading, names: Sequence[str], inputs: tuple[Tensor, ...]
) -> dict[str, dict[str, Any]]:
    """What each input of a static network holds: its shape, and how its numbers are made.

    They are divided by `scale`, to be from 0 to 1 (1: they are taken as they are); then, by channel, `mean` is taken
    off, and they are divided by `std`.
    """
    rows: dict[str, dict[str, Any]] = {}
    sides = zip(loading.statistics(), loading.scales(), strict=True)
    for name, x, ((mean, std), scale) in zip(names, inputs, sides, strict=True):
        # Of an image that became a vector, every pixel has its channel's.
        pixels = x.shape[1] // len(mean)
        numbers = {"mean": mean, "std": std}
        rounded = {
            key: [round(value, 6) for value in row for _ in range(pixels)]
            for key, row in numbers.items()
        }
        rows[name] = {"shape": [*x.shape[1:]], "scale": scale, **rounded}
    return rows


def wish_of(
    flags: Any, static: nn.Module, inputs: tuple[Tensor, ...], about: Mapping[str, Any]
) -> tuple[Wish, dict[str, Any]]:
    """What programs are to be like, by the flags; and what subnet.json says of their free axes.

    `about` is what it says already: inputs and class names go into the programs as well. Exits where the network takes
    images of one size only and others are asked for.
    """
    formats = flags.formats or [*FILES]
    if flags.opset is not None and "onnx" not in formats:
        raise SystemExit("--opset is of the ONNX file, which --formats leaves out")
    if flags.dynamic_size and not {"program", "onnx"} & {*formats}:
        raise SystemExit("--dynamic-size is of programs, which --formats leaves out")
    texts = {key: json.dumps(about[key]) for key in ("inputs", "classes") if key in about}
    wish = Wish(flags.opset, flags.dynamic_size, texts)
    if not flags.dynamic_size:
        return wish, {"free": ["batch"]}
    try:
        step = multiple(static, inputs)
    except ValueError as error:
        raise SystemExit(f"--dynamic-size: {error}") from None
    return wish, {"free": ["batch", "height", "width"], "sizes_in_steps_of": step}


def write_source(
    static: fx.GraphModule,
    title: str,
    inputs: tuple[Tensor, ...],
    wanted: Outputs,
    folder: Path,
) -> None:
    """model.py and weights.safetensors of an extracted network. What they make is compared with `wanted`.

    Raises ValueError, or what Python makes of a text that it cannot run, where the network has no plain source; the
    weights are there all the same, and fit what `specc compile --at` writes.
    """
    names = [str(node.target) for node in static.graph.nodes if node.op == "placeholder"]
    shapes = [f"[{', '.join(['N', *map(str, x.shape[1:])])}]" for x in inputs]
    source, weights = "model.py", folder / "weights.safetensors"
    doc = DOC.format(
        title=textwrap.fill(title, 96),
        weights=weights.name,
        inputs=", ".join(names),
        shapes=", ".join(shapes),
    )
    save_tensors(weights, static.state_dict(), checksum=True)
    text = static_source(static, doc, inputs)
    made: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, source, "exec"), made)
    net = made["Model"]()
    net.load_state_dict(made["load_weights"](weights))
    with torch.inference_mode():
        compare(f"{source} and its weights", net.eval()(*inputs), wanted)
    write_text(folder / source, text)
