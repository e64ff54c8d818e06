"""Settings that do not go with what the network predicts: losses, mixed images, temperatures; a loss of one's own."""

from __future__ import annotations

import ast as python
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from specc.diagnostics import Findings, Rule
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.methods import find_method
from specc.methods.settings import COSTS
from specc.outputs import output_kind
from specc.outputs.protocol import METRIC, OWN, OutputKind
from specc.semantics.model import Model
from specc.semantics.own_data import read_beside
from specc.semantics.recipe import place
from specc.semantics.settings import BAD_SETTING
from specc.source import Source, Span
from specc.syntax import ast

OTHER_LOSS: Final = Rule(
    "E261",
    "other-loss",
    "a loss does not go with what the network predicts",
    "Classes learn by `cross_entropy` or `focal`, tags by `bce` or `focal`, values and restored images by `mse`, `l1`\n"
    "or `huber`. Any of them learns by a loss of yours: `own(path=..)`.\n"
    "Wrong:  values 3 ...  train { loss=cross_entropy }\n"
    "Right:  values 3 ...  train { loss=huber }",
)
OWN_LOSS: Final = Rule(
    "E262",
    "own-loss",
    "the file of a loss of one's own is not there, or has no function `loss`",
    "`loss=own(path=..)` names a Python file beside the spec, or in a folder below it, which goes with the project.\n"
    "Its `loss(outputs, targets)` returns the mean over the batch. `metric(outputs, targets)` and `distance(outputs,\n"
    "teacher)` are optional: how good outputs are, and how far from a teacher's.\n"
    'Wrong:  train { loss=own(path="/home/me/loss.py") }\n'
    'Right:  train { loss=own(path="loss.py") }, beside the spec: def loss(outputs, targets): ...',
)
NOT_MIXED: Final = Rule(
    "E263",
    "not-mixed",
    "images are mixed whose targets cannot be",
    "`mixup` and `cutmix` mix the targets of two images as they mix these. That has a meaning for classes and tags,\n"
    "and for numbers under `mixup`; not for masks and images.\n"
    "Wrong:  classes 21 each pixel ...  train { mixup=0.2 }\n"
    "Right:  classes 21 each pixel ...  train { augment=[flip] }",
)
NO_DISTANCE: Final = Rule(
    "E264",
    "no-distance",
    "a method compares outputs with a teacher's, and nothing says how far apart they are",
    "Outputs of any shape have no distance but one of yours: a function `distance(outputs, teacher)` in the file of\n"
    "the loss, 0 where both agree. Or let every sub-network learn from the targets.\n"
    "Wrong:  output boxes { .. } ...  method us_net        loss.py has `loss` alone\n"
    "Right:  output boxes { .. } ...  method us_net(distill=no)",
)
UNREAD: Final = Rule(
    "E266",
    "unread-output",
    "no loss reads an output",
    "`output name { }` may have any shape, and only you know how far it is from what it should be. A Python file says\n"
    "so: its `loss(outputs, targets)` gets the output, or a dict by name where there are several.\n"
    "Wrong:  output boxes { conv(85, kernel=1) } ...\n"
    'Right:  output boxes { conv(85, kernel=1) } ...  train { loss=own(path="loss.py") }',
)
SHRUNK: Final = Rule(
    "E265",
    "restores-shrunk",
    "a network that restores images takes smaller ones",
    "A sub-network of a smaller resolution sees a smaller image: what it is to restore is gone by then.\n"
    "Wrong:  input image(3, resolution=32..64 step 16); restores image(3)\n"
    "Right:  input image(3, 64, 64); restores image(3)",
)
NO_EFFECT: Final = Rule(
    "W112",
    "setting-without-effect",
    "a setting has no effect on what the network predicts",
    "A temperature softens probabilities, and labels are smoothed that are classes or tags; numbers have neither.\n"
    "Wrong:  values 3 ...  train { label_smoothing=0.1 }\n"
    "Right:  classes 3 ...  train { label_smoothing=0.1 }",
)
USUAL: Final = "usual"

Read = Callable[[Path, str, str, Findings], Source | None]


def check_predicted(model: Model, graph: Graph, loss: Source | None, findings: Findings) -> None:
    """Reports what does not go with what the network predicts. `loss` is the file of `own(path=..)`, if it was read."""
    kind = output_kind(graph.predicts.kind)
    train, section = model.train, model.names.sections.get("train")
    chosen = cast(Call, train["loss"])
    if kind.space == "free" and chosen.name != OWN.name:
        statements = model.names.supernet.body.statements
        where = next(s.span for s in statements if isinstance(s, ast.Stage) and s.kind == "output")
        help = "write `train { loss=own(path=..) }`, a Python file with `def loss(outputs, targets): ...`"
        findings.report(UNREAD, where, "no loss reads this output", help=help)
    elif section is not None:
        check_loss(kind, chosen, place(section, "loss"), findings)
        for name in ("mixup", "cutmix"):
            if train[name] and name not in kind.mixed:
                message = f"`{name}` mixes images, and {kind.targets} cannot be mixed with them"
                findings.report(NOT_MIXED, place(section, name), message, help="leave it out")
        smoothed = kind.smoothed and chosen.name != OWN.name
        if train["label_smoothing"] and not smoothed:
            why = "a loss of your own smooths nothing" if kind.smoothed else f"{kind.targets} have no labels"
            findings.report(NO_EFFECT, place(section, "label_smoothing"), f"`label_smoothing` has no effect: {why}")
    if kind.name == "restored":
        shrunk = next((choice for choice in graph.choices if choice.kind == "resolution"), None)
        if shrunk is not None:
            message = "this makes the image smaller, and what it is to restore is gone by then"
            findings.report(SHRUNK, shrunk.origin, message, help="write the height and width")
    check_searched(model, kind, loss, findings)
    check_teaching(model, graph, kind, loss, findings)


