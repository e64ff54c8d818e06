"""Latency tables: what every block of a network takes, for every combination of the choices that it reads.

Sub-networks that cover all combinations run one after the other, with marks between their blocks. Of the rounds of one
sub-network the lower quartile counts, of the sub-networks in which a block is alike the middle one. A latency is
predicted as the sum over blocks: `elastic.space.latency_table` says how a table is kept. In between, random
sub-networks run as a whole, without marks, which the table is then held against: so other load slows down both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from elastic.data.shapes import Shape
from elastic.files.whole import write_text
from elastic.latency.agreement import Agreement, agreement
from elastic.latency.covering import Combination, covering, options_of, refuse_too_many, seen
from elastic.latency.marks import Form, FusedMarks, Marks, Sliced
from elastic.latency.timing import device_name, running, timed
from elastic.run.journal import Journal, fingerprint
from elastic.run.progress import Bar
from elastic.space.latency_table import FORMAT, LatencyTable, file_name, predicted, table_of

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
