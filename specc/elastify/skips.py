"""`skippable` around what keeps its shape: every such block of a stage, or the second half of each stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from specc.elastify.edits import Edit, changed, inserted, replaced
from specc.elastify.flow import Flow, Run
from specc.elastify.notes import Kept, Step
from specc.source import Span
from specc.syntax import ast
from specc.syntax.node import fields_of


@dataclass(slots=True, eq=False)
class _Found:
    """What a walk over the stages found so far."""

    flow: Flow
    blocks: Mapping[str, ast.Block]
    choices: frozenset[str]
    edits: list[Edit] = field(default_factory=list)
    wrapped: int = 0
    alone: int = 0
    kept: list[Kept] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def skippable_blocks(
    supernet: ast.Supernet, blocks: Mapping[str, ast.Block], flow: Flow, choices: frozenset[str]
) -> Step:
    """Each block call and each residual of the stem and the stages that keeps its shape, the outermost ones.

    `blocks` are those that the file itself defines, `choices` the network's by name. A block that changes the shape is
    searched inside. A repeat whose first rounds change the shape is split.
    """
    found = _Found(flow, blocks, choices)
    for stage in stages(supernet, ("stem", "stage")):
        skip_in(stage.body, found)
    made = (f"skippable: {found.wrapped} {'place' if found.wrapped == 1 else 'places'}",) if found.edits else ()
    if found.alone:
        found.kept.append(
            Kept(
                "skippable",
                "",
                f"{found.alone} of them {'has' if found.alone == 1 else 'have'} no residual connection: "
                "without fine-tuning, what follows gets features that it has never seen",
                is_warning=True,
            )
        )
    if not found.edits and not found.kept:
        found.kept.append(Kept("skippable", "", "no block and no residual of a stage keeps its shape"))
    return Step(tuple(found.edits), made, tuple(found.kept))


def skip_in(body: ast.Body, found: _Found) -> None:
    for statement in body.statements:
        runs = found.flow.runs(statement)
        if isinstance(statement, ast.Repeat):
            skip_rounds(statement, found)
        elif isinstance(statement, ast.When):
            for arm in (statement.body, statement.otherwise):
                if arm is not None:
                    skip_in(arm, found)
        elif runs and all(run.keeps for run in runs):
            wrap(statement, runs, found)
        elif any(run.keeps for run in runs):
            found.kept.append(Kept("skippable", statement.span.shown(), "it keeps its shape in some of its runs only"))
        elif isinstance(statement, ast.CallStatement) and statement.call.name.name in found.blocks:
            name = statement.call.name.name
            if name not in found.seen:
                found.seen.add(name)
                skip_in(found.blocks[name].body, found)


def wrap(statement: ast.Statement, runs: Iterable[Run], found: _Found) -> None:
    if isinstance(statement, ast.CallStatement) and statement.targets:
        reason = f"`{statement.targets[0].name}` names its result, which would be lost where it is left out"
        found.kept.append(Kept("skippable", statement.span.shown(), reason))
        return
    found.wrapped += sum(1 for _ in runs)
    found.alone += sum(not run.is_summed for run in runs)
    found.edits += wrapped(statement.span)


def wrapped(span: Span) -> tuple[Edit, Edit]:
    return inserted(span.start, "skippable { "), inserted(span.end, " }")


def skip_rounds(repeat: ast.Repeat, found: _Found) -> None:
    """A repeat whose rounds are alike is changed inside; one of several kinds of rounds becomes several."""
    units = {s: runs for s in repeat.body.statements if (runs := found.flow.runs(s))}
    if is_elastic(repeat, found.choices):
        found.kept.append(Kept("skippable", repeat.span.shown(), "its number of rounds is elastic already"))
        return
    if not any(run.keeps for runs in units.values() for run in runs) or all(
        len({run.keeps for run in runs}) == 1 for runs in units.values()
    ):
        skip_in(repeat.body, found)
        return
    rounds = len(next(iter(units.values())))
    literal = repeat.count.value if isinstance(repeat.count, ast.Number) else rounds
    columns = [tuple(runs[i].keeps for runs in units.values()) for i in range(rounds)] if literal == rounds else []
    groups = [(keeps, sum(1 for _ in group)) for keeps, group in groupby(columns)]
    is_open = not isinstance(repeat.count, ast.Number)
    if any(len(runs) != rounds for runs in units.values()) or not groups or (is_open and len(groups) != 2):
        found.kept.append(Kept("skippable", repeat.span.shown(), "its rounds differ in shape"))
        return
    parts: list[str] = []
    first = 0
    for keeps, number in groups:
        skipped = [s for s, keep in zip(units, keeps, strict=True) if keep]
        kept_runs = [units[s][i] for s in skipped for i in range(first, first + number)]
        found.wrapped += len(kept_runs)
        found.alone += sum(not run.is_summed for run in kept_runs)
        count = f"{repeat.count.span.text} - {first}" if is_open and first else str(number)
        parts.append(rounds_of(repeat, first, number, skipped, count))
        first += number
    found.edits.append(replaced(repeat.span, joined(parts)))


def rounds_of(
    repeat: ast.Repeat, first: int, number: int, skipped: Iterable[ast.Statement] = (), count: str = ""
) -> str:
    """`number` rounds of a repeat from the round `first` on, with some statements of its body skippable."""
    index = None if repeat.index is None else repeat.index.name
    if number == 1 and count in ("", "1"):
        return inside(repeat.body, skipped, index, str(first))
    text = inside(repeat.body, skipped, index, f"{index} + {first}" if first else index or "")
    return f"repeat {count or number}{f' as {index}' if index else ''} {{ {text}{closing(text)}}}"


def inside(body: ast.Body, skipped: Iterable[ast.Statement], index: str | None = None, becomes: str = "") -> str:
    """The text between a body's braces with some of its statements skippable, and another value for its index."""
    edits = [edit for s in skipped for edit in wrapped(s.span)]
    if index is not None and becomes != index:
        edits += renumbered(body, index, becomes)
    return changed(body.span.source.text, body.span.start + 1, body.span.end - 1, edits).strip()


