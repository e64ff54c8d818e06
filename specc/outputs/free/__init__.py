"""`output boxes { }`, in the head's place: an output of any shape, for a loss of one's own."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import LOSS, OutputKind

KIND: Final = OutputKind(
    name="free",
    word="output",
    targets="outputs of your own",
    example="output boxes { .. }",
    counted="the number of outputs",
    ends="conv(85, kernel=1)",
    space="free",
    task="Free",
    losses=(),
    metrics=(LOSS,),
    scored="loss",
    distance=False,
)
