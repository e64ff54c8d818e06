"""What search.py does: `[search]` of settings.toml, the flags that override it, and the bounds of both."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elastic.run.flags import Flags, cost, whole
from elastic.run.settings import common_flags, complete, data_settings, known
from elastic.train.scores import ACCURACY, Metric

COSTS: Final = ("macs", "params", "latency", "memory")
STRATEGIES: Final = ("exhaustive", "evolution", "random", "pools")
STRATEGY: Final[Mapping[str, Any]] = {
    "evaluations": 512,
    "population": 32,
    "mutation": 0,
    "windows": 16,
}
"""What a strategy needs that settings.toml describes for another one."""


def check_search(search: Mapping[str, Any], metrics: Sequence[Metric]) -> None:
    """Exits where `[search]` says what no search can do, with all that is wrong."""
    wrong = [*faults(search, [metric.key for metric in metrics])]
    if wrong:
        raise SystemExit("\n".join(f"settings.toml: [search] {fault}" for fault in wrong))


def faults(search: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[str]:
    objectives, words = search["objectives"], (*metrics, *COSTS)
    if not isinstance(objectives, list) or any(name not in words for name in objectives):
        yield f"objectives = {objectives!r}: a list is expected, of {', '.join(words)}"
    elif sum(name in metrics for name in objectives) > 1:
        yield f"objectives = {objectives!r}: one of {', '.join(metrics)}, and costs, are expected"
    for name in ("calibrate", "seed"):
        yield from unless_whole(name, search[name], 0)

    strategy = search["strategy"]
    if not isinstance(strategy, Mapping) or strategy.get("name") not in STRATEGIES:
        yield f"strategy: a table is expected, with a name: {', '.join(STRATEGIES)}"
        return
    for name, value in strategy.items():
        if name in ("evaluations", "population", "windows"):
            yield from unless_whole(f"strategy.{name}", value, 1)
        elif name == "mutation":
            if not is_number(value) or not 0 <= value < 1:
                yield f"strategy.mutation = {value!r}: a share from 0 to below 1 is expected"
        elif name != "name":
            yield f"strategy has no setting {name!r}; there are {', '.join(STRATEGY)}"

    budgets = search["budgets"]
    if not isinstance(budgets, list) or any(not isinstance(row, Mapping) for row in budgets):
        yield f"budgets = {budgets!r}: a list of tables is expected"
        return
    for budget in budgets:
        yield from faults_of_budget(budget)


def faults_of_budget(budget: Mapping[str, Any]) -> Iterator[str]:
    if budget.get("name") not in COSTS:
        yield f"budgets: {dict(budget)} has no name: {', '.join(COSTS)}"
        return
    for end, value in budget.items():
        if end in ("least", "most"):
            if not is_number(value) or not value >= 0:
                yield f"budgets: {budget['name']} has {end} = {value!r}: a number from 0 on is expected"
                return
        elif end != "name":
            yield f"budgets: {budget['name']} has no setting {end!r}; there are most, least"
    yield from crossed([budget])


def crossed(budgets: list[Mapping[str, Any]]) -> Iterator[str]:
    """Budgets whose lower bound exceeds the upper bound."""
    for budget in budgets:
        least, most = budget.get("least", 0), budget.get("most", float("inf"))
        if least > most:
            low, high = (written(end, budget["name"]) for end in (least, most))
            yield f"invalid {budget['name']} budget: lower bound {low} exceeds upper bound {high}"


def written(value: float, name: str) -> str:
    """A cost or a constraint on one, for people."""
    return f"{1e3 * value:g} ms" if name == "latency" else f"{value:,.15g}"


def unless_whole(name: str, value: Any, least: int) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        yield f"{name} = {value!r}: a whole number from {least} on is expected"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What search.py does: `[search]` of settings.toml, with flags applied, and where it reads and writes.

    `data` is None where the data set is to be the one that the checkpoint was trained on, which now lies at `data_path`
    if it moved.
    """

    objectives: Sequence[str]
    strategy: Mapping[str, Any]
    budgets: Sequence[Mapping[str, Any]]
    calibrate: int
    seed: int
    data: Mapping[str, Any] | None
    device: str
    workers: int
    output_dir: Path
    checkpoint: Path
    latency_table: Path | None = None
    data_path: str | None = None
    start_from: Path | None = None


