"""Rules and diagnostics: errors and warnings as values that point into a spec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from specc.frozen import frozen
from specc.source import CallSite, Span

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a spec must respect, or should. Rules live beside the check that applies them.

    code         short and stable, as in `E212`; what `specc explain` takes. `W101` is a warning: the spec compiles
    name         the same in words, as in `unknown-name`; what tests and `specc rules` show
    summary      one line
    explanation  a few lines: why the rule exists, a wrong and a right example
    """

    code: str
    name: str
    summary: str
    explanation: str

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"


@frozen
class Label:
    """A place in a spec and what is to be said about it."""

    span: Span
    message: str


@frozen
class Diagnostic:
    """One broken rule: where, what else has a part in it, and what would mend it."""

    rule: Rule
    primary: Label
    secondary: tuple[Label, ...] = ()
    help: str = ""
    strict: bool = False

    @property
    def severity(self) -> Severity:
        """The rule's, or an error for a warning under `--strict`."""
        return "error" if self.strict else self.rule.severity

    @property
    def related(self) -> tuple[Label, ...]:
        """The other places: those that have a part in it, then the calls that lead to it, the nearest first."""
        calls = self.primary.span.calls[::-1]
        shown = calls if len(calls) <= MOST_CALLS else (*calls[: MOST_CALLS - 1], calls[-1])
        return (*self.secondary, *(Label(site.span, called(site)) for site in shown))

    @property
    def path(self) -> str:
        """What the innermost call on the way is called in the network: `s1.b3`; "" outside blocks."""
        calls = self.primary.span.calls
        return calls[-1].path if calls else ""


MOST_CALLS = 6
"""The calls that a diagnostic shows: the innermost ones and the outermost one."""


def called(site: CallSite) -> str:
    return f"`{site.block}` is called here" + (f", as {site.path}" if site.path else "")


MANY = 200


class Findings:
    """The diagnostics of one run, collected in order: true where there are errors.

    A phase that found an error does not hand on its result. Warnings stop nothing and are kept apart.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.places: set[tuple[Rule, int, int]] = set()

    @property
    def many(self) -> bool:
        """Whether there are more errors than anyone reads: what costs time to say of each may then be left out."""
        return len(self.diagnostics) > MANY

    def report(
        self,
        rule: Rule,
        span: Span,
        message: str,
        *,
        secondary: Iterable[tuple[Span, str]] = (),
        help: str = "",
    ) -> None:
        """Adds one error or warning, as the rule is; a second one of the same rule at the same place is dropped."""
        found = self.warnings if rule.severity == "warning" else self.diagnostics
        place = (rule, id(span.source), span.start)  # the diagnostics keep their sources, and so these numbers, alive
        if place in self.places:
            return
        self.places.add(place)
        labels = tuple(Label(*pair) for pair in secondary)
        found.append(Diagnostic(rule, Label(span, message), labels, help))

    def __bool__(self) -> bool:
        return bool(self.diagnostics)


class SpecError(Exception):
    """A spec is wrong. Carries every error of the phase that stopped; raised at the API's edge only.

    Warnings are about specs that compile: beside errors they would only distract.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(in_a_line(self.diagnostics[0]))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        """Made again from its diagnostics, where it is pickled on the way from another process."""
        return type(self), (self.diagnostics,)


class SpecWarning(UserWarning):
    """Something in a spec has no effect, or an answer is approximate. The Python API warns with this category.

    `warnings.simplefilter("error", specc.SpecWarning)` makes such warnings errors, as `--strict` does.
    """

    def __init__(self, message: str, diagnostic: Diagnostic | None = None) -> None:
        super().__init__(message)
        self.diagnostic = diagnostic


def as_warning(diagnostic: Diagnostic) -> SpecWarning:
    """What Python is warned with: the diagnostic in a line, with its help."""
    return SpecWarning(f"{in_a_line(diagnostic)}{f' ({diagnostic.help})' if diagnostic.help else ''}", diagnostic)


def in_a_line(diagnostic: Diagnostic) -> str:
    """`net.specc:4:3: [unused-choice] nothing reads the choice `k``; in a block, with the call that leads there."""
    line = f"{diagnostic.primary.span.shown()}: [{diagnostic.rule.name}] {diagnostic.primary.message}"
    calls = diagnostic.primary.span.calls
    return f"{line}, in {diagnostic.path or calls[-1].block}, called at {calls[0].span.shown()}" if calls else line


def as_errors(warnings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Warnings as `--strict` has them: errors."""
    return tuple(replace(warning, strict=True) for warning in warnings)
