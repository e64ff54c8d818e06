"""Whether a part's class computes what the original does: both are run on random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from specc.importing.foreign import Part, Sides, class_name, file_text, sizes_of
from specc.importing.python import Code
from specc.importing.trace import argument_nodes, evaluated, replaced

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

CLOSE: Final = 1e-3
"""Parts are compared in single precision, by this share of the largest number."""


class Rehearsal:
    """A traced program of which parts are run, each class once."""

    def __init__(self, program: ExportedProgram, batch: int) -> None:
        self.program, self.batch = program, batch
        self.nodes = {node.name: node for node in program.graph.nodes}
        self.states = states_of(program)
        self.known: dict[str, bool] = {}

    def holds(self, part: Part, sides: Sides, code: Code) -> bool:
        """Whether the class gives what the part does, and of each image the same in a larger batch."""
        key = f"{sides.before}|{sides.after}|{code.body}"
        if key not in self.known:
            self.known[key] = self.tried(part, sides, code)
        return self.known[key]

    def tried(self, part: Part, sides: Sides, code: Code) -> bool:
        import torch

        made: dict[str, Any] = {"__name__": "rehearsed"}
        name = class_name(part)
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                exec(compile(file_text("it", {code.body: name}), "rehearsed.py", "exec"), made)
                mine = made[name]().eval()
                mine.load_state_dict({ours.partition(".")[2]: self.kept(own) for ours, own in code.states.items()})
                x = torch.randn(self.batch + 1, *sizes_of(sides.read))
                few = x[: self.batch]
                wanted = eval(f"y{sides.after}", {"y": self.run(part, eval(f"x{sides.before}", {"x": few}))})
                alone, more = mine(few.clone()), mine(x.clone())
        except Exception:
            return False
        return alike(alone, wanted) and alike(more[: self.batch], wanted)

    def kept(self, name: str) -> Tensor:
        held: Tensor = self.program.state_dict[name]
        return held.detach().clone()

    def run(self, part: Part, x: Tensor) -> Tensor:
        """What the original's calls make of a tensor."""
        values: dict[str, Any] = {}
        for node in part.nodes:
            fx = self.nodes[node.name]
            args, kwargs = fx.args, dict(fx.kwargs)
            for before in argument_nodes((args, kwargs)):
                if before.name not in values:
                    values[before.name] = self.states.get(before.name, x)
            assert callable(fx.target)
            values[node.name] = fx.target(*replaced(args, values), **replaced(kwargs, values))
        result: Tensor = values[part.result]
        return result


def states_of(program: ExportedProgram) -> Mapping[str, Tensor]:
    """Parameters, buffers and constants, and what is computed of constants alone, by the names of nodes."""
    signature = program.graph_signature
    found: dict[str, Tensor] = dict(evaluated(program))
    for names in (signature.inputs_to_parameters, signature.inputs_to_buffers):
        for node, name in names.items():
            held = program.state_dict.get(name, program.constants.get(name))
            found[node] = held.detach().clone()
    for node, name in signature.inputs_to_lifted_tensor_constants.items():
        found.setdefault(node, program.constants[name])
    return found


def alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or not other.is_floating_point():
        return False
    largest = max(float(other.abs().max()), 1e-6) if other.numel() else 0.0
    return bool(((one - other).abs() <= CLOSE * largest).all())
