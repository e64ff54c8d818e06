"""A search of one trained network: what proposes sub-networks, what evaluates them, and what is said and written at the
end: a table, pareto.json, a page and a picture.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elastic.data.images import Shapes, random_inputs
from elastic.files.first_version import UNCHANGED, FirstVersion, first_version
from elastic.files.whole import write_text, writing
from elastic.latency.timing import measure
from elastic.net.plan import short
from elastic.net.resizing import sized
from elastic.run.distributed import World, leave
from elastic.run.journal import Measured, fingerprint, open_journal
from elastic.run.progress import amount, seconds, table
from elastic.search.constraints import why_none
from elastic.search.evaluator import Calibrated, Costs, Evaluator, Measure
from elastic.search.front import Point, to_json
from elastic.search.options import SearchOptions
from elastic.search.page import write_page
from elastic.search.picture import Series, draw
from elastic.search.proposals import Proposals, covered
from elastic.space.latency_table import LatencyTable, predicted, read_table
from elastic.space.memory import read_memory
from elastic.train.evaluate import evaluate
from elastic.train.interfaces import Assignment, Space, Task
from elastic.train.scores import Metric
from elastic.train.sorting import sort_all
from elastic.train.start import keep_start, start
from elastic.train.subnets import resolved
from elastic.train.trained import Trained, load_trained


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A search under way.

    metric     what is made as good as possible
    costs      what that is weighed against; the first is the one that pictures show
    proposals  what to evaluate next, generation by generation
    plans      the plans of what is evaluated, with norms calibrated
    evaluator  what evaluates
    table      what predicts latencies, where a table does
    origin     hashes of the network and of its weights
    started    when it was, by `time.perf_counter`
    """

    trained: Trained
    space: Space
    options: SearchOptions
    world: World
    metric: Metric
    costs: list[str]
    proposals: Proposals
    plans: Calibrated
    evaluator: Evaluator
    table: LatencyTable | None
    origin: Mapping[str, str]
    started: float

    @property
    def evaluated_on(self) -> str:
        """Which images the values are of: "test" where none were held out."""
        return evaluated_on(self.trained)

    def finished(self, evaluated: Sequence[Point], front: Sequence[Point]) -> list[Point]:
        """The front by rising MACs, with latencies and test accuracies. Exits where nothing is on it."""
        if self.world.main:
            reused = self.evaluator.reused
            earlier = f", {reused} of them in earlier runs," if reused else ""
            print(f"evaluated {len(evaluated)} sub-networks{earlier} in {seconds(self.started)}")
        broken = self.evaluator.broken()
        if broken and self.world.main:
            of = f"{len(broken)} of {len(self.evaluator.looked_at())} sub-networks"
            print(f"warning: {of} output NaN or Inf and are left out, such as {short(broken[0])}")
        if not front:
            leave(self.world)
            if not self.world.main:
                raise SystemExit(1)
            if broken:
                raise SystemExit("no sub-network is left: train again")
            looked_at = self.evaluator.looked_at()
            raise SystemExit(why_none(self.space, self.options.budgets, looked_at, self.table))
        return self.evaluator.finished(sorted(front, key=lambda point: point.macs))


def begin(
    net: Any,
    space: Space,
    shapes: Shapes,
    task: Task,
    project: Path,
    options: SearchOptions,
    world: World,
    listed: Sequence[Assignment | str] | None = None,
) -> Search:
    """Everything ready to search a network on its process's device.

    `shapes` is what the network takes; its ir.json lies in the folder `project`. `listed` is what its training runs,
    where that is but a few sub-networks.
    """
    net = net.to(world.device).to(memory_format=torch.channels_last)
    file = options.checkpoint
    if options.start_from is not None:
        assert options.data is not None
        file = options.output_dir / "start.safetensors"
        start(net, options.start_from, task.count, world)
        sort_all(net, "l1", project / "channels.json", None, task, world)
        keep_start(file, net, options.data, world)
    trained = load_trained(
        net,
        file,
        shapes,
        task,
        world.device,
        data=options.data,
        data_path=options.data_path,
        workers=options.workers,
    )
    loading = trained.loading
    if world.main and evaluated_on(trained) == "test":
        measured = trained.task.metrics[0].name
        print(f"no validation images (validation = 0): {measured} is measured on the test set")
    metrics = {metric.key: metric for metric in trained.task.metrics}
    named = [*dict.fromkeys(options.objectives)]
    metric = metrics[next((name for name in named if name in metrics), next(iter(metrics)))]
    costs = [name for name in named if name not in metrics] or ["macs"]
    plans = Calibrated(trained.net, loading.calibration(options.calibrate))
    table = read_latencies(options.latency_table, space, world, first_version(net))
    origin = trained.origin()
    # What evaluations depend on; a longer search, or one of another strategy, goes on with them.
    of = [*origin.values(), world.device.type, *loading.digests(options.calibrate)]
    limited = [*costs, *(budget["name"] for budget in options.budgets)]
    evaluator = Evaluator(
        costs=counting(space, project / "ir.json", table, listed),
        measure=measuring(trained, plans, shapes),
        journal=open_journal(options.output_dir / "search.jsonl", fingerprint(of), world),
        budgets=options.budgets,
        timed=table is None and "latency" in limited,
        world=world,
        metric=metric,
    )
    started = time.perf_counter()
    rng = random.Random(options.seed)
    strategy, budgets = options.strategy, options.budgets
    proposals = Proposals(space, strategy, rng, costs, budgets, evaluator.allowed, table)
    return Search(
        *(
            trained,
            space,
            options,
            world,
            metric,
            costs,
            proposals,
            plans,
            evaluator,
            table,
            origin,
            started,
        )
    )


