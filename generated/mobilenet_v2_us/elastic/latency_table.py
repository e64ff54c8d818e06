"""Latency tables: what each block of a network takes, for every combination of the choices that it reads.

The latency of a sub-network is predicted as the sum over its blocks (PSS-Net, appendix). A table is a JSON file:

    {"network": "net", "device": "cpu", "threads": 1, "batch_size": 1,
     "choices": {"width": [16, 32], "keep": [false, true]},
     "blocks": [{"name": "stem", "choices": ["width"], "seconds": [0.0011, 0.0019]},
                {"name": "s1.b1", "choices": ["width", "keep"], "seconds": [0, 0.0021, 0, 0.0040]}]}

`seconds` goes through the options of a block's choices like the digits of a number, the last choice changing fastest. A
block that is not there takes no time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .choices import Option, Space, positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NANOSECONDS = 10**9
"""Latencies are added as whole nanoseconds, so that sums are exact in any order."""


class WrongTable(ValueError):
    """A file is no latency table, or one of another network."""


@dataclass(frozen=True, slots=True)
class Block:
    """The nanoseconds of one block: `times` by the options of `choices`, the last choice changing fastest."""

    name: str
    choices: tuple[str, ...]
    times: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What was measured, on which device, with how many threads and images at once."""

    network: str
    device: str
    threads: int
    batch_size: int
    choices: Mapping[str, tuple[Option, ...]]
    blocks: tuple[Block, ...]


def read_table(path: Path, space: Space) -> LatencyTable:
    """The table of a file, checked against the space. Raises WrongTable, or OSError where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WrongTable(f"{path.name} is no JSON: {error}") from None
    try:
        table = table_of(content)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongTable(f"{path.name} is no latency table: {error!r}") from None
    wrong = misfit(table, space)
    if wrong:
        raise WrongTable(f"{path.name} is not of this network: {wrong}")
    return table


def table_of(content: Any) -> LatencyTable:
    """A table from what its JSON holds."""
    return LatencyTable(
        network=str(content["network"]),
        device=str(content["device"]),
        threads=int(content["threads"]),
        batch_size=int(content["batch_size"]),
        choices={str(name): tuple(options) for name, options in content["choices"].items()},
        blocks=tuple(
            Block(
                str(block["name"]),
                tuple(map(str, block["choices"])),
                tuple(map(nanoseconds, block["seconds"])),
            )
            for block in content["blocks"]
        ),
    )


def nanoseconds(seconds: Any) -> int:
    """Seconds as whole nanoseconds. Raises ValueError for what is no time."""
    value = float(seconds)
    if not isfinite(value) or value < 0:
        raise ValueError(f"{seconds!r} is no time")
    return round(value * NANOSECONDS)


def misfit(table: LatencyTable, space: Space) -> str:
    """Why a table cannot tell the latencies of a space; nothing where it can."""
    for name, options in table.choices.items():
        if name not in space.choices:
            return f"it has no choice {name!r}"
        ours = [float(o) if not isinstance(o, str) else o for o in space.choices[name]]
        theirs = [float(o) if not isinstance(o, str) else o for o in options]
        if ours != theirs:
            return f"the options of {name!r} are others"
    for block in table.blocks:
        unknown = [name for name in block.choices if name not in table.choices]
        if unknown:
            return f"the block {block.name!r} reads {unknown[0]!r}, whose options are not given"
        wanted = prod(len(table.choices[name]) for name in block.choices)
        if len(block.times) != wanted:
            return f"the block {block.name!r} has {len(block.times):,} latencies, its choices have {wanted:,} options"
    return ""


def latency_space(space: Space, table: LatencyTable) -> Space:
    """The space with latencies, in nanoseconds, as its first cost, and nothing as its second."""
    import numpy as np

    order = {name: at for at, name in enumerate(space.choices)}
    columns = [[order[name] for name in block.choices] for block in table.blocks]
    shapes = [tuple(len(space.choices[name]) for name in block.choices) for block in table.blocks]
    times = [
        np.array(block.times, dtype=np.int64).reshape(shape)
        for block, shape in zip(table.blocks, shapes, strict=True)
    ]

    def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        total = np.zeros(len(rows), dtype=np.int64)
        for chosen, time in zip(columns, times, strict=True):
            total += time[tuple(rows[:, at] for at in chosen)]
        return total, np.zeros(len(rows), dtype=np.int64)

    together = tuple(block.choices for block in table.blocks if len(block.choices) > 1)
    return Space(space.choices, space.active, together, costs, ("nanoseconds", "nothing"))


def predicted(
    space: Space, table: LatencyTable, assignments: Sequence[Mapping[str, Option]]
) -> list[float]:
    """The latencies of some canonical assignments, in seconds."""
    found = latency_space(space, table).costs
    assert found is not None
    total, _ = found(positions(space, assignments))
    return [int(time) / NANOSECONDS for time in total]
