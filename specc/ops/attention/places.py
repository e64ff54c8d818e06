"""Attention that knows where its tokens stand: inside windows or grids of a map, with biases by relative position."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final, Literal, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var, apply
from specc.ir.graph import Tensor
from specc.ir.operator import OpCall
from specc.ir.parameter import Parameter, Words
from specc.ir.window import Window, sides
from specc.ops.shapes import product

WINDOWS_OF_MAPS = Rule(
    "E460",
    "windows-of-maps",
    "an attention in windows or a grid gets tokens",
    "Windows and grids are parts of a map, which has height and width; a row of tokens has none.\n"
    "Wrong:  patch_embed(4, dim=96); attention(heads=3, window=7)\n"
    "Right:  conv(96, kernel=4, stride=4); attention(heads=3, window=7)",
)
SHIFT_OF_WINDOWS = Rule(
    "E461",
    "shift-without-window",
    "an attention is shifted by more than its windows, has none, or has both windows and a grid",
    "`shift` moves the windows down and to the right, by less than a window. A grid has no windows to be moved.\n"
    "Wrong:  attention(heads=3, shift=3)\n"
    "Right:  attention(heads=3, window=7, shift=3)",
)
GRID_DIVIDES = Rule(
    "E462",
    "grid-does-not-divide",
    "the grid of an attention does not divide its map",
    "The map is cut into grid * grid equal cells, and the pixels at one place of all cells look at each other; so the\n"
    "grid divides height and width, at every resolution.\n"
    "Wrong:  input image(3, 32, 32) ... attention(heads=2, grid=7)\n"
    "Right:  input image(3, 32, 32) ... attention(heads=2, grid=8)",
)
UNKNOWN_PLACES = Rule(
    "E463",
    "relative-position-unknown",
    "relative positions are wanted where the places of tokens are not known",
    "`position=relative` and `continuous` know how far two tokens are apart: inside a window or a grid, on a map of\n"
    "one size, or between tokens that are a square, with or without a class token.\n"
    "Wrong:  input image(3, resolution=192..224 step 32) ... attention(heads=3, position=relative)\n"
    "Right:  input image(3, resolution=192..224 step 32) ... attention(heads=3, window=7, position=relative)",
)
SCORES_EXCLUDE = Rule(
    "E464",
    "attention-arguments-exclude",
    "two arguments of an attention exclude each other",
    "`scores=cosine` has a learned scale for each head, so there is no `scale`, and it normalises queries and keys\n"
    "itself, so there is no `qk_norm`. `key_bias` is a part of `bias`. `position_hidden` belongs to\n"
    "`position=continuous`.\n"
    "Wrong:  attention(heads=3, scores=cosine, scale=1)\n"
    "Right:  attention(heads=3, scores=cosine)",
)
HIDDEN: Final = 512

Words3: TypeAlias = Literal["none", "relative", "continuous"]
Pair: TypeAlias = tuple[int, int]

PARAMETERS: Final = (
    Parameter("window", "integer", None, "height and width of the windows of a map, each on its own", pair=True),
    Parameter("shift", "count", 0, "how far the windows are moved down and to the right", pair=True),
    Parameter(
        "grid",
        "integer",
        None,
        "into how many cells a map is cut; pixels at one place of all cells look at each other",
        pair=True,
    ),
    Parameter(
        "position",
        Words(("none", "relative", "continuous")),
        "none",
        "what is added to a score by how far its tokens are apart: a learned number for each distance, or that of a "
        "small network",
    ),
    Parameter("position_hidden", "integer", None, "hidden features of that network; 512 if not given"),
    Parameter(
        "scores",
        Words(("dot", "cosine")),
        "dot",
        "how alike a query and a key are: their product, or the cosine with a learned scale for each head",
    ),
    Parameter("scale", "number", None, "what products are multiplied with; head_dim ** -0.5 if not given", above=0),
    Parameter(
        "key_bias",
        Words(("learned", "none", "zero")),
        "learned",
        "the keys' part of `bias`; `zero` keeps its weights and does not use them",
    ),
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tokens of an attention stand, and what it makes of that. The default is the usual attention.

    on_map       whether they are the pixels of a map
    window       height and width of the windows, `shift` how far these are moved; `grid` the cells in height and width
    area         height and width over which positions are relative, where there are such
    class_token  whether one more token, the first, stands nowhere
    """

    on_map: bool = False
    window: Pair | None = None
    shift: Pair = (0, 0)
    grid: Pair | None = None
    area: Pair | None = None
    class_token: bool = False
    position: Words3 = "none"
    hidden: int = HIDDEN
    scores: Literal["dot", "cosine"] = "dot"
    scale: Number | None = None
    key_bias: Literal["learned", "none", "zero"] = "learned"


