"""The Python API: `specc.load("net.specc")` and what can be asked of the network it gives.

net = specc.load("specs/digits.specc")
net.cost("min").macs
net.space().size
net.sample(5, macs=(100_000, 200_000))
net.importance().important
net.query("SELECT name, macs FROM ops ORDER BY macs DESC LIMIT 5").rows
net.compile("runs/digits")
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from specc.assignments import checked
from specc.diagnostics import SpecError, SpecWarning, as_warning
from specc.frozen import frozen
from specc.ir.choice import Choice
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.pipeline import Compiled, compile_project, start_file
from specc.pipeline import load as load_spec

if TYPE_CHECKING:
    from specc.cost import CostReport, Count
    from specc.importance import Importance
    from specc.query import Answer
    from specc.subnets.space import Distribution

__all__ = ["Network", "Space", "SpecError", "SpecWarning", "load"]

Where: TypeAlias = Mapping[str, object] | Literal["max", "min"]
"""A sub-network: the largest, the smallest, or options by choice; choices left out stand at their largest option."""
Window: TypeAlias = tuple[float | None, float | None]
"""The ends of a budget, both included; None where it is open."""


@dataclass(frozen=True, slots=True)
class Space:
    """The choices of a network and the exact number of its distinct sub-networks."""

    choices: tuple[Choice, ...]
    size: int


@frozen
class Network:
    """A spec that is right, and what can be asked of it. Raises SpecError where a question has no answer."""

    compiled: Compiled

    @property
    def name(self) -> str:
        return self.compiled.name

    @property
    def graph(self) -> Graph:
        return self.compiled.graph

    def assignment(self, at: Where = "max") -> dict[str, Option]:
        """The canonical assignment of a sub-network. Raises WrongAssignment, a ValueError, naming the options."""
        from specc.subnets.space import complete

        if at == "max" or at == "min":
            return complete(self.graph, {}, at)
        return complete(self.graph, checked(self.graph, at))

    def cost(self, at: Where = "max", count: Count = "macs", deployed: bool = False) -> CostReport:
        """Parameters, MACs and memory of a sub-network, for one image; with `deployed`, as it is exported: with norms
        folded and parallel linear branches merged."""
        from specc.cost import cost

        return cost(self.graph, self.assignment(at), count, deployed)

    def space(self) -> Space:
        """The choices and the number of sub-networks."""
        from specc.subnets.space import size

        return Space(self.graph.choices, size(self.graph))

    def sample(
        self,
        number: int = 1,
        *,
        seed: int = 0,
        distribution: Distribution = "uniform",
        macs: Window = (None, None),
        params: Window = (None, None),
        latency: Window = (None, None),
        latency_table: str | Path | None = None,
    ) -> tuple[dict[str, Option], ...]:
        """Independent draws, as canonical assignments; with budgets uniform over the sub-networks inside them.

        A budget in latency, in seconds, needs a table of measured blocks: a project's latency.<device>.json. Warns
        with SpecWarning where draws are not exactly uniform, or fewer than asked for were found. Raises SpecError where
        there is no such sub-network, ValueError for what is no number of draws and no budget.
        """
        from specc.subnets.space import doubts, draw

        if number < 1:
            raise ValueError(f"a positive number of draws is expected, not {number}")
        if latency != (None, None):
            from specc.subnets.latency import draw_timed

            if latency_table is None:
                raise ValueError("a budget in latency needs latency_table")
            path = Path(latency_table)
            timed = draw_timed(self.graph, path, number, seed, interval(latency), interval(macs), interval(params))
            draws = timed.draws
        else:
            draws = draw(self.graph, number, seed, distribution, interval(macs), interval(params))
        for diagnostic in doubts(self.graph, draws, number):
            warnings.warn(as_warning(diagnostic), stacklevel=2)
        return cast("tuple[dict[str, Option], ...]", draws.assignments)

    def importance(
        self,
        *,
        subnets: int | None = None,
        coupling: float | None = None,
        damping: float | None = None,
        directed: bool = False,
        expected: bool = False,
        nodes: int | None = None,
        seed: int = 0,
    ) -> Importance:
        """Which operations matter: `net.importance().important`, `.tensors`, `.ops`, `.paths`, `.best`.

        What is None is as the spec's method has it, or as in the paper; see `specc.importance.Settings`.
        """
        from specc.importance import importance, settings_of

        settings = settings_of(self.compiled.model.method, subnets, coupling, damping)
        more = replace(settings, directed=directed, expected=expected, nodes=nodes, seed=seed)
        return importance(self.graph, more)

    def query(self, sql: str) -> Answer:
        """The answer to a question in SQL over the tables that `specc query SPEC` lists."""
        from specc.importance import settings_of
        from specc.importance.marks import marks_of
        from specc.query import ask

        return ask(self.graph, sql, lambda: marks_of(self.graph, settings_of(self.compiled.model.method)))

    def compile(self, folder: str | Path, at: Where | None = None, force: bool = False) -> dict[str, str]:
        """Writes the PyTorch project, or that of one static sub-network, and gives its files.

        Raises `specc.codegen.install.Refused` where the folder holds what specc did not write and `force` is not given.
        """
        from specc.codegen.install import carry, install

        files = compile_project(self.compiled, None if at is None else self.assignment(at))
        start = start_file(self.compiled)
        install(files, Path(folder), force)
        carry(start, Path(folder))
        return files


def load(path: str | Path, **params: object) -> Network:
    """The network of a spec file; `params` override its `param` statements. Raises SpecError with all errors.

    Warns with SpecWarning, once for each warning.
    """
    compiled = load_spec(path, {name: written(value) for name, value in params.items()})
    for diagnostic in compiled.warnings:
        warnings.warn(as_warning(diagnostic), stacklevel=2)
    return Network(compiled)


def written(value: object) -> str:
    """A Python value as `-p` would have it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def interval(window: Window | None) -> tuple[float, float]:
    """A window with infinities where it is open. Raises ValueError for what is none."""
    low, high = window or (None, None)
    ends = (-inf if low is None else low, inf if high is None else high)
    if not ends[0] <= ends[1]:
        raise ValueError(f"invalid budget: the lower bound {low} is not below or at the upper bound {high}")
    return ends
