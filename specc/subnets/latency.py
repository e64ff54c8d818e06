"""Latencies predicted from a table of measured blocks, which a generated project's bench.py writes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from specc.activity.entangled import refused
from specc.diagnostics import Rule
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.subnets.space import ANY, Interval, found_by, space_of

if TYPE_CHECKING:
    from specc.schemas.latency import LatencyTable as Document
    from specc.space.latency_table import LatencyTable
    from specc.space.window import TimedDraws

WRONG_TABLE: Final = Rule(
    "E614",
    "wrong-latency-table",
    "a latency table is corrupt or belongs to a different network",
    "A table says what each block of a network takes for every combination of the choices that the block reads; the\n"
    "latency of a sub-network is their sum. Its choices and their options must be those of the spec.\n"
    "Wrong:  specc sample specs/digits.specc --latency ..2ms --latency-table another_network/latency.cpu.json\n"
    "Right:  specc sample specs/digits.specc --latency ..2ms --latency-table digits/latency.cpu.json",
)


def table_of(graph: Graph, path: Path) -> LatencyTable:
    """The table in a file. Raises SpecError where it does not fit, OSError where it cannot be read."""
    from specc.schemas.latency import LatencyTable as Document
    from specc.schemas.reading import Malformed, read
    from specc.space.latency_table import WrongTable, fitting

    help = "measure the blocks of the project that was compiled from this spec"
    try:
        return fitting(as_table(read(Document, path.read_bytes())), space_of(graph), path.name)
    except Malformed as error:
        message = f"{path.name} is no latency table: {error}"
        raise refused(WRONG_TABLE, graph.origin, message, help) from None
    except WrongTable as error:
        raise refused(WRONG_TABLE, graph.origin, str(error), help) from None


def as_table(found: Document) -> LatencyTable:
    """A table as the space reads it, its times in whole nanoseconds."""
    from specc.space.latency_table import Block, LatencyTable, nanoseconds

    return LatencyTable(
        network=found.network,
        device=found.device,
        processor=found.processor,
        threads=found.threads,
        batch_size=found.batch_size,
        form=found.form,
        largest={kind: cost for kind, cost in found.largest if cost is not None},
        choices=found.choices,
        blocks=tuple(
            Block(block.name, block.choices, tuple(map(nanoseconds, block.seconds))) for block in found.blocks
        ),
    )


def latency(graph: Graph, path: Path, at: Mapping[str, Option]) -> float:
    """The predicted latency of a canonical assignment, in seconds."""
    (found,) = latencies(graph, path, [at])
    return found


def latencies(graph: Graph, path: Path, assignments: Sequence[Mapping[str, Option]]) -> tuple[float, ...]:
    """The predicted latencies of canonical assignments, in seconds."""
    from specc.space.choices import Assignment
    from specc.space.latency_table import predicted

    return tuple(predicted(space_of(graph), table_of(graph, path), cast("Sequence[Assignment]", assignments)))


def draw_timed(
    graph: Graph,
    path: Path,
    number: int,
    seed: int,
    latency: Interval,
    macs: Interval = ANY,
    params: Interval = ANY,
) -> TimedDraws:
    """`number` independent draws, uniform over the sub-networks within all limits. Raises SpecError where there are
    none."""
    from specc.space import window as timed

    table, space, rng = table_of(graph, path), space_of(graph), random.Random(seed)
    return found_by(graph, lambda: timed.draw_timed(space, table, number, rng, latency, macs, params))
