"""Stages: blocks one after another, of which a sub-network may leave out some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from torch import Tensor, nn

from elastic.net.elastic import Elastic, when
from elastic.net.plan import Part
from elastic.net.sizes import Condition, OneOf, Size


class Repeat:
    """Rounds of which a sub-network has the first `depth`, each a block or a list of them."""

    def __init__(self, depth: Size, blocks: Iterable[Item]) -> None:
        self.depth: Any = depth
        self.blocks = tuple(blocks)

    def items(self) -> Iterator[tuple[Condition, Item]]:
        least: Any = self.depth.options[0] if isinstance(self.depth, OneOf) else 0
        for number, block in enumerate(self.blocks, 1):
            yield (1 if number <= least else self.depth >= number), block


class Skippable:
    """Blocks that a sub-network has where `keep` holds."""

    def __init__(self, keep: Condition, *blocks: Item) -> None:
        self.keep = keep
        self.blocks = blocks

    def items(self) -> Iterator[tuple[Condition, Item]]:
        return ((self.keep, block) for block in self.blocks)


Item: TypeAlias = "nn.Module | Repeat | Skippable | list[Item]"


class Stage(Elastic):
    """Blocks one after another, called b1, b2, .. in whatever group they stand.

    It holds the depth of its `Repeat` as `depth`, of several as `depth1`, `depth2`, ..; and `keep` of its `Skippable`
    likewise. From these, choices have their names.
    """

    def __init__(self, *items: Item) -> None:
        super().__init__()
        for name, kind in (("depth", Repeat), ("keep", Skippable)):
            held = [getattr(group, name) for group in groups(items) if isinstance(group, kind)]
            for number, size in enumerate(held, 1):
                setattr(self, name if len(held) == 1 else f"{name}{number}", size)
        for number, block in enumerate(blocks(items), 1):
            self.add_module(f"b{number}", block)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        parts, absent = vars(p), p.absent
        for name, block in self._modules.items():
            if name not in absent:
                part = parts.get(name, True)  # True: a module of torch
                x = block(x) if part is True else block(x, part)  # type: ignore[misc]
        return x


def groups(items: Iterable[Item]) -> Iterator[Repeat | Skippable]:
    """The groups among some items, those in groups included."""
    for item in items:
        if isinstance(item, list):
            yield from groups(item)
        elif not isinstance(item, nn.Module):
            yield item
            yield from groups(item.blocks)


def blocks(items: Iterable[Item], condition: Any = 1) -> Iterator[nn.Module]:
    """The blocks of some items, each present under its groups' conditions."""
    for item in items:
        if isinstance(item, nn.Module):
            yield item if condition == 1 else when(condition, item)
        elif isinstance(item, list):
            yield from blocks(item, condition)
        else:
            for own, inner in item.items():
                yield from blocks(
                    (inner,), own if condition == 1 else condition if own == 1 else condition & own
                )
