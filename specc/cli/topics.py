"""What `specc explain` says of operators, blocks of the library, methods, and of what the language cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from specc.ir.parameter import REQUIRED, ListOf, Parameter, Plain, Signature, Type, Variants, Words
from specc.methods import find_method, method_names
from specc.ops import find_operator
from specc.portable.run.numerals import written
from specc.semantics.check import operator_names, outside_operator, written_operator
from specc.semantics.files import LIBRARY, library_names
from specc.syntax import ast

LIMITS: Final[tuple[tuple[str, str], ...]] = (
    ("patches of two numbers, arithmetic on `[3, 9]`", "kernels, strides, paddings and dilations may be pairs"),
    ("3d convolutions, pools and inputs", "`signal(channels, length)` is a map of height 1: `conv(32, kernel=[1, 9])`"),
    ("unpooling", "`upsample(2)`, `conv_transpose(out, kernel=2, stride=2)`, `pixel_shuffle(2)`"),
    ("recurrent layers, embeddings, text and audio", "`patch_embed` makes tokens of images"),
    ("cross-attention", "`attention` is between the tokens that arrive"),
    ("matrix products", "`multiply(a, b)` and `scale(x, gate)` multiply number by number"),
    ("weight and spectral norms", "batch, layer, group, instance and RMS norms"),
    ("deformable and dynamic convolutions", "`conv`, and choices between paths with `when`"),
    ("detection heads", "a detector takes the stages' features"),
    ("elastic strides, paddings and rates", "widths, kernels, depths, paths and resolutions are elastic"),
    ("elastic even kernels", "smaller kernels are the centres of larger ones, so all are odd"),
    ("loops that end by a tensor's values", "a network is written out before it runs; code in Python is a `module`"),
)
"""What the language cannot say, and what there is instead. grammar/REFERENCE.md lists the same."""


def topics() -> tuple[str, ...]:
    """Everything that can be explained beside rules."""
    return (
        "limits",
        "operators",
        *operator_names(),
        *method_names(),
        *blocks(),
        *(f"std.{n}" for n in library_names()),
    )


def explained(topic: str) -> str | None:
    """What is said of a topic; None where it is none."""
    if topic == "limits":
        return limits()
    if topic == "operators":
        return operators()
    signature = written_operator(topic) or outside_operator(topic)
    if signature is not None:
        return operator(signature)
    method = find_method(topic)
    if method is not None:
        text = f"method {taken(method.signature)}\n{doc(method.signature)}\n\n{rows(method.signature)}"
        return f"{text}\n{block(topic)}" if topic in blocks() else text
    if topic.startswith("std.") and topic[4:] in library_names():
        names = [name for name, (file, _) in blocks().items() if file == topic[4:]]
        return "\n".join(block(name) for name in names)
    name = topic.rpartition(".")[2]
    found = blocks().get(name)
    return block(name) if found is not None and topic in (name, f"std.{found[0]}.{name}") else None


def limits() -> str:
    width = max(len(what) for what, _ in LIMITS)
    lines = "".join(f"  {what:<{width}}  {instead}\n" for what, instead in LIMITS)
    return f"What the language cannot say, and what there is instead:\n\n{lines}"


def operators() -> str:
    found = (written_operator(name) or outside_operator(name) for name in operator_names())
    lines = [f"  {taken(s)}\n      {doc(s)}\n" for s in found if s is not None]
    return f"The operators; `specc explain conv` explains one:\n\n{''.join(lines)}"


def operator(signature: Signature) -> str:
    """An operator: its parameters, how its channels become elastic, an example."""
    text = f"{taken(signature)}\n{doc(signature)}\n\n{rows(signature)}"
    text += (
        "  from        another tensor to read than the one that arrives\n" if not takes(signature, "tensors") else ""
    )
    if takes(signature, "channels"):
        text += (
            "\nUnder a `width` setting its channels are elastic: `width=own` (as for a plain number) gives them an\n"
            "option of their own, rounded as the setting says, `width=follow` (as for an expression of `in`) takes\n"
            "them as they are written, `width=fixed` keeps them.\n"
        )
    return text + f"\nExample:\n{indented(example(signature.name))}"


def example(name: str) -> str:
    """Statements of a stage that use an operator."""
    found = find_operator(name)
    return "conv(64, kernel=3); norm; relu" if found is None else found.example or name


def takes(signature: Signature, type_: Plain) -> bool:
    return any(parameter.type == type_ for parameter in signature.parameters)


def doc(signature: Signature) -> str:
    return signature.doc or "The norm that a `norm` setting names: batch, layer, group, instance or rms."


def taken(signature: Signature) -> str:
    """`conv(out, kernel, stride=1, ...)`."""
    shown = ", ".join(with_default(parameter) for parameter in signature.parameters)
    return f"{signature.name}({shown})" if shown else signature.name


def with_default(parameter: Parameter) -> str:
    default = parameter.default
    if default is REQUIRED or not isinstance(default, (bool, int, Fraction, str)):
        return parameter.name
    return f"{parameter.name}={written(default)}"


def rows(signature: Signature) -> str:
    """A line a parameter."""
    found = ""
    for parameter in signature.parameters:
        elastic = "; may be elastic" if parameter.elastic or parameter.type == "channels" else ""
        kind = kind_of(parameter.type)
        found += (
            f"  {parameter.name:<11} {parameter.doc or kind}{f' ({kind})' if parameter.doc and kind else ''}{elastic}\n"
        )
    return found


def kind_of(type_: Type) -> str:
    match type_:
        case Words(words):
            return " or ".join(words)
        case Variants(signatures):
            return ", ".join(signature.name for signature in signatures)
        case ListOf(item):
            return f"a list of {kind_of(item)}"
        case "flag":
            return "yes or no"
    return ""


def blocks() -> dict[str, tuple[str, ast.Block]]:
    """The blocks of the library by name, each with its file's name."""
    return {item.name.name: (file, item) for file in library_names() for item in blocks_in(file)}


def blocks_in(file: str) -> Iterator[ast.Block]:
    from specc.diagnostics import Findings
    from specc.source import Source
    from specc.syntax.parse import parse

    tree = parse(Source(f"std/{file}.specc", (LIBRARY / f"{file}.specc").read_text(encoding="utf-8")), Findings())
    assert tree is not None, file
    return (item for item in tree.items if isinstance(item, ast.Block))


def block(name: str) -> str:
    """A block of the library: what stands above it, its parameters with their defaults, its text, an example."""
    file, found = blocks()[name]
    before = found.span.source.text[: found.span.start].rstrip().splitlines()
    comment: list[str] = []
    while before and before[-1].startswith("#"):
        comment.insert(0, before.pop().lstrip("# "))
    head = found.span.text.split(" {")[0].removeprefix("block ")
    required = [p.name.name for p in found.parameters if p.default is None]
    given = ", ".join("64" if n in ("out", "width", "growth", "squeeze", "mlp") else "4" for n in required)
    modes = [p.name.name for p in found.parameters if isinstance(p.default, ast.Name) and p.default.name == "follow"]
    text = f"std.{file}.{head}\n" + "".join(f"{line}\n" for line in comment)
    for mode in modes:
        text += (
            f"\n`{mode}` says how the width inside is chosen under a `width` setting: follow (an expression of what\n"
            f"arrives, no choice of its own), own (a choice of its own, rounded as the setting says) or fixed.\n"
        )
    call = f"{name}({given})" if given else name
    example = f"import std.{file}    # at the top\n{call}"
    return f"{text}\n{indented(found.span.text)}\nExample:\n{indented(example)}"


def indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