def places_of(call: OpCall, tensor: Tensor) -> Places:
    """The places that a call says, checked against the tensor that comes in."""
    window, shift, grid = (pair_of(call.args[name]) for name in ("window", "shift", "grid"))
    position = cast(Words3, call.args["position"])
    on_map = len(tensor.space) == 2
    if (window or grid) and not on_map:
        what = "windows are" if window else "a grid is"
        call.report(WINDOWS_OF_MAPS, f"{what} of a map, but tokens arrive here", help="put `to_map` before it")
        window = grid = None
    if window is None and shift != (0, 0):
        message = "a grid has no windows to be moved" if grid else "there are no windows to be moved"
        call.report(SHIFT_OF_WINDOWS, message, at="shift", help="say how large: `window=7`")
        shift = (0, 0)
    if window is not None and grid is not None:
        call.report(SHIFT_OF_WINDOWS, "there are either windows or a grid", at="grid")
        grid = None
    if window is not None and shift is not None and any(s >= w for s, w in zip(shift, window, strict=True)):
        call.report(SHIFT_OF_WINDOWS, "windows are moved by less than their size", at="shift")
        shift = (0, 0)
    if grid is not None:
        for side, cells in zip(tensor.space, grid, strict=True):
            rest = call.folded(apply("sub", side, product(apply("floor", apply("div", side, cells)), cells)))
            if rest != 0:
                message = f"a grid of {cells} does not divide {call.maximum(side)} pixels"
                call.report(GRID_DIVIDES, message, at="grid")
                grid = None
                break
    area, class_token = None, False
    if position != "none":
        area, class_token = area_of(call, tensor, window or grid)
        if class_token and position == "continuous":
            message = "a class token stands nowhere, so no network says how far it is from others"
            call.report(UNKNOWN_PLACES, message, at="position", help="use `position=relative`")
        if area is None:
            position = "none"
    exclusions(call)
    return Places(
        on_map,
        window,
        shift or (0, 0),
        grid,
        area,
        class_token,
        position,
        cast("int | None", call.args["position_hidden"]) or HIDDEN,
        cast(Literal["dot", "cosine"], call.args["scores"]),
        cast("Number | None", call.args["scale"]),
        cast(Literal["learned", "none", "zero"], call.args["key_bias"]) if call.args["bias"] else "learned",
    )


def exclusions(call: OpCall) -> None:
    """Reports arguments that have no meaning beside others."""
    args = call.args
    if args["scores"] == "cosine":
        for name in ("scale", "qk_norm"):
            if args[name] not in (None, "none"):
                call.report(SCORES_EXCLUDE, f"`scores=cosine` has no `{name}`", at=name)
    if args["key_bias"] != "learned" and not args["bias"]:
        call.report(SCORES_EXCLUDE, "with `bias=no` there is no bias of keys", at="key_bias")
    if args["position_hidden"] is not None and args["position"] != "continuous":
        call.report(SCORES_EXCLUDE, "`position_hidden` belongs to `position=continuous`", at="position_hidden")


def pair_of(value: object) -> Pair | None:
    """A height and a width; None where nothing is given."""
    if value is None:
        return None
    height, width = sides(cast(Window, value))
    return cast(int, height), cast(int, width)


def area_of(call: OpCall, tensor: Tensor, part: Pair | None) -> tuple[Pair | None, bool]:
    """Height and width over which positions are relative, and whether a class token stands outside."""
    if part is not None:
        return part, False
    space = [call.folded(size) for size in tensor.space]
    if any(isinstance(size, (Var, Apply)) for size in space):
        call.report(
            UNKNOWN_PLACES,
            f"how many {'pixels' if len(space) == 2 else 'tokens'} there are depends on the resolution",
            at="position",
            help="give it a `window`" if len(space) == 2 else "give the image one size: `input image(3, 224, 224)`",
        )
        return None, False
    if len(space) == 2:
        return (call.maximum(space[0]), call.maximum(space[1])), False
    count = call.maximum(space[0]) if space else 1
    token = isqrt(count) ** 2 != count and call.follows("class_token")
    side = isqrt(count - token)
    if side**2 != count - token:
        message = f"{count} tokens are no square, so nobody knows where each stands"
        call.report(UNKNOWN_PLACES, message, at="position", help="make a map of them: `to_map`")
        return None, False
    return (side, side), token


def tokens_seen(places: Places, space: tuple[Expr, ...]) -> tuple[Expr, Expr]:
    """How many tokens there are, those that fill the last windows included, and how many of them look at each other."""
    if places.window is not None:
        padded = [
            product(apply("floor", apply("div", apply("add", side, size - 1), size)), size)
            for side, size in zip(space, places.window, strict=True)
        ]
        return product(*padded), product(*places.window)
    if places.grid is not None:
        return product(*space), product(*places.grid)
    return product(*space), product(*space)


def offsets(places: Places) -> int:
    """How many distances there are between two tokens of an area; 0 where these do not count."""
    if places.area is None:
        return 0
    height, width = places.area
    return (2 * height - 1) * (2 * width - 1)


def learned_offsets(places: Places) -> int:
    """How many of them have numbers of their own: also those from and to a class token."""
    return offsets(places) + 3 * places.class_token
