"""The rows of the tables that hold the importance analysis."""

from __future__ import annotations

from collections.abc import Iterator

from specc.ir.graph import Graph
from specc.query.rows import Facts, Row


def tas_rows(facts: Facts) -> Iterator[Row]:
    tas = facts.marks.tas
    places: dict[float, int] = {}
    for place, score in enumerate(sorted(tas.values(), reverse=True), start=1):
        places.setdefault(score, place)
    return ((name, score, places[score]) for name, score in tas.items())


def edge_rows(facts: Facts) -> Iterator[Row]:
    for edge in facts.marks.ops:
        yield edge.name, edge.kind, edge.stage, edge.source, edge.target, edge.macs, int(edge.important), edge.score


def path_rows(facts: Facts) -> Iterator[Row]:
    best = facts.marks.best
    for path in facts.marks.paths:
        yield path.nodes, path.tps, path.mean_tas, int(best is not None and path.nodes == best.nodes)


def step_rows(facts: Facts) -> Iterator[Row]:
    return iter(enumerate(facts.marks.best_ops, start=1))


def subnet_rows(facts: Facts) -> Iterator[Row]:
    import json

    from specc.assignments import option_json
    from specc.cost import compile_cost
    from specc.subnets.space import complete

    graph: Graph = facts.graph
    choices = graph.choice_table()
    for number, drawn in enumerate(facts.marks.subnets, start=1):
        totals = compile_cost(graph)(complete(graph, drawn, "max"))
        kept = sum(1 for name, option in drawn.items() if choices[name].kind == "skip" and option)
        at = {name: option_json(choices[name], option) for name, option in drawn.items()}
        yield number, totals.macs, totals.params, kept, json.dumps(at, ensure_ascii=False)


def present_rows(facts: Facts) -> Iterator[Row]:
    for edge in facts.marks.ops:
        yield from ((number, edge.name) for number, here in enumerate(edge.present, start=1) if here)
