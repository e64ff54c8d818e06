"""Smaller kernels beside each convolution's own: the weights of a smaller one are the centre of the largest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from specc.elastify.edits import Edit, inserted, replaced
from specc.elastify.flow import Flow
from specc.elastify.notes import Kept, Step
from specc.elastify.skips import nodes
from specc.ir.graph import Op
from specc.pipeline import Compiled
from specc.semantics.meaning import BlockCall, OperatorCall
from specc.source import Span
from specc.syntax import ast

KERNEL: Final = "kernel"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a kernel's size is written: at `span`, or nowhere (None), so that `call` would give it to `parameter`."""

    size: int
    span: Span | None
    call: ast.CallExpr
    parameter: str


def smaller_kernels(compiled: Compiled, sizes: tuple[int, ...], flow: Flow) -> Step:
    """Each kernel of a layer with weights becomes a choice of its size and the smaller ones of `sizes`."""
    calls = {n.span.key: n for f in compiled.model.files for n in nodes(f.tree.items) if isinstance(n, ast.CallExpr)}
    edits: dict[tuple[int, int], Edit] = {}
    kept: dict[str, Kept] = {}
    for op in layers(flow):
        found = place_of(op, calls, compiled)
        if found is None:
            continue
        if isinstance(found, Kept):
            kept[found.place] = found
            continue
        where = found.span or found.call.span
        options = sorted({size for size in sizes if size < found.size} | {found.size})
        if len(options) == 1:
            if found.size > 1:
                why = f"a kernel of {found.size} has none of {', '.join(map(str, sizes))} below it"
                kept[where.shown()] = Kept(KERNEL, where.shown(), why)
            continue
        if where.source is not compiled.files[0]:
            why = f"{where.source.name} fixes it; copy the block into the spec to change it there"
            kept[where.shown()] = Kept(KERNEL, where.shown(), why)
            continue
        edit = written(found, "{" + ", ".join(map(str, options)) + "}")
        edits[edit.start, edit.end] = edit
    made = (f"kernel: {len(edits)} {'place' if len(edits) == 1 else 'places'}",) if edits else ()
    return Step(tuple(edits.values()), made, tuple(kept.values()))


def layers(flow: Flow) -> Iterator[Op]:
    """The operations with weights whose operator takes an elastic kernel."""
    for op in flow.graph.ops:
        if flow.has_weights(op) and any(p.name == KERNEL and p.elastic for p in op.operator.signature.parameters):
            yield op


def place_of(op: Op, calls: Mapping[tuple[int, int, int], ast.CallExpr], compiled: Compiled) -> _Place | Kept | None:
    """Where the size of an operation's kernel is written: at its own call, or where a block around it is called."""
    call = calls.get(op.origin.key)
    if call is None:
        return None
    sites = list(op.origin.calls)
    name = KERNEL
    if "padding" in bound(call, compiled):
        return Kept(KERNEL, call.span.shown(), "its explicit padding fits one kernel only")
    while True:
        value = bound(call, compiled).get(name)
        if value is None:
            size = default_of(call, name, compiled)
            if size is None:
                return None
            return _Place(size, None, call, name)
        if isinstance(value, ast.Number):
            if not isinstance(value.value, int) or value.value % 2 == 0:
                return Kept(KERNEL, value.span.shown(), "its kernel is even, so no smaller one is at its centre")
            return _Place(value.value, value.span, call, name)
        if isinstance(value, (ast.SetExpr, ast.RangeExpr)):
            return Kept(KERNEL, value.span.shown(), "it is elastic already")
        if isinstance(value, ast.ListExpr):
            return Kept(KERNEL, value.span.shown(), "its kernel is not square")
        outer = calls.get(sites[-1].span.key) if sites else None
        if not isinstance(value, ast.Name) or outer is None:
            return Kept(KERNEL, value.span.shown(), f"its kernel is written as `{value.span.text}`")
        call, name = outer, value.name
        sites.pop()


def bound(call: ast.CallExpr, compiled: Compiled) -> Mapping[str, ast.Expression]:
    """A call's arguments by the names of the parameters."""
    meaning = compiled.model.meanings.get(call.name)
    if isinstance(meaning, (OperatorCall, BlockCall)):
        return {name: argument.value for name, argument in meaning.bound.items()}
    return {argument.name.name: argument.value for argument in call.args if argument.name is not None}


def default_of(call: ast.CallExpr, name: str, compiled: Compiled) -> int | None:
    """The default of a block's parameter, where it is a number."""
    meaning = compiled.model.meanings.get(call.name)
    if isinstance(meaning, BlockCall):
        for parameter in meaning.block.parameters:
            if parameter.name.name == name and isinstance(parameter.default, ast.Number):
                value = parameter.default.value
                return value if isinstance(value, int) and value % 2 else None
    return None


def written(place: _Place, options: str) -> Edit:
    if place.span is not None:
        return replaced(place.span, options)
    return argument_added(place.call, f"{place.parameter}={options}")


def argument_added(call: ast.CallExpr, text: str) -> Edit:
    """An argument more at the end of a call's, in parentheses where it has none."""
    if call.args:
        return inserted(call.args[-1].span.end, f", {text}")
    if call.span.text.rstrip().endswith(")"):
        return inserted(call.span.end - 1, text)
    return inserted(call.span.end, f"({text})")
