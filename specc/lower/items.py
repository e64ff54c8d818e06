"""What lowering builds before names are final: operations, scopes and choices that know where they stand.

A thing is named after its kind, numbered where its scope has several of the kind (`conv`, or `conv1` and `conv2`), so
names are only known once a scope is complete. Until then choices and width groups go by variables such as `%c3`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from specc.ir.choice import Kind, Options
from specc.ir.expr import Expr
from specc.ir.graph import DENSE, Connection, ScopeKind, Tensor, WidthRule
from specc.ir.operator import Operator
from specc.ir.window import Window
from specc.source import CallSite, Span
from specc.syntax import ast


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A number, a flag, a word, an expression or a pair of height and width. `follows` says that it came from `in` (or
    is the class count), so that a channel argument takes it as it is instead of making a width group."""

    x: Window | bool
    follows: bool = False

    @property
    def scalar(self) -> Expr | bool:
        """What it is, where no pair may stand."""
        assert not isinstance(self.x, tuple)
        return self.x


@dataclass(slots=True, eq=False)
class Named:
    """Something with a place in the spec's nesting. `base` is its kind's name, or its given name if `given`.

    `reserved` is a name of what the block leaves out here. The first version of specc numbered without those: `first`
    is the name that it gave.
    """

    scope: ScopeItem | None
    base: str
    given: bool = False
    name: str = ""
    first: str = ""
    reserved: bool = False

    @property
    def path(self) -> str:
        outer = self.scope.path if self.scope is not None else ""
        return f"{outer}.{self.name}" if outer and self.name else outer or self.name

    @property
    def first_path(self) -> str:
        """`path` under the names of the first version."""
        outer = self.scope.first_path if self.scope is not None else ""
        return f"{outer}.{self.first}" if outer and self.first else outer or self.first


@dataclass(slots=True, eq=False)
class ScopeItem(Named):
    """A scope being filled. Regions share their parent's path and names.

    output   the output that it computes, "" for none
    passed   how many exits stand before it
    is_rest  whether it is the region of what follows an exit in its parent
    """

    kind: ScopeKind = "block"
    origin: Span = field(kw_only=True)
    guard: Expr = 1
    block: str = ""
    args: tuple[tuple[str, Window], ...] = ()
    items: list[OpItem | ScopeItem] = field(default_factory=list)
    names: list[Named] = field(default_factory=list)
    full_path: str = ""
    full_first: str = ""
    output: str = ""
    site: CallSite | None = None
    passed: int = 0
    is_rest: bool = False

    @property
    def path(self) -> str:
        """Empty until `name_everything` has come by."""
        return self.full_path

    @property
    def first_path(self) -> str:
        return self.full_first


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a head or an exit answers: the name of its output, the label level (""; the finest), the condition under
    which a plain call returns it - None for a level that only who asks for it gets - and where it is written."""

    name: str
    kind: Literal["head", "exit"]
    tensor: Tensor
    level: str
    condition: Expr | None
    origin: Span


@dataclass(slots=True, eq=False)
class BankRequest:
    """A `bank=` argument, to be resolved when the stage, the widths and the method's list are known."""

    word: str
    origin: Span
    stage: ScopeItem | None
    rule: WidthRule | None


@dataclass(slots=True, eq=False)
class OpItem(Named):
    """An operation being built. Tensors still go by provisional names."""

    operator: Operator = field(kw_only=True)
    params: object = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    guard: Expr = 1
    origin: Span = field(kw_only=True)
    connection: Connection = DENSE
    bank: BankRequest | None = None


@dataclass(slots=True, eq=False)
class ChoiceItem:
    """A choice, by its variable until its owner has a name. `leaf` is the part of its name after the owner's path."""

    variable: str
    owner: Named | None
    leaf: str
    options: Options
    kind: Kind
    origin: Span
    serial: int

    @property
    def name(self) -> str:
        outer = self.owner.path if self.owner is not None else ""
        return ".".join(part for part in (outer, self.leaf) if part)

    @property
    def first_name(self) -> str:
        """Its name in the first version."""
        outer = self.owner.first_path if self.owner is not None else ""
        return ".".join(part for part in (outer, self.leaf) if part)


@dataclass(slots=True, eq=False)
class GroupItem:
    """A width group: channels that one operator chose. `rule` is the width setting it was made under."""

    variable: str
    owner: OpItem
    maximum: int
    multiple: int
    rule: WidthRule
    origin: Span
    serial: int


@dataclass(slots=True, eq=False)
class Settings:
    """The scoped settings in force. Replaced, never changed, so that leaving a brace restores them."""

    norm: ast.NormSetting | None = None
    norm_env: object = None
    width: WidthRule | None = None
    connect: Connection = DENSE
    connect_origin: Span | None = None


def give_names(scope: ScopeItem) -> None:
    """Names for what a scope holds: as they are, and as they were where nothing was reserved."""
    for item, name in zip(scope.names, numbered(scope.names), strict=True):
        item.name = item.first = name
    if any(item.reserved for item in scope.names):
        there = [item for item in scope.names if not item.reserved]
        for item, name in zip(there, numbered(there), strict=True):
            item.first = name


def numbered(items: Sequence[Named]) -> list[str]:
    """The items' names: a kind that stands once goes without a number, but blocks of a stage always have one. A name
    that the spec gives several times, as the rounds of a repeat do, is numbered like a kind."""
    count: dict[str, int] = {}
    given: dict[str, int] = {}
    for item in items:
        count[item.base] = count.get(item.base, 0) + 1
        if item.given:
            given[item.base] = given.get(item.base, 0) + 1
    taken = {base for base, times in given.items() if times == 1}
    # A sixth `relu` is no `relu6` where there is one.
    plain = {base for base, times in count.items() if times == 1 and base != "b"}
    number: dict[str, int] = {}
    names: list[str] = []
    for item in items:
        name = item.base
        if not (item.given and name in taken) and (count[name] > 1 or name == "b" or name in taken):
            while True:
                number[item.base] = number.get(item.base, 0) + 1
                joint = "_" if item.base[-1:].isdigit() else ""
                name = f"{item.base}{joint}{number[item.base]}"
                if name not in taken and name not in plain:
                    break
        names.append(name)
    return names
