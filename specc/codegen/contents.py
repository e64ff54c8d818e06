"""The table of contents of a project's `elastic/`: what each of its files is for, in the words the file begins with."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final

COLUMNS: Final = 100
GROUPS: Final = (
    ("specc.ops.", "Layers:"),
    ("specc.portable.", "Choices, costs and budgets, which the compiler computes with as well:"),
    ("specc.codegen.", "Training, search and deployment:"),
    ("", "The method's training step:"),
)
"""The first that a part's module begins with is its group."""


def contents(parts: Mapping[str, tuple[str, str]]) -> str:
    """The text of `elastic/__init__.py`. `parts` has the file name without `.py` and the text of every module."""
    lines = ['"""What does not depend on the spec, copied from specc.']
    groups: dict[str, list[tuple[str, str]]] = {title: [] for _, title in GROUPS}
    for module in sorted(parts):
        groups[next(title for start, title in GROUPS if module.startswith(start))].append(parts[module])
    widest = max(len(name) for name, _ in parts.values())
    for title, members in groups.items():
        if members:
            lines += ["", title]
        for name, text in sorted(members):
            indent = f"    {name:<{widest}}  "
            lines += textwrap.wrap(
                purpose(text),
                COLUMNS,
                initial_indent=indent,
                subsequent_indent=" " * len(indent),
                break_on_hyphens=False,
            )
    return "\n".join([*lines, '"""', ""])


def purpose(text: str) -> str:
    """The first sentence of a module's docstring, without its full stop."""
    docstring = text.split('"""')[1] if text.startswith('"""') else ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return paragraph.split(". ")[0].removesuffix(".")
