"""Latency tables: every block of a network measured alone, for every combination of the choices that it reads.

`elastic.latency_table` says how a table is kept; a sub-network's latency is predicted as the sum over its blocks.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from .latency import measure
from .progress import Bar
from .latency_table import predicted, read_table

Combination: TypeAlias = tuple[Any, ...]
"""An option for each of the choices that a block reads."""
Call: TypeAlias = tuple[Any, ...]
"""What a block was called with."""

MOST = 100_000
"""The most combinations of options that one block may read."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Predicted against measured latencies of whole sub-networks.

    error        root mean square error as a share of the mean latency
    correlation  of their ranks (Spearman)
    overhead     seconds by which whole sub-networks take longer, on average
    """

    error: float
    correlation: float
    overhead: float


def write_table(
    net: Any,
    space: Any,
    blocks: Mapping[str, Sequence[str]],
    image: tuple[int, int, int],
    device: str,
    about: Mapping[str, Any],
    folder: Path,
    rounds: int,
    whole: int = 200,
) -> str:
    """Writes latency.<device>.json, and says how well its sums predict random sub-networks measured afterwards.

    `about` has the name of the network and the batch size; `rounds` is how often a block runs at most.
    """

    def images(plan: Any) -> Tensor:
        size = (plan.resolution, plan.resolution) if plan.resolution else image[1:]
        return torch.randn(about["batch_size"], image[0], *size, device=device)

    kind = torch.device(device).type
    head = {**about, "device": kind, "threads": 1}
    with Bar("measuring blocks", most_combinations(space, blocks)) as bar:
        content = block_table(net, space, blocks, images, head, rounds, bar.advance)
    path = folder / f"latency.{kind}.json"
    aside = path.with_name(path.name + ".partial")
    aside.write_text(json.dumps(content) + "\n", encoding="utf-8")
    aside.replace(path)

    rng = random.Random(0)
    ats = [space.draw(rng) for _ in range(whole)]
    measured = []
    with Bar("measuring sub-networks", len(ats)) as bar:
        for at in ats:
            plan = net.plan(at)
            net.use(plan)
            measured.append(measure(net, images(plan), rounds=rounds, budget=0.2).fastest)
            bar.advance()
    found = agreement(predicted(space.SPACE, read_table(path, space.SPACE), ats), measured)
    return (
        f"wrote {path.name}; on {whole} whole sub-networks its error is {found.error:.1%} of the mean "
        f"latency, the correlation of ranks {found.correlation:.3f}; they take "
        f"{1e3 * found.overhead:.3f} ms more than their blocks on average"
    )


def most_combinations(space: Any, blocks: Mapping[str, Sequence[str]]) -> int:
    """How often the whole network runs at least. Exits where a block reads too many choices for a table."""
    path = max(blocks, key=lambda path: number_of(space, blocks[path]))
    most = number_of(space, blocks[path])
    if most > MOST:
        raise SystemExit(
            f"the block {path} reads choices of {most:,} combinations; a table has {MOST:,} at most"
        )
    return most


def block_table(
    net: Any,
    space: Any,
    blocks: Mapping[str, Sequence[str]],
    images: Callable[[Any], Tensor],
    about: Mapping[str, Any],
    rounds: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """A table as JSON holds it. `images` makes those that a plan takes; `about` says what was measured, and where.

    The whole network runs once for every combination that was not met yet, to see what each block is called with; a
    block is then timed alone. Equal blocks called alike are timed once.
    """
    modules = {path: net.get_submodule(path) for path in blocks}
    times: dict[str, dict[Combination, float]] = {path: {} for path in blocks}
    known: dict[str, float] = {}
    for path, combination in combinations(space, blocks):
        if combination in times[path]:
            continue
        # Largest elsewhere: what surrounds a block does not change how it is called.
        at = {name: options[-1] for name, options in space.CHOICES.items()}
        at |= dict(zip(blocks[path], combination, strict=True))
        plan = net.plan(space.canonical(at))
        calls = called(net, modules, images(plan), plan)
        for other, choices in blocks.items():
            met = tuple(at[name] for name in choices)
            if met not in times[other]:
                times[other][met] = timed(modules[other], calls.get(other), known, rounds)
        progress(path)
    return {
        **about,
        "choices": {name: list(options) for name, options in space.CHOICES.items()},
        "blocks": [
            {
                "name": path,
                "choices": list(choices),
                "seconds": [times[path][c] for c in options_of(space, choices)],
            }
            for path, choices in blocks.items()
        ],
    }


def combinations(
    space: Any, blocks: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Combination]]:
    """What is to be measured: those blocks first that read most, because the others come along."""
    order = sorted(blocks, key=lambda path: -number_of(space, blocks[path]))
    for path in order:
        for combination in options_of(space, blocks[path]):
            yield path, combination


def options_of(space: Any, choices: Sequence[str]) -> Iterator[Combination]:
    return itertools.product(*(space.CHOICES[name] for name in choices))


def number_of(space: Any, choices: Sequence[str]) -> int:
    return int(np.prod([len(space.CHOICES[name]) for name in choices], dtype=np.int64))


@torch.inference_mode()
def called(
    net: nn.Module, modules: Mapping[str, nn.Module], images: Tensor, plan: Any
) -> dict[str, Call]:
    """What each block is called with when a plan runs; blocks that it leaves out are missing."""
    calls: dict[str, Call] = {}

    def note(path: str) -> Callable[[nn.Module, Call], None]:
        def keep(module: nn.Module, args: Call) -> None:
            calls.setdefault(path, args)

        return keep

    hooks = [module.register_forward_pre_hook(note(path)) for path, module in modules.items()]
    try:
        net(images, plan)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def timed(module: nn.Module, call: Call | None, known: dict[str, float], rounds: int) -> float:
    """The fewest seconds of a call, which a busy machine disturbs least; nothing for none. Equal calls of equal modules
    are looked up."""
    if call is None:
        return 0.0
    shapes = [tuple(arg.shape) if isinstance(arg, Tensor) else repr(arg) for arg in call]
    key = f"{module!r} {shapes!r}"
    if key not in known:
        first, *rest = call
        result = measure(lambda x: module(x, *rest), first, rounds=rounds, budget=0.1)
        known[key] = result.fastest
    return known[key]


def agreement(predicted: Sequence[float], measured: Sequence[float]) -> Agreement:
    """How well the sums of blocks tell what whole sub-networks take."""
    p, m = np.array(predicted), np.array(measured)
    error = float(np.sqrt(np.mean((p - m) ** 2)) / np.mean(m))
    return Agreement(error, float(np.corrcoef(ranks(p), ranks(m))[0, 1]), float(np.mean(m - p)))


def ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of values; equal ones share the mean of theirs."""
    _, back, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: np.ndarray = ((2 * last - counts - 1) / 2)[back.reshape(-1)]
    return shared
