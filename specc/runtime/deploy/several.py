"""What export.py does with several sub-networks: a folder for each, or a bundle of all beside one set of weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from specc.runtime.data.images import Inputs, each_input
from specc.runtime.deploy import bundle
from specc.runtime.deploy.checked import Written, agree
from specc.runtime.deploy.choosing import figures, left_over
from specc.runtime.deploy.exporting import described, export, first_batch
from specc.runtime.files.whole import writing
from specc.runtime.net.plan import short
from specc.runtime.run.progress import amount
from specc.runtime.search.front import Point
from specc.runtime.train.scores import ACCURACY, measured_by
from specc.runtime.train.trained import Trained


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
    folder: Path,
    plans: Sequence[Any],
    points: Iterable[Point],
) -> None:
    """All sub-networks beside the weights of the network `name`, with the figures of each, and how the inputs of these
    names are prepared.

    The bundle is loaded into `another` network of the same kind and compared before it takes its place.
    """
    net, images = trained.net, first_batch(trained.loading)
    points = [*points]
    rows = [figures(point) for point in points]
    metric = points[0].metric if points else ACCURACY
    known = described(trained.loading, inputs, each_input(images))
    proof = partial(loaded_again, net=net, another=another.eval(), plans=plans, images=images)
    with writing(folder):
        bundle.save(folder, net, plans, rows, name, trained.classes, metric, proof, known)
    print(f"wrote {bundle.sizes(folder)} to {folder}")


def loaded_again(
    folder: Path, net: Any, another: nn.Module, plans: Sequence[Any], images: Inputs
) -> None:
    """Compares what a bundle gives, loaded into another network, with the network that it is of."""
    worst = bundle.differences(folder, net, another, [*plans], *each_input(images))
    agree("the bundle, loaded again", worst)
