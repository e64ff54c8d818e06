"""What the template of model.py prints: text that is decided and laid out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassView:
    """One generated module class. `*_lines` are statements with their indentation; `fields` are those of its plan.

    `plan_lines` is empty where nothing in the class depends on the sub-network; the class then has no plan.
    """

    name: str
    base: str
    doc: tuple[str, ...]
    init_lines: tuple[str, ...]
    forward_lines: tuple[str, ...]
    plan_name: str
    plan_base: str
    plan_doc: tuple[str, ...]
    fields: tuple[str, ...]
    plan_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """All of model.py."""

    doc: tuple[str, ...]
    import_lines: tuple[str, ...]
    classes: tuple[ClassView, ...]
    network: str
