"""Sums as statements: short lines, and what occurs twice computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from specc.cost.factoring import Part, Sum

WIDTH = 86
"""The longest right-hand side of a statement, which leaves room for its name and indentation on a line of 100."""
INLINE = 44
"""The longest sum that stands inside a product; a longer one gets a line and a name of its own."""


class Statements:
    """Lines of straight-line code. `names` has the variable of every symbol, `named` the sums that others stand for."""

    def __init__(self, names: Mapping[int, str], named: Mapping[int, Sum], roots: Sequence[Sum]) -> None:
        self.lines: list[str] = []
        self._names = dict(names)
        self._sums = named
        self._known: dict[Sum, str] = {}
        self._uses: Counter[Sum] = Counter()
        for root in (*roots, *named.values()):
            self._count(root)

    def _count(self, total: Sum) -> None:
        self._uses[total] += 1
        if self._uses[total] == 1:
            for part in total.parts:
                if part.inner is not None:
                    self._count(part.inner)

    def assign(self, name: str, total: Sum) -> None:
        """`name = total`, on as many lines as it takes, after what it needs."""
        texts = [self._part(part) for part in total.parts]
        texts.sort(key=lambda text: " " not in text)
        if total.constant or not texts:
            texts.append(str(total.constant))
        line = ""
        operator = "="
        for text in texts:
            longer = joined(line, text)
            if line and len(longer) > WIDTH:
                self.lines.append(f"{name} {operator} {line}")
                operator, longer = "+=", text
            line = longer
        self.lines.append(f"{name} {operator} {line}")

    def _part(self, part: Part) -> str:
        words = [self._symbol(number) for number in part.symbols]
        if part.inner is not None:
            words.append(self._inner(part.inner))
        sign = "-" if part.factor < 0 else ""
        if abs(part.factor) != 1:
            words.insert(0, str(abs(part.factor)))
        return sign + " * ".join(words)

    def _symbol(self, number: int) -> str:
        if number not in self._names:
            self._names[number] = self._named(self._sums[number])
        return self._names[number]

    def _inner(self, total: Sum) -> str:
        """The sum in brackets, or the name it was given."""
        if total in self._known:
            return self._known[total]
        if self._uses[total] == 1:
            text = ""
            for part in total.parts:
                text = joined(text, self._part(part))
            text = joined(text, str(total.constant)) if total.constant else text
            if len(text) <= INLINE:
                return f"({text})"
        return self._named(total)

    def _named(self, total: Sum) -> str:
        if total not in self._known:
            name = f"s{len(self._known)}"
            self._known[total] = name
            self.assign(name, total)
        return self._known[total]


def joined(line: str, text: str) -> str:
    """`line + text`, or `line - text` for a text with a minus sign."""
    if not line:
        return text
    return f"{line} - {text[1:]}" if text.startswith("-") else f"{line} + {text}"
