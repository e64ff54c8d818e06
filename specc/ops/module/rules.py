"""A module of the user's, in a file beside the spec: what it gives and costs is said, and the project verifies it.

It has one width and one resolution, so what it reads is fixed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final, Literal, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature, Words
from specc.ir.window import Window, sides
from specc.ops.shapes import described, one

MODULE_READS = Rule(
    "E451",
    "module-reads",
    "a module of the user's is given what it does not read",
    "`module(..)` says what it reads: a map, tokens or a vector, of one size. What stands before it gives that.\n"
    'Wrong:  pool(avg); module(path="mine.py", name="Attn2d", out=64, params=4096, macs=802816, reads=map)\n'
    'Right:  module(path="mine.py", name="Attn2d", out=64, params=4096, macs=802816, reads=map); pool(avg)',
)
MODULE_SAYS = Rule(
    "E452",
    "module-says",
    "what is said of a module of the user's makes no sense",
    "`module(..)` says a Python file beside the spec, the name of a class in it, whole numbers of parameters and of\n"
    "MACs, and literals as arguments for its constructor.\n"
    'Wrong:  module(path="mine.py", name="my attention", out=64, params=4096, macs=802816)\n'
    'Right:  module(path="mine.py", name="Attention", out=64, params=4096, macs=802816, args="64, heads=4")',
)

Kind: TypeAlias = Literal["map", "tokens", "vector"]
RANKS: Final[Mapping[int, Kind]] = {2: "map", 1: "tokens", 0: "vector"}


@dataclass(frozen=True, slots=True)
class ModuleParams:
    """`reads` and `gives` are shapes of the tensors without their batch, as the module has them."""

    path: str
    name: str
    args: str
    params: int
    macs: int
    reads: tuple[int, ...]
    gives: tuple[int, ...]


class Module(Operator):
    """`module(path="mine.py", name="Attn2d", out=64, size=same, params=4096, macs=802816, reads=map)`."""

    kind = "module"
    example = 'module(path="mine.py", name="Attn2d", out=64, size=same, params=4096, macs=802816, reads=map)'
    foreign = True
    layer = True
    branched = Branched(refused="what it does is not known")
    drawn = Drawn(word="module")
    signature = Signature(
        "module",
        (
            Parameter("path", "text", doc="a Python file beside the spec, which goes with the project"),
            Parameter("name", "text", doc="the class in it, or a function that makes the module"),
            Parameter("out", "integer", doc="channels or features that it gives"),
            Parameter(
                "size", Words(("same",), numbers=True), "same", "height and width, or tokens, that it gives", pair=True
            ),
            Parameter("params", "number", doc="how many parameters it has"),
            Parameter("macs", "number", doc="multiply-accumulates of one image"),
            Parameter("reads", Words(("map", "tokens", "vector")), "map", "what it takes"),
            Parameter("makes", Words(("same", "map", "tokens", "vector")), "same", "what it gives"),
            Parameter("args", "text", "", "arguments for its constructor, as Python literals"),
        ),
        "A module of the user's, of one width and one resolution. The project verifies what is said of it.",
    )

    def build(self, call: OpCall) -> Built:
        tensor, args = call.inputs[0], call.args
        out = cast(int, args["out"])
        reads = cast(Kind, args["reads"])
        makes = reads if args["makes"] == "same" else cast(Kind, args["makes"])
        check_said(call)
        space = tuple(call.folded(size) for size in tensor.space)
        if RANKS[len(tensor.space)] != reads:
            call.report(MODULE_READS, f"this module reads {a(reads)}, but {described(call, tensor)} here", at="reads")
        elif any(isinstance(size, (Var, Apply)) for size in space):
            message = "this module has one size, and what arrives depends on the resolution"
            call.report(MODULE_READS, message, help="say one resolution: `input image(3, 224, 224)`")
        else:
            fix_channels(call, tensor)
        sizes = tuple(map(call.maximum, space))
        given = given_space(call, cast("Window | str", args["size"]), makes, sizes, reads)
        params = ModuleParams(
            path=PurePath(str(args["path"])).as_posix(),
            name=str(args["name"]),
            args=str(args["args"]),
            params=int(cast(Number, args["params"])),
            macs=int(cast(Number, args["macs"])),
            reads=shape_of(call.maximum(tensor.features), sizes),
            gives=shape_of(out, given),
        )
        return Built(params, ((one(out), given),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        """All parameters as one: of which shapes they are, the module knows."""
        count = cast(ModuleParams, op.params).params
        return (Weight("module", (count,), (count,)),) if count else ()

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return cast(ModuleParams, op.params).macs

    def files(self, op: Op) -> tuple[str, ...]:
        return (cast(ModuleParams, op.params).path,)


def a(kind: str) -> str:
    return kind if kind == "tokens" else f"a {kind}"


def check_said(call: OpCall) -> None:
    """The words and numbers that need no tensor."""
    args = call.args
    for name in ("params", "macs"):
        number = cast(Number, args[name])
        if number < 0 or number != int(number):
            call.report(MODULE_SAYS, f"`{name}` is {float(number):g}, and must be a whole number", at=name)
    if not re.fullmatch(r"[A-Za-z_]\w*", str(args["name"])):
        call.report(MODULE_SAYS, f'"{args["name"]}" is no name of a class', at="name")
    try:
        called = cast(ast.Call, ast.parse(f"f({args['args']})", mode="eval").body)
        for value in (*called.args, *(keyword.value for keyword in called.keywords)):
            ast.literal_eval(value)
    except (SyntaxError, ValueError):
        help = 'numbers, texts, flags, lists and tuples: args="64, heads=4, bias=False"'
        call.report(MODULE_SAYS, f"`{args['args']}` are no literals of Python", at="args", help=help)


def fix_channels(call: OpCall, tensor: Tensor) -> None:
    """Has what arrives as many channels in every sub-network as in the largest."""
    whole = replace(tensor, name="", channels=one(call.maximum(tensor.features)))
    if tensor.channels != whole.channels:
        call.tie(tensor, whole, "what arrives and what this module reads")


def given_space(
    call: OpCall, size: Window | str, makes: Kind, arriving: tuple[int, ...], reads: Kind
) -> tuple[int, ...]:
    """The height and width of what leaves, its tokens, or nothing."""
    if makes == "vector":
        return ()
    if size == "same":
        if makes == reads:
            return arriving
        call.report(MODULE_SAYS, f"of which size {a(makes)} leaves, `size` must say", at="makes")
        return (1, 1) if makes == "map" else (1,)
    height, width = (call.maximum(side) for side in sides(size))
    if makes == "tokens" and isinstance(size, tuple):
        call.report(MODULE_SAYS, "tokens are so many, and have no height and width", at="size")
    return (height, width) if makes == "map" else (height,)


def shape_of(channels: int, space: tuple[int, ...]) -> tuple[int, ...]:
    """A tensor's shape as the module has it: [C, H, W], [T, C] or [C]."""
    return (*space, channels) if len(space) == 1 else (channels, *space)


OPERATORS = (Module(),)
