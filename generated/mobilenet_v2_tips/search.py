"""Searches the Pareto-optimal sub-networks of a trained network: the best accuracy at every cost.

    python search.py
    python search.py --objectives accuracy latency --max-macs 2e6
    python search.py --strategy evolution --evaluations 1000

Writes pareto.json and a picture of the front, pareto.png and pareto.svg. The search judges by
images held out of training; the test images are looked at once, at the end, and only for the
sub-networks found.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import torch

import space
from elastic import checkpoint
from elastic.datasets import load_data
from elastic.distributed import World, join
from elastic.evaluate import calibrated, evaluate
from elastic.front import Point, Proposals, admit, to_json
from elastic.latency import Latency, measure
from elastic.loading import Loading
from elastic.options import SearchOptions, read_settings, search_options
from elastic.picture import Series, draw
from elastic.progress import Bar, amount, seconds, table
from elastic.subnets import short
from model import Model

NAME = "mobilenet_v2_tips"
IMAGE = (3, 224, 224)  # channels, height, width


def main() -> None:
    options = search_options(read_settings(Path(__file__).with_name("settings.toml")))
    world = join(options.device)
    saved = checkpoint.load(options.checkpoint, world.device)
    net = Model().to(world.device).to(memory_format=torch.channels_last).eval()
    checkpoint.trained(net, saved)
    loading = Loading(load_data(options.data or saved["data"]), IMAGE, world, options.workers)

    costs = [name for name in options.objectives if name != "accuracy"] or ["macs"]
    evaluated, front = search(net, loading, options, costs, world)
    if not front:
        raise SystemExit("no sub-network keeps the limits")
    front = finish(net, front, loading, options, world)
    report(front, evaluated, costs[0], loading, options.output_dir)


def search(
    net: Any, loading: Loading, options: SearchOptions, costs: list[str], world: World
) -> tuple[list[Point], list[Point]]:
    """All evaluated sub-networks, and those that no other dominates (TIPS, Algorithm 1)."""
    fitting = loading.calibration(options.calibrate)
    judging = loading.evaluation(loading.data.validation)
    timed = "latency" in costs or any(budget["name"] == "latency" for budget in options.budgets)

    def allowed(at: Any) -> bool:
        return Point(at, space.macs(at), space.params(at)).within(options.budgets)

    evaluated: list[Point] = []
    front: list[Point] = []
    start = time.perf_counter()
    proposals = Proposals(space, options.strategy, random.Random(options.seed), allowed)
    with Bar("searching", len(proposals)) as bar:
        for at in proposals:
            plan = calibrated(net, net.plan(at), fitting)
            point = Point(at, space.macs(at), space.params(at))
            if timed:
                point = point.with_(latency=latency(net, plan, world).median)
            if point.within(options.budgets):
                accuracy = evaluate(net, plan, judging, world).accuracy
                point = point.with_(accuracy=accuracy)
                evaluated.append(point)
                front = admit(front, point, costs)
                proposals.front = front
            bar.advance(f"{len(front)} on the front")
    print(f"evaluated {len(evaluated)} sub-networks in {seconds(start)}")
    return evaluated, sorted(front, key=lambda point: point.macs)


def finish(
    net: Any, front: list[Point], loading: Loading, options: SearchOptions, world: World
) -> list[Point]:
    """The front with measured latencies and test accuracies."""
    fitting = loading.calibration(options.calibrate)
    testing = loading.evaluation(loading.data.test)
    finished = []
    for point in front:
        plan = calibrated(net, net.plan(point.at), fitting)
        timing = latency(net, plan, world)
        score = evaluate(net, plan, testing, world)
        finished.append(
            point.with_(latency=timing.median, latency_p90=timing.p90, test_accuracy=score.accuracy)
        )
    return finished


def latency(net: Any, plan: Any, world: World) -> Latency:
    """Of one image, through the sub-network as a plain static module."""
    size = plan.resolution or IMAGE[-1]
    shape = (1, IMAGE[0], size, size) if plan.resolution else (1, *IMAGE)
    return measure(net.bind(plan), torch.randn(shape, device=world.device))


def report(
    front: list[Point], evaluated: list[Point], cost: str, loading: Loading, folder: Path
) -> None:
    """The table, pareto.json and the picture."""
    rows = [
        [
            f"{number:2}  {short(point.at)}",
            amount(point.macs),
            amount(point.params),
            f"{point.accuracy:.2%}",
            f"{point.test_accuracy:.2%}",
            f"{1e3 * point.cost('latency'):.3f} ms",
        ]
        for number, point in enumerate(front, 1)
    ]
    print(table(["    sub-network", "MACs", "params", "validation", "test", "latency"], rows))

    folder.mkdir(parents=True, exist_ok=True)
    about = {"network": NAME, "dataset": loading.data.name, "cost": cost}
    (folder / "pareto.json").write_text(to_json(front, about), encoding="utf-8")
    series = Series(
        title=f"{NAME}: accuracy on {len(loading.data.validation):,} validation images",
        cost_name=cost,
        evaluated=[(point.cost(cost), point.accuracy) for point in evaluated],
        front=[(point.cost(cost), point.accuracy) for point in front],
    )
    _, picture = draw(series, folder)
    print(f"wrote {folder / 'pareto.json'} and {picture}")


if __name__ == "__main__":
    main()
