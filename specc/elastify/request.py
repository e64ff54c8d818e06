"""What a person asks to be elastic, in the language's own words: `width per_group 0.5..1.0 round 8; skippable`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax import ast
from specc.syntax.parse import parse

Skips = Literal["", "blocks", "halves"]
WORDS: Final = ("width", "skippable", "kernel", "resolution")
EXAMPLE: Final = "width per_group 0.5..1.0 round 8; skippable; kernel {3, 5}; resolution 160..224 step 32"


class WrongRequest(ValueError):
    """A request that cannot be read. `help` says how it is written."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True, slots=True)
class Request:
    """What is to become elastic.

    width       a `width` setting as the language has it, "" for none
    skips       "blocks": each block that keeps its shape; "halves": the second half of each stage (adaptive depth)
    kernels     the kernel sizes on offer, rising; () for none
    resolution  the options of the image's size as the language has them, "default" for a range from the size that
                the network has down to about half of it, "" for none
    """

    width: str = ""
    skips: Skips = ""
    kernels: tuple[int, ...] = ()
    resolution: str = ""


def read_request(text: str) -> Request:
    """The request in a text, whose parts are separated by `;`. Raises WrongRequest."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        word, _, rest = part.strip().partition(" ")
        if not word:
            continue
        if word not in WORDS:
            from specc.diagnostics.near import near_or_all

            raise WrongRequest(f"`{word}` cannot be made elastic", near_or_all(word, WORDS))
        if word in found:
            raise WrongRequest(f"`{word}` is given twice", f"one `{word}` each, as in {EXAMPLE}")
        found[word] = rest.strip()
    if not found:
        raise WrongRequest("nothing is asked to be elastic", f"write, for example: {EXAMPLE}")
    return Request(
        width=width(found["width"]) if "width" in found else "",
        skips=skips(found["skippable"]) if "skippable" in found else "",
        kernels=kernels(found["kernel"]) if "kernel" in found else (),
        resolution=resolution(found["resolution"]) if "resolution" in found else "",
    )


def width(text: str) -> str:
    """A width setting as it is to stand in the spec. Raises WrongRequest."""
    example = "width per_group 0.5..1.0 round 8, or width uniform 0.25..1.0 step 0.25 round 8"
    tree = parsed(f"supernet net {{\n  width {text}\n}}") if text else None
    body = tree.items[0].body.statements if tree is not None and isinstance(tree.items[0], ast.Supernet) else ()
    if len(body) != 1 or not isinstance(body[0], ast.WidthSetting):
        raise WrongRequest(f"`width {text}` is no width setting", f"write {example}")
    if body[0].mode.name not in ("per_group", "uniform", "any"):
        raise WrongRequest(f"`width {text}` makes no width elastic", f"write {example}")
    return f"width {text}"


def skips(text: str) -> Skips:
    """Which blocks may be left out. Raises WrongRequest."""
    if text not in ("", "blocks", "halves"):
        raise WrongRequest(
            f"`skippable {text}` is not known",
            "`skippable` is each block that keeps its shape, `skippable halves` the second half of each stage",
        )
    return "halves" if text == "halves" else "blocks"


def kernels(text: str) -> tuple[int, ...]:
    """The kernel sizes of `{3, 5}`, rising. Raises WrongRequest."""
    value = expression(text)
    items = value.items if isinstance(value, ast.SetExpr) else ()
    sizes = {int(item.value) for item in items if isinstance(item, ast.Number) and item.value % 2 == 1}
    if not items or len(sizes) != len(items):
        raise WrongRequest(f"`kernel {text}` is not a set of odd kernel sizes", "write kernel {3, 5}")
    return tuple(sorted(sizes))


def resolution(text: str) -> str:
    """The options of a resolution, as text. Raises WrongRequest."""
    if not text:
        return "default"
    if not isinstance(expression(text), (ast.RangeExpr, ast.SetExpr)):
        raise WrongRequest(f"`resolution {text}` is no range of sizes", "write resolution 160..224 step 32")
    return text


def expression(text: str) -> ast.Expression | None:
    """A value of the language; None where the text is none."""
    tree = parsed(f"let value = {text}") if text else None
    found = tree.items[0] if tree is not None and len(tree.items) == 1 else None
    return found.value if isinstance(found, ast.LetStatement) else None


def parsed(text: str) -> ast.SpecFile | None:
    return parse(Source("<elastic>", text), Findings())
