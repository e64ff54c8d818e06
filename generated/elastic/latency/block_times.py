"""Latency tables: what every block of a network takes, for every combination of the choices that it reads.

A few sub-networks, which together have every block in every shape, run one after the other, with marks between their
blocks. Of the rounds of one sub-network the lower quartile counts, of the sub-networks in which a block is alike the
middle one. A latency is predicted as the sum over blocks: `elastic.space.latency_table` says how a table is kept. In
between, random sub-networks run as a whole, without marks, which the table is then held against: so other load slows
down both. Rank correlations are computed here, as projects do without scipy; tests hold them to scipy.stats.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from elastic.data.images import Shape
from elastic.files.whole import write_text
from elastic.latency.marks import Form, FusedMarks, Marks, Sliced
from elastic.latency.timing import device_name, running, timed
from elastic.run.journal import Journal, fingerprint
from elastic.run.progress import Bar
from elastic.space.latency_table import FORMAT, LatencyTable, file_name, predicted, table_of

Combination: TypeAlias = tuple[Any, ...]
"""An option for each of the choices that a block reads; an inactive choice stands at its first one."""

MOST = 100_000
"""The most combinations of options that one block may read."""
LOOKED = 64
"""How many of a block's combinations are looked at for one that goes with what is fixed already."""


def number_of(space: Any, choices: Sequence[str]) -> int:
    return prod(len(space.CHOICES[name]) for name in choices)


def options_of(space: Any, choices: Sequence[str]) -> Iterator[Combination]:
    """All combinations of some choices, the last one changing fastest."""
    return itertools.product(*(space.CHOICES[name] for name in choices))


def refuse_too_many(space: Any, blocks: Mapping[str, Sequence[str]]) -> None:
    """Exits where a block reads too many choices for a table."""
    path = max(blocks, key=lambda path: number_of(space, blocks[path]))
    most = number_of(space, blocks[path])
    if most > MOST:
        raise SystemExit(
            f"the block {path} reads choices of {most:,} combinations; a table has {MOST:,} at most"
        )


def covering(
    space: Any, blocks: Mapping[str, Sequence[str]], least: int, rng: random.Random
) -> list[dict[str, Any]]:
    """Sub-networks in which every block has every combination of its choices, `least` of them or more.

    Canonical assignments, in the order in which they cover most first; where they are few, all is covered once more.
    Otherwise choices are drawn at random, so that a block is met among different ones; those that decide what there is
    stay at their largest, for each structure has to be traced.
    """
    wanted = {path: reachable(space, choices) for path, choices in blocks.items()}
    found: list[dict[str, Any]] = []
    while not found or len(found) < least:
        found += covered_once(space, blocks, wanted, rng)
    return found


def reachable(space: Any, choices: Sequence[str]) -> list[Combination]:
    """The different combinations, as they stand in canonical assignments."""
    largest = {name: options[-1] for name, options in space.CHOICES.items()}
    found = {
        seen(space, space.canonical({**largest, **dict(zip(choices, given, strict=True))}), choices)
        for given in options_of(space, choices)
    }
    return [given for given in options_of(space, choices) if given in found]


def seen(space: Any, at: Mapping[str, Any], choices: Sequence[str]) -> Combination:
    """A block's combination in a canonical assignment."""
    return tuple(at[name] if name in at else space.CHOICES[name][0] for name in choices)


