"""The graph: tensors with symbolic shapes, operations with guards, choices, outputs - and the spec's own nesting.

Lowering writes it with width groups still open (`widths`, `ties`); the pass `unify_channels` turns these into
choices. After that both are empty, and everything that is elastic reads the one tuple `choices`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from specc.frozen import frozen
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Number, Option, Var, apply
from specc.ir.operator import Operator
from specc.ir.window import Window
from specc.source import Span


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of channels that is cut as one: `size` channels are active, each standing for `spread` features.

    A flattened 7x7 map of c channels is `Segment(c, 49)`; everywhere else `spread` is 1.
    """

    size: Expr
    spread: Expr = 1

    @property
    def features(self) -> Expr:
        return self.size if self.spread == 1 else apply("mul", self.size, self.spread)


@frozen
class Tensor:
    """A feature map, tokens or a vector. `channels` is a tuple of segments.

    `space` is (height, width) for a map [N, C, H, W], (tokens,) for tokens [N, T, C], and () for a vector [N, C].
    """

    name: str
    channels: tuple[Segment, ...]
    space: tuple[Expr, ...]
    origin: Span

    @property
    def features(self) -> Expr:
        """The number of active channels (of features, for a flattened map)."""
        if len(self.channels) == 1:
            return self.channels[0].features
        total: Expr = 0
        for segment in self.channels:
            total = apply("add", total, segment.features)
        return total

    @property
    def shape(self) -> tuple[Expr, ...]:
        """The sizes after the batch's: channels, height and width; tokens and channels; or features."""
        return (*self.space, self.features) if len(self.space) == 1 else (self.features, *self.space)


def of_channels(inputs: Sequence[Tensor], output: Tensor) -> list[Tensor]:
    """The inputs of a channelwise operation that have the output's channels: not a map of one channel, which stands
    for the same number in all of them, as in `multiply(x, mask)`."""
    return [tensor for tensor in inputs if tensor.features != 1 or output.features == 1]


@dataclass(frozen=True, slots=True)
class Connection:
    """Which weights of a convolution or linear layer exist.

    dense       all of them
    triangular  in `blocks` equal blocks, output block i sees the input blocks up to i; or, without blocks, every
                output channel sees the input channels that are active wherever it is (`specc.space.functions`)
    diagonal    in `blocks` equal blocks, output block i sees input block i

    For a triangular connection per channel `least` and `most` are the (inputs, outputs) of the narrowest and of the
    largest sub-network: they fix the triangle, also where the op itself is cut to a part of it.
    """

    kind: Literal["dense", "triangular", "diagonal"] = "dense"
    blocks: int | None = None
    least: tuple[int, int] = (1, 1)
    most: tuple[int, int] = (0, 0)


DENSE = Connection()


@dataclass(frozen=True, slots=True)
class Bank:
    """The norm banks of an op: `count` sets of statistics and scales, of which `index` is the one in use.

    Until the pass `resolve_banks`, a count of 0 says that there is one bank for each option of the choice that `index`
    reads, or for each sub-network the method lists where that is `SUBNET`.
    """

    index: Expr = 0
    count: int = 1


SHARED = Bank()
SUBNET = Var("%subnet")


@frozen
class Op:
    """One operation.

    name        the spec's own path, unique: `s3.b1.conv2`; also the attribute path in the generated model
    operator    its rules, found in specc/ops
    params      what the operator keeps of its arguments: a frozen dataclass of its own, fields may be expressions
    inputs      names of tensors; `outputs` likewise (one, but for split)
    guard       1, or the condition on choices under which it is present
    """

    name: str
    operator: Operator
    params: object
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    guard: Expr
    origin: Span
    connection: Connection = DENSE
    bank: Bank = SHARED

    @property
    def kind(self) -> str:
        return self.operator.kind

    @property
    def output(self) -> str:
        return self.outputs[0]


ScopeKind: TypeAlias = Literal["network", "stem", "stage", "head", "exit", "block", "region", "round"]


