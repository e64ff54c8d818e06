"""Rules and diagnostics: errors as values that point into a spec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specc.source import Span


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a spec must respect. Rules live beside the check that applies them.

    code         short and stable, as in `E203`; what `specc explain` takes
    name         the same in words, as in `unknown-name`; what tests and `specc rules` show
    summary      one line
    explanation  a few lines: why the rule exists, a wrong and a right example
    """

    code: str
    name: str
    summary: str
    explanation: str


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """A place in a spec and what is to be said about it."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Diagnostic:
    """One broken rule: where, what else has a part in it, and what would mend it."""

    rule: Rule
    primary: Label
    secondary: tuple[Label, ...] = ()
    help: str = ""


class Findings:
    """The diagnostics of one run, collected in order. A phase that found any does not hand on its result."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def report(
        self,
        rule: Rule,
        span: Span,
        message: str,
        *,
        secondary: Iterable[tuple[Span, str]] = (),
        help: str = "",
    ) -> None:
        """Adds one diagnostic; a second one of the same rule at the same place is dropped."""
        for earlier in self.diagnostics:
            if (
                earlier.rule is rule
                and earlier.primary.span.start == span.start
                and (earlier.primary.span.source is span.source)
            ):
                return
        labels = tuple(Label(*pair) for pair in secondary)
        self.diagnostics.append(Diagnostic(rule, Label(span, message), labels, help))

    def __bool__(self) -> bool:
        return bool(self.diagnostics)


class SpecError(Exception):
    """A spec is wrong. Carries every diagnostic of the phase that stopped; raised at the API's edge only."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        first = self.diagnostics[0]
        super().__init__(f"{first.primary.span.shown()}: [{first.rule.name}] {first.primary.message}")
