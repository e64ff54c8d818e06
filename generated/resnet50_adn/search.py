"""Searches the Pareto-optimal sub-networks of a trained network: the best accuracy at every cost.

    python search.py
    python search.py --objectives accuracy latency --max-macs 2e6
    python search.py --strategy evolution --evaluations 1000
    python search.py --objectives accuracy latency --latency-table latency.cpu.json
    torchrun --nproc-per-node 4 search.py

Writes pareto.json, a page to look at it, pareto.html, and pictures of the front, pareto.png and
pareto.svg. The search judges by images held out of training; the test images are looked at once, at
the end, and only for the sub-networks found. Every finished evaluation is a line of search.jsonl: a
search that was interrupted, or that is to go further, makes none of them again.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import torch

import space
from elastic.data.datasets import check_classes, load_data
from elastic.data.loading import Loading
from elastic.files.whole import write_text, writing
from elastic.latency.timing import Latency, measure
from elastic.net.network import sized
from elastic.net.shapes import random_inputs
from elastic.run.distributed import World, join, leave
from elastic.run.progress import Bar, amount, seconds, table
from elastic.search.front import Point, admit, to_json
from elastic.search.journal import fingerprint, open_journal
from elastic.search.judge import Calibrated, Judge
from elastic.search.limits import why_none
from elastic.search.page import write_page
from elastic.search.picture import Series, draw
from elastic.search.proposals import Proposals, covered
from elastic.space.latency_table import LatencyTable, predicted, read_table
from elastic.space.memory import read_memory
from elastic.train import checkpoint
from elastic.train.evaluate import evaluate
from elastic.train.options import SearchOptions, at_path, read_settings, search_options
from elastic.train.subnets import resolved, short
from model import Model

NAME = "resnet50_adn"
IMAGE = (3, 224, 224)  # channels, height, width
CLASSES = 1000
GRAPH = Path(__file__).with_name("ir.json")
# What train.py trains; what is left out of one is at its largest. No other is trained.
TRAINED = ["max", "min"]


def main() -> None:
    options = search_options(read_settings(Path(__file__).with_name("settings.toml")))
    world = join(options.device)
    needs = () if options.data else ("data",)
    saved = checkpoint.load(options.checkpoint, world.device, needs)
    net = Model().to(world.device).to(memory_format=torch.channels_last).eval()
    checkpoint.trained(net, saved)
    data = options.data or at_path(saved["data"], options.data_path)
    # Processes share out the candidates, not the images: each loads all of them.
    alone = World(0, 1, world.device)
    loading = Loading(load_data(data), IMAGE, alone, options.workers)
    check_classes(loading.data, CLASSES, saved)
    if world.main and judged_by(loading) == "test":
        print("no images are held out of training (validation = 0): the test images judge")

    costs = [name for name in dict.fromkeys(options.objectives) if name != "accuracy"] or ["macs"]
    plans = Calibrated(net, loading.calibration(options.calibrate))
    table = read_latencies(options, world)
    # What evaluations depend on; a longer search, or one of another strategy, goes on with them.
    weights = checkpoint.digest(checkpoint.weights(saved))
    of = [net.fingerprint, weights, world.device.type, *loading.digests(options.calibrate)]
    judge = Judge(
        costs=counted(table),
        measure=measuring(net, plans, loading),
        journal=open_journal(options.output_dir / "search.jsonl", fingerprint(of), world),
        budgets=options.budgets,
        timed=options.latency_table is None
        and "latency" in [*costs, *(budget["name"] for budget in options.budgets)],
        world=world,
    )
    evaluated, front = search(judge, plans, options, costs, table, world)
    broken = judge.broken()
    if broken and world.main:
        print(left_out(broken, judge))
    if not front:
        leave(world)
        if not world.main:
            raise SystemExit(1)
        if broken:
            raise SystemExit("no sub-network is left: train again")
        raise SystemExit(why_none(space, options.budgets, judge.looked_at(), table))
    front = judge.finished(front)
    if world.main:
        share = covered(front, judge.point(space.largest()), costs)
        of_what = {"fingerprint": net.fingerprint, "weights": weights}
        report(front, evaluated, costs, share, loading, options.output_dir, of_what)
    leave(world)


def search(
    judge: Judge,
    plans: Calibrated,
    options: SearchOptions,
    costs: list[str],
    table: LatencyTable | None,
    world: World,
) -> tuple[list[Point], list[Point]]:
    """All evaluated sub-networks, and those that no other dominates (TIPS, Algorithm 1)."""
    evaluated: list[Point] = []
    front: list[Point] = []
    start = time.perf_counter()
    rng = random.Random(options.seed)
    proposals = Proposals(
        space, options.strategy, rng, costs, options.budgets, judge.allowed, table
    )
    with Bar("searching", len(proposals), shown=world.main) as bar:
        for generation in proposals:
            points = judge.points(generation, bar.advance)
            proposals.learn(points)
            for point in points:
                front = admit(front, point, costs)
            plans.keep(front)
            evaluated += points
            bar.note = f"{len(front)} on the front"
    if world.main:
        earlier = f", {judge.reused} of them in earlier runs," if judge.reused else ""
        print(f"evaluated {len(evaluated)} sub-networks{earlier} in {seconds(start)}")
    return evaluated, sorted(front, key=lambda point: point.macs)


def read_latencies(options: SearchOptions, world: World) -> LatencyTable | None:
    """The table that predicts latencies, where one is given. Exits where it cannot be used."""
    if options.latency_table is None:
        return None
    try:
        table = read_table(options.latency_table, space.SPACE)
    except OSError as error:
        raise SystemExit(f"cannot read {options.latency_table}: {error.strerror}") from None
    except ValueError as error:
        raise SystemExit(f"--latency-table: {error}") from None
    if world.main:
        print(f"latencies by {options.latency_table}: {table.conditions}")
    return table


def counted(table: LatencyTable | None) -> Any:
    """What counts a sub-network's costs: multiply-accumulates, parameters, bytes; seconds by a table."""
    memory = read_memory(GRAPH)
    trained = [resolved(space, at) for at in TRAINED]

    def costs(at: Any) -> dict[str, Any]:
        found = {"macs": space.macs(at), "params": space.params(at), "memory": memory(at)}
        found["trained"] = at in trained
        if table:
            found["latency"] = predicted(space.SPACE, table, [at])[0]
        return found

    return costs


