"""Every rule there is, found by looking: the `Rule` constants of the modules that declare one.

Only the commands `rules` and `explain` and the tests read this. A module that declares no rule is not imported:
some of specc's files are PyTorch code that is copied into generated projects and must never be imported here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from specc.diagnostics.diagnostic import Rule


def all_rules(package: str = "specc") -> tuple[Rule, ...]:
    """All rules by code. Raises ValueError where two share a code or a name."""
    found: dict[str, Rule] = {}
    for module in rule_modules(package):
        for value in vars(module).values():
            for rule in rules_in(value):
                earlier = found.setdefault(rule.code, rule)
                if earlier is not rule and earlier != rule:
                    raise ValueError(f"two rules have the code {rule.code}: {earlier.name} and {rule.name}")
    names = [rule.name for rule in found.values()]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two rules have the name {name}")
    return tuple(found[code] for code in sorted(found))


def rules_in(value: object) -> Iterator[Rule]:
    """A rule, or the rules of a tuple of rules."""
    if isinstance(value, Rule):
        yield value
    elif isinstance(value, tuple):
        yield from (item for item in value if isinstance(item, Rule))


def rule_modules(package: str) -> Iterator[ModuleType]:
    """The modules whose text builds a `Rule`, in the order of their paths."""
    origin = importlib.import_module(package).__file__
    if origin is None:
        return
    root = Path(origin).parent
    declares = re.compile(r"(?<![\w.])Rule\(", re.ASCII)
    for path in sorted(root.rglob("*.py")):
        if declares.search(path.read_text(encoding="utf-8")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            yield importlib.import_module(".".join(parts))
