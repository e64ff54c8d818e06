"""Settings of `train { }` that do not go together, or not with the network."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Final, cast

from specc.diagnostics import Findings, Rule
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.source import Span
from specc.syntax import ast

BEYOND_THE_RUN: Final = Rule(
    "E234",
    "beyond-the-run",
    "the schedule extends past the last epoch",
    "A milestone, the first drop and the end of the warm-up come before the run's end. Milestones below 1 are shares\n"
    "of the run.\n"
    "Wrong:  train { epochs=90; schedule=multistep([60, 100, 140]) }\n"
    "Right:  train { epochs=150; schedule=multistep([60, 100, 140]) }",
)
BAD_RESTARTS: Final = Rule(
    "E246",
    "bad-restarts",
    "the restarts of a schedule are out of order, or it has another number of peaks or warm-ups",
    "`restarts` lists where the schedule begins anew, earlier ones first; `peaks` and `warmups` have one number for\n"
    "each restart, or none at all.\n"
    "Wrong:  schedule=cosine(restarts=[30, 60], peaks=[0.5])\n"
    "Right:  schedule=cosine(restarts=[30, 60], peaks=[0.5, 0.1])",
)
NOTHING_TO_REPEAT: Final = Rule(
    "E235",
    "nothing-to-repeat",
    "repeated augmentation without augmentation",
    "repeats=3 puts each image into its batch three times, each time with a new augmentation. Without augmentation\n"
    "these are three equal images.\n"
    "Wrong:  train { repeats=3 }\n"
    "Right:  train { repeats=3; augment=[resized_crop, flip] }",
)
NO_MOMENTUM: Final = Rule(
    "E236",
    "nesterov-without-momentum",
    "`nesterov` needs a momentum",
    "`nesterov` says how the momentum is applied, so there must be one.\n"
    "Wrong:  train { optimizer=sgd(momentum=0, nesterov=yes) }\n"
    "Right:  train { optimizer=sgd(momentum=0.9, nesterov=yes) }",
)
UNEVEN_PARTS: Final = Rule(
    "E237",
    "uneven-parts",
    "a batch does not divide into equal parts of at least two images",
    "accumulate=n computes a batch in n equal parts, one after another, so n divides `batch_size`; and a part\n"
    "holds more than one image, for norms need several.\n"
    "Wrong:  train { batch_size=100; accumulate=8 }\n"
    "Right:  train { batch_size=96; accumulate=8 }",
)
NO_RESIDUAL_NORM: Final = Rule(
    "E238",
    "no-residual-norm",
    "zero_init_residual needs residuals that end in norms",
    "A residual's body that ends in a norm starts as the identity when that norm's scale starts at 0.\n"
    "Without a norm at its end there is nothing to set.\n"
    "Wrong:  residual { conv(64, kernel=3); norm; relu } ...  train { zero_init_residual=yes }\n"
    "Right:  residual { conv(64, kernel=3); norm }; relu ...  train { zero_init_residual=yes }",
)

UNORDERED: Final = Rule(
    "E243",
    "unordered-milestones",
    "the milestones of a schedule are not in increasing order",
    "The rate drops at each milestone, so there is at least one, and each is later than the one before it.\n"
    "Wrong:  train { epochs=90; schedule=multistep([60, 30]) }\n"
    "Right:  train { epochs=90; schedule=multistep([30, 60]) }",
)
COLOURS_OF_ONE: Final = Rule(
    "E247",
    "lighting-needs-colours",
    "`lighting` needs images of three channels",
    "`lighting` shifts red, green and blue along their principal components; other images have no such colours.\n"
    "Wrong:  input image(1, 28, 28) ...  train { augment=[lighting] }\n"
    "Right:  input image(3, 32, 32) ...  train { augment=[lighting] }",
)


def check_colours(train: Call, section: ast.Section | None, graph: Graph, findings: Findings) -> None:
    """Reports `lighting` on images that have no red, green and blue."""
    words = cast("tuple[Call, ...]", train["augment"])
    if section is None or not any(word.name == "lighting" for word in words):
        return
    tensors = graph.tensor_table()
    channels = [cast(int, tensors[name].features) for name in graph.inputs if tensors[name].space]
    others = [count for count in channels if count != 3]
    if others or not channels:
        these = f"these have {others[0]}" if others else "the network takes vectors"
        message = f"`lighting` needs images of three channels, and {these}"
        findings.report(COLOURS_OF_ONE, place(section, "augment"), message, help="leave `lighting` out")


def check_recipe(train: Call, section: ast.Section | None, findings: Findings) -> None:
    """Reports what contradicts itself."""
    if section is None or findings:
        return
    schedule, optimizer = train["schedule"], train["optimizer"]
    assert isinstance(schedule, Call)
    assert isinstance(optimizer, Call)
    epochs, batch_size, accumulate = (whole(train, name) for name in ("epochs", "batch_size", "accumulate"))

    for when, what in late(schedule, epochs):
        message = f"{what} {shown(when)}, and the run has {epochs} epochs"
        findings.report(BEYOND_THE_RUN, place(section, "schedule"), message, help="train longer, or begin earlier")
    for message, help in restarts_wrong(schedule, epochs):
        findings.report(BAD_RESTARTS, place(section, "schedule"), message, help=help)
    if problem := unordered(schedule):
        help = "write them in increasing order, as in `multistep([30, 60])`"
        findings.report(UNORDERED, place(section, "schedule"), problem, help=help)
    if optimizer.name == "sgd" and optimizer["nesterov"] and not optimizer["momentum"]:
        message = "`nesterov=yes` needs a momentum above 0"
        findings.report(NO_MOMENTUM, place(section, "optimizer"), message, help="0.9 is usual")
    if whole(train, "repeats") > 1 and not train["augment"]:
        message = f"each image occurs {train['repeats']} times in its batch, without augmentation"
        findings.report(NOTHING_TO_REPEAT, place(section, "repeats"), message, help="add augment=[crop, flip] or more")
    if accumulate > 1 and (batch_size % accumulate or batch_size // accumulate < 2):
        message = f"a batch of {batch_size} can't be computed in {accumulate} equal parts of more than one image"
        help = f"batch_size={accumulate * max(2, round(batch_size / accumulate))} can"
        findings.report(UNEVEN_PARTS, place(section, "accumulate"), message, help=help)


def unordered(schedule: Call) -> str:
    """What is wrong with the milestones of a schedule; "" for nothing, and for schedules without any."""
    if schedule.name != "multistep":
        return ""
    milestones = schedule["milestones"]
    if not milestones:
        return "`multistep` has no milestones, so the rate would never drop"
    assert isinstance(milestones, tuple)
    if any(later <= earlier for earlier, later in pairwise((0, *milestones))):
        return f"milestones come one after the other, and these are {', '.join(map(shown, milestones))}"
    return ""


def late(schedule: Call, epochs: int) -> Iterator[tuple[int | Fraction, str]]:
    """The parts of a schedule at or behind the end of the run, with how they are called."""
    for name, value in schedule.values:
        if name == "milestones" and isinstance(value, tuple):
            yield from ((m, "a milestone is at epoch") for m in value if m >= max(epochs, 1))
        elif name == "restarts" and isinstance(value, tuple):
            yield from ((r, "the schedule restarts at epoch") for r in value if r >= max(epochs, 1))
        elif isinstance(value, (int, Fraction)) and value >= epochs:
            if name == "warmup":
                yield value, "the warm-up ends at epoch"
            elif name == "every":
                yield value, "the first drop is at epoch"


def restarts_wrong(schedule: Call, epochs: int) -> Iterator[tuple[str, str]]:
    """What is wrong with the restarts of a schedule, each with what would mend it."""
    values = dict(schedule.values)
    restarts = cast("tuple[int | Fraction, ...]", values.get("restarts", ()))
    starts = [r * epochs if r < 1 else r for r in restarts]
    if any(later <= earlier for earlier, later in pairwise([0, *starts])):
        yield "the restarts are not in increasing order", "list them in order, each after the run's first epoch"
    for name in ("peaks", "warmups"):
        given = cast("tuple[int | Fraction, ...]", values.get(name, ()))
        if given and len(given) != len(restarts):
            yield f"there are {len(restarts)} restarts and {len(given)} {name}", f"write one of `{name}` for each"


def check_residual_ends(train: Call, section: ast.Section | None, graph: Graph, findings: Findings) -> None:
    """Reports a `zero_init_residual` that finds no norm to set."""
    if section is None or not train["zero_init_residual"]:
        return
    norms = {op.output for op in graph.ops if op.operator.normalises}
    if not any(op.operator.sums and op.inputs[0] in norms for op in graph.ops):
        message = "no residual of this network ends in a norm"
        findings.report(NO_RESIDUAL_NORM, place(section, "zero_init_residual"), message, help="leave it out")


def whole(train: Call, name: str) -> int:
    value = train[name]
    assert isinstance(value, int)
    return value


def shown(number: int | Fraction) -> str:
    return f"{float(number):g}"


def place(section: ast.Section, setting: str) -> Span:
    """Where a setting stands; the section where it is left out."""
    named = (arg.span for arg in section.settings if arg.name is not None and arg.name.name == setting)
    return next(named, section.span)
