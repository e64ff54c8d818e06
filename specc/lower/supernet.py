"""Lowering: Model to Graph. The supernet's own statements, its input, stem, stages and head."""

from __future__ import annotations

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import tuple_elsewhere
from specc.ir.expr import Expr, Var, apply, free
from specc.ir.graph import Graph, Predicts, Segment, Tensor, Tie
from specc.lower.builder import NO_INPUT, Builder, Prediction, ScopeItem, TooLarge, Value
from specc.lower.finish import Wanted, finish, name_everything
from specc.lower.operators import BAD_SIZE
from specc.lower.outputs import (
    HEAD_BY,
    HEAD_SHAPE,
    LEVEL,
    at_option,
    check_predictions,
    levels_by,
    lower_labels,
    lower_predicts,
    narrow,
    options_of,
    prediction,
    returned,
    with_level,
    word,
)
from specc.lower.settings import warn_of_settings
from specc.lower.statements import lower_body, lower_statement
from specc.lower.values import Env, Place, evaluate, file_value, lower_choice, param_value
from specc.outputs import output_kind
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.model import Model
from specc.semantics.names import statements_of
from specc.syntax import ast

MISSING_PART = Rule(
    "E362",
    "missing-part",
    "the supernet lacks an input, what it predicts, or a head",
    "A supernet has an `input`, the number of its `classes` (or tags, values, ..), and a `head` after its stages.\n"
    "Wrong:  supernet a { input image(3, 32, 32); stem { conv(8, kernel=3) } }\n"
    "Right:  supernet a { input image(3, 32, 32); classes 10; stem { conv(8, kernel=3) }; head { pool(avg); ... } }",
)
MISPLACED = Rule(
    "E363",
    "misplaced",
    "a statement is not allowed here",
    "Operators and blocks belong in the stem, in stages and in the head; inputs, classes and params in the supernet.\n"
    "Wrong:  supernet a { input image(3, 32, 32); conv(8, kernel=3) ... }\n"
    "Right:  supernet a { input image(3, 32, 32); stem { conv(8, kernel=3) } ... }",
)


FREE = "free"
"""The kind of outputs of one's own."""


def lower(model: Model, findings: Findings) -> Graph | None:
    """The graph of a checked spec, its width groups still open; None where anything was reported."""
    b = Builder(model, findings)
    for statement in statements_of(model.names.supernet.body):
        if isinstance(statement, ast.Skippable) and statement.name is not None:
            b.options[statement.name.name], b.peak[statement.name.name] = (0, 1), 1
        elif isinstance(statement, ast.ChoiceStatement):
            b.ahead[statement.name.name] = statement
    state = SupernetState(b)
    try:
        bind_file_values(b)
        env = Env()
        for statement in model.names.supernet.body.statements:
            env = lower_supernet_statement(b, statement, env, state)
    except TooLarge:
        name_everything(b.root)
        return None
    if (b.here is not None or b.predictions) and not findings:
        state.finish_head()
    elif not findings:
        findings.report(NO_INPUT, model.names.supernet.name.span, "this supernet has no input")
    if findings:
        name_everything(b.root)  # diagnostics say what the calls on their way are called
        return None
    main = returned(b)
    assert main is not None
    assert state.predicts is not None
    graph = finish(b, state.inputs, state.outputs(), main, state.predicts)
    warn_of_settings(b)
    return None if findings else graph


def bind_file_values(b: Builder) -> None:
    """Top-level lets, params and choices of every file, in order."""
    for scope in b.model.names.files:
        for statement in scope.values:
            if not isinstance(statement, ast.ChoiceStatement):
                file_value(b, statement)
            elif statement.name.name not in b.options:
                lower_choice(b, statement, Env())


class SupernetState:
    """What a supernet has said of itself so far."""

    def __init__(self, b: Builder) -> None:
        self.b = b
        self.inputs: tuple[Tensor, ...] = ()
        self.predicts: Predicts | None = None
        self.stages: list[tuple[ScopeItem, Tensor]] = []
        self.head: ScopeItem | None = None
        self.body: Tensor | None = None
        """What the stages end in, once there is an `output`."""

    def outputs(self) -> tuple[Wanted, ...]:
        """The predictions of the heads, then those of the exits, then the end of every stage."""
        predictions = sorted(self.b.predictions, key=lambda prediction: prediction.kind == "exit")
        features = tuple(Wanted(scope.base, tensor, "features") for scope, tensor in self.stages)
        return (*(Wanted(a.name, a.tensor, a.kind, a.level) for a in predictions), *features)

    def outputs_so_far(self) -> int:
        return sum(found.kind == "head" for found in self.b.predictions)

    def finish_head(self) -> None:
        b, span = self.b, self.b.model.names.supernet.name.span
        if self.predicts is None:
            others = "or `tags 20`, `values 3`, `boxes 3`, `classes 21 each pixel`, `restores image(3)`, or an `output`"
            b.findings.report(MISSING_PART, span, "this supernet has no `classes`", help=f"add `classes 10`, {others}")
            return
        if self.head is None:
            help = f"add `head {{ {output_kind(self.predicts.kind).ends} }}`"
            b.findings.report(MISSING_PART, span, "this supernet has no `head`", help=help)
            return
        features = [(scope.base, scope.origin) for scope, _ in self.stages]
        self.predicts = check_predictions(b, self.predicts, self.inputs, features)


