"""What the compiler knows of a kind of output."""

from __future__ import annotations

from typing import Final, Literal

from specc.frozen import frozen
from specc.ir.parameter import Parameter, Signature


@frozen
class OutputKind:
    """What a network may predict: one folder each in specc/outputs, whose `KIND` this is.

    Beside it the folder holds `task.py`, which is copied into projects: the criterion, the distance and the metric.

    name      of the folder, and of the kind in graphs
    word      the word of its statement, which names the number in expressions, too: `linear(classes)`
    each      what is predicted for each of, in `classes 21 each pixel`; "" for the whole input
    targets   what outputs are compared with, for messages: "classes", "masks"
    counted   what the number counts, for messages: "the number of classes"
    least     the least number, and `lacking`, why fewer make no sense
    help      what to write instead of fewer
    example   of the statement
    task      the class of task.py
    ends      an example of what a head ends in
    call      what stands around the number: `image` of `restores image(3)`; "" for nothing
    space     what a head ends in: a "vector", a "map" of the input's height and width, one a whole number of times
              as large ("scaled"), or one a whole number of times smaller ("places"); anything ("free")
    beside    how many channels it has beside the number
    losses    of `train { loss=.. }`, the usual one first
    metrics   the keys of what it is scored by, which `objectives` may name, the usual one first
    scored    what people call the usual one: "mean IoU"
    distance  whether there is one between outputs and a teacher's
    softened  whether a temperature softens what is distilled
    smoothed  whether labels can be smoothed
    levels    whether its labels may have coarser levels
    mixed     how images can be mixed, and their targets with them
    """

    name: str
    word: str
    targets: str
    counted: str
    task: str
    ends: str
    example: str
    losses: tuple[Signature, ...]
    metrics: tuple[str, ...]
    scored: str
    each: str = ""
    least: int = 1
    lacking: str = ""
    help: str = ""
    call: str = ""
    space: Literal["vector", "map", "scaled", "places", "free"] = "vector"
    beside: int = 0
    distance: bool = True
    softened: bool = False
    smoothed: bool = False
    levels: bool = False
    mixed: tuple[str, ...] = ()


CROSS_ENTROPY: Final = Signature("cross_entropy", (), "of the softmax over all classes")
FOCAL: Final = Signature(
    "focal",
    (Parameter("gamma", "number", 2, "how much less what is predicted well counts; 0: not at all"),),
    "cross-entropy that leaves out what is predicted well (Lin et al., 2017)",
)
BCE: Final = Signature("bce", (), "binary cross-entropy of every tag")
MSE: Final = Signature("mse", (), "the mean squared difference")
L1: Final = Signature("l1", (), "the mean absolute difference")
HUBER: Final = Signature(
    "huber",
    (Parameter("delta", "number", 1, "the difference from which on it grows in a straight line", above=0),),
    "squared where the difference is small, a straight line where it is large",
)
OWN: Final = Signature(
    "own",
    (Parameter("path", "text", doc="a Python file beside the spec, with a function `loss(outputs, targets)`"),),
    "a function of yours",
)
LOSS: Final = "loss"
"""The key of the loss itself, by which outputs are scored that have no metric: the smaller the better."""
METRIC: Final = "metric"
"""The key of a metric of one's own, which the file of the loss has."""
LOSSES: Final = (CROSS_ENTROPY, FOCAL, BCE, MSE, L1, HUBER, OWN)
"""All that `train { loss=.. }` may name. `own` goes with every kind of output."""
