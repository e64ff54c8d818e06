"""What a search says and writes at its end: a table, pareto.json, a page and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specc.runtime.files.whole import write_text, writing
from specc.runtime.net.spelling import short
from specc.runtime.run.progress import amount, table
from specc.runtime.search.front import Point, to_json
from specc.runtime.search.page import write_page
from specc.runtime.search.picture import Series, draw
from specc.runtime.search.proposals import covered
from specc.runtime.search.session import Search


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
    title = f"{name}: accuracy on {len(data.validation):,} {search.evaluated_on} images"
    with writing(folder):
        write_text(folder / "pareto.json", to_json(front, about))
        write_page(folder / "pareto.html", title, [*evaluated], [*front], costs)
    series = Series(
        title=title,
        cost_name=costs[0],
        evaluated=[(point.cost(costs[0]), point.accuracy) for point in evaluated],
        front=[(point.cost(costs[0]), point.accuracy) for point in front],
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
            f"{point.accuracy:.2%}",
            f"{point.test_accuracy:.2%}",
            f"{1e3 * point.cost('latency'):.3f} ms",
        ]
        for number, point in enumerate(front, 1)
    ]
    heads = ["    sub-network", "MACs", "params", "bytes", "validation", "test", "latency"]
    return table(heads, rows)