def lower_supernet_statement(b: Builder, statement: ast.Statement, env: Env, state: SupernetState) -> Env:
    match statement:
        case ast.ParamStatement():
            return env.with_(statement.name.name, param_value(b, statement, env))
        case ast.InputStatement():
            lower_input(b, statement, env, state)
        case ast.PredictsStatement():
            if state.predicts is not None:
                message = "the network predicts one kind of thing, and says so once"
                if state.predicts.kind == "classes" == statement.word.name and statement.each is None:
                    message = "`classes` is given a second time"
                b.findings.report(MISPLACED, statement.span, message)
            state.predicts = lower_predicts(b, statement, env)
            return env.with_(statement.word.name, Value(state.predicts.count, follows=True))
        case ast.LetStatement() | ast.ChoiceStatement() | ast.Exit():
            return lower_statement(b, statement, env)
        case ast.NormSetting() | ast.WidthSetting() | ast.ConnectSetting():
            return lower_statement(b, statement, env)
        case ast.LabelsStatement():
            lower_labels(b, statement, env, state.predicts)
        case ast.Stage():
            lower_named_stage(b, statement, env, state)
        case _:
            b.findings.report(
                MISPLACED,
                statement.span,
                "this is outside the stem, the stages and the head",
                help="put it into `stem { }`, `stage name { }` or `head { }`",
            )
    return env


def lower_input(b: Builder, statement: ast.InputStatement, env: Env, state: SupernetState) -> None:
    """`image(channels, height, width)`, `image(channels, resolution=...)` for square ones, `signal(channels, length)`,
    a map of height 1, or `vector(features)`.

    After an error what reads the input reports nothing more of its shape.
    """
    tensor = input_tensor(b, statement, env, state)
    if tensor is None:
        b.here = b.guess(statement.span)
        env.frame[input_name(statement)] = b.here
        return
    b.tensors.append(tensor)
    b.here = env.frame[tensor.name] = tensor
    state.inputs = (*state.inputs, tensor)
    if len(state.inputs) > 1:
        b.scatter(statement.span)


def input_name(statement: ast.InputStatement) -> str:
    return statement.name.name if statement.name is not None else "input"


def input_tensor(b: Builder, statement: ast.InputStatement, env: Env, state: SupernetState) -> Tensor | None:
    """What an `input` statement brings: its kind is checked. None, with a diagnostic, where it is not complete."""
    shape = statement.shape
    sizes: list[Expr] = []
    resolution: Expr | None = None
    earlier = len(b.findings.diagnostics)
    for arg in shape.args:
        elastic = arg.name is not None  # `resolution=`
        leaf = "resolution" if statement.name is None else f"{statement.name.name}.resolution"
        place = Place(b.root, leaf, "resolution") if elastic else None
        if isinstance(arg.value, ast.ListExpr):
            help = tuple_elsewhere(shape.name.name, "")
            b.findings.report(WRONG_TYPE, arg.value.span, "a list is not allowed here", help=help)
            return None
        x = evaluate(b, arg.value, env, place).scalar
        if len(b.findings.diagnostics) > earlier:
            return None
        options = b.options.get(x.choice, ()) if isinstance(x, Var) else (x,)
        if not options or any(isinstance(o, (bool, str)) or not isinstance(o, int) or o < 1 for o in options):
            b.findings.report(BAD_SIZE, arg.value.span, "the sizes of an input are positive whole numbers")
            return None
        if isinstance(x, Var) and not elastic:
            b.findings.report(WRONG_TYPE, arg.value.span, "only `resolution=` may be elastic here")
            return None
        if elastic:
            resolution = x
        else:
            sizes.append(x)
    if shape.name.name == "image" and resolution is not None and len(sizes) == 1:
        space: tuple[Expr, ...] = (resolution, resolution)
    elif shape.name.name == "image" and resolution is None and len(sizes) == 3:
        space = (sizes[1], sizes[2])
    elif shape.name.name == "signal" and resolution is None and len(sizes) == 2:
        space = (1, sizes[1])
    elif shape.name.name == "vector" and resolution is None and len(sizes) == 1:
        space = ()
    else:
        help = (
            "write `image(channels, height, width)`, `image(channels, resolution=a..b step s)`, `vector(features)` or "
            "`signal(channels, length)`"
        )
        if shape.name.name == "image" and len(sizes) == 2 and resolution is None:
            help = f"it has a height and a width: `image({sizes[0]}, {sizes[1]}, {sizes[1]})`"
        b.findings.report(MISSING_PART, statement.span, "this input is not complete", help=help)
        return None
    name = input_name(statement)
    return Tensor(name, (Segment(sizes[0]),), space, statement.span)


