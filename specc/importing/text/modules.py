"""The module stack as a tree: which operations each call of a module holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from specc.importing.network import Frame, Network, Operation

CONTAINERS = "torch.nn.modules.container."


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One call of a module, and what it holds in the order of execution."""

    path: str
    type: str
    items: tuple[Item, ...]

    @property
    def is_container(self) -> bool:
        """Whether its class says nothing of what it is, as `Sequential` does."""
        return self.type.startswith(CONTAINERS)


Item: TypeAlias = Operation | Module


def module_tree(network: Network) -> tuple[Item, ...]:
    """What the root holds. A module that is left and entered again within one call is opened: its parts stand where
    they are executed. So is a module inside another of its class, which a block could not be: blocks never call
    themselves."""
    runs: Counter[tuple[str, int]] = Counter()
    previous: tuple[tuple[str, int], ...] = ()
    for operation in network.operations:
        stack = tuple((frame.path, frame.call) for frame in frames(operation))
        same = next(
            (i for i, pair in enumerate(zip(previous, stack)) if pair[0] != pair[1]), min(map(len, (previous, stack)))
        )
        runs.update(stack[same:])
        previous = stack
    torn = {key for key, count in runs.items() if count > 1}
    return tuple(items(network.operations, 0, torn, frozenset()))


def frames(operation: Operation) -> tuple[Frame, ...]:
    """The stack without the root."""
    return tuple(frame for frame in operation.stack if frame.path)


def items(
    operations: Sequence[Operation], depth: int, torn: set[tuple[str, int]], around: frozenset[str]
) -> Iterator[Item]:
    """What operations of one module are in it: its own ones, and the modules inside."""

    def inner(operation: Operation) -> Frame | None:
        stack = frames(operation)
        return stack[depth] if len(stack) > depth else None

    for frame, together in groupby(operations, inner):
        held = tuple(together)
        if frame is None:
            yield from held
            continue
        inside = tuple(items(held, depth + 1, torn, around | {frame.type}))
        recursive = frame.type in around and not frame.type.startswith(CONTAINERS)
        if (frame.path, frame.call) in torn or recursive or len(held) == 1:
            yield from inside
        else:
            yield Module(frame.path, frame.type, inside)


def operations_of(item: Item) -> Iterator[Operation]:
    """All operations of a module, or the one that it is."""
    if isinstance(item, Operation):
        yield item
    else:
        for inside in item.items:
            yield from operations_of(inside)
