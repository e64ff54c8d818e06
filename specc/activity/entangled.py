"""Where choices read one another too much to be told apart."""

from __future__ import annotations

from specc.diagnostics import Findings, Rule, SpecError
from specc.source import Span

ENTANGLED = Rule(
    "E613",
    "space-too-entangled",
    "the choices of a space read one another too much for an exact count",
    "Sub-networks are counted by taking up one choice after another and remembering only what the rest still needs.\n"
    "That fails where very many choices decide together, in no order, what else matters.\n"
    "Wrong:  when (a1 + a2 + ... + a30) > 7 { ... }, with thirty choices of many options\n"
    "Right:  conditions of a few choices each, or one choice that stands for their sum.",
)


class TooManyOptions(ValueError):
    """A condition or a size reads so many choices that their combinations cannot be tried out."""


def refused(rule: Rule, origin: Span, message: str, help: str = "") -> SpecError:
    """One diagnostic."""
    findings = Findings()
    findings.report(rule, origin, message, help=help)
    return SpecError(findings.diagnostics)
