"""Whether a compiled spec with the imported weights is the network that it was imported from.

Compared are parameters, multiply-accumulates by torch's counter, outputs on three inputs, and one training step, with
all that is random switched off. The step starts from weights that were moved at random, so that a part shows that
the weights at hand hide, such as a branch scaled by 1e-6.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from specc.importing.sources import evaluating
from specc.importing.weights import to_spec
from specc.portable.files.original import Entry

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

CLOSE: Final = 1e-5
"""Outputs that are meant to be equal may differ by this share of their spread."""
LEAST_SPREAD: Final = 1e-8
"""Outputs that lie closer together, as a share of the largest, are apart by rounding."""
STEP_CLOSE: Final = 1e-5
IMAGES: Final = 3
MOST_IN_DOUBLE: Final = 20_000_000_000
"""The most multiply-accumulates of an image in double precision: more take minutes."""
ZEROES: Final = r"(feature_|alpha_)*dropout(_|[123]d)?"
"""How torch calls what zeroes values at random."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared: the original's number and ours; differences as a share of the spread of the outputs.

    `trained` is None where the original can't be trained. `sizes` are the shapes of our tensors.
    """

    params: tuple[int, int]
    macs: tuple[int, int]
    outputs: float
    trained: float | None
    sizes: Mapping[str, tuple[int, ...]]

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
    """

    module: Module
    shapes: Sequence[tuple[int, ...]]
    batch: int | None
    macs: int
    used: Sequence[str]
    output: str | None


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
        ours.load_state_dict(to_spec(entries, state, sizes))
        params = sum(value.numel() for name, value in module.named_parameters() if name in set(original.used))
        theirs = in_double(module, shapes, batch, original.macs)
        mine = ours.to(dtype_of(theirs)).eval()
        small = [smaller(shape) for shape in shapes]
        sizes_of = [shapes, *[small if takes(theirs, mine, small, batch) else shapes] * (IMAGES - 1)]
        inputs = [[torch.randn(batch or 1, *size, dtype=dtype_of(mine)) for size in one] for one in sizes_of]
        outputs = compared(theirs, mine, inputs, original.output)
        trained = None
        if batch is None and outputs <= CLOSE:
            trained = after_a_step(theirs, mine, entries, sizes, shapes, original.output)
    return Proof((params, counted[0]), (original.macs, counted[1]), outputs, trained, sizes)


def in_double(module: Module, shapes: Sequence[tuple[int, ...]], batch: int | None, macs: int) -> Module:
    """A copy in double precision; in single where it computes with numbers of its own that are so, or takes long.

    Such numbers need not raise: attention with a mask in single precision is wrong in double.
    """
    import torch

    single = evaluating(copy.deepcopy(module).float())
    if macs > MOST_IN_DOUBLE:
        return single
    given = [torch.randn(batch or 1, *shape, dtype=torch.float64) for shape in shapes]
    try:
        double = evaluating(copy.deepcopy(module).double())
        with torch.no_grad():
            found = [answer(double(*given), None), answer(single(*(x.float() for x in given)), None)]
    except Exception:
        return single
    first, second = (tensor.double() for tensor in found)
    return double if share(first - second, first.abs().max()) < 1e-3 else single


def compared(theirs: Module, mine: Module, inputs: Sequence[Sequence[Tensor]], output: str | None) -> float:
    """The largest difference of the outputs, as a share of how far outputs lie apart."""
    import torch

    with torch.no_grad():
        first = torch.cat([answer(theirs(*given), output).flatten(1) for given in inputs])
        second = torch.cat([mine(*given).flatten(1) for given in inputs])
    if first.shape != second.shape:
        return float("inf")
    spread = (first - first.mean(0)).abs().max()
    spread = torch.maximum(spread, LEAST_SPREAD * first.abs().max())
    return share(first - second, spread)


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


def after_a_step(
    theirs: Module,
    mine: Module,
    entries: Sequence[Entry],
    sizes: Mapping[str, tuple[int, ...]],
    shapes: Sequence[tuple[int, ...]],
    output: str | None,
) -> float | None:
    """How far both lie apart after one step of training from the same, moved weights; None where the original cannot
    be trained, infinite where ours alone cannot."""
    import torch

    move(theirs)
    quiet_drops(theirs)
    quiet_drops(mine)
    start = {name: value.detach().clone() for name, value in theirs.state_dict().items()}
    for small in (True, False):
        mine.load_state_dict(to_spec(entries, start, sizes))
        put(theirs, start)
        given = [torch.randn(2, *(smaller(shape) if small else shape), dtype=dtype_of(mine)) for shape in shapes]
        if small and all(tensor.shape[1:] == torch.Size(shape) for tensor, shape in zip(given, shapes, strict=True)):
            continue
        try:
            weights = step(theirs, given, output)
        except Exception:
            continue
        try:
            step(mine, given, None, weights)
        except Exception:
            if small:
                continue
            return float("inf")
        after = {name: value.detach() for name, value in theirs.state_dict().items()}
        apart = moved_apart(to_spec(entries, start, sizes), to_spec(entries, after, sizes), mine.state_dict())
        theirs.eval()
        mine.eval()
        with torch.no_grad():
            return max(apart, compared(theirs, mine, [given], output))
    return None


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


def step(module: Module, given: Sequence[Tensor], output: str | None, weights: Tensor | None = None) -> Tensor:
    """One step of gradient descent on a random weighing of the outputs, which is returned."""
    import torch

    module.train()
    for parameter in module.parameters():
        parameter.requires_grad_(True)
        parameter.grad = None
    returned = answer(module(*given), output)
    if weights is None:
        weights = torch.randn_like(returned)
    (returned * weights).sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        largest = max(float(p.grad.abs().max()) for p in module.parameters() if p.grad is not None)
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=0.01 / (largest or 1.0))
                parameter.grad = None
    return weights


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


def quiet_drops(module: Module) -> None:
    """Stochastic depth does nothing any more."""
    from specc.importing.trace import drop_path_rate

    for part in [part for part in module.modules() if drop_path_rate(part) is not None]:
        part.forward = lambda x: x


@contextmanager
def plain_random() -> Iterator[None]:
    """Dropout does nothing, also in training, however it is called."""
    from torch.overrides import TorchFunctionMode

    class Off(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = dict(kwargs or {})
            name = getattr(func, "__name__", "")
            if re.fullmatch(ZEROES, name):
                return args[0] if args else kwargs["input"]
            if name == "scaled_dot_product_attention":
                if len(args) > 4:
                    args = (*args[:4], 0.0, *args[5:])
                kwargs.update({} if len(args) > 4 else {"dropout_p": 0.0})
            if name == "bernoulli_":
                return args[0].fill_(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
            return func(*args, **kwargs)

    with Off():
        yield
