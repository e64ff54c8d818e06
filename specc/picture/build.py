"""A graph as a picture: cells with chips, detours around what can be left out, and what all of it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from specc.cost.report import cost
from specc.cost.rows import OpRow
from specc.importance.marks import Edge, Marks
from specc.ir.choice import Assignment
from specc.ir.expr import Expr, both, evaluate, free
from specc.ir.extent import Extents, percent, short
from specc.ir.graph import Graph, Op
from specc.picture.cells import LONG, RawCell, RawLane, Region, lanes
from specc.picture.facts import by_lane, facts_of, global_choices, lane_notes
from specc.picture.fold import Folded, Folder, RawChip
from specc.picture.view import ENTRY, Cell, Chip, Detour, Lane, Link, Picture, Unit
from specc.picture.words import condition, costs, describe, label, shape_of
from specc.subnets.space import complete


def build(graph: Graph, at: Assignment | None = None, marks: Marks | None = None) -> Picture:
    """The picture of a network, costs at its largest sub-network; with `at`, a canonical assignment, of that one.

    Linear in the size of the graph.
    """
    builder = Builder(graph, at, marks)
    drawn = tuple(builder.lane(lane) for lane in lanes(graph))
    chips = [chip for lane in drawn for unit in lane.units for cell in unit.cells for chip in cell.chips]
    best = None if marks is None else marks.best
    return Picture(
        name=graph.name,
        facts=facts_of(graph, builder.report, at),
        choices=global_choices(graph, at),
        lanes=drawn,
        most=max((chip.share for chip in chips), default=0.0),
        scale=builder.scale,
        best="" if best is None else f"best path: {best.nodes} feature maps, mean TAS {best.mean_tas:.4g}",
        has_detours=any(unit.detours for lane in drawn for unit in lane.units),
    )


class Builder:
    """What the cells of one graph are built from."""

    def __init__(self, graph: Graph, at: Assignment | None, marks: Marks | None) -> None:
        full = complete(graph, {}, "max") if at is None else at
        self.graph = graph
        self.at = None if at is None else {**{c.name: c.smallest for c in graph.choices}, **at}
        self.report = cost(graph, full)
        self.rows: Mapping[str, OpRow] = {row.name: row for row in self.report.ops}
        self.total = self.report.macs or 1
        self.extents = Extents(graph, at)
        self.tensors = graph.tensor_table()
        self.folder = Folder(graph)
        self.edges: Mapping[str, Edge] = {} if marks is None else {edge.name: edge for edge in marks.ops}
        self.tas: Mapping[str, float] = {} if marks is None else marks.tas
        self.path = frozenset(() if marks is None else marks.best_ops)
        self.scale = (min(self.tas.values()), max(self.tas.values())) if self.tas else None
        self.made: dict[str, str] = {}
        self.choices = by_lane(graph) if at is None else {}
        self.near = {""}

    def lane(self, raw: RawLane) -> Lane:
        """A lane; runs of many operations become a cell each, so that equal ones can be drawn once."""
        folded = [(cell, self.folder.fold(cell)) for cell in raw.cells]
        parts: list[tuple[RawCell, Folded]] = []
        for cell, chips in folded:
            if cell.scope is None and len(chips.chips) > LONG:
                single = [RawCell(None, cell.regions, chip.ops) for chip in chips.chips]
                parts.extend((piece, self.folder.fold(piece)) for piece in single)
            else:
                parts.append((cell, chips))
        cells = [self.cell(cell, chips, raw) for cell, chips in parts]
        rows = [self.rows[op.name] for cell in raw.cells for op in cell.ops if op.name in self.rows]
        macs, params = sum(row.macs for row in rows), sum(row.params for row in rows)
        last = parts[-1][0].ops[-1]
        return Lane(
            name=raw.scope.path or self.graph.name,
            kind=raw.scope.kind,
            shape=shape_of(self.tensors[last.output], self.extents),
            macs=macs,
            params=params,
            share=macs / self.total,
            notes=lane_notes(self.choices.get(raw.scope.path, ())),
            units=self.units(cells, [cell.regions for cell, _ in parts], raw.scope.path),
        )

    def cell(self, raw: RawCell, folded: Folded, lane: RawLane) -> Cell:
        guard = raw.guard
        chips = tuple(self.chip(chip, chip.head.guard != guard) for chip in folded.chips)
        links, taps = self.links(folded, chips)
        chips = tuple(self.reached(chip, at, links) for at, chip in enumerate(chips))
        scope = raw.scope
        name = "" if scope is None else scope.path.removeprefix(f"{lane.scope.path}.")
        macs, params = sum(chip.macs for chip in chips), sum(chip.params for chip in chips)
        arrives = self.made.get(self.folder.aliases.get(folded.main, folded.main), "")
        source = "" if arrives in self.near else arrives
        here = name_of(raw)
        self.near = {here, *self.near} if raw.regions else {here}
        self.made.update((tensor, here) for op in raw.ops for tensor in op.outputs)
        block = "" if scope is None else scope.block
        signature = (
            block,
            tuple((c.shape, c.family, c.label, c.size, c.optional, c.present, c.share) for c in chips),
            tuple((link.source, link.target, link.optional) for link in links),
            tuple(at for at, _ in taps),
            bool(source),
        )
        return Cell(
            name=name,
            block=block,
            chips=chips,
            links=links,
            taps=taps,
            source=source,
            macs=macs,
            params=params,
            share=macs / self.total,
            present=any(chip.present for chip in chips),
            on_path=any(chip.on_path for chip in chips),
            hover=tuple(self.about(raw, guard, macs, params)),
            signature=signature,
        )

    def about(self, raw: RawCell, guard: object, macs: int, params: int) -> list[str]:
        """What hovering over a cell says."""
        lines = [raw.ops[0].name if raw.scope is None else f"{raw.scope.path} · {raw.scope.block}"]
        if raw.scope is not None and raw.scope.args:
            lines.append(", ".join(f"{name}={condition(value)}" for name, value in raw.scope.args))
        lines.append(f"{len(raw.ops)} operations, {costs(macs, params, macs / self.total)}")
        if guard != 1:
            lines.append(f"present if {condition(raw.guard)}")
        lines.append((raw.ops[0].origin if raw.scope is None else raw.scope.origin).location())
        return lines

    def links(self, folded: Folded, chips: tuple[Chip, ...]) -> tuple[tuple[Link, ...], tuple[tuple[int, str], ...]]:
        """The tensors inside a cell, and those that come from elsewhere."""
        links: list[Link] = []
        taps: list[tuple[int, str]] = []
        for target, sources in enumerate(folded.sources):
            chip = chips[target]
            for operand, source in enumerate(sources, start=1):
                if isinstance(source, str):
                    taps.append((target, source))
                    continue
                row = f"{chip.name}#{operand}"
                contracted = row not in self.edges and source != ENTRY and chips[source].on_path
                path = chip.on_path or row in self.path or (chip.shape != "box" and contracted)
                links.append(Link(source, target, path, chip.shape == "switch" and operand > 1))
        return tuple(links), tuple(taps)

    def reached(self, chip: Chip, at: int, links: tuple[Link, ...]) -> Chip:
        """A meeting of tensors is on the path where one of its inputs is."""
        if chip.shape == "box" or not any(link.on_path for link in links if link.target == at):
            return chip
        return replace(chip, on_path=True)

    def chip(self, raw: RawChip, optional: bool) -> Chip:
        head = raw.head
        words, elastic_label = label(head, self.extents)
        out = self.tensors[raw.ops[-1].output].features
        macs, params = (sum(column) for column in zip(*map(self.cost, raw.ops), strict=True))
        edge = next((self.edges[op.name] for op in (head, *raw.ops) if op.name in self.edges), None)
        dot = next((self.tas[n] for op in reversed(raw.ops) for n in op.outputs if n in self.tas), None)
        hover = [*describe(raw.ops, head, self.tensors, (macs, params), self.extents, self.total)]
        if edge is not None:
            hover.append(f"score {edge.score:.4g}, {'important' if edge.important else 'not important'}")
        if dot is not None:
            hover.append(f"its feature map has a TAS of {dot:.4g}")
        if head.name not in self.rows:
            hover.append("not in this sub-network" if self.at is not None else "not in the largest sub-network")
        return Chip(
            name=head.name,
            shape=head.operator.drawn.shape,
            family=head.operator.drawn.family,
            label=words,
            size=self.extents.range(out),
            elastic=self.at is None and bool(free(out)),
            elastic_label=elastic_label,
            macs=macs,
            params=params,
            share=macs / self.total,
            level=None if edge is None else self.level(edge.score),
            dot=None if dot is None else self.level(dot),
            important=edge is not None and edge.important,
            on_path=any(op.name in self.path for op in raw.ops),
            optional=optional,
            present=self.present(head),
            hover=tuple(hover),
        )

    def cost(self, op: Op) -> tuple[int, int]:
        """(MACs, parameters) of an operation; where it is absent, what it would cost."""
        row = self.rows.get(op.name)
        if row is not None:
            return row.macs, row.params
        inputs, outputs = [self.tensors[name] for name in op.inputs], [self.tensors[name] for name in op.outputs]
        macs = self.extents.of(op.operator.macs(op, inputs, outputs))[1]
        weights = op.operator.weights(op, inputs, outputs)
        return macs, sum(prod(self.extents.of(size)[1] for size in weight.active) for weight in weights)

    def present(self, op: Op) -> bool:
        return self.at is None or op.name in self.rows

    def level(self, score: float) -> float:
        """A TAS between 0, the lowest, and 1, the highest."""
        assert self.scale is not None
        low, high = self.scale
        return 0.5 if high <= low else min(1.0, max(0.0, (score - low) / (high - low)))

    def units(self, cells: list[Cell], regions: list[tuple[Region, ...]], lane: str) -> tuple[Unit, ...]:
        """Cells under one outermost condition stand together, with a detour around each condition's own."""
        found: list[Unit] = []
        start = 0
        for end in range(1, len(cells) + 1):
            outer = regions[start][:1]
            if end < len(cells) and outer and regions[end][:1] == outer:
                continue
            found.append(Unit(tuple(cells[start:end]), self.detours(cells[start:end], regions[start:end], lane)))
            start = end
        return tuple(found)

    def detours(self, cells: list[Cell], regions: list[tuple[Region, ...]], lane: str) -> tuple[Detour, ...]:
        """The ways around the conditions of some cells, the innermost first."""
        spans: dict[int, tuple[Region, int, int, int]] = {}
        for at, around in enumerate(regions):
            for depth, region in enumerate(around):
                first = spans.get(id(region), (region, depth, at, at))[2]
                spans[id(region)] = (region, depth, first, at)
        found = []
        guards: dict[tuple[int, int], Expr] = {}
        for region, _, first, last in sorted(spans.values(), key=lambda span: -span[1]):
            guards[first, last] = both(region.guard, guards.get((first, last), 1))
        passed = self.passed(cells, list(guards))
        for (first, last), guard in guards.items():
            inside = cells[first : last + 1]
            macs, params = sum(cell.macs for cell in inside), sum(cell.params for cell in inside)
            text = condition(guard)
            taken = self.at is not None and not evaluate(guard, self.at)
            about = (f"left out unless {text}", f"saves {costs(macs, params, macs / self.total)}")
            brief = text.replace(f"{lane}.", "") if lane else text
            saves = f"−{short(macs)} ({percent(macs / self.total)})"
            found.append(Detour(first, last, brief, saves, taken, (first, last) in passed, about))
        return tuple(found)

    def passed(self, cells: list[Cell], spans: list[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """The detours that the best path takes: the widest around cells that it leaves out. `spans`: widest last."""
        found: set[tuple[int, int]] = set()
        covered: set[int] = set()
        for first, last in reversed(spans if self.path else []):
            inside = range(first, last + 1)
            if first not in covered and not any(cells[at].on_path for at in inside):
                found.add((first, last))
                covered.update(inside)
        return frozenset(found)


def name_of(raw: RawCell) -> str:
    return raw.ops[0].name if raw.scope is None else raw.scope.path
