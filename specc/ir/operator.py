"""The protocol that ties a graph's operations to specc/ops without the graph knowing any of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from specc.diagnostics import Rule
from specc.ir.expr import Expr
from specc.ir.parameter import Signature

if TYPE_CHECKING:
    from specc.ir.graph import Connection, Op, Segment, Tensor


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter tensor of an op: its shape where everything is active, and factors of the size of the active part.

    An op with norm banks has `copies` of it, one of which is in use.
    """

    name: str
    full: tuple[int, ...]
    active: tuple[Expr, ...]
    copies: int = 1


class OpCall(Protocol):
    """An operator's call as lowering sees it: evaluated arguments and incoming tensors, and what `build` may ask
    for."""

    inputs: tuple[Tensor, ...]

    @property
    def args(self) -> Mapping[str, object]: ...

    @property
    def connection(self) -> Connection:
        """What `connect` says here; dense where it says nothing."""
        ...

    @property
    def connects(self) -> bool:
        """Whether that stands in the call itself, not in a setting around it."""
        ...

    @property
    def reads_input(self) -> bool:
        """Whether the network's own input is what comes in."""
        ...

    def out_channels(self, parameter: str, multiple: int = 1) -> Expr:
        """The active size behind a `channels` argument: a new width group, an expression that follows, or a fixed
        number."""
        ...

    def whole_groups(self, channels: Expr, group: int) -> Expr:
        """The number of groups of `group` channels among the active ones; their widths become multiples of it."""
        ...

    def maximum(self, expr: Expr) -> int:
        """The value where every choice is at its last option."""
        ...

    def folded(self, expr: Expr) -> Expr:
        """The expression, or the number it always is."""
        ...

    def follows(self, kind: str) -> bool:
        """Whether an operation of a kind stands before this one, on any way from the network's input, and none that
        `ends` it after that."""
        ...

    def tie(self, left: Tensor, right: Tensor, what: str) -> None:
        """Demands that two tensors have the same shape, segment by segment."""
        ...

    def tie_space(self, left: Tensor, right: Tensor, what: str) -> None:
        """Demands that two tensors have the same height and width, or as many tokens."""
        ...

    def cut_apart(self, size: Expr, places: tuple[int, ...]) -> tuple[Expr, ...] | None:
        """The sizes of the parts of an elastic run whose channels go different ways, so many each in the largest
        network; None where it can't be."""
        ...

    def report(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None:
        """A diagnostic at the call, or at one of its arguments. `build` should then return its best guess."""
        ...


@dataclass(frozen=True, slots=True)
class NoParams:
    """The params of an op that has none."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a call becomes: the op's params and the shapes of its outputs, as (channels, space) pairs.

    `connection` is what the op's weights have of what `connect` asks for; None for a dense one.
    """

    params: object
    outputs: tuple[tuple[tuple[Segment, ...], tuple[Expr, ...]], ...]
    connection: Connection | None = None


Shape: TypeAlias = Literal["box", "sum", "join", "switch"]
"""How an operation is drawn: as a box, as a sign for a sum or another meeting of tensors, as a switch between them."""
Family: TypeAlias = Literal["conv", "depthwise", "linear", "attention", "other"]
"""The colour that an operation is drawn in."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How `specc viz` draws an operation. `word` is its label; empty: the operator's name."""

    shape: Shape = "box"
    family: Family = "other"
    word: str = ""


class Sizes(Protocol):
    """What a label may ask about an active size, over all sub-networks or in the one that is drawn."""

    def of(self, expr: Expr) -> tuple[int, int]:
        """The least and the most it can be."""
        ...

    def range(self, expr: Expr) -> str:
        """`24`, or `16–24` where it varies."""
        ...


Role: TypeAlias = Literal["own", "view", "alias", "overwrites", "adds", "folds"]
"""Where an operation's output lies:

own         in memory of its own
view        nowhere: there is no such operation at run time, its output is an input, or a part of it
alias       where its input does: it is that, or a view of it, in eval mode
overwrites  where its input does, where nothing reads that afterwards
adds        where its first input does, where the block that made this reads it no more and goes on with the sum
folds       where the output of the layer before it does, where it alone reads that and the layer `absorbs` it
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that an operation takes in a deployed network, in elements of one image.

    absorbs  whether a norm that alone reads it is folded into its weights
    summed   whether a sum may be added into its output
    more     elements that it needs while it runs, beside what it writes: indices of maxima (2 each), statistics
    inner    what an attention makes on the way: queries, keys and values; what the heads say with their sums; that
             alone. () for everything else
    window   of a plain convolution, by which parallel ones are merged: height and width of its kernel, its strides,
             paddings and dilations, its groups, the channels that enter and those that leave. () for everything else
    """

    role: Role = "own"
    absorbs: bool = False
    summed: bool = False
    more: Expr = 0
    inner: tuple[Expr, Expr, Expr] | tuple[()] = ()
    window: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Branched:
    """What an operator is inside `branches n by k`, where equal branches are computed as one operation.

    grouped  a convolution: that of n branches is one with a group each. It has arguments `out` and `groups`
    refused  why it can't stand in a branch, for one that does not work channel by channel
    first    why it can't stand before the first convolution of a branch, and what helps; empty where it can
    """

    grouped: bool = False
    refused: str = "it does not work channel by channel"
    first: tuple[str, str] | tuple[()] = ()


class Operator(ABC):
    """All that the compiler knows of one kind of operation; the rest of it asks and never lists kinds.

    Stateless; one instance in `OPERATORS` of its folder's `rules.py`. The answers here are those of an operation
    without weights that mixes channels, costs nothing and keeps its outputs apart from its inputs.
    """

    kind: str
    """Its name, unique among all operators: also that of its folder, or one of the folder's `KINDS`."""
    signature: Signature
    """What a call takes. Its name is the word that a spec writes."""
    example: str = ""
    """Statements of a stage that use it, for `specc explain`; empty: its name alone."""
    written: bool = True
    """Whether a spec writes it by its name: not a norm, for which `norm` stands, nor what lowering adds by itself."""

    channelwise: bool = False
    """Whether each output channel depends on the input channel of the same place alone: the norm of a channel, a pool.

    Then it is the same for all branches at once, keeps slices and triangular connections, and reads channels wherever
    they stand; several inputs must have equal channels.
    """
    keeps_channels: bool = True
    """Of a channelwise operator: whether as many channels leave as enter. Flattening makes several of each."""
    connects: bool = False
    """Whether its weights have a row for each output channel and a column for each input channel, of which `connect=`
    may leave some out."""
    foreign: bool = False
    """Whether it is code of the user's: its call says its width, parameters and MACs, as nothing else knows them."""
    layer: bool = False
    """Whether it writes channels with weights of its own: what papers call the layers of a network."""
    row_per_channel: bool = False
    """Whether its weights have a row, a filter or an entry for each output channel, so that sorting channels by
    importance can move them."""
    reads_runs: bool = False
    """Whether its weights find those of its input channels where the active ones are several runs, as after a
    concatenation of elastic tensors."""
    writes_runs: bool = False
    """Whether its weights find those of its output channels where the active ones are several runs, because they meet
    a concatenation. One with groups, or without some weights, does not."""
    passes_runs: bool = False
    """Whether its outputs have the runs of its inputs, however these are cut. What is channelwise has."""
    needs_one_run: bool = False
    """Of an operator without weights: whether it needs the active channels to be the first ones."""

    normalises: bool = False
    """Whether it is a norm."""
    keeps_statistics: bool = False
    """Whether it keeps running statistics, which every sub-network needs to have measured for itself."""
    sums: bool = False
    """Whether it adds its inputs, as at the end of a residual."""
    associative: bool = False
    """Whether it may be applied step by step: of (a, b, c) it makes what it makes of (what it makes of (a, b), c)."""
    selects: bool = False
    """Whether it goes on with one of its inputs: that of the first true condition in `params.conditions`."""
    narrows: bool = False
    """Whether it goes on with the first channels of its input, as a head for one option of a choice does."""

    folds: bool = False
    """Whether importance counts it as part of the operation beside it, as norms and activations are."""
    nests: bool = False
    """Whether generated code writes it inside the expression that reads it, without a line of its own."""
    silent: bool = False
    """Whether it so evidently keeps the shape that generated code has no comment with the shape behind it."""

    branched: Branched = Branched()
    drawn: Drawn = Drawn()

    @abstractmethod
    def build(self, call: OpCall) -> Built:
        """Checks the arguments against the incoming tensors and infers the output's shape."""
        ...

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        """The parameter tensors, in the order in which the generated module registers them."""
        return ()

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        """Multiply-accumulates of one image."""
        return 0

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        """The terms of `macs` by their factors, as a person would count them; () where `macs` says it, or where each
        number of the first weight is used once at each place of the output."""
        return ()

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        """The number of elements that a norm normalises, 0 for everything else (the `with_norms` count)."""
        return 0

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        """What it takes of the peak activation memory."""
        return Memory()

    def own_slices(self, op: Op) -> Expr | None:
        """How many equal slices of its channels it treats each on its own; None where it knows of no slices."""
        return None

    def does_nothing(self, op: Op, inputs: Sequence[Tensor]) -> bool:
        """Whether its output is its input, so that a static network has none of it."""
        return False

    def ends(self, params: object) -> str:
        """The kind of operation whose part of the tensor does not go on behind one with these params: `class_token`
        where that is dropped."""
        return ""

    def files(self, op: Op) -> tuple[str, ...]:
        """Python files of the user's that it needs, by their paths from the spec: they go with the project."""
        return ()

    def label(self, op: Op, sizes: Sizes) -> str:
        """What it does, in a few characters of a picture: `3×3 /2`."""
        return self.drawn.word or self.kind.replace("_", " ")
