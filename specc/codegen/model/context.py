"""What is known of a model's classes while they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from specc.codegen.model.answers import Answers
from specc.codegen.model.sizes import Namer, Sizes
from specc.codegen.model.structure import OpEntry, Part, Structure
from specc.ir.choice import Choice
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.ops.writing import Written


@dataclass(slots=True, eq=False)
class Class:
    """A class being written.

    parts        its instances; `rows` their ops and parts in the order of execution
    written      how the op at each place is written
    init, active the numbers of `__init__`, at the largest sub-network, and of `plan`
    choices      the parameter of `plan` that holds each choice read by a guard of the first instance
    """

    name: str
    parts: Sequence[Part]
    namer: Namer
    written: dict[int, Written] = field(default_factory=dict)
    init: Sizes | None = None
    active: Sizes | None = None
    plan_fields: list[str] = field(default_factory=list)
    plan_name: str = ""
    choices: dict[str, str] = field(default_factory=dict)
    rows: list[list[OpEntry | Part]] = field(default_factory=list)

    @property
    def first(self) -> Part:
        return self.parts[0]

    def column(self, place: int) -> list[OpEntry | Part]:
        """The entry of one place in every instance."""
        return [row[place] for row in self.rows]

    @property
    def has_plan(self) -> bool:
        return bool(self.plan_fields)


@dataclass(slots=True, eq=False)
class Context:
    """What all classes of a model are written with. `answers` is set where the network has several."""

    graph: Graph
    structure: Structure
    choices: Mapping[str, Choice]
    largest: Mapping[str, Option]
    classes: list[Class] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    answers: Answers | None = None

    def of(self, part: Part) -> Class:
        return self.classes[part.group]
