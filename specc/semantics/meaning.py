"""What names mean: found once, when names are checked, and asked for by whoever reads the tree later."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from specc.frozen import frozen
from specc.ir.parameter import Signature
from specc.syntax import ast


@frozen
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


@frozen
class BlockCall:
    """A call of a block."""

    block: ast.Block
    bound: Mapping[str, ast.Arg]


@frozen
class FileValue:
    """What a `let` or `param` at the top of a file holds. Called, it is the operator whose name it holds."""

    statement: ast.LetStatement | ast.ParamStatement


class Means(Enum):
    """What a name means that needs no more to be said of it."""

    LOCAL = "what a parameter, let, param or repeat around it holds; called, the operator whose name that is"
    TENSOR = "a tensor that the block or the supernet around it names, or `here`"
    CHOICE = "a choice of the supernet"
    INCOMING = "the channels of what arrives: `in`"
    WORD = "a word: a mode, an option, an operator to be called elsewhere"


Meaning: TypeAlias = OperatorCall | BlockCall | FileValue | Means
Meanings: TypeAlias = Mapping[ast.Name, Meaning]
"""By the name itself. A bare name may stand for a call: `relu` in `concat(relu, here)`."""
