"""What an imported network predicts: the shape of its output says so, and the function that it ends in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from specc.importing.sources import CannotImport
from specc.outputs import output_kind, output_kinds
from specc.traced.graph import Node, Ref, Traced

EACH: Final = "aten.sigmoid"
LAST: Final = ("aten.softmax", "aten.log_softmax", EACH)
"""What turns logits into probabilities: over all classes, or of each."""
LOGITS: Final = ("classes", "pixels", "tags")
"""The kinds of output whose training applies such a function itself."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a network predicts.

    kind    of output, as `specc.outputs` calls it
    result  the node whose value is learned from
    last    the function that the original applies to it and the spec leaves to training; "" for none
    """

    kind: str
    result: str
    last: str


def predicted(traced: Traced, asked: str = "") -> Predicted:
    """What a network predicts; `asked` names the kind where the user did. "" is of no kind."""
    table = {node.name: node for node in traced.nodes}
    node = table[traced.output]
    last = node.target if ends_in_probabilities(node) else ""
    channels, *image = next((table[name].shape[1:] for name in traced.inputs if len(table[name].shape) > 1), (0,))
    kind = asked or likely(node.shape, last, channels, tuple(image))
    argument = node["self"]
    if last and kind in LOGITS and isinstance(argument, Ref):
        return Predicted(kind, argument.name, last)
    return Predicted(kind, traced.output, "")


def ends_in_probabilities(node: Node) -> bool:
    if node.target not in LAST or len(node.shape) not in (2, 4):
        return False
    return node.target == EACH or node["dim"] in (1, 1 - len(node.shape))


def likely(shape: tuple[int, ...], last: str, channels: int, image: tuple[int, ...]) -> str:
    """The kind of an output of this shape, with its batch, for images of so many channels; "" for none."""
    if len(shape) == 2:
        if last == EACH:
            return "tags"
        return "classes" if shape[1] > 1 else "values"
    if len(shape) != 4:
        return ""
    if last and last != EACH and shape[2:] == image:
        return "pixels"
    if shape[1] in (1, channels) and is_scaled(shape[2:], image):
        return "restored"
    return "pixels" if shape[2:] == image else ""


def is_scaled(size: tuple[int, ...], image: tuple[int, ...]) -> bool:
    """Whether a map is a whole number of times as high and wide as an image."""
    if len(image) != 2 or size[0] % image[0] or size[1] % image[1]:
        return False
    return size[0] // image[0] == size[1] // image[1]


def check_output(traced: Traced, asked: str = "") -> None:
    """Raises CannotImport where the output has a shape that no kind has, or not the one that was asked for."""
    kind = predicted(traced, asked).kind
    table = {node.name: node for node in traced.nodes}
    shape = table[traced.output].shape
    image = next((table[name].shape[2:] for name in traced.inputs if len(table[name].shape) == 4), ())
    space = output_kind(kind).space if kind else ""
    if space == "vector" and len(shape) == 2 and shape[1] >= output_kind(kind).least:
        return
    if len(shape) == 4 and (
        (space == "map" and shape[2:] == image) or (space == "scaled" and is_scaled(shape[2:], image))
    ):
        return
    if len(shape) == 4:
        told = f"a map of {shape[1]} channels and {shape[2]} x {shape[3]}"
        told += f" for images of {image[0]} x {image[1]}" if image else ""
        help = "wrap the network in a module that brings its output to the image's size, or to one vector an image"
    else:
        told = f"of the sizes {list(shape[1:])} for each input" if len(shape) > 1 else "no tensor for each input"
        help = "wrap the network in a module that returns one vector an image, or a map of the image's size"
    wanted = f"`{output_kind(kind).example}` is not" if asked else "no spec predicts that"
    raise CannotImport(f"the network's output is {told}: {wanted}", help)


def statement(kind: str, count: int) -> str:
    """`classes 21 each pixel`."""
    found = output_kind(kind)
    number = f"{found.call}({count})" if found.call else str(count)
    return f"{found.word} {number}" + (f" each {found.each}" if found.each else "")


def kind_named(words: str) -> str | None:
    """The kind that the words of a statement without its number name: `classes each pixel`. None for none."""
    given = words.split()
    return next((kind.name for kind in output_kinds() if given == words_of(kind.name).split()), None)


def words_of(name: str) -> str:
    kind = output_kind(name)
    return kind.word + (f" each {kind.each}" if kind.each else "")
