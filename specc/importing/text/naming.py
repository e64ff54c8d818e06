"""Names: those of modules made legal and unique, and none that means something else in the language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from specc.importing.text.asking import operators_written
from specc.space.functions import FUNCTIONS

KEYWORDS = frozenset(
    (
        *("import", "block", "supernet", "method", "data", "train", "search", "input", "classes", "labels", "stem"),
        *("tags", "values", "restores", "boxes", "output"),
        *("stage", "head", "exit", "param", "let", "choice", "norm", "width", "connect", "repeat", "skippable"),
        *("residual", "when", "branches", "by", "sum", "shortcut", "else", "yes", "no", "not", "and", "or"),
        *("in", "here", "as", "from", "step", "round", "max", "min", "level", "own", "follow", "fixed", "shared"),
        *("skip", "subnet", "dense", "triangular", "diagonal"),
    )
)
GENERIC = frozenset(("layers", "blocks", "block", "layer", "body", "net", "modules", "model", "features", "main"))


def legal(text: str) -> str:
    """A name's letters, digits and `_`; "" where nothing is left that could begin one. Accents go."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "_", plain).strip("_").lstrip("0123456789_")


def snake(text: str) -> str:
    """`InvertedResidual` as `inverted_residual`, `MBConv` as `mb_conv`, `Conv2dNormActivation` as
    `conv2d_norm_activation`."""
    text = re.sub("NeXt|NeSt|ViT", lambda found: found[0].lower(), legal(text))  # as the papers spell them
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"_+", "_", words).lower()


def attribute(path: str) -> str:
    """The first part of a module's path that is a word: `branch2` of `branch2.0.conv`; "" where none is."""
    words = [legal(part) for part in path.split(".")]
    words = [word for word in words if word and word not in GENERIC]
    return words[0] if words else ""


def free_name(wanted: str, taken: Container[str], parameter: bool = False) -> str:
    """A name that is not taken and means nothing else: with a number behind it where it must be. A parameter may be
    called like an operator."""
    name = wanted or "part"
    means = KEYWORDS.__contains__ if parameter else reserved
    if name not in taken and not means(name):
        return name
    number = 2
    joint = "_" if name[-1:].isdigit() else ""
    while f"{name}{joint}{number}" in taken or means(f"{name}{joint}{number}"):
        number += 1
    return f"{name}{joint}{number}"


def reserved(name: str) -> bool:
    return name in KEYWORDS or name in operators_written() or name in FUNCTIONS


def without(path: str, outer: str) -> str:
    """A module's path inside another's."""
    return path[len(outer) + 1 :] if outer and path.startswith(f"{outer}.") else "" if path == outer else path
