"""The operators: one folder each, found by looking. Adding a folder with a `rules.py` adds an operator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from specc.ir.operator import Operator


@cache
def operators() -> Mapping[str, Operator]:
    """Every operator by the name under which it is written or that lowering asks for, in alphabetical order."""
    found: dict[str, Operator] = {}
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        if module.ispkg:
            for operator in import_module(f"{__name__}.{module.name}.rules").OPERATORS:
                found[operator.kind] = operator
    return found