def check_loss(kind: OutputKind, chosen: Call, where: Span, findings: Findings) -> None:
    known = [loss.name for loss in kind.losses]
    if chosen.name in (USUAL, OWN.name) or chosen.name in known:
        return
    message = f"`{chosen.name}` is no loss for {kind.targets}"
    findings.report(OTHER_LOSS, where, message, help=f"write {', '.join(f'`{name}`' for name in (*known, OWN.name))}")


def metrics_of(kind: OutputKind, loss: Source | None) -> tuple[str, ...]:
    """The keys of what outputs are scored by: the metric of a file of the user's, where it has one, or the kind's."""
    return (METRIC,) if METRIC in functions(loss) else kind.metrics


def check_searched(model: Model, kind: OutputKind, loss: Source | None, findings: Findings) -> None:
    """Reports objectives of a search that name no metric of the outputs, another kind's, or several."""
    section = model.names.sections.get("search")
    given = () if section is None else [arg.name.name for arg in section.settings if arg.name is not None]
    if section is None or "objectives" not in given:
        return
    objectives = cast(tuple[str, ...], model.search["objectives"])
    known, where = metrics_of(kind, loss), place(section, "objectives")
    named = [name for name in objectives if name not in COSTS]
    help = f"write `objectives=[{known[0]}, macs]`"
    if wrong := [name for name in named if name not in known]:
        message = f"`{wrong[0]}` does not score {kind.targets}: they have {' and '.join(f'`{name}`' for name in known)}"
        findings.report(BAD_SETTING, where, message, help=help)
    elif not named:
        message = f"the search does not look at {known[0]}, so the cheapest sub-network would always win"
        findings.report(BAD_SETTING, where, message, help=help)
    elif len(named) > 1:
        message = f"a search makes one metric as good as it can, not {' and '.join(f'`{name}`' for name in named)}"
        findings.report(BAD_SETTING, where, message, help=help)


def searched(model: Model, graph: Graph, loss: Source | None) -> Model:
    """The model whose search makes a metric of the outputs as good as it can; where the spec names none, the first."""
    known = metrics_of(output_kind(graph.predicts.kind), loss)
    objectives = cast(tuple[str, ...], model.search["objectives"])
    if any(name in known for name in objectives):
        return model
    costs = [name for name in objectives if name in COSTS]
    values = dict(model.search.values) | {"objectives": (known[0], *costs)}
    return replace(model, search=Call(model.search.name, tuple(values.items())))


def check_teaching(model: Model, graph: Graph, kind: OutputKind, loss: Source | None, findings: Findings) -> None:
    """Reports a method that compares outputs which have no distance, and warns of temperatures that soften nothing."""
    section, method = model.names.sections.get("method"), find_method(model.method.name)
    if section is None or section.call is None or method is None or not graph.choices:
        return
    call = model.method
    spans = {arg.name.name: arg.span for arg in section.call.args if arg.name is not None}
    own = functions(loss)
    if method.distils(graph, call) and not kind.distance and "distance" not in own:
        message = f"`{method.name}` distils a teacher's outputs, and these have no distance"
        help = "write `distance(outputs, teacher)` in the file of the loss, or a method that learns from targets alone"
        findings.report(NO_DISTANCE, section.call.span, message, help=help)
    temperature = dict(call.values).get("temperature", 1)
    features = dict(call.values).get("features", "none") != "none"  # softened whatever is predicted
    if temperature != 1 and not features and not (kind.softened and "distance" not in own):
        why = "a distance of your own softens nothing" if "distance" in own else f"{kind.targets} are no probabilities"
        message = f"`temperature` has no effect: {why}"
        findings.report(NO_EFFECT, spans.get("temperature", section.call.span), message)


def read_own_loss(
    train: Call, section: ast.Section | None, folder: Path, shown: str, read: Read, findings: Findings
) -> Source | None:
    """The file of `loss=own(path=..)`; None where there is none. Reports one that is not beside the spec, is no Python,
    or has no function `loss`."""
    chosen = train["loss"]
    if section is None or not isinstance(chosen, Call) or chosen.name != OWN.name or chosen["path"] is None:
        return None
    where, before = place(section, "loss"), len(findings.diagnostics)
    path = str(chosen["path"])
    source = read_beside(path, where, "own(..)", folder, shown, read, findings)
    if source is None:
        if len(findings.diagnostics) == before:
            help = "it is a `.py` file in the spec's folder, or in one below it"
            findings.report(OWN_LOSS, where, f'there is no "{path}" beside the spec', help=help)
        return None
    try:
        python.parse(source.text)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        findings.report(OWN_LOSS, where, f"{path}{line} is no Python: {error.args[0]}")
        return None
    if "loss" not in functions(source):
        help = "def loss(outputs, targets): ... returns the mean over the batch"
        findings.report(OWN_LOSS, where, f"{path} has no function `loss`", help=help)
        return None
    return source


def functions(source: Source | None) -> frozenset[str]:
    """The names that a Python file defines or imports at its top."""
    if source is None:
        return frozenset()
    found: set[str] = set()
    for node in python.parse(source.text).body:
        match node:
            case python.FunctionDef(name=name) | python.ClassDef(name=name):
                found.add(name)
            case python.ImportFrom(names=names) | python.Import(names=names):
                found |= {alias.asname or alias.name for alias in names}
            case python.Assign(targets=targets):
                found |= {target.id for target in targets if isinstance(target, python.Name)}
    return frozenset(found)
