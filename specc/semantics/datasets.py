"""Data sets that do not go with what a network takes or predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.diagnostics import Findings, Rule
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.outputs import output_kind
from specc.portable.run.moves import REFUSED
from specc.semantics.recipe import place, whole
from specc.source import Span
from specc.syntax import ast

ONE_IMAGE: Final = Rule(
    "E239",
    "one-image-data",
    "a data set of single images cannot feed several inputs",
    "An example of these data sets is one image. For several inputs, `data own` takes a Python file of yours, whose\n"
    "function `load` returns an array for each of them.\n"
    "Wrong:  input left image(3, 64, 64); input right image(3, 64, 64) ...  data cifar10\n"
    'Right:  input left image(3, 64, 64); input right image(3, 64, 64) ...  data own(path="pairs.py")',
)


OTHER_NUMBERS: Final = Rule(
    "E249",
    "vector-data",
    "a network takes vectors of another size than the examples of its data set",
    "Where a network takes vectors, an image of the data set becomes the vector of its pixels, channel after channel:\n"
    "64 numbers for `digits`, 784 for `mnist`, 3,072 for `cifar10`. Images in files have no size that is known; for\n"
    "these, and for numbers that are no images, there is `data own`.\n"
    "Wrong:  input vector(100) ...  data digits\n"
    "Right:  input vector(64) ...  data digits",
)
VECTORS: Final[Mapping[str, int]] = {"iris": 4, "wine": 13, "breast_cancer": 30, "diabetes": 10}
"""How many numbers a row has, in tables that are built in."""

PIXELS: Final[Mapping[str, int]] = {
    **VECTORS,
    "digits": 8 * 8,
    "mnist": 28 * 28,
    "fashion_mnist": 28 * 28,
    "cifar10": 3 * 32 * 32,
    "cifar100": 3 * 32 * 32,
}
"""How many numbers an image has, in the data sets whose images all have one size."""

OTHER_CLASSES: Final = Rule(
    "W109",
    "other-classes",
    "a network and its data set have different numbers of classes",
    "With more classes than the data set has, outputs are trained that are never right; with fewer, training refuses\n"
    "the labels that are beyond them. To train on other data than the spec names, give `--dataset` to `train.py`.\n"
    "Wrong:  classes 100 ...  data cifar10\n"
    "Right:  classes 10 ...  data cifar10",
)
SIZED: Final = ("glyphs", "sounds")
"""The data sets whose `classes` are a setting."""

CLASSES: Final[Mapping[str, int]] = {
    "iris": 3,
    "wine": 3,
    "breast_cancer": 2,
    "digits": 10,
    "mnist": 10,
    "fashion_mnist": 10,
    "cifar10": 10,
    "cifar100": 100,
    "tiny_imagenet": 200,
    "imagenet": 1000,
    "cub200": 200,
}
"""How many classes a data set has, where it is always as many."""

RENDERED: Final = ("glyphs", "scenes")
"""The data sets whose `size` is a setting."""

OTHER_TARGETS: Final = Rule(
    "E271",
    "other-targets",
    "a data set has no targets of the kind that the network predicts",
    "Most data sets have a class for each image. `scenes` has targets of every kind: masks, tags, three values (the\n"
    "largest object's centre and size), images to be restored. For all else there is `data own`.\n"
    "Wrong:  values 3 ...  data cifar10\n"
    'Right:  values 3 ...  data own(path="values.py")',
)
LEFT_BEHIND: Final = Rule(
    "E272",
    "augmentation-of-targets",
    "an augmentation that the targets cannot follow",
    "Masks, boxes and images to be restored move with their image: they are flipped, cut and turned together. Some\n"
    "words of `augment` change an image in a way that its target cannot follow.\n"
    "Wrong:  classes 21 each pixel ...  train { augment=[randaugment] }\n"
    "Right:  classes 21 each pixel ...  train { augment=[affine, color_jitter] }",
)


HAS: Final[Mapping[str, tuple[str, ...]]] = {
    "scenes": ("classes", "pixels", "boxes", "tags", "values", "restored"),
    "table": ("classes", "values", "tags"),
    "masks": ("pixels",),
    "voc": ("pixels", "boxes", "tags"),
    "coco": ("pixels", "boxes", "tags"),
    "diabetes": ("values",),
}
"""The kinds of targets of data sets that have others than classes."""

TOLD: Final[Mapping[str, str]] = {
    "diabetes": "a value for each row",
    "table": "classes, values or tags",
    "scenes": "no such targets",
    "masks": "a class for each pixel",
    "voc": "masks, boxes and tags of images",
    "coco": "masks, boxes and tags of images",
    "sounds": "a class for each sound",
    **dict.fromkeys(("iris", "wine", "breast_cancer"), "a class for each row"),
}


def check_augmentation(train: Call, section: ast.Section | None, graph: Graph, findings: Findings) -> None:
    """Reports words of `augment` that targets which move with their image cannot follow."""
    refused = REFUSED.get(graph.predicts.kind, {})
    words = cast("tuple[Call, ...]", train["augment"])
    for word in words if section is not None else ():
        if section is not None and word.name in refused:
            targets = output_kind(graph.predicts.kind).example
            message = f"`{word.name}` does not go with `{targets}`: {refused[word.name]}"
            findings.report(LEFT_BEHIND, place(section, "augment"), message, help=f"leave `{word.name}` out")


def check_data(data: Call | None, section: ast.Section | None, graph: Graph, findings: Findings) -> None:
    """Reports a data set that cannot feed the inputs."""
    if data is None or section is None or data.name == "own":
        return
    where = section.call.span if section.call else section.span
    check_targets(data, where, graph, findings)
    first = graph.tensor_table()[graph.inputs[0]]
    if len(graph.inputs) > 1:
        message = f"an example of `{data.name}` is one image, and the inputs are {', '.join(graph.inputs)}"
        help = 'write data own(path="pairs.py"), or leave `data` out'
        findings.report(ONE_IMAGE, where, message, help=help)
    elif data.name == "sounds":
        known = (1, 1, 8000) if data["form"] == "signal" else None
        sizes = (first.features, *first.space)
        if not first.space or (known is not None and sizes != known):
            message = f"a sound is {'a signal of 8,000 numbers' if known else 'an image of 49x10 pixels'}"
            findings.report(
                OTHER_NUMBERS, where, message, help=f"write input {'signal(1, 8000)' if known else 'image(1, 49, 10)'}"
            )
    elif first.space and data.name in (*VECTORS, "table"):
        numbers = f"vectors of {VECTORS[data.name]} numbers" if data.name in VECTORS else "vectors"
        message = f"a row of `{data.name}` is one of {numbers}, and the network takes images"
        findings.report(OTHER_NUMBERS, where, message, help=f"write input vector({VECTORS.get(data.name, 10)})")
    elif not first.space and data.name != "table":
        side = whole(data, "size") if data.name in RENDERED else 0
        what = "a row" if data.name in VECTORS else "an image"
        pixels = 3 * side * side if side else PIXELS.get(data.name)
        if pixels is None:
            message = f"`{data.name}` has files of images, of any size, and the network takes vectors"
            findings.report(OTHER_NUMBERS, where, message, help='write data own(path="vectors.py")')
        elif pixels != first.features:
            message = (
                f"{what} of `{data.name}` has {pixels:,} numbers, and the network takes vectors of {first.features}"
            )
            findings.report(OTHER_NUMBERS, where, message, help=f"write input vector({pixels})")


def check_targets(data: Call, where: Span, graph: Graph, findings: Findings) -> None:
    """Reports a data set that has other targets than the network predicts, or another number of them."""
    kind, count = graph.predicts.kind, graph.predicts.count
    has = HAS.get(data.name, ("classes",))
    if kind not in has:
        kinds = output_kind(kind)
        each = TOLD.get(data.name, "a class for each image")
        message = f"`{data.name}` has {each}, and the network predicts `{kinds.example}`"
        findings.report(OTHER_TARGETS, where, message, help='write data own(path="targets.py"), or data scenes')
        return
    if data.name == "scenes":
        shapes = whole(data, "shapes")
        if kind in ("tags", "values"):
            known = shapes if kind == "tags" else 3
            if count != known:
                message = f"`scenes` have {known} {kind}, and the network has {count:,}"
                findings.report(OTHER_TARGETS, where, message, help=f"write `{kind} {known}`")
            return
        known = {"pixels": shapes + 1, "restored": count}.get(kind, shapes)
    elif data.name == "diabetes" and count != 1:
        message = f"`diabetes` has 1 value, and the network has {count:,}"
        findings.report(OTHER_TARGETS, where, message, help="write `values 1`")
        return
    else:
        given = whole(data, "classes") if data.name in SIZED else CLASSES.get(data.name)
        known = count if given is None else given
    if known != count:
        message = f"`{data.name}` has {known:,} classes, and the network has {count:,}"
        each = output_kind(kind).each
        word = output_kind(kind).word
        findings.report(OTHER_CLASSES, where, message, help=f"write `{word} {known}{each and f' each {each}'}`")
