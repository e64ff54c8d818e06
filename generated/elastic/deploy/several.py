"""What export.py does with several sub-networks: a folder for each, or a bundle of all beside one set of weights, for
PyTorch or for onnxruntime.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elastic.data.images import Inputs, each_input
from elastic.deploy import bundle
from elastic.deploy.checked import Written, agree, reason
from elastic.deploy.choosing import figures, left_over
from elastic.deploy.exporting import described, export, first_batch
from elastic.deploy.onnx_bundle import Subnet, save_onnx
from elastic.files.whole import writing
from elastic.net.plan import short
from elastic.net.resizing import sized
from elastic.run.progress import amount
from elastic.search.front import Point
from elastic.train.scores import ACCURACY, measured_by
from elastic.train.trained import Trained
from elastic.train.trainer import run


def plan_of(net: Any, at: Mapping[str, Any], outputs: Sequence[str] | None) -> Any:
    """The plan of a sub-network and of what it is asked for. Exits where it has no such outputs."""
    try:
        return net.plan(at, "all" if outputs == ["all"] else outputs)
    except ValueError as error:
        raise SystemExit(f"--outputs: {error}") from None


def announce(point: Point) -> None:
    """Says which sub-network comes next."""
    print(f"{short(point.at)}: {amount(point.macs)} MACs, {amount(point.params)} parameters")
    if not point.trained:
        print("it is not trained: no step of train.py runs it")


def export_point(
    trained: Trained,
    name: str,
    inputs: Sequence[str],
    flags: argparse.Namespace,
    number: int,
    point: Point,
    plan: Any,
) -> Written:
    """Writes one sub-network: a lone one into export/, one of several into a folder called after the front and its
    `number`."""
    folder = flags.output_dir / "export"
    if flags.pareto:
        folder = flags.output_dir / flags.front.stem / str(number)
    called = short(point.at, 60)
    known = {**figures(point), **measured_by(point.metric)}
    return export(trained, name, inputs, folder, flags, plan, called, known)


def tell_left_over(flags: argparse.Namespace, numbers: Iterable[int]) -> None:
    """Names the sub-networks that an earlier export left beside those of `numbers`."""
    folder = flags.output_dir / flags.front.stem
    if others := left_over(folder, [*numbers]):
        print(f"left over from an earlier export: {folder}/{', '.join(others)}")


def write_bundle(
    trained: Trained,
    another: nn.Module,
    name: str,
    inputs: Sequence[str],
    flags: argparse.Namespace,
    plans: Mapping[int, Any],
    points: Mapping[int, Point],
) -> None:
    """All sub-networks beside the weights of the network `name`, with the figures of each; with --onnx for onnxruntime,
    which calls the inputs `inputs`.

    The bundle is loaded again, by onnxruntime or into `another` network of the same kind, and compared before it takes
    its place.
    """
    if flags.onnx:
        folder = flags.output_dir / "anytime_onnx"
        write_onnx_bundle(trained, name, inputs, folder, plans, points)
        return
    folder = flags.output_dir / "anytime"
    net, images = trained.net, first_batch(trained.loading)
    rows = [figures(point) for point in points.values()]
    metric = next((point.metric for point in points.values()), ACCURACY)
    every = [*plans.values()]
    known = described(trained.loading, inputs, each_input(images))
    proof = partial(loaded_again, net=net, another=another.eval(), plans=every, images=images)
    with writing(folder):
        bundle.save(folder, net, every, rows, name, trained.classes, metric, proof, known)
    print(f"wrote {bundle.sizes(folder)} to {folder}")


def write_onnx_bundle(
    trained: Trained,
    name: str,
    inputs: Sequence[str],
    folder: Path,
    plans: Mapping[int, Any],
    points: Mapping[int, Point],
) -> None:
    """All sub-networks as ONNX graphs beside one file of weights, named by their numbers in the front.

    Exits where a package for it is not installed, or a sub-network is none that ONNX can hold.
    """
    net, images = trained.net, first_batch(trained.loading)
    subnets = []
    for number, plan in plans.items():
        point = points[number]
        known = {**figures(point), "at": point.at}
        given = sized(each_input(images), plan.resolution)
        subnets.append(Subnet(str(number), plan, given, known))
    about = {
        "network": name,
        "fingerprint": net.fingerprint,
        **measured_by(next(iter(points.values())).metric),
        "inputs": described(trained.loading, inputs, each_input(images)),
        "classes": trained.classes,
    }
    try:
        with writing(folder):
            save_onnx(folder, net, subnets, inputs, about, lambda it: run(net, images, it.plan))
    except ImportError as error:
        raise SystemExit(f"--onnx needs packages that are not installed: {error}") from None
    except (ValueError, torch.onnx.OnnxExporterError) as error:
        raise SystemExit(f"--onnx: {reason(error)}") from None
    print(f"wrote {bundle.sizes(folder)} to {folder}")


def loaded_again(
    folder: Path, net: Any, another: nn.Module, plans: Sequence[Any], images: Inputs
) -> None:
    """Compares what a bundle gives, loaded into another network, with the network that it is of."""
    worst = bundle.differences(folder, net, another, [*plans], *each_input(images))
    agree("the bundle, loaded again", worst)
