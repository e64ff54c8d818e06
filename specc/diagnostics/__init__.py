"""Everything specc says about a spec: rules, diagnostics and how they are shown."""

from specc.diagnostics.diagnostic import (
    Diagnostic,
    Findings,
    Label,
    Rule,
    SpecError,
    SpecWarning,
    as_errors,
    as_warning,
)

__all__ = ["Diagnostic", "Findings", "Label", "Rule", "SpecError", "SpecWarning", "as_errors", "as_warning"]
