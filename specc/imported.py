"""`specc import` as a whole: trace -> recognise -> text -> compile -> weights -> proof. Nothing is written before it
holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from specc.diagnostics import Findings
from specc.importing.flat import operation_of, write_flat
from specc.importing.foreign import File
from specc.importing.keeping import Keeping, Kept
from specc.importing.network import Network, Operation, Written
from specc.importing.prove import Original, Proof, prove
from specc.importing.sources import CannotImport, load_source
from specc.importing.text.write import write as write_well
from specc.importing.trace import multiplications, tied_states, trace
from specc.importing.verdict import check, differs_in_training, is_other_in_training, last_note, training_notes
from specc.importing.weights import Differs, entries_of, to_spec, write_weights
from specc.ops.module.rules import Module
from specc.pipeline import Compiled, compile_project, compile_spec
from specc.portable.files.original import Entry
from specc.source import Source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A network that became a spec.

    state    its weights under the spec's names, and `entries` the way back
    foreign  modules of the user's that were kept, and `files`, the texts of the files that they stand in, by name
    plain    why the text is the plainest there is, with a statement an operation; empty where it is a person's
    unused   parameters and buffers that the output does not depend on
    frozen   parameters that the original does not train
    seconds  of each phase
    notes    what else is to be said of it
    """

    network: Network
    written: Written
    compiled: Compiled
    state: dict[str, Tensor]
    entries: Sequence[Entry]
    proof: Proof
    foreign: tuple[Kept, ...]
    files: Mapping[str, str]
    plain: str
    unused: tuple[str, ...]
    frozen: tuple[str, ...]
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()


def import_network(
    source: str,
    shapes: Sequence[tuple[int, ...]] = (),
    output: str | None = None,
    weights: str | None = None,
    file: str = "",
    predicts: str = "",
) -> Imported:
    """The spec of a network and its weights.

    shapes   of the inputs, without the batch
    output   which of several tensors that it returns
    weights  a file that is loaded into the network first, or `pretrained`
    file     what the spec's file is to be called
    predicts the kind of output, where its shape would say another

    Raises CannotImport where it can't be had: the network does not run, can't be traced or said, or is not the same.
    """
    clock = Clock()
    loaded = load_source(source, weights)
    clock.lap("load")
    shapes = tuple(shapes) or loaded.shapes or ((3, 224, 224),)
    traced = trace(loaded, tuple(shapes), output)
    clock.lap("trace")
    macs = multiplications(traced.traced, traced.program)
    beside = f"{Path(file or loaded.name).stem}_modules.py"
    keeping = Keeping(loaded, traced, tuple(shapes), output, macs, File(beside, loaded.name), predicts)
    network = keeping.network()
    clock.lap("recognise")
    state = {key: value.detach() for key, value in loaded.module.state_dict().items()}
    sizes = {key: tuple(value.shape) for key, value in state.items()}
    used = [key for key, _ in loaded.module.named_parameters() if key not in traced.traced.unused]
    original = Original(
        loaded.module,
        shapes,
        traced.traced.batch if loaded.program is not None else None,
        sum(macs.values()),
        used,
        output,
        network.last,
    )
    name = file or f"{network.name}.specc"
    explained = partial(differs_in_training, loaded=loaded, traced=traced, shapes=shapes)
    tied = tied_states(loaded.module)
    while True:
        try:
            found = proven(network, name, keeping.file, sizes, tied, original, clock, explained)
            break
        except Unfit as unfit:
            network = without(unfit, keeping)
    held = {source for entry in found.entries for source in entry.sources}
    return Imported(
        network,
        found.written,
        found.compiled,
        to_spec(found.entries, state, found.proof.sizes),
        found.entries,
        found.proof,
        keeping.kept,
        {beside: keeping.file.text({part.name for part in keeping.kept})} if keeping.kept else {},
        found.plain,
        tuple(sorted(name for name in state if name not in held)),
        frozen(traced.traced.frozen, found.proof),
        clock.laps,
        (*loaded.notes, *last_note(network.last, network.kind), *training_notes(found.proof)),
    )


def frozen(told: Sequence[str], proof: Proof) -> tuple[str, ...]:
    """Parameters that the original does not train: those that say so, and those that no gradient reaches."""
    still = () if proof.training is None else proof.training.still
    return tuple(dict.fromkeys((*told, *still)))


