"""The variables of a cost program: which choices it reads, and how.

`x3` is the option of choice 3 as a number, 0 where the choice does not matter; `o3` its option, the first where it does
not matter; `t7` the function of one choice, or of several, that is symbol 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from specc.activity.diagrams import Diagrams, Term
from specc.cost.combine import SUMS
from specc.cost.factoring import contents
from specc.cost.names import choices_in, plain_option
from specc.cost.program import Program
from specc.ir.expr import Option
from specc.python.literals import constant


class Variables:
    """What of the choices a program reads.

    plain    options are written as JSON has them (true, 0.35) instead of as the graph has them (1, Fraction(7, 20))
    used     the symbols of the graph that are read
    reads    for each choice its functions, but for its own value
    joint    functions of several choices
    linear   for each choice whether its options are whole and equally spaced
    asked    the choices whose option itself is compared or looked up under another's condition
    """

    def __init__(self, what: Program, plain: bool) -> None:
        self.program = what
        self.plain = plain
        self.symbols = what.presence.symbols
        self.diagrams: Diagrams = what.presence.diagrams
        self.linear = [evenly_spaced(options) for options in self.diagrams.options]
        symbols, _ = contents([*what.sums, *what.named.values()])
        self.used = {number for number in symbols if number < SUMS}
        self.reads: list[list[int]] = [[] for _ in self.diagrams.choices]
        for number in sorted(self.used):
            scope = self.symbols.symbols[number].scope
            if len(scope) == 1 and not self.is_plain(number):
                self.reads[scope[0]].append(number)
        self.joint = sorted(n for n in self.used if len(self.symbols.symbols[n].scope) > 1)
        self.asked = self.asked_choices()

    def is_plain(self, number: int) -> bool:
        return self.symbols.plain.get(self.symbols.symbols[number].scope[0]) == number

    def has_plain(self, choice: int) -> bool:
        return self.symbols.plain.get(choice) in self.used

    def tabled(self, choice: int) -> list[int]:
        """The functions of a choice that are looked up: all but its own value and simple comparisons."""
        return [n for n in self.reads[choice] if not self.compared(n)]

    def compared(self, number: int) -> bool:
        """Whether a function is 1 for some options and 0 for the others, so that a comparison gives it."""
        return set(self.symbols.symbols[number].values) == {0, 1}

    def ones(self, number: int) -> list[int]:
        return [at for at, value in enumerate(self.symbols.symbols[number].values) if value]

    def options(self, choice: int) -> list[str]:
        return [self.option(choice, at) for at in range(len(self.diagrams.options[choice]))]

    def option(self, choice: int, at: int) -> str:
        option = self.diagrams.options[choice][at]
        return constant(plain_option(self.diagrams.choices[choice], option) if self.plain else option)

    def linear_options(self, choice: int) -> bool:
        """Whether a choice's options are whole and equally spaced."""
        return self.linear[choice]

    def holds_options(self, choice: int) -> bool:
        """Whether a choice's array holds options, not positions: where these are spaced evenly or used as numbers."""
        return self.linear_options(choice) or (self.has_plain(choice) and self.raw(choice)[0] == "x")

    def dtype(self) -> str:
        """The smallest type that holds every number exactly: half the bytes are half the time. float64 holds integers
        below 2**53 and multiplies them faster than int64 does; what is larger still needs that, or Python's own."""
        bound, unsigned = self.program.bound, self.program.unsigned
        if bound >= 1 << 31 and unsigned is not None and unsigned < 1 << 32:
            return "uint32"
        for name, bits in (("int32", 31), ("float64", 53), ("int64", 63)):
            if bound < 1 << bits:
                return name
        return "object_"

    def names(self) -> dict[int, str]:
        return {n: f"x{self.symbols.symbols[n].scope[0]}" if self.is_plain(n) else f"t{n}" for n in self.used}

    def terms_of(self, number: int) -> Sequence[Term]:
        node = self.symbols.symbols[number].node
        return () if node is None else self.diagrams.terms(node)

    def asked_choices(self) -> set[int]:
        """The choices whose option itself is compared or looked up under another's condition."""
        found = {choice for choice, numbers in enumerate(self.reads) if any(map(self.compared, numbers))}
        for choice, terms in self.program.active.items():
            if self.reads[choice] or self.has_plain(choice):
                found.update(choices_in(terms))
        for number in self.joint:
            found.update(self.symbols.symbols[number].scope)
        waiting = sorted(found)
        while waiting:
            for parent in choices_in(self.program.active.get(waiting.pop(), ())):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def in_order(self) -> list[int]:
        """The choices that are read, each after those that its activity reads."""
        read = [c for c, numbers in enumerate(self.reads) if numbers or c in self.asked or self.has_plain(c)]
        order: dict[int, None] = {}
        stack = [(choice, False) for choice in reversed(read)]
        entered: set[int] = set()
        while stack:
            choice, left = stack.pop()
            if left:
                order[choice] = None
            elif choice not in entered:
                entered.add(choice)
                stack.append((choice, True))
                parents = choices_in(self.program.active.get(choice, ()))
                stack.extend((parent, False) for parent in reversed(parents))
        return list(order)

    def raw(self, choice: int) -> str:
        """The variable that holds a choice's option: `x` serves where it is that number at all times."""
        always = choice not in self.program.active or self.diagrams.options[choice] == (0, 1)
        return f"x{choice}" if always else f"o{choice}"


def evenly_spaced(options: Sequence[Option]) -> bool:
    """Whether options are whole numbers, one as far from the next as any other."""
    if not all(isinstance(option, int) for option in options):
        return False
    return len({b - a for a, b in pairwise(options)}) <= 1  # type: ignore[operator]
