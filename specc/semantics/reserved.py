"""What the grammar can say and this version does not build yet: each is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.source import Span

NOT_YET = Rule(
    "E901",
    "not-yet",
    "a construct that specc does not build yet",
    "The language has a place for branches, slices, triangular connections, exits and free DAGs;\n"
    "this version refuses them.\n"
    "Wrong:  branches 8 by k sum { conv(4, kernel=3) }\n"
    "Right:  conv(32, kernel=3, groups=8)",
)

LATER_OPERATORS: Final[Mapping[str, str]] = {
    name: what
    for what, names in {
        "squeeze-excite": ("squeeze_excite", "se"),
        "stochastic depth": ("stochastic_depth",),
    }.items()
    for name in names
}


def refuse(span: Span, what: str, findings: Findings) -> None:
    """Says that a construct has no meaning in this version."""
    findings.report(NOT_YET, span, f"this version of specc does not build {what} yet")
