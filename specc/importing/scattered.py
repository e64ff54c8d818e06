"""What works in place on a part of a tensor, told as what it makes of the whole: `x[2:4].zero_()` is another x."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from specc.traced.graph import Frame, Node, Ref

CUTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "aten.slice": ("aten.slice_scatter", ("dim", "start", "end", "step")),
    "aten.select": ("aten.select_scatter", ("dim", "index")),
}
"""What looks at a part of a tensor, and the operator that puts a part into the whole, with its arguments."""
CALLS: Final[Mapping[str, str]] = {"aten.slice": "default", "aten.select": "int"}
"""The overload of that operator."""


def scattered(
    fx: Any, made: str, whole: Mapping[str, str], stack: tuple[Frame, ...], place: str, code: str
) -> Iterator[tuple[str, Node]]:
    """The tensors whose part a call has changed, each with a node that makes the changed tensor.

    fx     the call, a node of torch.fx
    made   the node of what the call wrote
    whole  nodes that hold a tensor's value now, by the node that made it
    """
    target = fx.args[0]
    while (cut := word_of(target)) in CUTS:
        base = target.args[0]
        name, names = CUTS[cut]
        given = arguments(target)
        args: dict[str, object] = {"self": Ref(whole.get(base.name, base.name)), "src": Ref(made)}
        args |= {key: given[key] for key in names}
        shape = tuple(map(int, base.meta["val"].shape))
        dtype = str(base.meta["val"].dtype).removeprefix("torch.")
        made = f"{made}_in_{base.name}"
        call = f"{name.removeprefix('aten.')}.{CALLS[cut]}"
        yield base.name, Node(made, name, args, shape, stack, place, dtype=dtype, code=code, call=call)
        target = base


def word_of(fx: Any) -> str:
    """An ATen operator's name without its overload; "" of what is no call of one."""
    schema = getattr(getattr(fx, "target", None), "_schema", None)
    return "" if schema is None else f"aten.{schema.name.rpartition('::')[2]}"


def arguments(fx: Any) -> dict[str, object]:
    """All arguments of a call by name, defaults included."""
    schema = fx.target._schema
    return {
        argument.name: fx.args[i] if i < len(fx.args) else fx.kwargs.get(argument.name, argument.default_value)
        for i, argument in enumerate(schema.arguments)
    }