def measuring(net: Any, plans: Calibrated, loading: Loading) -> Any:
    """What measures a sub-network: its accuracy on held-out or on test images, or its latency."""
    alone = loading.world
    images = {
        "accuracy": loading.evaluation(loading.data.validation),
        "test_accuracy": loading.evaluation(loading.data.test),
    }

    def measured(at: Any, what: str) -> dict[str, float]:
        if what == "latency":
            timing = latency(net, plans(at), alone)
            return {"latency": timing.median, "latency_p90": timing.p90}
        score = evaluate(net, plans(at), images[what], alone)
        return {what: score.accuracy} | ({"broken": score.broken} if score.broken else {})

    return measured


def left_out(broken: list[Any], judge: Judge) -> str:
    """What to say of sub-networks whose outputs are no numbers."""
    of = f"{len(broken)} of {len(judge.looked_at())} sub-networks"
    return f"warning: {of} answer NaN or Inf and are left out, {short(broken[0])} for one"


def judged_by(loading: Loading) -> str:
    """Which images the accuracies are of: "test" where none were held out."""
    return "test" if loading.data.validation is loading.data.test else "validation"


def latency(net: Any, plan: Any, world: World) -> Latency:
    """Of one example, through the sub-network as it is served."""
    inputs = sized(random_inputs(IMAGE, 1, world.device), plan.resolution)
    return measure(net.straight(plan), inputs)


def report(
    front: list[Point],
    evaluated: list[Point],
    costs: list[str],
    share: float | None,
    loading: Loading,
    folder: Path,
    of_what: dict[str, str],
) -> None:
    """The table, pareto.json, which says of which network and weights it is, the page and the pictures."""
    rows = [
        [
            f"{number:2}  {short(point.at)}{'' if point.trained else ' (not trained)'}",
            amount(point.macs),
            amount(point.params),
            amount(point.cost("memory")),
            f"{point.accuracy:.2%}",
            f"{point.test_accuracy:.2%}",
            f"{1e3 * point.cost('latency'):.3f} ms",
        ]
        for number, point in enumerate(front, 1)
    ]
    heads = ["    sub-network", "MACs", "params", "bytes", "validation", "test", "latency"]
    print(table(heads, rows))
    missing = sum(not point.trained for point in front)
    if missing:
        print(f"{missing} of {len(front)} are not trained: no step of train.py runs them")

    about = {"network": NAME, **of_what, "dataset": loading.data.name}
    about |= {"cost": costs[0], "costs": costs, "hypervolume": share}
    title = f"{NAME}: accuracy on {len(loading.data.validation):,} {judged_by(loading)} images"
    with writing(folder):
        write_text(folder / "pareto.json", to_json(front, about))
        write_page(folder / "pareto.html", title, evaluated, front, costs)
    series = Series(
        title=title,
        cost_name=costs[0],
        evaluated=[(point.cost(costs[0]), point.accuracy) for point in evaluated],
        front=[(point.cost(costs[0]), point.accuracy) for point in front],
    )
    with writing(folder):
        _, picture = draw(series, folder)
    print(f"wrote {folder / 'pareto.json'}, {folder / 'pareto.html'} and {picture}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: started again, it goes on with what is evaluated") from None
