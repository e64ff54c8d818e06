"""What a search cannot be asked for: bounds of what settings.toml says in `[search]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

OBJECTIVES: Final = ("accuracy", "macs", "params", "latency", "memory")
STRATEGIES: Final = ("exhaustive", "evolution", "random", "pools")
STRATEGY: Final[Mapping[str, Any]] = {
    "evaluations": 512,
    "population": 32,
    "mutation": 0,
    "windows": 16,
}
"""What a strategy needs that settings.toml describes for another one."""


def check_search(search: Mapping[str, Any]) -> None:
    """Exits where `[search]` says what no search can do, with all that is wrong."""
    wrong = [*faults(search)]
    if wrong:
        raise SystemExit("\n".join(f"settings.toml: [search] {fault}" for fault in wrong))


def faults(search: Mapping[str, Any]) -> Iterator[str]:
    objectives = search["objectives"]
    if not isinstance(objectives, list) or any(name not in OBJECTIVES for name in objectives):
        yield f"objectives = {objectives!r}: a list is expected, of {', '.join(OBJECTIVES)}"
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
    if budget.get("name") not in OBJECTIVES[1:]:
        yield f"budgets: {dict(budget)} has no name: {', '.join(OBJECTIVES[1:])}"
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
