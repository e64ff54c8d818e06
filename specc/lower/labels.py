"""The levels of the labels: `labels { fine = classes; coarse = 20 from "coarse.csv" }`."""

from __future__ import annotations

from itertools import pairwise

from specc.ir.graph import LabelLevel
from specc.lower.builder import Builder
from specc.lower.operators import BAD_SIZE
from specc.lower.values import Env, evaluate
from specc.semantics.labels import BAD_LABELS, LABELS_FILE, ancestors
from specc.semantics.names import DUPLICATE_NAME
from specc.source import Span
from specc.syntax import ast


def lower_labels(b: Builder, statement: ast.LabelsStatement, env: Env, classes: int | None) -> None:
    """The finest level first, which is the data's own; every other with the class that each finest one belongs to."""
    if classes is None:
        message = "the labels stand before the number of classes is known"
        b.findings.report(BAD_LABELS, statement.span, message, help="write `classes 100` before them")
    elif b.levels:
        b.findings.report(BAD_LABELS, statement.span, "the labels are said a second time")
    before = len(b.findings.diagnostics)
    levels: list[LabelLevel] = []
    for distance, (name, node, file) in enumerate(statement.levels):
        count = evaluate(b, node, env).x
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            b.findings.report(BAD_SIZE, node.span, "the number of classes is a positive whole number")
            count = 1
        if any(level.name == name.name for level in levels):
            b.findings.report(DUPLICATE_NAME, name.span, f"there is a level `{name.name}` already")
        span = Span(name.span.source, name.span.start, (file or node).span.end)
        parents: tuple[int, ...] | None = None
        names: tuple[str, ...] = ()
        if distance == 0:
            check_finest(b, name, count, file, classes or count, span)
        elif file is None:
            message = f"the level `{name.name}` does not say which classes it joins"
            b.findings.report(LABELS_FILE, span, message, help=f'write `{name.name} = {count} from "{name.name}.csv"`')
        elif (table := b.model.tables.get(file.value)) is not None and classes is not None:
            parents, names = ancestors(table, name, distance, classes, count, b.findings)
        levels.append(LabelLevel(name.name, count, parents, span, names))
    if len(b.findings.diagnostics) == before:
        check_names(b, levels)
        check_nesting(b, levels)
    b.levels = tuple(levels)


def check_finest(b: Builder, name: ast.Name, count: int, file: ast.Text | None, classes: int, span: Span) -> None:
    """The finest level is the data's own."""
    if file is not None:
        message = f"`{name.name}` is the first level, the data's own labels, and needs no file"
        b.findings.report(BAD_LABELS, file.span, message, help="the first level is the finest: `fine = classes`")
    elif count != classes:
        message = f"the first level has {count} classes, and the network {classes}"
        b.findings.report(BAD_LABELS, span, message, help=f"write `{name.name} = classes`")


def check_names(b: Builder, levels: list[LabelLevel]) -> None:
    """Files that name the data's classes do so in one order: that of the data."""
    named = [level for level in levels if level.names]
    for first, other in pairwise(named):
        if first.names != other.names:
            at = next(i for i, pair in enumerate(zip(first.names, other.names)) if pair[0] != pair[1])
            message = (
                f"class {at} is `{first.names[at]}` for `{first.name}`, and `{other.names[at]}` for `{other.name}`"
            )
            help = "name the classes in the data's order in every file"
            b.findings.report(BAD_LABELS, other.origin, message, help=help)
            return


def check_nesting(b: Builder, levels: list[LabelLevel]) -> None:
    """A class of one level lies within one class of the next."""
    for finer, coarser in pairwise(levels):
        if finer.parents is None or coarser.parents is None:
            continue
        inside: dict[int, int] = {}
        for mine, above in zip(finer.parents, coarser.parents):
            if inside.setdefault(mine, above) != above:
                message = (
                    f"class {mine} of `{finer.name}` lies in the classes {inside[mine]} and {above} of `{coarser.name}`"
                )
                help = "write the levels from the finest to the coarsest, each a part of the next"
                b.findings.report(BAD_LABELS, coarser.origin, message, help=help)
                return
