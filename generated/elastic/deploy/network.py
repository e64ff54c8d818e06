"""What export.py writes of one network: its files, each checked, and subnet.json, which says what they are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from elastic.data.images import Inputs, each_input
from elastic.data.loading import Loading
from elastic.deploy.checked import FILES, Outputs, Written, checksums, compare, named
from elastic.deploy.exporting import OnImages, described, wish_of, write_source
from elastic.deploy.int8_files import IMAGES, write_int8
from elastic.deploy.original import write_original
from elastic.deploy.programs import write_onnx, write_program
from elastic.files.whole import whole_folder, write_text, writing
from elastic.net.extract import extract
from elastic.net.resizing import sized
from elastic.train.evaluate import evaluate
from elastic.train.trained import Trained
from elastic.train.trainer import run


def export(
    trained: Trained,
    name: str,
    inputs: Sequence[str],
    folder: Path,
    flags: argparse.Namespace,
    plan: Any = None,
    called: str = "",
    known: Mapping[str, float] = MappingProxyType({}),
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
    wish, free = wish_of(flags, static, examples, about)
    about |= free
    written = Written(flags)
    with writing(folder), whole_folder(folder) as aside:
        source, program, onnx = (aside / FILES[kind] for kind in ("source", "program", "onnx"))
        if flags.to_original is not None:
            write_original(plain, flags.to_original, aside)
        written.attempt(source, partial(write_source, plain, title, examples, wanted, aside))
        written.attempt(
            program, partial(write_program, static, examples, wanted, program, wish=wish)
        )
        written.attempt(
            onnx, partial(write_onnx, static, examples, inputs, wanted, onnx, wish), "ONNX file"
        )
        if flags.int8:
            fitting = [
                sized(each_input(batch[0]), resolution)
                for batch in loading.calibration(IMAGES) or ()
            ]
            accuracy_of = (
                None if isinstance(wanted, dict) else partial(accuracy, loading, resolution)
            )
            about["int8"] = write_int8(static, examples, inputs, fitting, aside, accuracy_of)
        about |= {"left_out": written.left_out, "files": checksums(aside)}
        write_text(aside / "subnet.json", json.dumps(about, indent=2) + "\n")
    print(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} to {folder}")
    return written


def first_batch(loading: Loading) -> Inputs:
    """Eight test images, or what the network takes, to compare answers on."""
    return next(iter(loading.evaluation(loading.data.test, batch_size=8)))[0]


def accuracy(loading: Loading, resolution: Any, static: nn.Module) -> float:
    """Of a static network that takes inputs of its own resolution, on the test images."""

    def prepare(images: Inputs) -> tuple[Tensor, ...]:
        return sized(each_input(images), resolution)

    tests = loading.evaluation(loading.data.test)
    return evaluate(OnImages(static, prepare), None, tests, loading.world).accuracy