class Unfit(CannotImport):
    """The plainest text does not compile: the language refuses an operation where it stands."""

    def __init__(self, message: str, operation: Operation) -> None:
        super().__init__(message, place=operation.place)
        self.operation = operation


def without(unfit: Unfit, keeping: Keeping) -> Network:
    """The network with a part around an operation kept as it is, or `unfit` again where nothing can be."""
    if unfit.operation.operator == Module.kind:
        raise unfit
    try:
        keeping.keep_unfit(unfit.operation)
        return keeping.network()
    except CannotImport:
        raise unfit from None


@dataclass(frozen=True, slots=True, eq=False)
class Proven:
    """A text that is the network. `plain` says why it is the plainest there is, where it is."""

    written: Written
    compiled: Compiled
    entries: Sequence[Entry]
    proof: Proof
    plain: str


def proven(
    network: Network,
    file: str,
    foreign: File,
    sizes: Mapping[str, tuple[int, ...]],
    tied: Mapping[str, str],
    original: Original,
    clock: Clock,
    explained: Callable[[Proof], CannotImport],
) -> Proven:
    """A person's text of the network, or the plainest where that does not compile or is another network.

    Raises CannotImport where neither is the network, Unfit where the language refuses an operation of it; `explained`
    says why it is another in training alone.
    """
    why: list[CannotImport] = []
    for write in (write_well, write_flat):
        try:
            written, compiled, entries = as_text(write, network, file, foreign, sizes, tied)
            clock.lap("text")
            proof = compare(compiled, entries, original)
            clock.lap("proof")
            if is_other_in_training(proof):
                raise explained(proof)
            check(proof)
            return Proven(written, compiled, entries, proof, str(why[0]) if why else "")
        except CannotImport as error:
            why.append(error)
    raise why[-1]


def compare(compiled: Compiled, entries: Sequence[Entry], original: Original) -> Proof:
    from specc.cost import cost
    from specc.subnets.space import complete

    graph = compiled.graph
    report = cost(graph, complete(graph, {}, "max"))
    return prove(original, compile_project(compiled), entries, (report.params_total, report.macs))


def as_text(
    write: Callable[[Network], Written],
    network: Network,
    file: str,
    foreign: File,
    sizes: Mapping[str, tuple[int, ...]],
    tied: Mapping[str, str],
) -> tuple[Written, Compiled, list[Entry]]:
    """A text, compiled, and where its weights come from. Raises CannotImport for a mistake of the writer's, Unfit where
    the plainest text does not compile."""
    findings = Findings()
    try:
        written = write(network)
        with TemporaryDirectory(prefix="specc-import-") as folder:
            Path(folder, foreign.path).write_text(foreign.text(), encoding="utf-8")
            source = Source(file, written.text, Path(folder, file).as_posix())
            compiled = compile_spec(source, {}, findings)
        if compiled is not None:
            return written, compiled, entries_of(network, written, compiled.graph, sizes, tied)
    except (Differs, ValueError, AssertionError, KeyError, IndexError, RecursionError) as error:
        raise CannotImport(f"the text is another network, which is a bug in specc: {error}") from error
    told = findings.diagnostics[0]
    at, _ = source.position(told.primary.span.start)
    operation = operation_of(network, source.line(at)) if write is write_flat else None
    if operation is not None:
        raise Unfit(f"the language refuses an operation here: {told.primary.message}", operation)
    raise CannotImport(f"the text does not compile, which is a bug in specc: {told.primary.message}")


def install(found: Imported, text: str, output: Path) -> list[Path]:
    """Writes the spec, its weights beside it, and the files of kept modules; gives their paths.

    Everything is written under other names first, so that what fails leaves nothing behind.
    """
    weights = output.with_suffix(".safetensors")
    texts = {output: text} | {output.with_name(name): code for name, code in found.files.items()}
    beside = {path: path.with_name(f".{path.name}.tmp") for path in (*texts, weights)}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for path, content in texts.items():
            beside[path].write_text(content, encoding="utf-8", newline="")
        write_weights(beside[weights], found.state, found.entries, found.unused)
        beside[weights].chmod(beside[output].stat().st_mode)  # as any file of the user's, not private
        for path, written in beside.items():
            written.replace(path)
    finally:
        for written in beside.values():
            written.unlink(missing_ok=True)
    return [*beside]


class Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self.last
        self.last = now