def lower_named_stage(b: Builder, statement: ast.Stage, env: Env, state: SupernetState) -> None:
    """A stem, stage or head."""
    name = b.model.names.stages[statement]
    if state.head is not None and not (state.body is not None and statement.kind == "output"):
        b.findings.report(
            MISPLACED, statement.span, f"`{name}` comes after the head", secondary=[(state.head.origin, "the head")]
        )
        return
    before = b.here
    if statement.kind == "output":
        lower_output(b, statement, env, name, state)
        return
    if statement.kind == "head":
        state.head = lower_head(b, statement, env, name)
        return
    scope = lower_stage(b, statement, env, name)
    if b.here is not None:
        env.frame[name] = b.here
    if b.here is not None and b.here is not before and statement.kind == "stage":
        state.stages.append((scope, b.here))


def lower_output(b: Builder, statement: ast.Stage, env: Env, name: str, state: SupernetState) -> None:
    """`output name { }`, in the head's place: an output of any shape. Each reads what the stages end in."""
    if state.predicts is not None and state.predicts.kind != FREE:
        word = output_kind(state.predicts.kind).example
        message = f"the network predicts `{word}`, which its head does"
        help = f"write `head {{ .. }}`, or leave `{word}` out"
        b.findings.report(MISPLACED, statement.span, message, help=help)
        return
    if statement.by:
        message = "an output cannot be made by a choice; heads can"
        b.findings.report(HEAD_BY, statement.by[0].span, message, help="leave `by` out")
    if state.body is not None and any(found.kind == "exit" for found in b.predictions):
        message = "the network ends at an exit or here, and so has one output"
        b.findings.report(MISPLACED, statement.span, message, help="leave the exits out, or join the outputs in one")
    first = state.body is None
    state.body = b.here if first else state.body
    b.here, before = state.body, b.serial
    with b.inside("head", name, statement.span, given=True, output="" if name == "head" else name) as scope:
        b.stage = scope
        lower_body(b, statement.body, Env(dict(env.names), dict(env.frame), dict(env.lost)))
        b.stage = None
    state.head, state.predicts = state.head or scope, Predicts(FREE, 1 + state.outputs_so_far())
    if b.here is not None:
        fix_channels(b, b.here, name, before)
        b.predictions.append(Prediction(name, "head", b.here, "", 1 if first else None, statement.span))


def fix_channels(b: Builder, tensor: Tensor, name: str, before: int) -> None:
    """Ties the channels of an output to their number: a loss reads the same at every sub-network. `before` is the last
    serial number of what is made outside the output, whose width it leaves alone."""
    for segment in tensor.channels:
        size = segment.size
        group = b.groups.get(size.choice) if isinstance(size, Var) else None
        if group is not None and group.serial > before:
            b.ties.append(Tie(size, group.maximum, tensor.origin, tensor.origin, tensor.origin, "an output"))
        elif free(segment.features):
            message = f"the output `{name}` ends here, in channels that are not the same number in every sub-network"
            help = "end it in a convolution or linear layer of its own, as `conv(85, kernel=1)`, or `width=fixed`"
            b.findings.report(HEAD_SHAPE, tensor.origin, message, help=help)
            return


def lower_stage(b: Builder, statement: ast.Stage, env: Env, name: str) -> ScopeItem:
    """A stem or stage. Norm banks by skip look at the skippables of the stage they stand in."""
    if statement.by:
        message = f"a {statement.kind} cannot be made by a choice; heads can"
        b.findings.report(HEAD_BY, statement.by[0].span, message, help="leave `by` out, or write a `head by ..`")
    kind = statement.kind
    assert kind in ("stem", "stage")
    with b.inside(kind, name, statement.span, given=True) as scope:  # type: ignore[arg-type]
        b.stage = scope
        lower_body(b, statement.body, env)
        b.stage = None
    return scope


def lower_head(b: Builder, statement: ast.Stage, env: Env, name: str) -> ScopeItem | None:
    """The head; `by` a choice, by level or by both: a head for every option, for every level. The first of them."""
    choice = next((by for by in statement.by if by.name != LEVEL), None)
    levels = levels_by(b, statement.by, (LEVEL, *(() if choice is None else (choice.name,))))
    options = options_of(b, choice)
    before, first = b.here, None
    for option in options:
        guard: Expr = 1 if choice is None or len(options) == 1 else apply("eq", Var(choice.name), option)  # type: ignore[arg-type]
        for level in levels:
            own = name + ("" if option is None else word(option)) + ("" if level is None else f"_{level.name}")
            inner = with_level(Env(dict(env.names), dict(env.frame), dict(env.lost)), level)
            b.here = before
            output = own if option is not None or level is not None else ""
            with (
                at_option(b, choice, option),
                b.inside("head", own, statement.span, given=True, guard=guard, output=output) as scope,
            ):
                first = first or scope
                if choice is not None and option is not None:
                    inner.names[choice.name] = Value(option)
                    narrow(b, choice.name, option, statement.span)
                b.stage = scope
                lower_body(b, statement.body, inner)
                b.stage = None
            prediction(b, own, "head", level, guard, levels, statement.span)
    return first
