"""Modules of the user's in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.module.rules import ModuleParams
from specc.ops.writing import Arg, Site, Sites, Value, Writer, Written, each


def write(sites: Sites, elastic: bool) -> Written:
    """`Module("mine.py", "Attn2d", reads=(16, 8, 8), gives=(16, 8, 8), params=4096)`."""

    def arg(field: str, name: str = "", default: str | None = None) -> Arg:
        def read(site: Site) -> Value:
            value: Value = getattr(cast(ModuleParams, site.op.params), field)
            return value

        return Arg(each(sites, read), "extra", name, default)

    args = (arg("path"), arg("name"), arg("args", default=""), arg("reads", "reads"), arg("gives", "gives"))
    return Written("Module", "module", (*args, arg("params", "params")))


WRITERS = (Writer("module", write),)