@frozen
class Scope:
    """The spec's nesting: the network, its stages, the block calls in them, and the regions that a guard switches.

    name   the last part of `path`; a region has none of its own and shares its parent's path
    block  the name of the block definition that was called, for a block
    args   the block's arguments as evaluated, for a block
    guard  what this scope adds to its parent's guard: 1 but for a region
    items  op names and scopes, in the order of execution
    kind   what it is; `round` is of code generation, where the rounds of a repeat are found again
    output the name of the output that this scope computes: asking for it makes the scope present, whatever its guard
    """

    name: str
    path: str
    kind: ScopeKind
    guard: Expr
    items: tuple[str | Scope, ...]
    origin: Span
    block: str = ""
    args: tuple[tuple[str, Window], ...] = ()
    output: str = ""

    def scopes(self) -> Iterator[Scope]:
        """This scope and all scopes in it, outermost first."""
        yield self
        for item in self.items:
            if isinstance(item, Scope):
                yield from item.scopes()

    def ops(self) -> Iterator[str]:
        """The ops in it and in the scopes inside, in the order of execution."""
        for item in self.items:
            if isinstance(item, Scope):
                yield from item.ops()
            else:
                yield item


@frozen
class Output:
    """A tensor that can be asked for, by name: a head's or an exit's answer, or the end of a stage.

    `level` is the level of the labels that a head or exit answers, where the spec has `labels`.
    """

    name: str
    tensor: str
    kind: Literal["head", "exit", "features"]
    level: str = ""


@frozen
class WidthRule:
    """A `width` setting in force: how the widths of the groups under it are chosen.

    per_group  every group has a choice: divisible(r * C, round) for every r of `ratios` - for every multiple of
               `round` between the first and the last, where they are `stepless`
    uniform    one choice of a ratio; every group is divisible(ratio * C)
    any        one choice n, the active channels of the widest group; every group is round(n * C / Cmax)
    by         a choice k of the spec's own, up to K, its one ratio; every width is C * k / K, and no group is made
    """

    kind: Literal["per_group", "uniform", "any", "by"]
    ratios: tuple[Number, ...]
    stepless: bool
    round: int
    choice: str
    origin: Span


@frozen
class WidthGroup:
    """Channels that an operator chose itself and that unification may tie to others. `rule` None means fixed.

    `part` is the number of one of several runs into which the operator's channels are cut.
    """

    variable: str
    maximum: int
    multiple: int
    rule: WidthRule | None
    owner: str
    origin: Span
    part: str = ""


@frozen
class Tie:
    """Two sizes that must be equal, and why: the two operands of a sum, the two sides of a skip.

    `meeting` names the two tensors where these are their channels.
    """

    left: Expr
    right: Expr
    left_origin: Span
    right_origin: Span
    origin: Span
    what: str
    meeting: tuple[str, ...] = ()


@frozen
class CutApart:
    """A size whose channels go different ways, as after a split, and the sizes of its parts."""

    size: Expr
    pieces: tuple[Expr, ...]
    origin: Span


@frozen
class ListedSubnet:
    """A sub-network that the method lists by hand: every choice at its `default` end but for those in `options`."""

    default: Literal["max", "min"]
    options: tuple[tuple[str, Option], ...]


@frozen
class LabelLevel:
    """A level of the labels: its classes, and which of them each class of the finest level belongs to.

    `parents` is None for the finest level, which is the data's own. `names` are what the level's file calls the data's
    classes, in their order; () where it numbers them.
    """

    name: str
    classes: int
    parents: tuple[int, ...] | None
    origin: Span
    names: tuple[str, ...] = ()


@frozen
class Predicts:
    """What heads and exits predict: a kind of specc/outputs, and how many classes, tags, values or channels.

    `scale` is how many times as high and wide as the input a predicted map is.
    """

    kind: str
    count: int
    scale: int = 1


@frozen
class Graph:
    """One network. Tensors and ops stand in the order of execution; `inputs` names the tensors that come from
    outside.

    `main` is the tensor that a plain call returns; "" stands for the first head's. `renamed` has the operations and
    choices that the first version of specc called otherwise, as (first name, name now).
    """

    name: str
    inputs: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    choices: tuple[Choice, ...]
    outputs: tuple[Output, ...]
    root: Scope
    predicts: Predicts
    origin: Span
    listed: tuple[ListedSubnet, ...] = ()
    widths: tuple[WidthGroup, ...] = ()
    ties: tuple[Tie, ...] = ()
    cuts: tuple[CutApart, ...] = ()
    main: str = ""
    labels: tuple[LabelLevel, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def prediction(self) -> str:
        """The name of the tensor that a plain call returns."""
        heads = [output for output in self.outputs if output.kind == "head"]
        return self.main or (heads or list(self.outputs))[0].tensor

    def tensor_table(self) -> Mapping[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    def choice_table(self) -> Mapping[str, Choice]:
        return {choice.name: choice for choice in self.choices}

    def with_(self, **changes: object) -> Graph:
        return replace(self, **changes)  # type: ignore[arg-type]
