"""What export.py writes of one network: its source and weights, programs, and subnet.json, which says what they are;
each is loaded again and checked. And the flags that say which files, and how.
"""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, fx, nn

from elastic.data.images import Inputs, each_input
from elastic.data.loading import Loading
from elastic.deploy.checked import FILES, Outputs, Written, checksums, compare, named
from elastic.deploy.int8_files import IMAGES, write_int8
from elastic.deploy.original import write_original
from elastic.deploy.programs import ProgramOptions, multiple, write_onnx, write_program
from elastic.deploy.static_source import static_source
from elastic.files.whole import save_tensors, whole_folder, write_text, writing
from elastic.net.extract import extract
from elastic.net.resizing import sized
from elastic.run.flags import Flags, whole
from elastic.train.evaluate import evaluate
from elastic.train.scores import measured_by
from elastic.train.trained import Trained
from elastic.train.trainer import run

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


def program_options(
    flags: Any, static: nn.Module, inputs: tuple[Tensor, ...], about: Mapping[str, Any]
) -> tuple[ProgramOptions, dict[str, Any]]:
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
    options = ProgramOptions(flags.opset, flags.dynamic_size, texts)
    if not flags.dynamic_size:
        return options, {"free": ["batch"]}
    try:
        step = multiple(static, inputs)
    except ValueError as error:
        raise SystemExit(f"--dynamic-size: {error}") from None
    return options, {"free": ["batch", "height", "width"], "sizes_in_steps_of": step}


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


def export_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of export.py for a network without choices."""
    parser = Flags(description="Exports the network.")
    add_file_flags(parser)
    flags = parser.parse_args(argv)
    flags.checkpoint = flags.checkpoint or flags.output_dir / "checkpoint.pt"
    return flags


def add_file_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--formats", nargs="+", choices=[*FILES], help="files to write (default: all)")
    add("--opset", type=whole(7), metavar="N", help="ONNX opset (default: the exporter's)")
    add("--dynamic-size", action="store_true", help="dynamic height and width")
    add("--int8", action="store_true", help="also quantize to int8, and report it")
    add(
        "--to-original",
        type=Path,
        metavar="FILE",
        help="also write the weights of the class it was imported from; FILE: import's .safetensors",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="default: checkpoint.pt in --output-dir")
    add("--data-path", metavar="DIR", help="new location of the data set")
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")


def export(
    trained: Trained,
    name: str,
    inputs: Sequence[str],
    folder: Path,
    flags: argparse.Namespace,
    plan: Any = None,
    called: str = "",
    known: Mapping[str, Any] = MappingProxyType({}),
    tuned: nn.Module | None = None,
) -> Written:
    """Writes and checks all that there is of the network `name`, or of its sub-network of `plan`, into a folder of its
    own, which is replaced as a whole.

    `inputs` are the names of what it takes. Of a sub-network `called` names it, and `known` has figures to keep.
    `tuned` is the sub-network extracted and trained further, for inputs of its resolution: it is what is written then.
    """
    net, loading = trained.net, trained.loading
    title = f"{type(net).__name__}{f' at {called}' if called else ''}: a plain static network."
    resolution = None if plan is None else plan.resolution
    images = first_batch(loading)
    examples = sized(each_input(images), resolution)
    plain = extract(net, plan, resized=False) if tuned is None else extract(tuned)
    static = (
        extract(net, plan, fold=True, resized=False) if tuned is None else extract(tuned, fold=True)
    )
    if merged := static.meta["merged"]:
        print(f"merged into one convolution each: {told(merged)}")
    with torch.inference_mode():
        wanted: Outputs = run(net, images, plan) if tuned is None else plain(*examples)
        compare("static module", static(*examples), wanted)
    about: dict[str, Any] = {
        "network": name,
        "fingerprint": net.fingerprint,
        "at": {} if plan is None else plan.assignment,
        **known,
        "inputs": described(loading, inputs, examples),
        "outputs": [*named(wanted)],
        "classes": trained.classes,
    }
    options, free = program_options(flags, static, examples, about)
    about |= free
    written = Written(flags)
    with writing(folder), whole_folder(folder) as aside:
        if reader := getattr(trained.task, "reader", ""):
            shutil.copyfile(reader, aside / Path(reader).name)
        source, program, onnx = (aside / FILES[kind] for kind in ("source", "program", "onnx"))
        if flags.to_original is not None:
            write_original(plain, flags.to_original, aside)
        source_of = (
            extract(net, plan, resized=False, merge=True)
            if tuned is None
            else extract(tuned, merge=True)
        )
        written.attempt(source, partial(write_source, source_of, title, examples, wanted, aside))
        written.attempt(
            program, partial(write_program, static, examples, wanted, program, options=options)
        )
        written.attempt(
            onnx, partial(write_onnx, static, examples, inputs, wanted, onnx, options), "ONNX file"
        )
        if flags.int8:
            fitting = [
                sized(each_input(batch[0]), resolution)
                for batch in loading.calibration(IMAGES) or ()
            ]
            value_of = None if isinstance(wanted, dict) else partial(value, trained, resolution)
            metric = trained.task.metrics[0]
            about["int8"] = write_int8(static, examples, inputs, fitting, aside, value_of, metric)
            about |= measured_by(metric)
        about |= {"left_out": written.left_out, "files": checksums(aside)}
        write_text(aside / "subnet.json", json.dumps(about, indent=2) + "\n")
    print(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} to {folder}")
    return written


def told(merged: Mapping[str, str]) -> str:
    """What has become one convolution each: the first sum of branches, and how many others."""
    first = next(iter(merged.values()))
    others = len(merged) - 1
    return f"the branches {first}" + (f", and those of {others} other sums" if others else "")


def first_batch(loading: Loading) -> Inputs:
    """Eight test images, or what the network takes, to compare answers on."""
    return next(iter(loading.evaluation(loading.data.test, batch_size=8)))[0]


def value(trained: Trained, resolution: Any, static: nn.Module) -> float:
    """The metric of a static network that takes inputs of its own resolution, on the test images."""

    def prepare(images: Inputs) -> tuple[Tensor, ...]:
        return sized(each_input(images), resolution)

    loading = trained.loading
    tests = loading.evaluation(loading.data.test)
    return evaluate(OnImages(static, prepare), None, tests, trained.task, loading.world).value
