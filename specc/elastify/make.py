"""Makes a network elastic, one part of the request after the other. What the network cannot have is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from specc.assignments import largest
from specc.cost import cost
from specc.diagnostics import Findings, SpecError
from specc.elastify.edits import edited, formatted, inserted, replaced
from specc.elastify.flow import Flow
from specc.elastify.kernels import smaller_kernels
from specc.elastify.notes import Kept, Step, What
from specc.elastify.request import Request
from specc.elastify.settings import elastic_resolution, elastic_widths, skip_banks, widths_that_stay
from specc.elastify.skips import skippable_blocks, skippable_halves
from specc.ir.expr import evaluate
from specc.ir.graph import Graph
from specc.pipeline import Compiled, compile_spec, load, open_spec
from specc.source import Source
from specc.syntax import ast
from specc.syntax.parse import parse


class CannotTrain(ValueError):
    """The method cannot train what became of the network. `help` says what would mend it."""

    def __init__(self, message: str, help: str, kept: tuple[Kept, ...]) -> None:
        super().__init__(message)
        self.help = help
        self.kept = kept


class NothingElastic(ValueError):
    """Nothing of what was asked for could be made elastic. `kept` says why."""

    def __init__(self, kept: tuple[Kept, ...]) -> None:
        super().__init__("nothing could be made elastic")
        self.kept = kept


@dataclass(frozen=True, slots=True, eq=False)
class Elastified:
    """The elastic spec, compiled; what became elastic, and what was asked for and did not."""

    source: Source
    compiled: Compiled
    made: tuple[str, ...]
    kept: tuple[Kept, ...]


def elastify(
    spec: str | Path | Source,
    request: Request,
    method: str = "",
    banks: str = "",
    params: Mapping[str, str] | None = None,
) -> Elastified:
    """The text of an elastic network whose largest sub-network is the network of `spec`, trained by `method` if given.

    `banks` is "skip" where the method's norms have a bank for each state of their stage's skippable sub-path.
    Raises SpecError where the spec is wrong, NothingElastic where nothing of the request fits, CannotTrain where the
    method needs more, and WrongRequest where the request contradicts the network.
    """
    given = dict(params or {})
    load(spec, given)
    findings = Findings()
    source, _ = open_spec(spec, findings)
    assert source is not None
    work = _Work(formatted(replace(source, shown=source.shown or source.name)), given)
    original = work.compiled().graph
    if request.kernels:
        work.step("kernel", lambda c: smaller_kernels(c, request.kernels, Flow.of(c.graph)))
    if request.skips:
        work.step("skippable", lambda c: skipping(c, request.skips == "halves"))
    if request.width:
        if work.step("width", lambda c: elastic_widths(c, request.width)):
            work.kept += widths_that_stay(Flow.of(work.compiled().graph))
    if request.resolution:
        work.step("resolution", lambda c: elastic_resolution(c, request.resolution))
    if banks == "skip":
        work.step("norm", skip_banks)
    if not work.made:
        raise NothingElastic(tuple(work.kept))
    check_largest(original, work.compiled().graph)
    source = with_method(work.source, method) if method else work.source
    try:
        compiled = load(source, given)
    except SpecError as error:
        first = error.diagnostics[0]
        raise CannotTrain(first.primary.message, first.help, tuple(work.kept)) from None
    return Elastified(source, compiled, tuple(work.made), tuple(work.kept))


def skipping(compiled: Compiled, halves: bool) -> Step:
    supernet = compiled.model.names.supernet
    flow = Flow.of(compiled.graph)
    counted = frozenset(compiled.model.names.choices)
    if halves:
        return skippable_halves(supernet, flow, counted)
    blocks = {b.name.name: b for b in compiled.model.files[0].tree.items if isinstance(b, ast.Block)}
    return skippable_blocks(supernet, blocks, flow, counted)


class _Work:
    """The text as far as it is, and what was found on the way."""

    def __init__(self, source: Source, params: dict[str, str]) -> None:
        self.source, self.params = source, params
        self.made: list[str] = []
        self.kept: list[Kept] = []
        # `bank=subnet` means nothing without the method that lists the sub-networks.
        self.needs_method = compile_spec(without_method(source), params, Findings()) is None

    def compiled(self) -> Compiled:
        compiled, _ = self.tried(self.source)
        assert compiled is not None
        return compiled

    def tried(self, source: Source) -> tuple[Compiled | None, Findings]:
        """The network of a text without its method, if it can be: what that demands is for the last step."""
        findings = Findings()
        text = source if self.needs_method else without_method(source)
        return compile_spec(text, self.params, findings), findings

    def step(self, what: What, change: Callable[[Compiled], Step]) -> bool:
        """Makes one step; whether it changed anything. One whose result does not compile is undone."""
        step = change(self.compiled())
        if step.edits:
            after = edited(self.source, step.edits)
            compiled, findings = self.tried(after)
            if compiled is None:
                first = findings.diagnostics[0]
                self.kept.append(Kept(what, first.primary.span.shown(), first.primary.message))
                return False
            self.source = after
            self.made += step.made
        self.kept += step.kept
        return bool(step.edits)


def sections(source: Source) -> list[ast.Section]:
    tree = parse(source, Findings())
    return [item for item in tree.items if isinstance(item, ast.Section)] if tree is not None else []


def without_method(source: Source) -> Source:
    """The same text with blanks instead of its method, so that places stay the same."""
    for section in sections(source):
        if section.kind == "method":
            start, end = section.span.start, section.span.end
            text = source.text[:start] + " " * (end - start) + source.text[end:]
            return Source(source.name, text, source.shown)
    return source


def with_method(source: Source, call: str) -> Source:
    """The text with `method CALL`: instead of another method, else before the other sections, else at the end."""
    text = f"method {call}"
    there = sections(source)
    for section in there:
        if section.kind == "method":
            return edited(source, [replaced(section.span, text)])
    if there:
        return edited(source, [inserted(there[0].span.start, f"{text}\n")])
    return formatted(Source(source.name, f"{source.text.rstrip()}\n\n{text}\n", source.shown))


def check_largest(before: Graph, after: Graph) -> None:
    """Raises AssertionError unless the largest sub-network has the same layers with the same weights and costs."""
    there, now = weights_of(before), weights_of(after)
    if there != now or cost(before, largest(before)).macs != cost(after, largest(after)).macs:
        changed = sorted(name for name in {*there, *now} if there.get(name) != now.get(name))
        raise AssertionError(f"making it elastic changed the largest sub-network: {', '.join(changed[:5])}")


def weights_of(graph: Graph) -> dict[str, object]:
    """The shapes of each operation's weights in the largest sub-network, for one norm bank."""
    at, tensors = largest(graph), graph.tensor_table()
    found: dict[str, object] = {}
    for op in graph.ops:
        weights = op.operator.weights(op, [tensors[t] for t in op.inputs], [tensors[t] for t in op.outputs])
        shapes = [(w.name, tuple(evaluate(size, at) for size in w.active)) for w in weights]
        if shapes:
            found[op.name] = shapes
    return found
