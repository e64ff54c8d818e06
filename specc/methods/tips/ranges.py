"""The ranges of the importance analysis's two constants, wherever they are given: in a spec or on a command line."""

from __future__ import annotations

from typing import Final

from specc.diagnostics import Rule

COUPLING: Final = Rule(
    "E712",
    "coupling-out-of-range",
    "the coupling of sub-networks is not in (0, 1]",
    "The coupling (lambda, Eq. 5) is the weight that joins the copies of a feature map in different sub-networks.\n"
    "At 0 they would have nothing to do with one another; above 1 they would count more than the network's own edges.\n"
    "Wrong:  specc importance net.specc --coupling 2\n"
    "Right:  specc importance net.specc --coupling 0.5",
)
DAMPING: Final = Rule(
    "E713",
    "damping-out-of-range",
    "the damping is not in [0, 1)",
    "The damping (kappa, Eq. 20) is a small probability of going from any state of the chain to any other.\n"
    "Wrong:  specc importance net.specc --damping 1\n"
    "Right:  specc importance net.specc --damping 1e-5",
)


def out_of_range(coupling: float, damping: float) -> tuple[Rule, str, str] | None:
    """The rule that one of the two breaks, what is to be said and what would help; None where both are in range."""
    if not 0 < coupling <= 1:
        return COUPLING, f"the coupling is {coupling:g}, outside (0, 1]", "1 is the paper's"
    if not 0 <= damping < 1:
        return DAMPING, f"the damping is {damping:g}, outside [0, 1)", "1e-5 is the paper's"
    return None
