"""Pools in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.pool.rules import PoolParams
from specc.ops.writing import Arg, Role, Site, Sites, Writer, Written, each


def params(site: Site) -> PoolParams:
    return cast(PoolParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """A layer of torch; pooling the whole map, a mean or a maximum over height and width."""

    def arg(field: str, role: Role, name: str = "", default: int | None = None) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), field)), role, name, default, field)

    average = params(sites[0]).mode == "avg"
    if params(sites[0]).kernel is not None:
        layer = "nn.AvgPool2d" if average else "nn.MaxPool2d"
        ceil = Arg(each(sites, lambda site: params(site).ceil), "extra", "ceil_mode", False)
        whole = all(params(site).stride == params(site).kernel for site in sites)
        stride = () if whole else (arg("stride", "stride"),)  # torch's windows stand side by side, too
        args = (arg("kernel", "kernel"), *stride, arg("padding", "padding", "padding", 0))
        if average:
            counts = Arg(each(sites, lambda site: params(site).count_padding), "extra", "count_include_pad", True)
            return Written(layer, args=(*args, ceil, counts))
        return Written(layer, args=(*args, arg("dilation", "dilation", "dilation", 1), ceil))
    if params(sites[0]).size is not None:
        return Written("nn.AdaptiveAvgPool2d" if average else "nn.AdaptiveMaxPool2d", args=(arg("size", "size"),))
    axes = {"map": "(2, 3)", "height": "2, keepdim=True", "width": "3, keepdim=True"}[params(sites[0]).over]
    return Written(call=f"{{0}}.{'mean' if average else 'amax'}({axes})")


WRITERS = (Writer("pool", write), Writer("maxpool", write))
