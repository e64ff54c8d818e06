"""Layers with a triangular or diagonal connection in generated code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from specc.ir.graph import Connection
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each

WRITERS: Final[tuple[Writer, ...]] = ()


def connected(sites: Sites, plain: Written, kind: str) -> Written:
    """The written layer with its connection: `plain` is how a dense one is written, `kind` is Conv2d or Linear.

    A triangular or diagonal one has `blocks=K`, or the widths that fix the triangle: `least_in=`, `least_out=`, and
    `most_in=`, `most_out=` where the layer is a part of a larger one.
    """

    def size(name: str, read: Callable[[Connection], int], parameter: str = "") -> Arg:
        return Arg(each(sites, lambda site: read(site.op.connection)), "size", name, parameter=parameter)

    connection = sites[0].op.connection
    if connection.kind == "dense":
        return plain
    if connection.blocks is not None:
        more: tuple[Arg, ...] = (size("blocks", lambda c: c.blocks or 1, "connect"),)
        layer = f"Block{kind}" if connection.kind == "triangular" else f"Diagonal{kind}"
    else:
        more = (size("least_in", lambda c: c.least[0]), size("least_out", lambda c: c.least[1]))
        if any(site.op.connection.most != full(site) for site in sites):
            more += (size("most_in", lambda c: c.most[0]), size("most_out", lambda c: c.most[1]))
        layer = f"Triangular{kind}"
    return replace(plain, layer=layer, source="triangular", args=(*plain.args, *more))


def full(site: Site) -> tuple[int, int]:
    params = site.op.params
    return params.full_inputs, params.full_out  # type: ignore[attr-defined]