def covered_once(
    space: Any,
    blocks: Mapping[str, Sequence[str]],
    wanted: Mapping[str, Sequence[Combination]],
    rng: random.Random,
) -> Iterator[dict[str, Any]]:
    """Every combination at least once, greedily: the block that lacks most chooses first."""
    largest = {name: options[-1] for name, options in space.CHOICES.items()}
    deciding = {name for terms in space.SPACE.active.values() for term in terms for name in term}
    usual = {name: space.CHOICES[name][-1] for name in deciding}
    # Dictionaries serve as sets that keep a random order.
    lacking = {path: dict.fromkeys(rng.sample(given, len(given))) for path, given in wanted.items()}
    while any(lacking.values()):
        fixed: dict[str, Any] = {}
        order = sorted(lacking, key=lambda path: -len(lacking[path]))
        for path in order:
            for given in itertools.islice(lacking[path], LOOKED):
                meant = dict(zip(blocks[path], given, strict=True))
                if all(fixed.get(name, option) == option for name, option in meant.items()):
                    fixed |= meant
                    break
        first, choices = next(iter(lacking[order[0]])), blocks[order[0]]
        drawn = {name: rng.choice(options) for name, options in space.CHOICES.items()}
        at = space.canonical(drawn | usual | fixed)
        if seen(space, at, choices) != first:
            # Something else that is fixed makes a choice inactive.
            at = space.canonical(largest | dict(zip(choices, first, strict=True)))
        for path, choices in blocks.items():
            lacking[path].pop(seen(space, at, choices), None)
        yield at


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Predicted against measured latencies of whole sub-networks.

    error     root mean square error as a share of the mean latency
    spearman  correlation of their ranks
    kendall   pairs in the same order less those in the other, as a share of all (tau-b)
    mean      the mean latency in seconds
    noise     by what share of the mean two measurements of one sub-network differ (root mean square); it makes an
              error of half of it, as what is predicted is the mean of the two
    """

    error: float
    spearman: float
    kendall: float
    mean: float
    noise: float

    @property
    def text(self) -> str:
        return (
            f"RMSE {self.error:.2%} of the mean, {1e3 * self.mean:.3f} ms; rank correlation "
            f"{self.spearman:.3f} (Spearman), {self.kendall:.3f} (Kendall); "
            f"measured twice they differ by {self.noise:.2%}, which alone makes {self.noise / 2:.2%}"
        )


def agreement(
    predicted: Sequence[float], measured: Sequence[float], again: Sequence[float]
) -> Agreement:
    """How well predictions tell the mean of two measurements."""
    p, m = np.array(predicted), (np.array(measured) + np.array(again)) / 2
    apart = np.array(measured) - np.array(again)
    return Agreement(
        error=float(np.sqrt(np.mean((p - m) ** 2)) / np.mean(m)),
        spearman=correlation(ranks(p), ranks(m)),
        kendall=correlation(orders(p), orders(m), centred=False),
        mean=float(np.mean(m)),
        noise=float(np.sqrt(np.mean(apart**2)) / np.mean(m)),
    )


def correlation(left: np.ndarray, right: np.ndarray, centred: bool = True) -> float:
    """The cosine between two series, or between what they are apart from their means; 0 where one is constant."""
    if centred:
        left, right = left - left.mean(), right - right.mean()
    size = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum() / size) if size else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of values; equal ones share the mean of theirs."""
    _, back, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: np.ndarray = ((2 * last - counts - 1) / 2)[back.reshape(-1)]
    return shared


def orders(values: np.ndarray) -> np.ndarray:
    """-1, 0 or 1 for every pair of values: which one is larger."""
    signs: np.ndarray = np.sign(values[:, None] - values[None, :])
    return signs


