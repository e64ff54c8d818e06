"""Triangular connections: how many inputs each output channel sees, and how many weights that leaves.

In a network of any width every size is the nearest integer to a share of its largest, so output channel o of C_out
appears at the share (o + 1/2) / C_out, and sees the inputs that are active from there on.
"""

from __future__ import annotations

from functools import lru_cache


def seen(o: int, inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0) -> int:
    """The number of input channels that output channel o, counted from 0, reads: the first so many of `inputs`.

    max(1, floor(C_in (o + 1/2) / C_out + 1/2)), and `least_inputs` for the `least_outputs` channels that even the
    narrowest sub-network has. In integers: floor((C_in (2 o + 1) + C_out) / (2 C_out)).
    """
    nearest = max(1, (inputs * (2 * o + 1) + outputs) // (2 * outputs))
    return max(nearest, least_inputs) if o < least_outputs else nearest


@lru_cache(maxsize=256)
def supports(
    inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0
) -> tuple[int, ...]:
    """The weights of the first 0, 1, .. `outputs` output channels, one for each pair of channels that is connected."""
    totals = [0]
    for o in range(outputs):
        totals.append(totals[-1] + seen(o, inputs, outputs, least_inputs, least_outputs))
    return tuple(totals)


def support(
    active: int, inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0
) -> int:
    """The connected pairs of channels among the first `active` outputs of a triangular connection."""
    return supports(inputs, outputs, least_inputs, least_outputs)[active]