def renumbered(body: ast.Body, index: str, becomes: str) -> Iterator[Edit]:
    """The index of a repeat replaced where it is read: in parentheses where the operator beside it binds tighter."""
    bare = {
        id(side) for n in nodes(body) if isinstance(n, ast.Binary) and n.operator == "+" for side in (n.left, n.right)
    }
    for node in nodes(body):
        if isinstance(node, ast.Name) and node.name == index:
            simple = " " not in becomes or id(node) in bare
            yield replaced(node.span, becomes if simple else f"({becomes})")


def closing(text: str) -> str:
    """What stands before a closing brace: a line break where a comment may end the text."""
    return "\n" if "#" in text else " "


def joined(parts: Iterable[str]) -> str:
    found = list(parts)
    return ("\n" if any("\n" in part or "#" in part for part in found) else "; ").join(found)


def is_elastic(repeat: ast.Repeat, choices: frozenset[str]) -> bool:
    """Whether the number of rounds is a range, a set or a choice."""
    count = repeat.count
    return isinstance(count, (ast.RangeExpr, ast.SetExpr)) or (isinstance(count, ast.Name) and count.name in choices)


def stages(supernet: ast.Supernet, kinds: tuple[str, ...]) -> Iterator[ast.Stage]:
    for statement in supernet.body.statements:
        if isinstance(statement, ast.Stage) and statement.kind in kinds:
            yield statement


# --- the second half of each stage -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A statement of a stage, or one of so many rounds of a repeat. `runs` are those of the blocks in it."""

    statement: ast.Statement
    round: int
    rounds: int
    runs: tuple[Run, ...]

    @property
    def keeps(self) -> bool:
        return bool(self.runs) and all(run.keeps for run in self.runs)


def skippable_halves(supernet: ast.Supernet, flow: Flow, choices: frozenset[str]) -> Step:
    """One `skippable` a stage around its last blocks: of n blocks the last n // 2, where these keep their shape.

    Kang and Lee, "Adaptive Depth Networks with Skippable Sub-Paths", section 3.1 and Table 1: the first half of a stage
    is mandatory, the second refines what the first has found.
    """
    edits: list[Edit] = []
    kept: list[Kept] = []
    for stage in stages(supernet, ("stage",)):
        if any(isinstance(each, (ast.Skippable, ast.Exit)) for each in nodes(stage.body)):
            kept.append(Kept("skippable", stage.span.shown(), "the stage has skippable sub-paths or exits already"))
            continue
        entries = list(entries_of(stage.body, flow, choices))
        number = sum(bool(entry.runs) for entry in entries)
        end = max((i + 1 for i, entry in enumerate(entries) if entry.runs), default=0)
        begin = end
        while begin and end - begin < number // 2 and entries[begin - 1].keeps:
            begin -= 1
        if begin == end:
            name = stage.name.name if stage.name is not None else "the stage"
            reason = f"{name} has one block" if number == 1 else f"{name} does not end with blocks that keep its shape"
            kept.append(Kept("skippable", stage.span.shown(), reason if number else f"{name} has no blocks"))
            continue
        half = joined(run_lengths(entries[begin:end]))
        parts = [*run_lengths(entries[:begin]), f"skippable {{ {half}{closing(half)}}}", *run_lengths(entries[end:])]
        text = joined(parts)
        edits.append(Edit(stage.body.span.start + 1, stage.body.span.end - 1, f" {text}{closing(text)}"))
    made = (f"skippable: the second half of {len(edits)} {'stage' if len(edits) == 1 else 'stages'}",) if edits else ()
    return Step(tuple(edits), made, tuple(kept))


def entries_of(body: ast.Body, flow: Flow, choices: frozenset[str]) -> Iterator[_Entry]:
    for statement in body.statements:
        if isinstance(statement, ast.Repeat) and not is_elastic(statement, choices):
            units = [runs for s in statement.body.statements if (runs := flow.runs(s))]
            rounds = len(units[0]) if units else 0
            if rounds and all(len(runs) == rounds for runs in units):
                for i in range(rounds):
                    yield _Entry(statement, i, rounds, tuple(runs[i] for runs in units))
                continue
        runs = flow.runs(statement)
        yield _Entry(statement, 0, 1, runs if len(runs) == 1 else ())


def run_lengths(entries: Iterable[_Entry]) -> Iterator[str]:
    """The text of entries: rounds of one repeat that follow each other are a repeat again."""
    for _, group in groupby(entries, key=lambda entry: id(entry.statement)):
        same = list(group)
        statement = same[0].statement
        if isinstance(statement, ast.Repeat) and same[0].runs:
            first = same[0].round
            is_last = first + len(same) == same[0].rounds
            count = "" if isinstance(statement.count, ast.Number) or not is_last else statement.count.span.text
            yield rounds_of(statement, first, len(same), (), f"{count} - {first}" if count and first else count)
        else:
            yield statement.span.text


def nodes(tree: object) -> Iterator[object]:
    """A node and all nodes below it."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from nodes(item)
    elif fields_of(tree):
        yield tree
        for name in fields_of(tree):
            yield from nodes(getattr(tree, name))
