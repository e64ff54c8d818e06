"""A network as it was recognised in PyTorch, in the operators of the language, and what becomes of it as text.

Tracing makes a `Network` of a module, the writer makes a `Written` of that. In between nothing knows of torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.traced.graph import Frame, Weight

__all__ = ["Frame", "Input", "Network", "Operation", "Weight", "Written"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, in the words of the language.

    name        unique in the network
    operator    the operator's kind: `conv`, `batch_norm`, `add`, `relu`
    parameters  arguments by the operator's own names; one that equals its default may be there or be left out
    inputs      names of the values it reads, in the operator's order; `outputs` those it makes
    stack       the modules around it, outermost first; may be empty
    weights     the state name in our layer (`weight`, `running_mean`) and where it comes from
    place       where the original computes it: `resnet.py:147`
    """

    name: str
    operator: str
    parameters: Mapping[str, object]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stack: tuple[Frame, ...] = ()
    weights: Mapping[str, Weight] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """What comes in from outside.

    name   the value's name, which operations read
    kind   the word after `input`: `image`, `vector`
    shape  its sizes in the order in which that kind's call takes them: channels, height and width of an image
    """

    name: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """A recognised network.

    operations  in the order of execution
    shapes      of every value, inputs included, without the batch: (channels, height, width) of a map,
                (tokens, channels) of tokens, (features,) of a vector
    output      the value that is returned
    last        the function that the original applies to it at the end and the spec leaves to training: `aten.softmax`
    kind        of the output, as `specc.outputs` calls it
    """

    name: str
    inputs: tuple[Input, ...]
    operations: tuple[Operation, ...]
    shapes: Mapping[str, tuple[int, ...]]
    output: str
    last: str = ""
    kind: str = "classes"


@dataclass(frozen=True, slots=True)
class Written:
    """A network as the text of a spec.

    text   formatted, and compiles
    order  the operations' names in the order in which the compiled graph executes them, repeats unrolled
    """

    text: str
    order: tuple[str, ...]
