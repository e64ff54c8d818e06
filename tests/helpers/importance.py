"""The importance analysis as the paper writes it down: the whole matrix, every path. Slow, and easy to trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from mpmath import lu_solve, matrix, mp, mpf
from numpy.typing import NDArray

from specc.ir.expr import Option, evaluate
from specc.passes.importance_view import View

Floats = NDArray[np.float64]
DIGITS = 50


def adjacency(view: View, at: Mapping[str, Option], directed: bool) -> Floats:
    """A_k of one sub-network (Eq. 2)."""
    size = len(view.nodes)
    a = np.zeros((size, size))
    for edge in view.edges:
        if evaluate(edge.guard, at):
            a[edge.source, edge.target] = 1
            if not directed:
                a[edge.target, edge.source] = 1
    for end in (*view.firsts, *view.lasts):
        a[end, end] = 1
    return a


def hyper_adjacency(
    view: View, drawn: Sequence[Mapping[str, Option]], coupling: float, damping: float, directed: bool
) -> Floats:
    """H~, (NT, NT): sub-networks on the diagonal, lambda I off it, damped (Eq. 4, 5, 20)."""
    size, subnets = len(view.nodes), len(drawn)
    h: Floats = np.zeros((subnets * size, subnets * size))
    h += np.kron(np.ones((subnets, subnets)) - np.eye(subnets), coupling * np.eye(size))
    for k, at in enumerate(drawn):
        h[k * size : (k + 1) * size, k * size : (k + 1) * size] += adjacency(view, at, directed)
    h *= 1 - damping
    h += damping
    return h


def dense_tas(h: Floats, size: int) -> Floats:
    """TAS (Eq. 6, 7, 8) by solving the whole system: pi (P - 1) = 0 with one equation replaced by sum(pi) = 1."""
    p = h / h.sum(axis=1, keepdims=True)
    system = p.T - np.eye(len(p))
    system[-1] = 1
    right = np.zeros(len(p))
    right[-1] = 1
    pi: Floats = np.linalg.solve(system, right)
    tas: Floats = pi.reshape(-1, size).sum(axis=0)
    return tas


def precise_tas(
    view: View, drawn: Sequence[Mapping[str, Option]], coupling: float, damping: float, directed: bool
) -> list[mpf]:
    """The same in 50 digits."""
    with mp.workdps(DIGITS):
        size, subnets = len(view.nodes), len(drawn)
        blocks = [adjacency(view, at, directed).astype(int).tolist() for at in drawn]
        keep, every = 1 - mpf(damping), mpf(damping)
        total = size * subnets
        h = matrix(total, total)
        for i in range(total):
            for j in range(total):
                k, r, m, s = i // size, i % size, j // size, j % size
                h[i, j] = every + keep * (blocks[k][r][s] if k == m else mpf(coupling) if r == s else 0)
        system = matrix(total, total)
        for i in range(total):
            row = sum(h[i, j] for j in range(total))
            for j in range(total):
                system[j, i] = h[i, j] / row - (1 if i == j else 0)
        right = matrix(total, 1)
        for i in range(total):
            system[total - 1, i] = mpf(1)
        right[total - 1] = mpf(1)
        pi = lu_solve(system, right)
        return [sum(pi[k * size + r] for k in range(subnets)) for r in range(size)]


def all_paths(view: View) -> Iterator[tuple[int, ...]]:
    """Every path from a first to a last node, as the numbers of its edges."""
    lasts = set(view.lasts)

    def onward(node: int, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if node in lasts:
            yield path
        for number, edge in enumerate(view.edges):
            if edge.source == node:
                yield from onward(edge.target, (*path, number))

    for first in view.firsts:
        yield from onward(first, ())


def nodes_on(view: View, path: tuple[int, ...], first: int) -> list[int]:
    return [first, *(view.edges[edge].target for edge in path)]


def best_paths(view: View, tas: Sequence[mpf], macs: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The best path of every node count: highest TPS (Eq. 9), then fewest MACs, then first in graph order.

    Sums that agree in 40 digits are equal.
    """
    found: dict[int, tuple[tuple[mpf, int, tuple[int, ...]], tuple[int, ...]]] = {}
    with mp.workdps(DIGITS):
        for path in all_paths(view):
            if not path:
                continue
            nodes = nodes_on(view, path, view.edges[path[0]].source)
            tps = mp.nint(sum((tas[node] for node in nodes), mpf(0)) * mpf(10) ** 40)
            key = (-tps, sum(macs[edge] for edge in path), path)
            if len(nodes) not in found or key < found[len(nodes)][0]:
                found[len(nodes)] = key, path
    return {length: path for length, (_, path) in sorted(found.items())}
