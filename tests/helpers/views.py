"""Random importance views, with choices that decide together what is present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from specc.importance.chain import Joined
from specc.importance.report import joined_pairs
from specc.importance.subnets import Pairs, Subnets, draw_subnets, pairs_of
from specc.ir.choice import Choice, Range
from specc.ir.expr import Expr, Var, apply, both
from specc.passes.importance_view import View, ViewEdge
from specc.source import Source, Span

HERE = Span(Source("random", ""), 0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    """A view, its choices, the MACs of its edges, and how it is to be analysed."""

    view: View
    choices: tuple[Choice, ...]
    macs: tuple[int, ...]
    subnets: int
    coupling: float
    damping: float
    seed: int

    @property
    def pairs(self) -> Pairs:
        return pairs_of(self.view)

    def drawn(self) -> Subnets:
        return draw_subnets(self.view, self.pairs, self.choices, self.subnets, self.seed)

    def joined(self, drawn: Subnets) -> Joined:
        return joined_pairs(self.view, self.pairs, drawn.holds.astype(np.float64), self.subnets)


CHOICES = (
    Choice("a", (0, 1), "skip", HERE),
    Choice("b", (0, 1), "skip", HERE),
    Choice("c", (0, 1), "skip", HERE),
    Choice("d", Range(0, 2), "depth", HERE),
)
GUARDS: tuple[Expr, ...] = (
    1,
    Var("a"),
    Var("b"),
    both(Var("b"), Var("c")),
    apply("ge", Var("d"), 1),
    apply("ge", Var("d"), 2),
)
AROUND: tuple[Expr, ...] = (apply("not", Var("a")), both(Var("b"), apply("not", Var("c"))), apply("eq", Var("d"), 0))


@st.composite
def views(draw: st.DrawFn, most: int = 7) -> View:
    """Up to `most` nodes; a chain through all of them, so that there is a path, and other edges; one or two ends."""
    size = draw(st.integers(2, most))
    chain = [(node, node + 1) for node in range(size - 1)]
    pairs = [(s, t) for s in range(size) for t in range(s + 1, size)]
    extra = draw(st.lists(st.sampled_from(pairs), max_size=size + 2))
    edges = []
    for number, (source, target) in enumerate(chain + extra):
        kind = "conv" if number < len(chain) else draw(st.sampled_from(("conv", "add", "select")))
        guard = 1 if kind == "add" else draw(st.sampled_from(AROUND if kind == "select" else GUARDS))
        name, is_add, is_select = f"e{number}", kind == "add", kind == "select"
        edges.append(ViewEdge(name, kind, (name,), source, target, guard, guard != 1, is_add, is_select))
    edges.sort(key=lambda edge: (edge.target, edge.source))
    firsts = (0, 1) if size > 2 and draw(st.booleans()) else (0,)
    lasts = (size - 2, size - 1) if size > 3 and draw(st.booleans()) else (size - 1,)
    return View(tuple(f"t{node}" for node in range(size)), tuple(edges), firsts, lasts)


@st.composite
def cases(draw: st.DrawFn, most: int = 7, subnets: int = 6) -> Case:
    view = draw(views(most))
    macs = tuple(draw(st.integers(0, 2)) for _ in view.edges)
    return Case(
        view=view,
        choices=CHOICES,
        macs=macs,
        subnets=draw(st.integers(1, subnets)),
        coupling=draw(st.floats(0.01, 1)),
        damping=draw(st.one_of(st.just(1e-5), st.floats(1e-6, 0.9))),
        seed=draw(st.integers(0, 1000)),
    )
