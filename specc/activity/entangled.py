"""Choices that are too interdependent for exact counting."""

from __future__ import annotations

from specc.diagnostics import Findings, Rule, SpecError
from specc.source import Span

ENTANGLED = Rule(
    "E613",
    "space-too-entangled",
    "choices are too interdependent for exact counting",
    "Sub-networks are counted by variable elimination: one choice after another, with the states that the rest needs.\n"
    "That fails where very many choices together decide what else matters (over 1M joint states).\n"
    "Wrong:  when (a1 + a2 + ... + a30) > 7 { ... }, with thirty choices of many options\n"
    "Right:  conditions of a few choices each, or one choice that replaces their sum.",
)


class TooManyOptions(ValueError):
    """A condition or a size reads too many choices to enumerate their combinations."""


def refused(rule: Rule, origin: Span, message: str, help: str = "") -> SpecError:
    """One diagnostic."""
    findings = Findings()
    findings.report(rule, origin, message, help=help)
    return SpecError(findings.diagnostics)
