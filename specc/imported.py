"""`specc import` as a whole: trace -> recognise -> text -> compile -> weights -> proof. Nothing is written before it
holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from specc.diagnostics import Findings
from specc.importing.flat import write_flat
from specc.importing.foreign import Around, File, Part, class_name, code_of, foreign_of, joined, part_around, sides_of
from specc.importing.layers import layers_of
from specc.importing.network import Network, Written
from specc.importing.prove import Original, Proof, prove
from specc.importing.recognise import Foreign, Unread, recognise
from specc.importing.rehearse import Rehearsal
from specc.importing.sources import CannotImport, Loaded, load_source
from specc.importing.text.write import write as write_well
from specc.importing.trace import Trace, multiplications, trace
from specc.importing.weights import Differs, entries_of, to_spec, write_weights
from specc.pipeline import Compiled, compile_project, compile_spec
from specc.portable.files.original import Entry
from specc.source import Source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Kept:
    """A module of the user's that the language has no word for.

    path      in the network: `layers.2.attn`
    file      that it stands in, as the spec names it; `name` is its class
    operator  what no operator stands for, and `place` where it is called
    """

    path: str
    file: str
    name: str
    operator: str
    place: str


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A network that became a spec.

    state    its weights under the spec's names, and `entries` the way back
    foreign  modules of the user's that were kept, and `files`, the texts of the files that they stand in, by name
    plain    why the text is the plainest there is, with a statement an operation; empty where it is a person's
    unused   parameters that the output does not depend on
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
) -> Imported:
    """The spec of a network and its weights.

    shapes   of the inputs, without the batch
    output   which of several tensors that it returns
    weights  a file that is loaded into the network first, or `pretrained`
    file     what the spec's file is to be called

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
    network, foreign, kept = recognised(loaded, traced, tuple(shapes), output, macs, beside)
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
    )
    found = proven(network, file or f"{network.name}.specc", foreign, sizes, original, clock)
    return Imported(
        network,
        found.written,
        found.compiled,
        to_spec(found.entries, state, found.proof.sizes),
        found.entries,
        found.proof,
        kept,
        {foreign.path: foreign.text({part.name for part in kept})} if kept else {},
        found.plain,
        traced.traced.unused,
        traced.traced.frozen,
        clock.laps,
        loaded.notes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Proven:
    """A text that is the network. `plain` says why it is the plainest there is, where it is."""

    written: Written
    compiled: Compiled
    entries: Sequence[Entry]
    proof: Proof
    plain: str


def recognised(
    loaded: Loaded,
    trace_: Trace,
    shapes: tuple[tuple[int, ...], ...],
    output: str | None,
    macs: Mapping[str, int],
    path: str,
) -> tuple[Network, File, tuple[Kept, ...]]:
    """The network in words, and a file at `path` of the parts that have none. Raises CannotImport for what can't stay
    a part."""
    keeping = Keeping(loaded, trace_, shapes, output, macs, File(path, loaded.name))
    while True:
        network = recognise(trace_.traced, [part.foreign for part in keeping.parts])
        if not isinstance(network, Unread):
            return network, keeping.file, tuple(part.kept for part in keeping.parts)
        keeping.keep(network)


@dataclass(frozen=True, slots=True)
class KeptPart:
    part: Part
    foreign: Foreign
    kept: Kept


class Keeping:
    """The parts of a network that have no words, as far as they are found."""

    def __init__(
        self,
        loaded: Loaded,
        trace_: Trace,
        shapes: tuple[tuple[int, ...], ...],
        output: str | None,
        macs: Mapping[str, int],
        file: File,
    ) -> None:
        self.loaded, self.trace, self.shapes, self.output = loaded, trace_, shapes, output
        self.macs, self.file = macs, file
        self.parts: list[KeptPart] = []
        self.found: tuple[Around, Rehearsal] | None = None

    def around(self, unread: Unread) -> tuple[Around, Rehearsal]:
        """The network as keeping a part needs it: traced a second time, with another batch."""
        if self.found is None:
            node, traced = unread.node, self.trace.traced
            if self.loaded.program is not None:
                raise CannotImport(f"no operator stands for {node.target}: `{node.code}`", place=node.place)
            twin = trace(self.loaded, self.shapes, self.output, traced.batch + 1).traced
            held = self.loaded.module.state_dict().keys()
            around = Around(traced, twin, layers_of(self.loaded.module), held)
            self.found = around, Rehearsal(self.trace.program, traced.batch)
        return self.found

    def keep(self, unread: Unread) -> None:
        """Keeps the smallest part around what has no words."""
        around, rehearsal = self.around(unread)
        part, sides, code = part_around(unread.seen, unread.node, around, unread.together, rehearsal.holds)
        names = {other.name for other in part.nodes}
        self.parts = [other for other in self.parts if not {*other.foreign.nodes} <= names]
        told = "weights that are used twice" if unread.together else unread.node.target
        place = unread.node.place
        for other in self.parts:
            both = joined(other.part, part, around.traced)
            more = None if both is None else sides_of(both, unread.seen, around.twin)
            if both is not None and more is not None and (one := code_of(both, more, around, rehearsal.holds)):
                self.parts.remove(other)
                part, sides, code = both, more, one
                told, place = f"{other.kept.operator}, {told}", other.kept.place
                break
        name = self.file.named(code, class_name(part))
        counted = sum(self.macs.get(node.name, 0) for node in part.nodes)
        found = foreign_of(part, sides, code, name, self.file.path, unread.seen, counted)
        self.parts.append(KeptPart(part, found, Kept(part.path, self.file.path, name, told, place)))


def proven(
    network: Network,
    file: str,
    foreign: File,
    sizes: Mapping[str, tuple[int, ...]],
    original: Original,
    clock: Clock,
) -> Proven:
    """A person's text of the network, or the plainest where that does not compile or is another network.

    Raises CannotImport where neither is the network.
    """
    why: list[CannotImport] = []
    for write in (write_well, write_flat):
        try:
            written, compiled, entries = as_text(write, network, file, foreign, sizes)
            clock.lap("text")
            proof = compare(compiled, entries, original)
            clock.lap("proof")
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
) -> tuple[Written, Compiled, list[Entry]]:
    """A text, compiled, and where its weights come from. Raises CannotImport for a mistake of the writer's."""
    findings = Findings()
    try:
        written = write(network)
        with TemporaryDirectory(prefix="specc-import-") as folder:
            Path(folder, foreign.path).write_text(foreign.text(), encoding="utf-8")
            source = Source(file, written.text, Path(folder, file).as_posix())
            compiled = compile_spec(source, {}, findings)
        if compiled is not None:
            return written, compiled, entries_of(network, written, compiled.graph, sizes)
    except (Differs, ValueError, AssertionError, KeyError, IndexError, RecursionError) as error:
        raise CannotImport(f"the text is another network, which is a bug in specc: {error}") from error
    told = findings.diagnostics[0]
    raise CannotImport(f"the text does not compile, which is a bug in specc: {told.primary.message}")


def check(proof: Proof) -> None:
    """Raises CannotImport where the two networks are not one."""
    if proof.params[0] != proof.params[1]:
        raise CannotImport(f"the original has {proof.params[0]:,} parameters, and the spec {proof.params[1]:,}")
    if proof.macs[0] != proof.macs[1]:
        raise CannotImport(f"the original takes {proof.macs[0]:,} multiply-accumulates, and the spec {proof.macs[1]:,}")
    if not proof.holds:
        where = "outputs" if proof.outputs > 1e-5 else "outputs after a step of training"
        found = max(proof.outputs, proof.trained or 0.0)
        raise CannotImport(f"the spec's {where} differ from the original's, by {found:.1e} of their spread")


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
        write_weights(beside[weights], found.state, found.entries)
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