def evaluated_on(trained: Trained) -> str:
    """Which images the values are of: "test" where none were held out."""
    data = trained.loading.data
    return "test" if data.validation is data.test else "validation"


def read_latencies(
    file: Path | None, space: Space, world: World, first: FirstVersion = UNCHANGED
) -> LatencyTable | None:
    """The table that predicts latencies, where one is given. Exits where it cannot be used."""
    if file is None:
        return None
    try:
        table = read_table(file, space.SPACE, first.renamed)
    except OSError as error:
        raise SystemExit(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise SystemExit(f"--latency-table: {error}") from None
    if world.main:
        print(f"latencies by {file}: {table.conditions}")
    return table


def counting(
    space: Space,
    graph: Path,
    table: LatencyTable | None = None,
    listed: Sequence[Assignment | str] | None = None,
) -> Costs:
    """What counts a sub-network's costs: multiply-accumulates, parameters, bytes of activations; seconds by a table.

    Where training runs only those `listed`, it also says whether a sub-network is one of them.
    """
    memory = read_memory(graph)
    run = None if listed is None else [resolved(space, at) for at in listed]

    def costs(at: Assignment) -> dict[str, Any]:
        found: dict[str, Any] = {"macs": space.macs(at), "params": space.params(at)}
        found["memory"] = memory(at)
        if run is not None:
            found["trained"] = at in run
        if table:
            found["latency"] = predicted(space.SPACE, table, [at])[0]
        return found

    return costs


def measuring(trained: Trained, plans: Callable[[Assignment], Any], shapes: Shapes) -> Measure:
    """What measures a sub-network: its metrics on held-out or on test images, or its latency, of one example, as it is
    served."""
    net, loading = trained.net, trained.loading
    images = {
        "": loading.evaluation(loading.data.validation),
        "test_": loading.evaluation(loading.data.test),
    }
    keys = [metric.key for metric in trained.task.metrics]

    def measured(at: Assignment, what: str) -> Measured:
        plan = plans(at)
        if what == "latency":
            inputs = sized(random_inputs(shapes, 1, loading.world.device), plan.resolution)
            timing = measure(net.fused(plan), inputs)
            return {"latency": timing.median, "latency_p90": timing.p90}
        part = "" if what in keys else "test_"
        score = evaluate(net, plan, images[part], trained.task, loading.world)
        found = {part + key: score.of(key, trained.task.metrics) for key in keys}
        return found | ({"broken": score.broken} if score.broken else {})

    return measured


def report(search: Search, name: str, evaluated: Sequence[Point], front: Sequence[Point]) -> None:
    """Prints the front of the network `name`, and writes it with what it is of: the network, its weights, its data."""
    print(front_table(front))
    missing = sum(not point.trained for point in front)
    if missing:
        print(f"{missing} of {len(front)} are not trained: no step of train.py runs them")

    data, costs, folder = search.trained.loading.data, search.costs, search.options.output_dir
    share = covered(front, search.evaluator.point(search.space.largest()), costs)
    about: dict[str, Any] = {"network": name, **search.origin, "dataset": data.name}
    about |= {"cost": costs[0], "costs": costs, "hypervolume": share}
    title = f"{name}: {search.metric.name} on {len(data.validation):,} {search.evaluated_on} images"
    with writing(folder):
        write_text(folder / "pareto.json", to_json(front, about))
        write_page(folder / "pareto.html", title, [*evaluated], [*front], costs)
    series = Series(
        title=title,
        cost_name=costs[0],
        evaluated=[(point.cost(costs[0]), point.value) for point in evaluated],
        front=[(point.cost(costs[0]), point.value) for point in front],
        metric=search.metric,
    )
    with writing(folder):
        _, picture = draw(series, folder)
    print(f"wrote {folder / 'pareto.json'}, {folder / 'pareto.html'} and {picture}")


def front_table(front: Sequence[Point]) -> str:
    """A line for each sub-network of a front that is finished, numbered as export.py takes them."""
    rows = [
        [
            f"{number:2}  {short(point.at)}{'' if point.trained else ' (not trained)'}",
            amount(point.macs),
            amount(point.params),
            amount(point.cost("memory")),
            point.metric.shown(point.value),
            "" if point.test_value is None else point.metric.shown(point.test_value),
            f"{1e3 * point.cost('latency'):.3f} ms",
        ]
        for number, point in enumerate(front, 1)
    ]
    heads = ["    sub-network", "MACs", "params", "bytes", "validation", "test", "latency"]
    return table(heads, rows)
