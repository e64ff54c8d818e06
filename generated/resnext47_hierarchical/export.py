"""Exports sub-networks as plain static networks that need nothing of this project.

    python export.py                             of pareto.json, the cheapest within 1 % of the best
    python export.py --max-macs 200e3            of pareto.json, the most accurate within a limit
    python export.py --at 3                      the third of pareto.json
    python export.py --at min                    the smallest; or --at CHOICE=OPTION,...
    python export.py --pareto 4                  four, spread over the costs of pareto.json; or all
    python export.py --bundle                    all of pareto.json beside one set of weights

A sub-network becomes a folder with its source and weights (model.py, weights.safetensors, which
also fit the network that `specc compile --at` makes of the spec) and, with norms folded, a
torch.export program (subnet.pt2) and an ONNX file (subnet.onnx); subnet.json says what goes with
them. They take batches of any size, of images at the sub-network's own resolution; with
--dynamic-size of any height and width. All are loaded again and must give the trained network's
answers; a format that cannot hold the network is told and left out. A bundle is served by
`elastic.deploy.serving.Runtime`, which changes between its sub-networks while it runs.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import space
from elastic.data.datasets import check_classes, load_data
from elastic.data.loading import Loading
from elastic.deploy import bundle
from elastic.deploy.choosing import chosen, clash, figures, left_over, read_points, several
from elastic.deploy.exporting import (
    FILES,
    OnImages,
    Written,
    agree,
    checksums,
    compare,
    described,
    finish,
    named,
    wish_of,
    write_onnx,
    write_program,
    write_source,
    writing,
)
from elastic.deploy.int8_files import IMAGES, write_int8
from elastic.files.whole import whole_folder, write_text
from elastic.net.bind import bind
from elastic.net.resizing import sized
from elastic.net.shapes import Inputs, each_input
from elastic.run.distributed import World
from elastic.run.flag_types import cost, whole
from elastic.run.progress import amount
from elastic.search.front import Point
from elastic.train import checkpoint
from elastic.train.evaluate import calibrated, evaluate
from elastic.train.options import at_path, read_settings
from elastic.train.subnets import short
from elastic.train.trainer import run
from model import Model

NAME = "resnext47_hierarchical"
IMAGE = (3, 32, 32)  # channels, height, width
CLASSES = 100
NAMES = ["images"]  # of the inputs, in the ONNX file
WORLD = World(0, 1, torch.device("cpu"))


def main() -> None:
    flags = arguments()
    saved = checkpoint.load(flags.checkpoint or flags.output_dir / "checkpoint.pt", needs=["data"])
    net = Model().eval()
    checkpoint.trained(net, saved)
    loading = Loading(load_data(at_path(saved["data"], flags.data_path)), IMAGE, WORLD)
    check_classes(loading.data, CLASSES, saved)
    classes = [*(loading.data.names or saved.get("classes") or ())]
    written = []
    front = flags.front or flags.output_dir / "pareto.json"
    of = {"fingerprint": net.fingerprint, "weights": checkpoint.digest(checkpoint.weights(saved))}
    fitting = loading.calibration(count_of(flags))
    costs = ("macs", "params", "latency", "memory")
    limits = {name: getattr(flags, f"max_{name}") for name in costs}
    if limits["latency"] is not None:
        limits["latency"] = round(limits["latency"] / 1000, 12)
    if flags.pareto or (flags.bundle and flags.at is None):
        points = read_points(front, space, of)
        numbers = several(flags.pareto or "all", points, limits)
    else:
        at = chosen(space, flags.at, front, limits, of)
        points, numbers = [Point(at, space.macs(at), space.params(at))], [0]

    plans = []
    for number in numbers:
        point = points[number]
        print(f"{short(point.at)}: {amount(point.macs)} MACs, {amount(point.params)} parameters")
        plan = calibrated(net, plan_of(net, point.at, flags.outputs), fitting)
        plans.append(plan)
        if not flags.bundle:
            folder = flags.output_dir / "export"
            if flags.pareto:
                folder = flags.output_dir / front.stem / str(number + 1)
            written.append(export(net, plan, loading, folder, flags, classes, figures(point)))
    if flags.bundle:
        folder = flags.output_dir / "anytime"
        images = next(iter(loading.evaluation(loading.data.test, batch_size=8)))[0]
        rows = [figures(points[number]) for number in numbers]
        proof = partial(loaded_again, net=net, plans=plans, images=images)
        with writing(folder):
            bundle.save(folder, net, plans, rows, NAME, classes, proof)
        print(f"wrote {bundle.sizes(folder)} to {folder}")
    elif flags.pareto:
        folder = flags.output_dir / front.stem
        others = left_over(folder, [number + 1 for number in numbers])
        if others:
            print(f"of an earlier export, and not written now: {folder}/{', '.join(others)}")
    finish(written)


def loaded_again(folder: Path, net: Model, plans: list[Any], images: Inputs) -> None:
    """Compares what a bundle gives, loaded into another network, with the network that it is of."""
    worst = bundle.differences(folder, net, Model().eval(), plans, *each_input(images))
    agree("the bundle, loaded again", worst)


def plan_of(net: Model, at: Any, outputs: list[str] | None) -> Any:
    """The plan of a sub-network and of what it is asked for."""
    try:
        return net.plan(at, "all" if outputs == ["all"] else outputs)
    except ValueError as error:
        raise SystemExit(f"--outputs: {error}") from None


def count_of(flags: argparse.Namespace) -> int:
    """How many training images norms are calibrated with."""
    if flags.calibrate is not None:
        return int(flags.calibrate)
    settings = read_settings(Path(__file__).with_name("settings.toml"))
    return int(settings["search"]["calibrate"])


def export(
    net: Any,
    plan: Any,
    loading: Loading,
    folder: Path,
    flags: argparse.Namespace,
    classes: list[str],
    known: dict[str, float],
) -> Written:
    """Writes and checks all that there is of one sub-network. The folder is replaced as a whole."""
    at = plan.assignment
    title = f"{type(net).__name__} at {short(at, 60)}: a plain static network."
    prepare = partial(prepared, resolution=plan.resolution)
    images = next(iter(loading.evaluation(loading.data.test, batch_size=8)))[0]
    inputs = prepare(images)
    static = bind(net, plan, fold=True, resized=False)
    with torch.inference_mode():
        wanted = run(net, images, plan)
        compare("static module", static(*inputs), wanted)
    about: dict[str, Any] = {
        "network": NAME,
        "fingerprint": net.fingerprint,
        "at": at,
        **known,
        "inputs": described(loading, NAMES, inputs),
        "outputs": [*named(wanted)],
        "classes": classes,
    }
    wish, free = wish_of(flags, static, inputs, about)
    about |= free
    written = Written(flags)
    with writing(folder), whole_folder(folder) as aside:
        plain = bind(net, plan, resized=False)
        written.attempt(
            aside / FILES["source"], partial(write_source, plain, title, inputs, wanted, aside)
        )
        written.attempt(
            path := aside / FILES["program"],
            partial(write_program, static, inputs, wanted, path, wish=wish),
        )
        written.attempt(
            path := aside / FILES["onnx"],
            partial(write_onnx, static, inputs, NAMES, wanted, path, wish),
            "ONNX file",
        )
        if flags.int8:
            fitting = [prepare(batch[0]) for batch in loading.calibration(IMAGES) or ()]
            judge = None if isinstance(wanted, dict) else partial(accuracy, loading, prepare)
            about["int8"] = write_int8(static, title, inputs, NAMES, fitting, aside, judge)
        about |= {"left_out": written.left_out, "files": checksums(aside)}
        write_text(aside / "subnet.json", json.dumps(about, indent=2) + "\n")
    print(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} to {folder}")
    return written


def accuracy(loading: Loading, prepare: Any, static: nn.Module) -> float:
    """On the test images."""
    tests = loading.evaluation(loading.data.test)
    return evaluate(OnImages(static, prepare), None, tests, WORLD).accuracy


def prepared(images: Inputs, resolution: Any) -> tuple[Tensor, ...]:
    """The inputs of a static network, from those of the data set and its resolution."""
    return sized(each_input(images), resolution)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exports sub-networks.")
    add = parser.add_argument
    add("--at", metavar="SUBNET", help="max, min, choice=option,..., a file or a number")
    add("--pareto", metavar="N", help="so many of pareto.json, a folder for each; or all")
    add("--bundle", action="store_true", help="one folder with the weights once: anytime/")
    add("--front", type=Path, metavar="FILE", help="in the place of pareto.json: constraints.json")
    add("--outputs", nargs="+", metavar="NAME", help="several answers of each, or all")
    add("--max-macs", type=cost, metavar="N", help="of one image, as in 20e6")
    add("--max-params", type=cost, metavar="N")
    add("--max-latency", type=cost, metavar="MS", help="as measured by search.py")
    add("--max-memory", type=cost, metavar="BYTES", help="of activations alive at once")
    add("--calibrate", type=whole(0), metavar="N", help="training images for the norms")
    add("--formats", nargs="+", choices=[*FILES], help="of these files; default: all")
    add("--opset", type=whole(7), metavar="N", help="of the ONNX file; default: the exporter's")
    add("--dynamic-size", action="store_true", help="programs take images of any size, too")
    add("--int8", action="store_true", help="also in eight bits; how accurate, small and fast")
    add("--checkpoint", type=Path, metavar="FILE", help="default: checkpoint.pt in --output-dir")
    add("--data-path", metavar="DIR", help="where the data set lies now, if it moved")
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    flags = parser.parse_args()
    if reason := clash(flags):
        parser.error(reason)
    return flags


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: what was not finished is as it was") from None
