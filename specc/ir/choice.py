"""Choices: the one idea the language, the graph, the analyses and the generated code share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

from specc.ir.expr import Number, Option, normal
from specc.source import Span

Kind: TypeAlias = Literal[
    "width", "depth", "skip", "kernel", "expand", "resolution", "branches", "exit", "operator", "value"
]

Assignment: TypeAlias = Mapping[str, Option]
"""One option for each choice, by the choice's name. Canonical when choices that nothing present reads are left out."""


@dataclass(frozen=True, slots=True)
class Range(Sequence[Option]):
    """The numbers from `start` to `stop`, both included, `step` apart (exact rationals)."""

    start: Number
    stop: Number
    step: Number = 1

    def __len__(self) -> int:
        return max(0, int((self.stop - self.start) / self.step // 1) + 1)

    @overload
    def __getitem__(self, index: int) -> Option: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Option]: ...
    def __getitem__(self, index: int | slice) -> Option | Sequence[Option]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return normal(self.start + index * self.step)

    def __iter__(self) -> Iterator[Option]:
        return (normal(self.start + i * self.step) for i in range(len(self)))


Options: TypeAlias = Range | tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A finite choice with ordered options: the first is the smallest sub-network's, the last the largest's.

    `options` is a `Range` or a tuple; a skippable sub-path has (0, 1), shown as no and yes.
    """

    name: str
    options: Options
    kind: Kind
    origin: Span

    @property
    def smallest(self) -> Option:
        return self.options[0]

    @property
    def largest(self) -> Option:
        return self.options[-1]

    def position(self, option: Option) -> int:
        """The index of an option. Raises ValueError where it is none."""
        return list(self.options).index(option)
