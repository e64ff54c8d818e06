"""What a proof says: whether the spec is the network, and if not why."""

from __future__ import annotations

from collections.abc import Sequence

from specc.importing.predicts import EACH
from specc.importing.prove import CLOSE, Proof
from specc.importing.sources import CannotImport, Loaded
from specc.importing.trace import Trace, other_in_training


def check(proof: Proof) -> None:
    """Raises CannotImport where the two networks are not one."""
    if proof.params[0] != proof.params[1]:
        raise CannotImport(f"the original has {proof.params[0]:,} parameters, and the spec {proof.params[1]:,}")
    if proof.macs[0] != proof.macs[1]:
        raise CannotImport(f"the original takes {proof.macs[0]:,} multiply-accumulates, and the spec {proof.macs[1]:,}")
    if proof.outputs > CLOSE:
        raise CannotImport(f"the spec's outputs differ from the original's, by {proof.outputs:.1e} of their spread")
    if not proof.holds:
        apart = f"by {proof.trained or 0.0:.1e} of their spread"
        raise CannotImport(f"the spec's outputs after a step of training differ from the original's, {apart}")


def is_other_in_training(proof: Proof) -> bool:
    """Whether both are one network in evaluation, and not in training."""
    same = proof.params[0] == proof.params[1] and proof.macs[0] == proof.macs[1]
    return same and proof.outputs <= CLOSE and not proof.holds


def differs_in_training(proof: Proof, loaded: Loaded, traced: Trace, shapes: Sequence[tuple[int, ...]]) -> CannotImport:
    """Why the original, which is the spec's network in evaluation, is another in training."""
    found = proof.training
    if found is not None and found.forward <= CLOSE and found.backward:
        names = ", ".join(f"`{name}`" for name in found.backward)
        return CannotImport(
            f"{names} has a gradient of its own, which is not that of what it computes",
            "no spec says that: build the network without it, and import that",
        )
    if found is not None and found.forward > CLOSE:
        node = other_in_training(loaded, tuple(shapes), traced.traced)
        if node is not None:
            return CannotImport(
                f"training computes something else here than evaluation, which is what is imported: `{node.code}`",
                "build the network without it; dropout and stochastic depth are known by what they do",
                node.place,
            )
    apart = f"by {proof.trained or 0.0:.1e} of their spread"
    return CannotImport(f"the spec's outputs after a step of training differ from the original's, {apart}")


def training_notes(proof: Proof) -> tuple[str, ...]:
    """What is to be said of a step of training that holds."""
    found = proof.training
    if found is None:
        return ()
    notes = [f"in training, {line}" for line in found.random]
    if found.resting:
        shown = ", ".join(found.resting[:3]) + (f" and {len(found.resting) - 3} more" if len(found.resting) > 3 else "")
        notes.append(f"the original's own `train` leaves {shown} in evaluation mode; here all norms follow the batches")
    return tuple(notes)


def last_note(last: str, kind: str) -> tuple[str, ...]:
    """What is said where the function that a network ends in is left to training."""
    if not last:
        return ()
    name = last.removeprefix("aten.")
    own = "applies its own"
    if (last == EACH) != (kind == "tags"):
        own = "takes each for any number of tags" if kind == "tags" else "takes each for one of the classes"
    return (f"the spec ends in logits: the original's last {name} is left out, as training {own}",)
