"""The outputs of a network: early exits, heads for every option of a choice, a classifier for every label level.

The choice `exit` says where a network ends: at one of its exits, in their order, or at its head. An exit is present
where it is that choice, and leaves the incoming tensor as it was; what stands after it is present where the choice is
another. A head by a choice is one head an option, each reading what is active at its own. What a plain call returns is
a select over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from math import prod

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Option, Var, free, show, substitute
from specc.ir.expr import evaluate as evaluate_expr
from specc.ir.graph import LabelLevel, Predicts, Tensor
from specc.ir.rewrite import rewrite_segment
from specc.lower.builder import TOO_LARGE, Builder, ChoiceItem, Prediction, ScopeItem, Value
from specc.lower.operators import BAD_SIZE, plain_op
from specc.lower.values import Env, evaluate, foresee
from specc.outputs import kind_of, output_kind, output_kinds
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.labels import BAD_LABELS, LABELS_FILE, ancestors
from specc.semantics.names import DUPLICATE_NAME, UNKNOWN_NAME
from specc.source import Span
from specc.syntax import ast

EXIT_MISPLACED = Rule(
    "E381",
    "exit-misplaced",
    "an exit is placed where the network can't end",
    "An exit is a classifier beside the way from the input to the head; it may be between stages, in a stage and in a\n"
    "block; in a repeat every round has one, called after its number. What a choice may leave out has none: whether\n"
    "the network can end there would depend on that choice. Nor has a head or another exit: they are ends themselves.\n"
    "Wrong:  stage s1 { skippable { conv(16, kernel=3); exit e1 { pool(avg); linear(classes) } } }\n"
    "Right:  stage s1 { skippable { conv(16, kernel=3) }; exit e1 { pool(avg); linear(classes) } }",
)
HEAD_BY = Rule(
    "E382",
    "head-by",
    "`by` names something that no head or exit can be made for",
    "`head by k` makes a head for every option of the choice k, `head by level` one for every level of the labels, "
    "`head by\n"
    "k, level` one for both. An exit is made for every level at most: which exit it is is a choice already.\n"
    "Wrong:  head by k, m { pool(avg); linear(classes) }     exit e1 by k { pool(avg); linear(classes) }\n"
    "Right:  head by k { pool(avg); linear(classes) }        exit e1 by level { pool(avg); linear(level.classes) }",
)
NARROW_RUNS = Rule(
    "E383",
    "head-by-of-several-runs",
    "a head by a choice reads channels in several runs that depend on that choice",
    "A head for one option reads the first channels of what arrives; joined channels (`concat`) have several runs.\n"
    "Wrong:  concat(a, b); head by k { pool(avg); linear(classes) }\n"
    "Right:  concat(a, b); conv(64, kernel=1, width=fixed) ... head by k { pool(avg); linear(classes) }",
)
HEAD_SHAPE = Rule(
    "E361",
    "head-shape",
    "the head must end in what the network predicts",
    "A classifier's head ends in a vector of `classes` values; so does an exit. By level, it is `level.classes`.\n"
    "`tags` and `values` are vectors, too. `classes 21 each pixel` is a map of 21 channels as high and wide as the\n"
    "input, `restores image(3)` one of 3 channels, as large or a whole number of times as large. `boxes 3` is a map\n"
    "of 3 + 5 channels, a whole number of times smaller than the input.\n"
    "Wrong:  classes 10 ... head { pool(avg); linear(12) }\n"
    "Right:  classes 10 ... head { pool(avg); linear(classes) }\n"
    "Right:  classes 21 each pixel ... head { conv(classes, kernel=1); upsample(8, mode=bilinear) }",
)
MOST_SIZES = 10_000
"""Combinations of options, at most, for which the size of a predicted map is looked at."""
MOST_EXITS = 100
"""All that follows an exit stands in what it leaves, so many deep."""
EXIT = "exit"
HEAD = "head"
LEVEL = "level"


def exit_name(b: Builder, statement: ast.Exit) -> str:
    """What an exit is called: in a repeat its name and the round's number, `e1`, `e2`, ..; in nested repeats all
    of their numbers, `e2_1`."""
    name = statement.name.name
    if not b.within:
        return name
    return f"{name}{'_' if name[-1].isdigit() else ''}{'_'.join(map(str, b.within))}"


def fits(b: Builder, statement: ast.Exit, called: str) -> bool:
    """Whether an exit may stand here, under the name that it is called by."""
    name, place = statement.name, outside(b.scope)
    reason = {
        "region": "this exit is in what a choice may leave out, so it could not always be taken",
        "head": "this exit is in a head, where the network ends anyway",
        "exit": "this exit is in another exit, where the network ends anyway",
    }.get(place.kind if place is not None else "")
    if place is not None and reason is not None:
        help = "put it before or behind"
        if b.within and place.kind == "region":
            help = "give the repeat one number: where to stop is the choice of its exits"
        b.findings.report(EXIT_MISPLACED, statement.span, reason, secondary=[(place.origin, "this one")], help=help)
        return False
    if b.branches is not None:
        message = "this exit is in branches, which are computed together and end in one sum or concatenation"
        b.findings.report(EXIT_MISPLACED, statement.span, message, help="put it before or behind")
        return False
    if any(a.kind == "head" for a in b.predictions):
        b.findings.report(EXIT_MISPLACED, statement.span, "this exit comes after the head, where the network has ended")
        return False
    if len(b.exits) >= MOST_EXITS:
        b.findings.report(TOO_LARGE, name.span, f"there are more than {MOST_EXITS} exits by now")
        return False
    earlier = b.exits.get(called)
    if earlier is not None or called == HEAD:
        told = f"there is an exit `{called}` already" if earlier is not None else "`head` is the head's output"
        places = [(earlier, "it is here")] if earlier is not None and earlier is not statement.span else []
        help = "in a block that is called twice, an exit is made each time: call it in a repeat, whose rounds number it"
        b.findings.report(DUPLICATE_NAME, name.span, told, secondary=places, help=help)
        return False
    b.exits[called] = statement.span
    return True


def outside(scope: ScopeItem | None) -> ScopeItem | None:
    """The innermost scope around in which no exit may stand."""
    while scope is not None and scope.kind not in ("region", "head", "exit"):
        scope = scope.scope
    return scope


def exit_choice(b: Builder, statement: ast.Exit) -> ChoiceItem:
    """The choice of where the network ends, made with the first exit."""
    for item in b.choices:
        if item.variable == EXIT and item.kind == "exit":
            return item
    b.serial += 1
    item = ChoiceItem(EXIT, None, EXIT, (HEAD,), "exit", statement.span, b.serial)
    b.add_choice(item)
    return item


def narrow(b: Builder, choice: str, option: Option, span: Span) -> None:
    """What arrives, cut to what is active where the choice stands at one option."""
    tensor = b.incoming(span)
    values: dict[str, Expr] = {choice: option}
    kept = tuple(rewrite_segment(s, lambda e: substitute(e, values)) for s in tensor.channels)
    if kept == tensor.channels or tensor.name in b.broken:
        return
    if len(kept) > 1:
        message = f"{len(kept)} runs of channels arrive here, and the head for {choice} = {show(option)} reads one"
        b.findings.report(NARROW_RUNS, span, message, help="put a convolution of fixed width before the head")
        return
    plain_op(b, "narrow", "narrow", (tensor,), span, out=kept[0].features)


@contextmanager
def at_option(b: Builder, choice: ast.Name | None, option: Option | None) -> Iterator[None]:
    """While a head for one option is lowered, its choice has this option alone: sizes and conditions are its own."""
    if choice is None or option is None:
        yield
        return
    name = choice.name
    kept = b.options[name], b.peak[name], b.peaks
    b.options[name], b.peak[name], b.peaks = (option,), option, {}
    try:
        yield
    finally:
        b.options[name], b.peak[name], b.peaks = kept


def options_of(b: Builder, choice: ast.Name | None) -> Sequence[Option | None]:
    """The options that a head is made for; (None,) for a single head."""
    if choice is None:
        return (None,)
    foresee(b, choice.name, choice.span)
    options = b.options[choice.name]
    if any(isinstance(option, Fraction) for option in options):
        message = f"`{choice.name}` has ratios for options, and heads are called after theirs"
        b.findings.report(HEAD_BY, choice.span, message, help="a head is made by a choice of whole numbers or words")
        return (None,)
    return tuple(options)


def levels_by(b: Builder, by: Sequence[ast.Name], allowed: Sequence[str]) -> Sequence[LabelLevel | None]:
    """The levels that a classifier is made for; (None,) where it does not stand by level."""
    found: list[LabelLevel | None] = [None]
    seen: list[str] = []
    for name in by:
        if name.name not in allowed or name.name in seen:
            twice = name.name in seen
            message = f"`by` names `{name.name}` twice" if twice else f"`by` cannot also name `{name.name}`"
            b.findings.report(HEAD_BY, name.span, message, help="`by` names one choice, `level`, or both")
            continue
        seen.append(name.name)
        if name.name == LEVEL:
            if not b.levels:
                help = 'say what they are: `labels { fine = classes; coarse = 20 from "coarse.csv" }`'
                b.findings.report(HEAD_BY, name.span, "there are no levels: the spec has no `labels` before", help=help)
            found = [*b.levels] or [LabelLevel(LEVEL, 1, None, name.span)]
            b.levelled = True
    return found


def with_level(env: Env, level: LabelLevel | None) -> Env:
    """The names inside a classifier of one level: `level.classes`."""
    if level is not None:
        env.names["level.classes"] = Value(level.classes, follows=True)
    return env


def prediction(
    b: Builder,
    name: str,
    kind: str,
    level: LabelLevel | None,
    condition: Expr,
    levels: Sequence[LabelLevel | None],
    span: Span,
) -> None:
    """Notes the output of a classifier: a plain call returns the finest level's."""
    if b.here is None:
        return
    finest = level is levels[0]
    own = b.levels[0].name if level is None and b.levels else "" if level is None else level.name
    b.predictions.append(Prediction(name, kind, b.here, own, condition if finest else None, span))  # type: ignore[arg-type]


