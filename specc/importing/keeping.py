"""The network in words, and the parts of it that have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specc.importing.foreign import Around, File, Part, class_name, code_of, foreign_of, joined, part_around, sides_of
from specc.importing.layers import layers_of
from specc.importing.network import Network, Operation
from specc.importing.predicts import check_output
from specc.importing.recognise import Foreign, Unread, recognise, unfit
from specc.importing.rehearse import Rehearsal
from specc.importing.sources import CannotImport, Loaded
from specc.importing.trace import Trace, trace


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


@dataclass(frozen=True, slots=True)
class KeptPart:
    part: Part
    foreign: Foreign
    kept: Kept


class Keeping:
    """The parts of a network that have no words, as far as they are found. Their classes come into a file at `path`."""

    def __init__(
        self,
        loaded: Loaded,
        trace_: Trace,
        shapes: tuple[tuple[int, ...], ...],
        output: str | None,
        macs: Mapping[str, int],
        file: File,
        predicts: str = "",
    ) -> None:
        """`predicts` is the kind of its output where the user says so."""
        self.loaded, self.trace, self.shapes, self.output = loaded, trace_, shapes, output
        self.macs, self.file, self.predicts = macs, file, predicts
        self.parts: list[KeptPart] = []
        self.found: tuple[Around, Rehearsal] | None = None

    @property
    def foreign(self) -> list[Foreign]:
        return [part.foreign for part in self.parts]

    @property
    def kept(self) -> tuple[Kept, ...]:
        return tuple(part.kept for part in self.parts)

    def network(self) -> Network:
        """In words, but for the parts that have none. Raises CannotImport for what can't stay a part."""
        check_output(self.trace.traced, self.predicts)
        while True:
            network = recognise(self.trace.traced, self.foreign, self.predicts)
            if not isinstance(network, Unread):
                return network
            self.keep(network)

    def keep_unfit(self, operation: Operation) -> None:
        """Keeps a part around an operation that the language refuses where it stands. Raises CannotImport where there
        is none."""
        self.keep(unfit(self.trace.traced, self.foreign, operation, self.predicts))

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
        before = self.parts
        self.parts = [other for other in before if not {*other.foreign.nodes} <= names]
        told = unread.why or unread.node.target
        place = unread.node.place
        for other in self.parts:
            both = joined(other.part, part, around.traced)
            more = None if both is None else sides_of(both, unread.seen, around.twin)
            if both is not None and more is not None and (one := code_of(both, more, around, rehearsal.holds)):
                self.parts.remove(other)
                part, sides, code = both, more, one
                told, place = f"{other.kept.operator}, {told}", other.kept.place
                break
        self.file.forget({other.kept.name for other in before} - {other.kept.name for other in self.parts})
        name = self.file.named(code, class_name(part))
        counted = sum(self.macs.get(node.name, 0) for node in part.nodes)
        found = foreign_of(part, sides, code, name, self.file.path, unread.seen, counted)
        self.parts.append(KeptPart(part, found, Kept(part.path, self.file.path, name, told, place)))
