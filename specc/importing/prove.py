"""Whether a compiled spec with the imported weights is the network that it was imported from.

Compared are parameters, multiply-accumulates by torch's counter, outputs on three inputs, and one training step, with
all that is random switched off. The step starts from weights that were moved at random, so that a part shows that
the weights at hand hide, such as a branch scaled by 1e-6.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from specc.importing.predicts import EACH
from specc.importing.quiet import plain_random, quiet_drops, told
from specc.importing.sources import CannotImport, evaluating
from specc.importing.weights import to_spec
from specc.portable.files.original import Entry

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

CLOSE: Final = 1e-5
"""Outputs that are meant to be equal may differ by this share of their spread."""
LEAST_SPREAD: Final = 1e-6
"""Outputs that lie closer together, as a share of the largest, count as this far apart: norms of a deep network whose
statistics are not those of its features leave hardly more of an image than rounding does."""
STEP_CLOSE: Final = 1e-5
SAME_IN_SINGLE: Final = 1e-3
"""A network is the same in both precisions where its outputs differ by less than this share."""
IMAGES: Final = 3
COPIES_IN_DOUBLE: Final = 4
MANY: Final = 100_000_000
"""Parameters: the memory that fewer take is not worth a look."""
MOST_IN_DOUBLE: Final = 20_000_000_000
"""The most multiply-accumulates of an image that are compared in double precision at once: more take minutes."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared: the original's number and ours; differences as a share of the spread of the outputs.

    `trained` is None where the original can't be trained, and `training` says more of it. `sizes` are the shapes of our
    tensors, `double` whether both were compared in double precision.
    """

    params: tuple[int, int]
    macs: tuple[int, int]
    outputs: float
    trained: float | None
    sizes: Mapping[str, tuple[int, ...]]
    training: Trained | None = None
    double: bool = True

    @property
    def holds(self) -> bool:
        same = self.params[0] == self.params[1] and self.macs[0] == self.macs[1]
        return same and self.outputs <= CLOSE and (self.trained is None or self.trained <= STEP_CLOSE)


@contextmanager
def model_of(files: Mapping[str, str]) -> Iterator[Module]:
    """The network of a project's files, with random weights; nothing of it stays importable."""
    before = {name: module for name, module in sys.modules.items() if is_of_project(name)}
    for name in before:
        del sys.modules[name]
    with TemporaryDirectory(prefix="specc-import-") as folder:
        for path, text in files.items():
            if path.endswith(".py") and not path.startswith(("train", "search", "export", "bench")):
                place = Path(folder, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            spec = spec_from_file_location("model", Path(folder, "model.py"))
            assert spec is not None
            assert spec.loader is not None
            code = module_from_spec(spec)
            sys.modules["model"] = code
            spec.loader.exec_module(code)
            yield code.Model()
        finally:
            sys.path.remove(folder)
            for name in [name for name in sys.modules if is_of_project(name)]:
                del sys.modules[name]
            sys.modules.update(before)


def is_of_project(name: str) -> bool:
    return name in ("model", "space", "costs") or name.split(".")[0] == "elastic"


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """What a spec is compared with.

    shapes   of its inputs without the batch; `batch` is the only one that it takes, or None for any
    macs     of one image, as torch counts them
    used     the parameters that the output depends on
    output   which of several outputs it is
    last     the function that it ends in and the spec leaves out: `aten.softmax`
    """

    module: Module
    shapes: Sequence[tuple[int, ...]]
    batch: int | None
    macs: int
    used: Sequence[str]
    output: str | None
    last: str = ""


def prove(original: Original, files: Mapping[str, str], entries: Sequence[Entry], counted: tuple[int, int]) -> Proof:
    """Compares a network with the project of its spec.

    `counted` are the spec's parameters and MACs, as the compiler counts them.
    """
    module, shapes, batch = original.module, original.shapes, original.batch
    import torch

    torch.manual_seed(0)
    with model_of(files) as ours, torch.random.fork_rng(), plain_random():
        state = {name: value.detach() for name, value in module.state_dict().items()}
        sizes = {name: tuple(value.shape) for name, value in ours.state_dict().items()}
        params = sum(value.numel() for name, value in module.named_parameters() if name in set(original.used))
        both = (params, counted[0]), (original.macs, counted[1])
        for theirs in in_precisions(module, shapes, batch, original.macs, ours):
            ours.load_state_dict(to_spec(entries, state, sizes))
            mine = ours.to(dtype_of(theirs)).eval()
            small = [smaller(shape) for shape in shapes]
            sizes_of = [shapes, *[small if takes(theirs, mine, small, batch) else shapes] * (IMAGES - 1)]
            inputs = [[torch.randn(batch or 1, *size, dtype=dtype_of(mine)) for size in one] for one in sizes_of]
            outputs = compared(theirs, mine, inputs, original.output, original.last)
            trained = None
            if batch is None and outputs <= CLOSE:
                trained = after_a_step(theirs, mine, entries, sizes, shapes, original.output, original.last)
            double = dtype_of(theirs) == torch.float64
            proof = Proof(*both, outputs, None if trained is None else trained.apart, sizes, trained, double)
            if proof.holds:
                break
    return proof


def in_precisions(
    module: Module, shapes: Sequence[tuple[int, ...]], batch: int | None, macs: int, ours: Module | None = None
) -> Iterator[Module]:
    """Copies of a network to compare in: in double precision, then in single where that may be another network. In
    single alone where one of both does not run in double, as a part that turns all numbers into single ones.

    A network that computes with numbers of its own in single precision can be wrong in double without raising, as
    attention with a mask is. One that makes much of rounding is the same network, which only double can show: so both
    are tried where they differ. Large networks, which take long in double, are compared in single first.
    """
    import torch

    def runs(given: Sequence[Tensor]) -> list[Tensor] | None:
        """What the network answers in double and in single precision; None where one does not run in double."""
        try:
            with torch.no_grad():
                found = [answer(double(*given), None), answer(single(*(x.float() for x in given)), None)]
                if ours is not None:
                    ours.double().eval()(*given)
        except Exception:
            return None
        return found

    single = evaluating(copy.deepcopy(module).float())
    given = [torch.randn(batch or 1, *shape, dtype=torch.float64) for shape in shapes]
    large = macs > MOST_IN_DOUBLE
    if large:
        yield single
    check_memory(sum(parameter.numel() for parameter in module.parameters()), free_memory())
    double = evaluating(copy.deepcopy(module).double())
    found = runs(given)
    if found is not None:
        yield double
    if large:
        return
    if found is None:
        yield single
        return
    first, second = (tensor.double() for tensor in found)
    if share(first - second, first.abs().max()) >= SAME_IN_SINGLE:
        yield single


def check_memory(parameters: int, free: int | None) -> None:
    """Raises CannotImport where a network does not fit into memory in double precision: both networks, what they were
    before the step, and gradients. A system would kill the process instead. `free` bytes are None where unknown."""
    needed = COPIES_IN_DOUBLE * 8 * parameters
    if free is not None and parameters > MANY and needed > free:
        raise CannotImport(
            f"to compare it in double precision takes {needed >> 30} GB of memory, and {free >> 30} are free",
            help="import it on a machine with more memory, or a smaller network of its kind: only sizes differ",
        )


def free_memory() -> int | None:
    """The bytes that the system can still give, None where it does not say (only Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found[1]) * 1024


def compared(
    theirs: Module, mine: Module, inputs: Sequence[Sequence[Tensor]], output: str | None, last: str = ""
) -> float:
    """The largest difference of the outputs, as a share of how far outputs lie apart. `last` is applied to ours."""
    import torch

    with torch.no_grad():
        first = torch.cat([answer(theirs(*given), output).flatten(1) for given in inputs])
        second = torch.cat([with_last(mine(*given), last).flatten(1) for given in inputs])
    if first.shape != second.shape:
        return float("inf")
    return share(first - second, spread_of(first))


def with_last(logits: Tensor, last: str) -> Tensor:
    """Logits with the function that the original ends in and the spec leaves out; "" for none."""
    import torch

    if not last:
        return logits
    function = getattr(torch, last.removeprefix("aten."))
    made: Tensor = function(logits) if last == EACH else function(logits, 1)
    return made


def spread_of(outputs: Tensor) -> Tensor:
    """How far the outputs of several images lie apart."""
    import torch

    return torch.maximum((outputs - outputs.mean(0)).abs().max(), LEAST_SPREAD * outputs.abs().max())


def share(difference: Tensor, of: Tensor) -> float:
    """The largest difference as a share; infinite where it is no number."""
    largest = float(difference.abs().max())
    if largest == 0:
        return 0.0
    found = largest / max(float(of), 1e-300)
    return found if found == found else float("inf")


def answer(returned: Any, output: str | None) -> Tensor:
    """The tensor that counts of what a network returns: the one that is named, or the first."""
    from torch import Tensor

    from specc.importing.trace import leaves

    found = dict(leaves(returned)) if not isinstance(returned, Tensor) else {"": returned}
    tensor = found[output] if output is not None and output in found else next(iter(found.values()))
    assert isinstance(tensor, Tensor)
    return tensor


def takes(theirs: Module, mine: Module, sizes: Sequence[tuple[int, ...]], batch: int | None) -> bool:
    """Whether both networks run on inputs of other sizes than those that they were traced with."""
    import torch

    given = [torch.randn(batch or 1, *size, dtype=dtype_of(mine)) for size in sizes]
    try:
        with torch.no_grad():
            theirs(*given)
            mine(*given)
    except Exception:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Trained:
    """Two networks after a step of training from the same, moved weights.

    apart    how far: infinite where ours alone cannot take it
    forward  how far their outputs in training are before it
    random   what is dropped at random in one and not in the other
    resting  modules that the original's own `train` leaves in evaluation mode
    backward functions of the original that have a gradient of their own
    still    parameters that the original's output depends on and its gradient does not reach
    """

    apart: float
    forward: float = 0.0
    random: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    backward: tuple[str, ...] = ()
    still: tuple[str, ...] = ()


def after_a_step(
    theirs: Module,
    mine: Module,
    entries: Sequence[Entry],
    sizes: Mapping[str, tuple[int, ...]],
    shapes: Sequence[tuple[int, ...]],
    output: str | None,
    last: str = "",
) -> Trained | None:
    """A step of both; None where the original cannot be trained."""
    import torch

    move(theirs)
    drops: tuple[Counter[tuple[str, float]], Counter[tuple[str, float]]] = (Counter(), Counter())
    quiet_drops(theirs, drops[0])
    quiet_drops(mine, drops[1])
    start = {name: value.detach().clone() for name, value in theirs.state_dict().items()}
    for small in (True, False):
        mine.load_state_dict(to_spec(entries, start, sizes))
        put(theirs, start)
        given = [torch.randn(2, *(smaller(shape) if small else shape), dtype=dtype_of(mine)) for shape in shapes]
        if small and all(tensor.shape[1:] == torch.Size(shape) for tensor, shape in zip(given, shapes, strict=True)):
            continue
        for found in drops:
            found.clear()
        resting = training(theirs)
        try:
            with plain_random(drops[0]):
                before, weights, unreached = step(theirs, given, output)
        except Exception:
            continue
        still = unreached & {source for entry in entries for source in entry.sources}
        held = {entry.name for entry in entries if still.issuperset(entry.sources)}
        training(mine)
        try:
            with plain_random(drops[1]):
                after, _, _ = step(mine, given, None, weights, last, held)
        except Exception:
            if small:
                continue
            return Trained(float("inf"))
        moved = {name: value.detach() for name, value in theirs.state_dict().items()}
        apart = moved_apart(to_spec(entries, start, sizes), to_spec(entries, moved, sizes), mine.state_dict())
        theirs.eval()
        mine.eval()
        with torch.no_grad():
            apart = max(apart, compared(theirs, mine, [given], output, last))
        first, second = before.detach(), after.detach()
        forward = share(first - second, spread_of(first)) if first.shape == second.shape else float("inf")
        return Trained(apart, forward, told(*drops), resting, own_gradients(before), tuple(sorted(still)))
    return None


def training(module: Module) -> tuple[str, ...]:
    """Puts a network into training mode, all of it; the modules with norms or dropout that its own `train` leaves in
    evaluation mode."""
    module.train()
    resting = tuple(path for path, part in module.named_modules() if not part.training and is_other_in_training(part))
    for part in module.modules():
        part.training = True
    return resting


def is_other_in_training(part: Module) -> bool:
    return type(part).__module__.startswith(("torch.nn.modules.batchnorm", "torch.nn.modules.dropout"))


def own_gradients(output: Tensor) -> tuple[str, ...]:
    """The user's autograd functions on the way to an output."""
    from torch.autograd.function import BackwardCFunction

    found: dict[str, None] = {}
    waiting, seen = [output.grad_fn], set[object]()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if issubclass(type(node), BackwardCFunction):
            found[type(node).__name__.removesuffix("Backward")] = None
        waiting += [before for before, _ in node.next_functions]
    return tuple(found)


def put(module: Module, state: Mapping[str, Tensor]) -> None:
    """Gives a network a state of its own, as it is: what `load_state_dict` of a class does besides is left out."""
    import torch

    with torch.no_grad():
        for name, value in module.state_dict().items():
            value.copy_(state[name])


def smaller(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A map of at most 64 pixels a side: every operation is the same there, and a step takes a tenth of the time."""
    return (shape[0], *(min(size, 64) for size in shape[1:])) if len(shape) == 3 else shape


def dtype_of(module: Module) -> Any:
    return next(module.parameters()).dtype


def step(
    module: Module,
    given: Sequence[Tensor],
    output: str | None,
    weights: Tensor | None = None,
    last: str = "",
    still: Collection[str] = (),
) -> tuple[Tensor, Tensor, set[str]]:
    """One step of gradient descent on a random weighing of the outputs; these, the weighing, and the parameters that no
    gradient reaches. Those that are called `still` stay as they are."""
    import torch

    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in still)
        parameter.grad = None
    returned = with_last(answer(module(*given), output), last)
    if weights is None:
        weights = torch.randn_like(returned)
    statistics = [buffer.clone() for buffer in module.buffers()]
    (returned * weights).sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for buffer, value in zip(module.buffers(), statistics, strict=True):
            buffer.copy_(value)  # checkpointed parts run again for their gradient, and norms count that as a batch
        unreached = {name for name, parameter in module.named_parameters() if parameter.grad is None}
        largest = max(float(p.grad.abs().max()) for p in module.parameters() if p.grad is not None)
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=0.01 / (largest or 1.0))
                parameter.grad = None
    return returned, weights, unreached


def moved_apart(before: Mapping[str, Tensor], theirs: Mapping[str, Tensor], mine: Mapping[str, Tensor]) -> float:
    """The largest difference of two states, as a share of how far each tensor moved."""
    moves = {name: float((theirs[name] - before[name]).abs().max()) for name in theirs if theirs[name].numel()}
    least = 1e-9 * max(moves.values(), default=0.0)
    found = 0.0
    for name, moved in moves.items():
        largest = float((theirs[name] - mine[name]).abs().max())
        found = max(found, largest / max(moved, least) if largest > least else 0.0)
    return found


def move(module: Module) -> None:
    """Gives scales, offsets and statistics values that would show a mix-up, and all weights a little noise."""
    import torch

    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point() or not value.numel():
                continue
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                value.uniform_(-0.1, 0.1)
            elif isinstance(value, torch.nn.Parameter) and value.numel() == max(value.shape, default=1):
                if name.endswith("bias"):
                    value.uniform_(-0.1, 0.1)
                else:
                    value.uniform_(0.5, 1.5)
            elif isinstance(value, torch.nn.Parameter):
                value.add_(torch.randn_like(value), alpha=0.1 * float(value.std()) + 1e-3)