LEAST = 100
"""A small space is covered several times, until so many sub-networks ran."""
PASSES = 6
"""How often the sub-networks are taken up that a table is held against."""
BOTH = 40
"""How many sub-networks run with and without marks, which tells what they take besides their blocks."""
WARM, ROUNDS, MOST_ROUNDS = 2, 5, 20
"""Runs that do not count, the fewest that do, and the most. Wholes are taken up often: three do at a time."""
BETWEEN, WHOLE = "between blocks", "whole"
"""What is written beside the names of blocks."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a table holds for. `form` is "fused", as sub-networks are deployed, or "sliced"."""

    network: str
    device: str
    processor: str
    threads: int
    batch_size: int
    form: str


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A sub-network to run: block by block, as a whole, or both by turns. `key` is its name in the journal."""

    key: Mapping[str, int]
    at: Mapping[str, Any]
    blocks: bool
    whole: bool


def read_blocks(graph: Path) -> dict[str, list[str]]:
    """The blocks of a network that are measured, by their paths in model.py, and the choices that each reads: of its
    ir.json."""
    rows = json.loads(graph.read_text(encoding="utf-8"))["blocks"]
    return {row["name"]: row["choices"] for row in rows}


def write_table(
    net: Any,
    space: Any,
    blocks: Mapping[str, Sequence[str]],
    image: Shape,
    folder: Path,
    network: str,
    *,
    device: str = "cpu",
    threads: int = 1,
    batch_size: int = 1,
    form: str = "fused",
    whole: int = 200,
    budget: float = 0.04,
) -> str:
    """Writes latency.<device>.json, and says how well its sums predict `whole` random sub-networks.

    `image` is (channels, height, width), or the numbers of a vector; a sub-network runs for `budget` seconds, but a few
    times at least. What is measured is noted at once beside the table: an interrupted one is gone on with.
    """
    refuse_too_many(space, blocks)
    on = torch.device(device)
    given = Conditions(network, on.type, device_name(on), threads, batch_size, form)

    def images(plan: Any) -> Tensor:
        size = (plan.resolution, plan.resolution) if plan.resolution else image[1:]
        return torch.randn(batch_size, image[0], *size, device=on)

    runs = covering(space, blocks, LEAST, random.Random(0))
    apart = max(1, len(runs) // BOTH)
    marked = [Task({"run": n}, at, True, n % apart == 0) for n, at in enumerate(runs)]
    drawn = different(space, whole, random.Random(1))
    passes = [
        [Task({"whole": n, "pass": number}, at, False, True) for n, at in enumerate(drawn)]
        for number in range(PASSES)
    ]
    path = folder / file_name(on.type, threads, batch_size, form)
    options = {name: [*options] for name, options in space.CHOICES.items()}
    identity = [asdict(given), image, blocks, options, largest(space), len(runs), whole]
    journal = Journal(path.with_suffix(".jsonl"), fingerprint([json.dumps(identity)]))
    journal.mend()
    journal.read()
    with running(threads):
        made = Marks(on)
        run = FusedMarks(net, blocks, made) if form == "fused" else Sliced(net, blocks, made)
        bench = Bench(net, images, made, run, budget)
        evenly = interleaved(marked, [task for tasks in passes for task in tasks])
        with Bar("measuring", len(evenly)) as bar:
            for task in evenly:
                if not journal.known(task.key):
                    journal.add(task.key, bench.seconds(task))
                bar.advance()
    content = {"format": FORMAT} | asdict(given) | content_of(space, blocks, marked, journal)
    write_text(path, json.dumps(content) + "\n")
    table = table_of(content)
    found = held_against(table, space, passes, journal)
    journal.path.unlink()
    return (
        f"wrote {path.name}: {table.conditions}\non {len(drawn)} whole sub-networks, {found.text}"
    )


def largest(space: Any) -> dict[str, int]:
    """What the largest sub-network costs: by that networks of the same choices are told apart."""
    at = space.largest()
    return {"macs": space.macs(at), "params": space.params(at)}


def different(space: Any, number: int, rng: random.Random) -> list[dict[str, Any]]:
    """So many different sub-networks at random; fewer where there are hardly more."""
    drawn: dict[str, dict[str, Any]] = {}
    for _ in range(20 * number):
        at = space.draw(rng)
        drawn.setdefault(json.dumps(at), at)
        if len(drawn) == number:
            break
    return [*drawn.values()]


def interleaved(*several: Sequence[Task]) -> list[Task]:
    """All tasks, each kind spread evenly over the whole time."""
    placed = [((n + 0.5) / len(tasks), task) for tasks in several for n, task in enumerate(tasks)]
    return [task for _, task in sorted(placed, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Runs sub-networks of a network in a form, on images such as their plans take."""

    net: Any
    images: Callable[[Any], Tensor]
    marks: Marks
    run: Form
    budget: float

    @torch.inference_mode()
    def seconds(self, task: Task) -> dict[str, float]:
        """What each block takes, or the whole: the lower quartile of the rounds, which other load disturbs little."""
        plan = self.net.plan(task.at)
        images, (call, marked) = self.images(plan), self.run(plan)
        rounds: list[dict[str, float]] = []
        spent = 0.0
        warm, least = WARM, ROUNDS if task.blocks else 3
        while len(rounds) < least or (spent < self.budget and len(rounds) < MOST_ROUNDS):
            found: dict[str, float] = {}
            if task.blocks:
                self.marks.clear()
                marked(images)
                found |= self.marks.seconds()
            if task.whole:
                found[WHOLE] = timed(call, images, self.marks.clock)
            if warm:
                warm -= 1
            else:
                rounds.append(found)
                spent += sum(found.values())
        return {name: quartile([found[name] for found in rounds]) for name in rounds[0]}


def quartile(values: Sequence[float]) -> float:
    """The value that a quarter of all are below."""
    return sorted(values)[len(values) // 4]


def content_of(
    space: Any, blocks: Mapping[str, Sequence[str]], tasks: Sequence[Task], journal: Journal
) -> dict[str, Any]:
    """A table's figures as JSON holds them, from what sub-networks with marks took."""
    times: dict[str, dict[Combination, list[float]]] = {path: {} for path in blocks}
    between = []
    for task in tasks:
        found = dict(journal.known(task.key))
        whole = found.pop(WHOLE, None)
        if whole is not None:
            between.append(whole - sum(found.values()))
        for path, choices in blocks.items():
            given = seen(space, task.at, choices)
            times[path].setdefault(given, []).append(found.get(path, 0.0))
    rows: list[tuple[str, list[str], list[float]]] = [(BETWEEN, [], [max(0.0, median(between))])]
    for path, choices in blocks.items():
        middle = {given: median(several) for given, several in times[path].items()}
        if any(middle.values()):
            # Combinations that differ in inactive choices alone are looked up as one.
            options = options_of(space, choices)
            rows.append((path, [*choices], [middle.get(given, 0.0) for given in options]))
    return {
        "largest": largest(space),
        "choices": {name: list(options) for name, options in space.CHOICES.items()},
        "blocks": [{"name": n, "choices": c, "seconds": s} for n, c, s in rows],
    }


def held_against(
    table: LatencyTable, space: Any, passes: Sequence[Sequence[Task]], journal: Journal
) -> Agreement:
    """How well a table tells what whole sub-networks took; the passes make two measurements by turns."""
    taken = [[journal.known(task.key)[WHOLE] for task in tasks] for tasks in passes]
    first, second = ([median(t) for t in zip(*taken[i::2], strict=True)] for i in (0, 1))
    return agreement(predicted(space.SPACE, table, [task.at for task in passes[0]]), first, second)
