"""What is known of a model's classes while they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from specc.codegen.model.definitions import Definition
from specc.codegen.model.merge import Mask, Merged
from specc.codegen.model.needs import Need, Parameter
from specc.codegen.model.outputs import Outputs
from specc.codegen.model.single_sizes import SingleSizes
from specc.codegen.model.sizes import BlockSizes
from specc.codegen.model.structure import Part, Structure, is_repeated
from specc.ir.choice import Choice
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.ops.writing import Written


@dataclass(frozen=True, slots=True, eq=False)
class Flag:
    """What only some instances have: the attribute that says whether this one has it, and the condition."""

    name: str
    condition: str


@dataclass(slots=True, eq=False)
class Class:
    """A class being written.

    written     how the op at each place is written; `needs` are its numbers and those of the parts, by place
    parameters  those of `__init__`
    choices     the attribute for each choice that a condition reads, as the numbers they are
    flags       for each set of instances that have something by themselves; `arms` for each such place, as several
                conditions may hold at the same instances; `first_arms`: the place where a flag is set
    held        parameters that are attributes as well: unnamed choices are called after these
    functions   parameters that are functions, `act`, by place
    presence    the condition of what is always there in some rounds, by its node
    loops       the attributes that hold rounds of repeats
    shown       the part whose presence in the plan shows that an output is wanted
    """

    name: str
    merged: Merged
    definition: Definition | None
    sizes: BlockSizes | SingleSizes
    written: dict[int, Written] = field(default_factory=dict)
    needs: dict[int, list[tuple[str, Need]]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    choices: dict[str, tuple[str, Need]] = field(default_factory=dict)
    flags: dict[Mask, Flag] = field(default_factory=dict)
    arms: dict[int, Flag] = field(default_factory=dict)
    first_arms: dict[str, int] = field(default_factory=dict)
    held: dict[str, None] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)
    presence: dict[int, Need] = field(default_factory=dict)
    loops: dict[int, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    chain: bool = False
    has_plan: bool = False

    @property
    def first(self) -> Part:
        return self.merged.parts[0]

    @property
    def repeated(self) -> bool:
        return is_repeated(self.first.scope)


@dataclass(slots=True, eq=False)
class Context:
    """What all classes of a model are written with. `answers` is set where the network has several; `readers` are the
    ops that read each choice, `reach` the exits with which the network gets to each part. `sources` are the layers by
    the operator that brings them, `plain` those among them, as pairs, whose text may stand in the module."""

    graph: Graph
    structure: Structure
    choices: Mapping[str, Choice]
    largest: Mapping[str, Option]
    readers: Mapping[str, Sequence[str]]
    reach: Mapping[int, frozenset[Option]]
    classes: list[Class] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)
    plain: set[tuple[str, str]] = field(default_factory=set)
    functions: dict[str, str] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    outputs: Outputs | None = None

    @property
    def elastic(self) -> bool:
        return bool(self.graph.choices)

    def of(self, part: Part) -> Class:
        return self.classes[part.cls]
