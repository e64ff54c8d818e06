"""Source texts and the spans that point into them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from specc.frozen import frozen


@frozen
class Source:
    """One text that specc reads: a spec file, a library file or standard input.

    `name` is the path inside the spec's own folder tree (`digits.specc`, `blocks/mine.specc`) or inside the library
    (`std/mobilenet.specc`): what generated code says, so that nothing specc writes depends on where it ran.
    `shown` is the path as the user would type it, for messages.
    """

    name: str
    text: str
    shown: str = ""
    _line_starts: list[int] = field(default_factory=list, repr=False)

    def line_starts(self) -> list[int]:
        """The offset at which every line starts, computed once and kept."""
        if not self._line_starts:
            starts = [0]
            starts.extend(i + 1 for i, character in enumerate(self.text) if character == "\n")
            self._line_starts.extend(starts)
        return self._line_starts

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column of a character offset."""
        starts = self.line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its newline."""
        starts = self.line_starts()
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r")


@dataclass(slots=True, eq=False)
class CallSite:
    """A call of a block: where it is written, and what it is called in the network (`s1.b3`).

    `path` is "" until all names are given. `cures` are arguments that would change how the block's widths are chosen.
    """

    span: Span
    block: str
    path: str = ""
    cures: tuple[str, ...] = ()


@frozen
class Span:
    """A piece of a source, `[start, end)` in characters. Every AST node, tensor, op and choice has one.

    `calls` is the way to a place in a block that was written out: the calls around it, outermost first.
    """

    source: Source
    start: int
    end: int
    calls: tuple[CallSite, ...] = ()

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def in_library(self) -> bool:
        """Whether it is a piece of specc's own library, which a user does not change."""
        return self.source.shown.startswith("std/")

    def location(self) -> str:
        """`digits.specc:12`, as it stands in comments of generated code."""
        return f"{self.source.name}:{self.source.position(self.start)[0]}"

    def shown(self) -> str:
        """`specs/digits.specc:12:3`, as it stands in messages."""
        line, column = self.source.position(self.start)
        return f"{self.source.shown or self.source.name}:{line}:{column}"

    def holds(self, other: Span) -> bool:
        """Whether another span lies in this one."""
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    @property
    def key(self) -> tuple[int, int, int]:
        """Equal for equal places, however they are reached."""
        return id(self.source), self.start, self.end

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of another in the same source."""
        return Span(self.source, self.start, other.end)
