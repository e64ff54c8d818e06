"""`values 3`: numbers for each input, as in regression."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import HUBER, L1, MSE, OutputKind

KIND: Final = OutputKind(
    name="values",
    word="values",
    targets="numbers",
    example="values 3",
    counted="the number of values",
    ends="pool(avg); linear(values)",
    task="Values",
    losses=(MSE, L1, HUBER),
    metrics=("r2", "mae"),
    scored="R2",
    mixed=("mixup",),
)
