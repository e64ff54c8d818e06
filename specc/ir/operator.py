"""The protocol that ties a graph's operations to specc/ops without the graph knowing any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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
        """Whether an operation of a kind stands before this one, on any way from the network's input."""
        ...

    def tie(self, left: Tensor, right: Tensor, what: str) -> None:
        """Demands that two tensors have the same shape, segment by segment."""
        ...

    def tie_space(self, left: Tensor, right: Tensor, what: str) -> None:
        """Demands that two tensors have the same height and width, or as many tokens."""
        ...

    def report(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None:
        """A diagnostic at the call, or at one of its arguments. `build` should then return its best guess."""
        ...


@dataclass(frozen=True, slots=True)
class Built:
    """What a call becomes: the op's params and the shapes of its outputs, as (channels, space) pairs.

    `connection` is what the op's weights have of what `connect` asks for; None for a dense one.
    """

    params: object
    outputs: tuple[tuple[tuple[Segment, ...], tuple[Expr, ...]], ...]
    connection: Connection | None = None


class Operator(Protocol):
    """All that the compiler knows of one kind of operation. Stateless; one instance in each specc/ops/*/rules.py."""

    kind: str
    signature: Signature
    folds: bool
    """Whether the importance view counts it as part of the operation beside it, as norms and activations are."""

    def build(self, call: OpCall) -> Built:
        """Checks the arguments against the incoming tensors and infers the output's shape."""
        ...

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        """The parameter tensors, in the order in which the generated module registers them."""
        ...

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        """Multiply-accumulates of one image."""
        ...

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        """The number of elements that a norm normalises, 0 for everything else (the `with_norms` count)."""
        ...