def word(option: Option) -> str:
    """An option as a part of a name: 3, or 0_5 for a half."""
    return show(option).replace(".", "_").replace("/", "_").replace("-", "_")


def returned(b: Builder) -> Tensor | None:
    """The tensor that a plain call returns: a select where there are several candidates."""
    predictions = list(candidates(b))
    if len(predictions) < 2:
        return predictions[0].tensor if predictions else None
    b.passed.clear()
    b.guard = 1
    conditions = (*(a.condition for a in predictions[:-1]), 1)
    tensors = tuple(a.tensor for a in predictions)
    return plain_op(b, "select", "answer", tensors, b.model.names.supernet.name.span, conditions=conditions)


def candidates(b: Builder) -> Iterator[Prediction]:
    """The predictions that a plain call may return, exits first."""
    return (a for a in b.predictions if a.condition is not None)


def lower_predicts(b: Builder, statement: ast.PredictsStatement, env: Env) -> Predicts:
    """What heads and exits predict, and how many of it."""
    word, each = statement.word.name, "" if statement.each is None else statement.each.name
    kind = kind_of(word, each)
    if kind is None:
        span = statement.span if statement.each is None else statement.each.span
        known = [kind.example for kind in output_kinds() if kind.word == word]
        message = f"there are no {word} each {each}" if each else f"`{word}` is of each something"
        b.findings.report(UNKNOWN_NAME, span, message, help=f"write {' or '.join(f'`{text}`' for text in known)}")
        return Predicts("classes", 2)
    node = statement.value
    if kind.call:
        args = node.args if isinstance(node, ast.CallExpr) and node.name.name == kind.call else ()
        if len(args) != 1 or args[0].name is not None:
            b.findings.report(WRONG_TYPE, node.span, f"`{word}` needs {kind.counted}", help=f"write `{kind.example}`")
            return Predicts(kind.name, kind.least)
        node = args[0].value
    earlier = len(b.findings.diagnostics)
    count = evaluate(b, node, env).x
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        b.findings.report(BAD_SIZE, node.span, f"{kind.counted} is a positive whole number")
        count = kind.least
    elif count < kind.least and len(b.findings.diagnostics) == earlier:
        b.findings.report(BAD_SIZE, node.span, kind.lacking, help=kind.help)
    return Predicts(kind.name, count)


