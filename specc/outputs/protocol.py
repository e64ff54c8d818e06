"""What the compiler knows of a kind of output."""

from __future__ import annotations

from typing import Final

from specc.frozen import frozen
from specc.ir.parameter import Signature


@frozen
class OutputKind:
    """What a network may predict: one folder each in specc/outputs, whose `KIND` this is.

    Beside it the folder holds `task.py`, which is copied into projects: the criterion, the distance and the metric.

    name      of the folder, and of the kind in graphs
    word      the word of its statement, which names the number in expressions, too: `linear(classes)`
    each      what is predicted for each of, in `classes 21 each pixel`; "" for the whole input
    counted   what the number counts, for messages: "the number of classes"
    least     the least number, and `lacking`, why fewer make no sense
    help      what to write instead of fewer
    task      the class of task.py
    ends      an example of what a head ends in
    spatial   whether a head ends in a map, and not in a vector
    losses    of `train { loss=.. }`, the usual one first
    metrics   the keys of what it is scored by, which `objectives` may name, the usual one first
    smoothed  whether labels can be smoothed
    levels    whether its labels may have coarser levels
    mixed     whether images can be mixed, and their targets with them
    """

    name: str
    word: str
    counted: str
    task: str
    ends: str
    losses: tuple[Signature, ...]
    metrics: tuple[str, ...]
    each: str = ""
    least: int = 1
    lacking: str = ""
    help: str = ""
    spatial: bool = False
    smoothed: bool = False
    levels: bool = False
    mixed: bool = False


CROSS_ENTROPY: Final = Signature("cross_entropy", (), "of the softmax over all classes")
