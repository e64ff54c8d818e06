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
DAMPING_HIDES: Final = Rule(
    "W711",
    "damping-hides-the-graph",
    "the damping hides the graph: it makes too many of the transitions",
    "The damping (kappa, Eq. 20) is a probability per pair of states, so its share of all transitions grows with the\n"
    "number of feature maps and of sampled sub-networks: 0.1 % for 152 maps in 8 sub-networks, 16 % for 20,000 in 32.\n"
    "Above 5 % scores say less of the network than of the damping.\n"
    "Wrong:  specc importance large.specc --damping 1e-3\n"
    "Right:  specc importance large.specc --damping 1e-8",
)
DAMPING_HELP: Final = "it is per pair of states, so larger graphs need a smaller one: try a damping of 1e-8"
MOST_DAMPING: Final = 0.05
"""The share of all transitions from which on damping hides the graph."""


def hidden(damping_share: float) -> str | None:
    """What is to be said of the share of all transitions that damping makes; None where it is small."""
    return f"the damping makes {100 * damping_share:.1f} % of all transitions" if damping_share > MOST_DAMPING else None


def out_of_range(coupling: float, damping: float) -> tuple[Rule, str, str] | None:
    """The rule that one of the two breaks, what is to be said and what would help; None where both are in range."""
    if not 0 < coupling <= 1:
        return COUPLING, f"the coupling is {coupling:g}, outside (0, 1]", "1 is the paper's"
    if not 0 <= damping < 1:
        return DAMPING, f"the damping is {damping:g}, outside [0, 1)", "1e-5 is the paper's"
    return None
