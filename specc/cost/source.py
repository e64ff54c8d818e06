"""The cost program as Python: `cost(a)` for one assignment, `batched(positions)` for many.

Both start by reading choices into variables and go on with the same statements, on integers or on arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from specc.cost.program import Program, program
from specc.cost.totals import Count
from specc.cost.variables import Variables
from specc.cost.writer import functions, tables
from specc.frozen import frozen
from specc.ir.choice import Assignment
from specc.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Cost(NamedTuple):
    """The multiply-accumulates for one image and the parameters in use."""

    macs: int
    params: int


@frozen
class CompiledCost:
    """The costs of any sub-network of one graph.

    one    an assignment -> (MACs, parameters); options as the graph has them
    many   option positions [n, choices] -> MACs [n], parameters [n]
    """

    one: Callable[[Assignment], tuple[int, int]]
    many: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]
    together: tuple[tuple[str, ...], ...]
    source: str

    def __call__(self, at: Assignment) -> Cost:
        return Cost(*self.one(at))


@lru_cache(maxsize=4)
def compile_cost(graph: Graph, count: Count = "macs") -> CompiledCost:
    """The costs of any sub-network as functions of an assignment, or of many."""
    what = program(graph, count)
    source = written(what, plain=False)
    names: dict[str, Any] = {}
    exec(compile(source, "<the cost program>", "exec"), names)  # our own text: what a spec says went through repr
    choices = [choice.name for choice in graph.choices]
    together = tuple(tuple(choices[at] for at in scope) for scope in what.together)
    return CompiledCost(names["cost"], names["batched"], together, source)


def cost_source(graph: Graph, count: Count = "macs", plain: bool = True) -> str:
    """A module of its own with `cost`, `macs`, `params` and `batched`.

    With `plain`, options are as JSON has them (true, 0.35); without, as the graph has them (1, Fraction(7, 20)).
    """
    return written(program(graph, count), plain)


def written(what: Program, plain: bool) -> str:
    """A module with the functions of a program."""
    variables = Variables(what, plain)
    head = ["from __future__ import annotations", "", "from collections.abc import Mapping"]
    head += [] if plain else ["from fractions import Fraction"]
    head += ["from typing import Any", "", "import numpy as np"]
    constants = tables(variables)
    return "\n".join([*head, *([""] if constants else []), *constants, "", "", *functions(variables)]) + "\n"