def check_predictions(
    b: Builder, predicts: Predicts, inputs: Sequence[Tensor], features: Sequence[tuple[str, Span]]
) -> Predicts:
    """Reports predictions of another shape than their kind's, outputs of one name (`features` are the stages'), and
    levels without a classifier. What is predicted, with the scale of its maps."""
    kind = output_kind(predicts.kind)
    scale = predicts.scale
    for found in b.predictions:
        if kind.space == "free":
            continue
        level = next((level for level in b.levels if level.name == found.level), None)
        wanted = kind.beside + (predicts.count if level is None else level.classes)
        right = b.maximum(found.tensor.features) == wanted and not isinstance(found.tensor.features, (Var, Apply))
        if kind.space == "vector":
            if found.tensor.space or not right:
                values = kind.word if level is None or level is b.levels[0] else "level.classes"
                before = {2: "pool(avg)", 1: "take(mean)"}.get(len(found.tensor.space), "")
                end = [step for step in (before, "" if right and before else f"linear({values})") if step]
                not_in = f"a fixed vector of {wanted} values"
                report_shape(b, found, not_in, f"end it with `{'; '.join(end)}`")
            continue
        if kind.space == "places":
            if not right or not scale_of(b, inputs[0], found.tensor):
                size = "an input's size divided by a whole number"
                report_shape(b, found, f"a map of {wanted} channels and {size}", f"end it as in `{kind.ends}`")
            continue
        factor = scale_of(b, found.tensor, inputs[0])
        if kind.space == "scaled" and factor and found is b.predictions[0]:
            scale = factor
        if not right or factor != scale:
            size = " x ".join(str(b.maximum(side) * scale) for side in inputs[0].space) or "the input's size"
            report_shape(b, found, f"a map of {wanted} channels and {size}", f"end it as in `{kind.ends}`")
    seen: dict[str, Span] = {}
    for name, span in (*features, *((found.name, found.origin) for found in b.predictions)):
        if name in seen:
            places = [(seen[name], "the other is made here")]
            b.findings.report(DUPLICATE_NAME, span, f"two outputs would be called `{name}`", secondary=places)
        seen[name] = span
    if b.levels and not b.levelled:
        message = "these labels have several levels, and nothing classifies any but the finest"
        help = "write `head by level { ... linear(level.classes) }`"
        b.findings.report(HEAD_BY, b.levels[0].origin, message, help=help)
    return replace(predicts, scale=scale)


