"""Latency tables: what each block of a network takes, for every combination of the choices that it reads.

The latency of a sub-network is predicted as the sum over its blocks (PSS-Net, appendix). A table is a JSON file:

    {"network": "net", "device": "cpu", "processor": "EPYC", "threads": 1, "batch_size": 1, "form": "straight",
     "largest": {"macs": 69000000, "params": 2000000},
     "choices": {"width": [16, 32], "keep": [false, true]},
     "blocks": [{"name": "stem", "choices": ["width"], "seconds": [0.0011, 0.0019]},
                {"name": "s1.b1", "choices": ["width", "keep"], "seconds": [0, 0.0021, 0, 0.0040]}]}

`seconds` goes through the options of a block's choices like the digits of a number, the last choice changing fastest. A
block that is not there takes no time, one without choices always the same. "form" says how the sub-networks ran (as a
"straight" line, or "sliced" from the network), "largest" what the largest of them costs; these two and the processor's
name may be missing in tables that others made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .choices import Option, Space, largest, positions

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
    """What was measured, on which device, with how many threads and images at once.

    `largest` are the MACs and parameters of the largest sub-network, by which networks with the same choices are told
    apart; none where the file does not say.
    """

    network: str
    device: str
    processor: str
    threads: int
    batch_size: int
    form: str
    largest: Mapping[str, int]
    choices: Mapping[str, tuple[Option, ...]]
    blocks: tuple[Block, ...]

    @property
    def conditions(self) -> str:
        """What the latencies hold for: `cpu (EPYC), 1 thread, 1 image at a time, straight`."""
        where = f"{self.device} ({self.processor})" if self.processor else self.device
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        images = "1 image" if self.batch_size == 1 else f"{self.batch_size} images"
        return ", ".join(
            [where, threads, f"{images} at a time", *([self.form] if self.form else [])]
        )


def file_name(device: str, threads: int = 1, batch_size: int = 1, form: str = "straight") -> str:
    """`latency.cpu.json`; with what is not as usual: `latency.cpu.threads4.batch16.sliced.json`."""
    unusual = {
        f"threads{threads}": threads != 1,
        f"batch{batch_size}": batch_size != 1,
        form: form != "straight",
    }
    return ".".join(
        ["latency", device, *(word for word, is_so in unusual.items() if is_so), "json"]
    )


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
        processor=str(content.get("processor", "")),
        threads=int(content["threads"]),
        batch_size=int(content["batch_size"]),
        form=str(content.get("form", "")),
        largest={str(kind): int(cost) for kind, cost in content.get("largest", {}).items()},
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
    if table.largest and space.costs is not None:
        top = positions(space, [largest(space)])
        for kind, (cost,) in zip(("macs", "params"), space.costs(top), strict=True):
            if table.largest.get(kind, cost) != cost:
                return f"its largest sub-network has {table.largest[kind]:,} {kind}, not {cost:,}"
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
