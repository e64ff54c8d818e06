"""How the numbers of a class that stands once are written: with choices by name, and locals for what is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from specc.codegen.model.needs import Need, first_of
from specc.codegen.model.render import size_text
from specc.codegen.names import choice_leaf, fresh, identifier
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, Var, is_whole
from specc.ir.expr import evaluate as value_at
from specc.ops.writing import Value, numbers
from specc.python.expressions import ATOM, Text
from specc.python.literals import in_brackets, inline, quoted


@dataclass(slots=True, eq=False)
class SingleSizes:
    """The numbers of a class that stands once - the network, a stem, a stage, a head - written with choices by name.

    A choice is fetched from the space where it is read; one that is read more than once, and a rounded count of
    channels, get a local variable.
    """

    choices: Mapping[str, Choice]
    largest: Mapping[str, Option]
    taken: set[str]
    uses: Counter[str] = field(default_factory=Counter)
    names: dict[Expr, str] = field(default_factory=dict)
    locals: list[tuple[str, str]] = field(default_factory=list)
    counting: bool = True
    rounded: Counter[Expr] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)

    def prepare(self, needs: Sequence[Need]) -> None:
        for need in needs:
            for value in need.values:
                for item in numbers(value) if value is not None else ():
                    self.count(item)
        self.counting = False

    def count(self, expr: Expr) -> None:
        if isinstance(expr, Var):
            self.uses[expr.choice] += 1
        elif isinstance(expr, Apply):
            if deserves_name(expr):
                self.rounded[expr] += 1
                if self.rounded[expr] > 1:
                    return
            for arg in expr.args:
                self.count(arg)

    def text(self, need: Need) -> str:
        return self.spell(first_of(need.values), need.role)[0]

    def spell(self, value: Value, role: str) -> Text:
        if isinstance(value, tuple):
            return in_brackets([self.spell(item, role)[0] for item in value]), ATOM
        if not isinstance(value, (Var, Apply)):
            return inline(value), ATOM
        return size_text(value, lambda e: self.known(e, role, value))

    def known(self, expr: Expr, role: str, whole: Expr) -> Text | None:
        if expr in self.names:
            return self.names[expr], ATOM
        if isinstance(expr, Var):
            if self.uses[expr.choice] <= 1:
                return f"choice({quoted(expr.choice)})", ATOM
            leaf = choice_leaf(expr.choice)
            if not self.leaves:
                self.leaves.update(map(choice_leaf, self.choices))
            alone = self.leaves[leaf] == 1
            name = leaf if alone else f"{expr.choice.split('.')[0]}_{leaf}"
            return self.local(expr, name, f"choice({quoted(expr.choice)})")
        if deserves_name(expr) and self.rounded[expr] > 1:
            peak = value_at(expr, self.largest)
            text = size_text(expr, lambda e: None if e == expr else self.known(e, role, whole))
            return self.local(expr, f"c{peak}" if role == "channels" else role, text[0])
        return None

    def local(self, expr: Expr, name: str, text: str) -> Text:
        self.names[expr] = fresh(identifier(name), self.taken)
        self.locals.append((self.names[expr], text))
        return self.names[expr], ATOM


def deserves_name(expr: Expr) -> bool:
    """Whether a channel count is written with a function of its own, so that it deserves a name."""
    return isinstance(expr, Apply) and is_whole(expr) and expr.function not in ("add", "sub", "mul")
