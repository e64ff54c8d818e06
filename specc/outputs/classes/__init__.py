"""`classes 10`: one class for each input."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import CROSS_ENTROPY, FOCAL, OutputKind

KIND: Final = OutputKind(
    name="classes",
    word="classes",
    targets="classes",
    example="classes 10",
    counted="the number of classes",
    least=2,
    lacking="a classifier has at least two classes: with one, every prediction is right and nothing is learned",
    help="write `classes 2` for yes and no",
    ends="pool(avg); linear(classes)",
    task="Classes",
    losses=(CROSS_ENTROPY, FOCAL),
    metrics=("accuracy",),
    scored="accuracy",
    softened=True,
    smoothed=True,
    levels=True,
    mixed=("mixup", "cutmix"),
)
