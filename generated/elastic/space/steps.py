"""The operations of one sub-network, as its memory is counted and its parallel branches are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from elastic.net.windows import Window


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An operation.

    reads   the tensors that it reads, and `writes` those that it writes
    block   where it stands: the name of the operation without its last part

    The others are what its operator says of its memory (`memory` in ir.json): where its output lies, whether it takes
    up a norm that alone reads it, whether a sum may be added into its output; elements that it needs while it runs;
    the window of a convolution.

    sums    whether it adds what it reads
    rests   whether it goes on with what it reads, in eval mode
    """

    reads: Sequence[str]
    writes: Sequence[str]
    block: str = ""
    role: str = "own"
    absorbs: bool = False
    summed: bool = False
    more: int = 0
    inner: tuple[int, int, int] | tuple[()] = ()
    window: Window | None = None
    sums: bool = False
    rests: bool = False


def viewed(views: Mapping[str, str]) -> Callable[[str], str]:
    """A tensor, or what a select or narrow of it goes on with."""

    def found(name: str) -> str:
        while name in views:
            name = views[name]
        return name

    return found
