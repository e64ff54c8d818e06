"""What the names of calls mean: found once, when names are checked, and looked up by whoever reads the tree later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from specc.ir.parameter import Signature
from specc.syntax import ast


@dataclass(frozen=True, slots=True, eq=False)
class OperatorCall:
    """A call of an operator, or of the norm that is set. `bound` has the argument of each parameter that is given one;
    of `norm` alone, which takes others from its setting, it is matched again where it is called.

    args    the arguments but for a tensor that stands there by itself
    source  that tensor, which the call reads instead of what arrives: `silu(x)`
    """

    name: str
    signature: Signature
    bound: Mapping[str, ast.Arg]
    args: tuple[ast.Arg, ...]
    source: ast.Arg | None = None

    @property
    def takes_tensors(self) -> bool:
        """Whether its unnamed arguments are tensors, as those of `concat(a, b)`."""
        parameters = self.signature.parameters
        return bool(parameters) and parameters[0].type == "tensors"


@dataclass(frozen=True, slots=True, eq=False)
class BlockCall:
    """A call of a block that the file of number `home` defines."""

    block: ast.Block
    home: int
    bound: Mapping[str, ast.Arg]


@dataclass(frozen=True, slots=True)
class HeldWord:
    """A call of the operator whose name a parameter or a `let` holds: `act` under `act=relu`."""


Meaning: TypeAlias = OperatorCall | BlockCall | HeldWord
Meanings: TypeAlias = Mapping[ast.Name, Meaning]
"""By the name of a call, or the bare name that stands for one: `relu` in `concat(relu, here)`."""