def search_options(
    settings: Mapping[str, Any],
    argv: Sequence[str] | None = None,
    metrics: Sequence[Metric] = (ACCURACY,),
) -> SearchOptions:
    """`[search]` and the command line, for a network that is scored by some metrics: the first always counts."""
    parser = Flags(description="Finds the Pareto-optimal sub-networks of a trained network.")
    add = parser.add_argument
    common_flags(parser)
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="default: checkpoint.pt in the output folder",
    )
    add(
        "--start",
        type=Path,
        metavar="FILE",
        help="search weights that were not trained here: calibration alone",
    )
    words = [*(metric.key for metric in metrics), *COSTS]
    text = f"objectives beside {metrics[0].name}, which always counts"
    if len(metrics) > 1:
        text = f"costs, and the metric to search by (default: {metrics[0].key})"
    add("--objectives", nargs="+", choices=words, help=text)
    add("--strategy", choices=STRATEGIES)
    add(
        "--evaluations", type=whole(1), metavar="N", help="total number of sub-networks to evaluate"
    )
    add("--max-macs", type=cost, metavar="N", help="per image, as in 20e6")
    add("--max-params", type=cost, metavar="N")
    add("--max-latency", type=cost, metavar="MS", help="measured milliseconds per image")
    text = "predict latencies with a table of bench.py --table instead of measuring"
    add("--latency-table", type=Path, metavar="FILE", help=text)
    add("--max-memory", type=cost, metavar="BYTES", help="peak activation memory")
    for name in UNITS:
        add(f"--min-{name}", type=cost, metavar="N", help="as --max-" + name)
    add(
        "--calibrate",
        type=whole(0),
        metavar="N",
        help="images for batch-norm calibration of each candidate",
    )
    flags = parser.parse_args(argv)
    if flags.start is not None and flags.checkpoint is not None:
        parser.error("--checkpoint is of a trained network, and --start of another: name one")

    complete(settings["search"], SearchOptions, "search")
    check_search(settings["search"], metrics)
    search = dict(settings["search"])
    for name in ("objectives", "calibrate", "seed"):
        if getattr(flags, name) is not None:
            search[name] = getattr(flags, name)
    strategy = dict(search["strategy"])
    if flags.strategy:
        strategy["name"] = flags.strategy
    if flags.evaluations is not None:
        strategy["evaluations"] = flags.evaluations
    search["strategy"] = {**STRATEGY, **strategy}
    search["budgets"] = budgets(search["budgets"], flags)
    for fault in faults(search, words[: len(metrics)]):
        parser.error(fault)
    folder = flags.output_dir or Path("runs")
    return SearchOptions(
        **known(search, SearchOptions, "search"),
        data=data_settings(settings, flags) if flags.dataset or flags.start else None,
        data_path=flags.data_path,
        device=flags.device,
        workers=flags.workers,
        output_dir=folder,
        checkpoint=flags.checkpoint or folder / "checkpoint.pt",
        latency_table=flags.latency_table,
        start_from=flags.start,
    )


UNITS: Final[Mapping[str, int]] = {"macs": 1, "params": 1, "latency": 1000, "memory": 1}
"""The costs that can be constrained, and how many of the flags' units make one of the settings'."""


def budgets(
    settings: Sequence[Mapping[str, Any]], flags: argparse.Namespace
) -> list[dict[str, Any]]:
    """The constraints of settings.toml; where there are flags for a cost, theirs alone."""
    found = [dict(budget) for budget in settings]
    for name, unit in UNITS.items():
        constraints = {
            "most": getattr(flags, f"max_{name}"),
            "least": getattr(flags, f"min_{name}"),
        }
        # Rounded, so that a constraint of 2.466049 ms is what a latency of 2466049 ns is in seconds.
        given = {
            end: round(value / unit, 12) for end, value in constraints.items() if value is not None
        }
        if given:
            found = [budget for budget in found if budget["name"] != name]
            found.append({"name": name, **given})
    return found
