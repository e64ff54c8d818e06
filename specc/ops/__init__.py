"""The operators: one folder each, found by looking. Adding a folder with a `rules.py` adds an operator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from specc.ir.operator import Operator


@cache
def operators() -> Mapping[str, Operator]:
    """Every operator by the name under which it is written or that lowering asks for, in alphabetical order."""
    found: dict[str, Operator] = {}
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        rules = f"{__name__}.{module.name}.rules"
        if module.ispkg and find_spec(rules) is not None:
            for operator in import_module(rules).OPERATORS:
                found[operator.kind] = operator
    return found


@cache
def norms() -> Mapping[str, str]:
    """The operators that `norm` can stand for, those with banks, by the word that sets them: `norm batch(..)`."""
    return {
        operator.signature.name: kind
        for kind, operator in operators().items()
        if any(parameter.type == "bank" for parameter in operator.signature.parameters)
    }
