"""What export.py writes of a network: its source and weights, a torch.export program, an ONNX file. All are checked."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, fx, nn

from specc.codegen.runtime.loading import Loading
from specc.codegen.runtime.shapes import Inputs
from specc.codegen.runtime.static_source import static_source
from specc.codegen.runtime.tensors import save_tensors
from specc.codegen.runtime.whole import write_text
from specc.codegen.runtime.whole import writing as writing

Answers: TypeAlias = "Tensor | dict[str, Tensor]"

TOLERANCE: Final = 1e-4
"""Of the largest answer."""

DOC: Final = """\
{title}

    net = Model()
    net.load_state_dict(load_weights("{weights}"))
    answer = net.eval()({inputs})

Needs torch alone; written by export.py. Inputs: {shapes}."""


class OnImages(nn.Module):
    """A static network that takes inputs as the data set has them."""

    def __init__(self, static: nn.Module, prepare: Callable[[Inputs], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.static = static
        self.prepare = prepare

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


def write_source(
    static: fx.GraphModule,
    title: str,
    inputs: tuple[Tensor, ...],
    wanted: Answers,
    folder: Path,
    source: str = "model.py",
    weights_name: str = "weights.safetensors",
) -> None:
    """The source and the weights of a bound network. What they make is compared with `wanted`."""
    names = [str(node.target) for node in static.graph.nodes if node.op == "placeholder"]
    shapes = [f"[{', '.join(['N', *map(str, x.shape[1:])])}]" for x in inputs]
    weights = folder / weights_name
    doc = DOC.format(
        title=textwrap.fill(title, 96),
        weights=weights.name,
        inputs=", ".join(names),
        shapes=", ".join(shapes),
    )
    save_tensors(weights, static.state_dict())
    try:
        text = static_source(static, doc, inputs)
        made: dict[str, Any] = {"__name__": "exported"}
        exec(compile(text, source, "exec"), made)
        net = made["Model"]()
    except (ValueError, TypeError, SyntaxError, NameError) as error:
        print(f"no {source}: {error}; {weights.name} fits what `specc compile --at` writes")
        return
    net.load_state_dict(made["load_weights"](weights))
    with torch.inference_mode():
        compare(f"{source} and its weights", net.eval()(*inputs), wanted)
    write_text(folder / source, text)


def write_program(
    static: nn.Module,
    inputs: tuple[Tensor, ...],
    wanted: Answers,
    path: Path,
    name: str = "torch.export",
) -> None:
    """A torch.export program for any batch size."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(static, inputs, dynamic_shapes=({0: batch},) * len(inputs))
    written = io.BytesIO()
    torch.export.save(program, written)
    path.write_bytes(written.getvalue())
    with torch.inference_mode():
        compare(name, torch.export.load(path).module()(*inputs), wanted)


def write_onnx(
    static: nn.Module,
    inputs: tuple[Tensor, ...],
    names: Sequence[str],
    wanted: Answers,
    path: Path,
) -> None:
    """An ONNX file for any batch size, where the packages for it are installed."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        print("no ONNX file: pip install onnx onnxscript onnxruntime")
        return
    batch = torch.export.Dim("batch", min=1, max=4096)
    warnings.filterwarnings("ignore", "# The axis name")  # of several inputs: all have the same
    torch.onnx.export(
        static,
        inputs,
        path,
        dynamo=True,
        dynamic_shapes=({0: batch},) * len(inputs),
        input_names=[*names],
        output_names=[*named(wanted)],
        external_data=False,
        verbose=False,
    )
    try:
        import onnxruntime
    except ImportError:
        print("the ONNX file is unchecked: pip install onnxruntime")
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    found = map(torch.from_numpy, session.run([*named(wanted)], given))
    compare("onnxruntime", dict(zip(named(wanted), found, strict=True)), wanted)


def named(answers: Answers) -> dict[str, Tensor]:
    """The answers by name; a lone one is called `logits`."""
    return answers if isinstance(answers, dict) else {"logits": answers}


def compare(name: str, found: Answers, wanted: Answers) -> None:
    """Prints the largest difference. Exits where it is more than rounding explains."""
    pairs = zip(named(found).values(), named(wanted).values(), strict=True)
    errors = [(mine - own).abs().max() / own.abs().max().clamp_min(1e-30) for mine, own in pairs]
    error = float(torch.stack(errors).max())
    if not error <= TOLERANCE:
        raise SystemExit(f"{name}: answers differ by {error:.1e} of the largest one")
    print(f"{name}: same answers, to {error:.0e}")
