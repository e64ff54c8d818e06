"""Latency tables: what each block of a network takes, for every combination of the choices that it reads.

The latency of a sub-network is predicted as the sum over its blocks (PSS-Net, appendix). A table is a JSON file:

    {"format": "specc latency 1", "network": "net", "device": "cpu", "processor": "EPYC", "threads": 1,
     "batch_size": 1, "form": "fused", "largest": {"macs": 69000000, "params": 2000000},
     "choices": {"width": [16, 32], "keep": [false, true]},
     "blocks": [{"name": "stem", "choices": ["width"], "seconds": [0.0011, 0.0019]},
                {"name": "s1.b1", "choices": ["width", "keep"], "seconds": [0, 0.0021, 0, 0.0040]}]}

`seconds` goes through the options of a block's choices like the digits of a number, the last choice changing fastest. A
block that is not there takes no time, one without choices always the same. "form" says how the sub-networks ran:
"fused" ("straight" in tables of the first version) or "sliced" from the network; "largest" what the largest of them
costs. These two and the processor's name may be missing in tables that others made, and the format in those of the
first version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from specc.portable.files.documents import (
    Wrong,
    fields,
    listed,
    mapping,
    maybe,
    number,
    one_of,
    option,
    read_json,
    text,
    whole,
)
from specc.portable.files.renames import Renamed, present
from specc.space.choices import Option, Space, largest, positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT: Final = "specc latency 1"
"""What a table calls itself."""
NANOSECONDS = 10**9
"""Latencies are added as whole nanoseconds, so that sums are exact in any order."""
LONGEST = 10**6
"""The most seconds that a block may take, so that sums stay whole numbers of 64 bits."""


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
        """What the latencies hold for: `cpu (EPYC), 1 thread, 1 image at a time, fused`."""
        where = f"{self.device} ({self.processor})" if self.processor else self.device
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        images = "1 image" if self.batch_size == 1 else f"{self.batch_size} images"
        return ", ".join(
            [where, threads, f"{images} at a time", *([self.form] if self.form else [])]
        )


def file_name(device: str, threads: int = 1, batch_size: int = 1, form: str = "fused") -> str:
    """`latency.cpu.json`; with what is not as usual: `latency.cpu.threads4.batch16.sliced.json`."""
    unusual = {
        f"threads{threads}": threads != 1,
        f"batch{batch_size}": batch_size != 1,
        form: form != "fused",
    }
    return ".".join(
        ["latency", device, *(word for word, is_so in unusual.items() if is_so), "json"]
    )


def read_table(path: Path, space: Space, renamed: Renamed = MappingProxyType({})) -> LatencyTable:
    """The table of a file, checked against the space. Raises WrongTable, or OSError where it cannot be read.

    `renamed` are names of the first version, by which a table may go whose choices are not the space's.
    """
    try:
        content = read_json(path.read_bytes())
    except ValueError as error:
        raise WrongTable(f"{path.name} is no JSON: {error}") from None
    try:
        table = table_of(content)
    except WrongTable as error:
        raise WrongTable(f"{path.name} is no latency table: {error}") from None
    if not table.choices.keys() <= space.choices.keys():
        table = with_names(table, renamed)
    return fitting(table, space, path.name)


def with_names(table: LatencyTable, renamed: Renamed) -> LatencyTable:
    """A table of the first version with the names of now."""
    return replace(
        table,
        choices={present(name, renamed): options for name, options in table.choices.items()},
        blocks=tuple(
            Block(
                present(block.name, renamed),
                tuple(present(name, renamed) for name in block.choices),
                block.times,
            )
            for block in table.blocks
        ),
    )


def fitting(table: LatencyTable, space: Space, name: str) -> LatencyTable:
    """A table that can tell the latencies of a space. Raises WrongTable."""
    wrong = misfit(table, space)
    if wrong:
        raise WrongTable(f"{name} is not of this network: {wrong}")
    return table


TABLE: Final = fields(
    {
        "network": text,
        "device": text,
        "threads": whole(1),
        "batch_size": whole(1),
        "choices": mapping(listed(option)),
        "blocks": listed(
            fields(
                {
                    "name": text,
                    "choices": listed(text),
                    "seconds": listed(number(0, LONGEST, "time")),
                }
            )
        ),
    },
    {
        "format": one_of([FORMAT]),
        "processor": text,
        "form": text,
        "largest": fields({}, {"macs": maybe(whole()), "params": maybe(whole())}),
    },
)
"""What a file may hold."""


def table_of(content: Any) -> LatencyTable:
    """A table from what its JSON holds. Raises WrongTable."""
    try:
        TABLE(content)
    except Wrong as error:
        raise WrongTable(str(error)) from None
    costs = content.get("largest", {})
    return LatencyTable(
        network=content["network"],
        device=content["device"],
        processor=content.get("processor", ""),
        threads=content["threads"],
        batch_size=content["batch_size"],
        form={"straight": "fused"}.get(form := content.get("form", ""), form),
        largest={kind: cost for kind, cost in costs.items() if cost is not None},
        choices={name: tuple(options) for name, options in content["choices"].items()},
        blocks=tuple(
            Block(row["name"], tuple(row["choices"]), tuple(map(nanoseconds, row["seconds"])))
            for row in content["blocks"]
        ),
    )


def nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def misfit(table: LatencyTable, space: Space) -> str:
    """Why a table cannot tell the latencies of a space; nothing where it can."""
    for name, options in table.choices.items():
        if name not in space.choices:
            return f"it has no choice {name!r}"
        ours = [o if isinstance(o, str) else float(o) for o in space.choices[name]]
        if ours != list(options):
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
