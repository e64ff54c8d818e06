"""What people write who come from PyTorch or Python, and how it is written here. Read for help lines alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPERATORS: Final[Mapping[str, str]] = {
    "conv": "write `conv(out, kernel=3)`: how many channels arrive is known",
    "depthwiseconv": "write `depthwise(kernel=3)`",
    "dwconv": "write `depthwise(kernel=3)`",
    "batchnorm": "write `norm`, and `norm batch` before it, once",
    "bn": "write `norm`, and `norm batch` before it, once",
    "syncbatchnorm": "write `norm`, and `norm batch` before it, once",
    "layernorm": "write `norm`, and `norm layer` before it, once",
    "groupnorm": "write `norm`, and `norm group` before it, once",
    "linear": "write `linear(out)`: how many features arrive is known",
    "dense": "write `linear(out)`",
    "fc": "write `linear(out)`",
    "avgpool": "write `pool(avg, 2)`, or `pool(avg)` for the whole map",
    "adaptiveavgpool": "write `pool(avg)`, or `pool(avg, size=7)`",
    "adaptivemaxpool": "write `pool(max)`, or `pool(max, size=7)`",
    "globalavgpool": "write `pool(avg)`",
    "gap": "write `pool(avg)`",
    "hardswish": "write `hswish`",
    "hardsigmoid": "write `hsigmoid`",
    "swish": "write `silu`",
    "interpolate": "write `upsample(2)`",
    "cat": "write `concat(a, b)`",
    "multiheadattention": "write `attention(heads)`",
    "stochasticdepth": "write `drop_path(rate)`, at the end of a residual's body",
    "sequential": "write the layers one after the other: `conv(64, kernel=3); norm; relu`",
    "softmax": "leave it out: a head ends in the values that a softmax takes, as losses do",
    "logsoftmax": "leave it out: a head ends in the values that a softmax takes, as losses do",
}
"""By a layer's name in small letters, without its module, its dimensions and `_`."""

VALUES: Final[Mapping[str, str]] = {
    "True": "write `yes`",
    "False": "write `no`",
    "None": "leave the argument out",
}

STATEMENTS: Final[Mapping[str, str]] = {
    "if": "write `when condition { ... }`",
    "elif": "write `else when condition { ... }`",
    "for": "write `repeat n as i { ... }`; `i` counts from 0",
    "while": "write `repeat n { ... }`",
    "def": "write `block name(parameters) { ... }`, outside all braces",
    "class": "write `block name(parameters) { ... }`, outside all braces",
    "from": "write `import std.mobilenet`: all its blocks are then known",
}
"""By the word that a statement begins with."""


def operator_elsewhere(name: str) -> str:
    """How the layer that another library calls so is written here, or nothing: `nn.BatchNorm2d`, `batch_norm`."""
    squeezed = name.rsplit(".", 1)[-1].lower().replace("_", "")
    return OPERATORS.get(squeezed.removesuffix("1d").removesuffix("2d").removesuffix("3d"), "")
