"""How operations and shapes are named in a picture: `3×3 /2`, `dw 5×5`, `16–24 × 56 × 56`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from specc.ir.expr import free
from specc.ir.extent import Extents, percent, short
from specc.ir.graph import Op, Tensor
from specc.ir.window import Window, choices_of, show_window


def label(op: Op, extents: Extents) -> tuple[str, bool]:
    """What an operation does, in a few characters, and whether a choice decides that."""
    kernel: Window | None = getattr(op.params, "kernel", None)
    elastic = kernel is not None and bool(choices_of(kernel)) and extents.at is None
    return op.operator.label(op, extents), elastic


def shape_of(tensor: Tensor, extents: Extents) -> str:
    """`16–24 × 56 × 56`; tokens as `50 × 768`."""
    return " × ".join(extents.range(size) for size in tensor.shape)


def condition(guard: Window) -> str:
    """A guard or another value as text."""
    text = show_window(guard)
    for plain, sign in ((">=", "≥"), ("<=", "≤"), ("!=", "≠"), ("==", "=")):
        text = text.replace(plain, sign)
    return text


def describe(
    ops: Iterable[Op], head: Op, tensors: Mapping[str, Tensor], costs: tuple[int, int], extents: Extents, total: int
) -> Iterator[str]:
    """What hovering over a chip says: every operation in it, shapes, costs, conditions, the line of the spec."""
    ops = tuple(ops)
    yield f"{head.name} · {head.kind}"
    for op in ops:
        if op is not head:
            yield f"with {op.name} · {op.kind}"
    before = " + ".join(shape_of(tensors[name], extents) for name in ops[0].inputs[:3])
    more = " + …" if len(ops[0].inputs) > 3 else ""
    yield f"{before}{more} → {shape_of(tensors[ops[-1].output], extents)}"
    macs, params = costs
    yield f"{params:,} parameters, {macs:,} MACs ({percent(macs / total)})"
    if head.guard != 1:
        yield f"present if {condition(head.guard)}"
    sizes = sorted({name for op in ops for name in free(tensors[op.output].features)})
    if sizes:
        yield f"channels by {', '.join(sizes[:4])}{', …' if len(sizes) > 4 else ''}"
    if head.connection.kind != "dense":
        blocks = "" if head.connection.blocks is None else f" in {head.connection.blocks} blocks"
        yield f"{head.connection.kind} connection{blocks}"
    for op in ops:
        if op.bank.count > 1:
            yield f"{op.bank.count} norm banks, by {condition(op.bank.index)}"
    yield head.origin.location()


def costs(macs: int, params: int, share: float) -> str:
    """`54.9 M MACs (18.3 %), 14 k parameters`."""
    return f"{short(macs)} MACs ({percent(share)}), {short(params)} parameters"