def report_shape(b: Builder, found: Prediction, wanted: str, help: str) -> None:
    """Reports a head or exit that ends in another shape than `wanted`."""
    ends = f"the {found.kind} ends here: {b.describe(found.tensor)[9:]}, not in {wanted}"
    b.findings.report(HEAD_SHAPE, found.tensor.origin, ends, help=help)


def scale_of(b: Builder, tensor: Tensor, image: Tensor) -> int:
    """How many times as high and wide as an image a map is, at every option of the choices that decide it; 0 where
    that is no whole number, or not always the same."""
    if len(tensor.space) != 2 or len(image.space) != 2:
        return 0
    names = sorted({name for side in (*tensor.space, *image.space) for name in free(side)})
    if prod(len(b.options[name]) for name in names) > MOST_SIZES:
        return 0
    found: set[Fraction] = set()
    for options in product(*(b.options[name] for name in names)):
        at = dict(zip(names, options))
        for side, whole in zip(tensor.space, image.space, strict=True):
            ratio = Fraction(at_options(side, at)) / Fraction(at_options(whole, at))
            found.add(ratio)
    return int(ratio) if len(found) == 1 and (ratio := found.pop()).denominator == 1 else 0


def at_options(size: Expr, at: Mapping[str, Option]) -> Number:
    value = evaluate_expr(size, at)
    assert not isinstance(value, str)
    return value


def lower_labels(b: Builder, statement: ast.LabelsStatement, env: Env, predicts: Predicts | None) -> None:
    """The finest level first, which is the data's own; every other with the class that each finest one belongs to."""
    classes = None if predicts is None else predicts.count
    if predicts is None:
        message = "the labels come before the number of classes is known"
        b.findings.report(BAD_LABELS, statement.span, message, help="write `classes 100` before them")
    elif not output_kind(predicts.kind).levels:
        message = "levels of labels are of `classes` alone, one for each input"
        b.findings.report(BAD_LABELS, statement.span, message, help="leave `labels` out")
    elif b.levels:
        b.findings.report(BAD_LABELS, statement.span, "the labels are given a second time")
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
                    f"class {mine} of `{finer.name}` is in the classes {inside[mine]} and {above} of `{coarser.name}`"
                )
                help = "write the levels from the finest to the coarsest, each a part of the next"
                b.findings.report(BAD_LABELS, coarser.origin, message, help=help)
                return
