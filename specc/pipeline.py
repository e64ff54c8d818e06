"""The whole compiler on one page: text -> syntax tree -> model -> graph -> passes -> the files of a project."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import prod
from pathlib import Path, PurePath
from typing import Final

from specc.analyses import answers
from specc.analyses.channels import channels_json
from specc.diagnostics import Diagnostic, Findings, Rule, SpecError
from specc.frozen import frozen
from specc.ir.choice import Assignment
from specc.ir.expr import free
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.lower.supernet import lower
from specc.methods import find_method
from specc.methods.protocol import LEVELS_UNTRAINED, ONE_ALONE, ONE_SUBNET, SAME_SUBNET
from specc.passes import run_passes
from specc.passes.check_sizes import numbers_of
from specc.passes.dropped import warn_of_dropped
from specc.passes.slices import check_slices
from specc.semantics.beside import is_generated, taken
from specc.semantics.check import check_names
from specc.semantics.datasets import check_augmentation, check_data
from specc.semantics.files import LoadedFile, load_files
from specc.semantics.labels import read_tables
from specc.semantics.meaning import Meanings
from specc.semantics.model import Model
from specc.semantics.names import Names, collect_names
from specc.semantics.overrides import read_overrides
from specc.semantics.own_data import read_module, read_own_data
from specc.semantics.predicted import check_predicted, read_own_loss, searched
from specc.semantics.recipe import check_colours, check_residual_ends
from specc.semantics.settings import constant, data_call, method_call, search_call, train_call
from specc.semantics.unused import warn_of_unused
from specc.source import Source
from specc.syntax import ast
from specc.syntax.parse import parse
from specc.syntax.read import read_source


@frozen
class Compiled:
    """A spec that is right: its checked form, its graph, and the files it was made from (the spec first).

    `warnings` name what the spec says to no effect.
    """

    name: str
    model: Model
    graph: Graph
    files: tuple[Source, ...]
    warnings: tuple[Diagnostic, ...] = ()


def load(spec: str | Path | Source, params: Mapping[str, str] | None = None) -> Compiled:
    """Compiles a spec file, or a source that was read already, up to its graph. Raises SpecError with all errors.

    `params` overrides the spec's `param` statements, as `-p name=value` does.
    """
    findings = Findings()
    compiled = compile_spec(spec, params or {}, findings)
    if compiled is None:
        raise SpecError(findings.diagnostics)
    return compiled


def compile_spec(spec: str | Path | Source, params: Mapping[str, str], findings: Findings) -> Compiled | None:
    """`load` with its diagnostics as values: None where an error was reported.

    A phase stops where it needs what an earlier one did not find: settings are checked beside names, and beside shapes.
    """
    source, folder = open_spec(spec, findings)
    tree = None if source is None else parse(source, findings)
    if source is None or tree is None or findings:
        return None
    files = load_files(tree, folder, source.shown or source.name, parse, read_named, findings)
    names = None if findings else collect_names(files, findings)
    if names is None or findings:
        return None
    meanings = check_names(names, findings)
    tables = read_tables(names.supernet, folder, source.shown or source.name, read_named, findings)
    names_are_known = not findings
    model = build_model(files, names, meanings, params, tables, findings)
    if model is None or not names_are_known:
        return None
    own = read_own_data(
        model.data, names.sections.get("data"), folder, source.shown or source.name, read_named, findings
    )
    section = model.names.sections.get("train")
    loss = read_own_loss(model.train, section, folder, source.shown or source.name, read_named, findings)
    lowered = lower(model, findings)
    graph = None if lowered is None else run_passes(lowered, findings)
    if lowered is None or graph is None:
        return None
    check_method(model, graph, findings)
    check_search(model, graph, findings)
    check_residual_ends(model.train, model.names.sections.get("train"), graph, findings)
    check_colours(model.train, model.names.sections.get("train"), graph, findings)
    check_augmentation(model.train, model.names.sections.get("train"), graph, findings)
    check_data(model.data, model.names.sections.get("data"), graph, findings)
    check_predicted(model, graph, loss, findings)
    check_counted(graph, findings)
    modules = {
        path: read_module(path, op.origin, folder, source.shown or source.name, read_named, findings)
        for op in graph.ops
        for path in op.operator.files(op)
    }
    others = {file.name: file for file in (own, loss, *modules.values()) if file is not None}
    sources = (*(f.tree.source for f in files), *tables.values(), *others.values())
    if findings:
        return None
    warn_of_unused(model, findings)
    warn_of_dropped(lowered, graph, findings)
    model = searched(model, graph, loss)
    return Compiled(model.name, model, prepared(model, graph), sources, tuple(findings.warnings))


def prepared(model: Model, graph: Graph) -> Graph:
    """The graph with what the method adds to it."""
    method = find_method(model.method.name)
    return graph if method is None else method.prepared(graph, model.method)


def open_spec(spec: str | Path | Source, findings: Findings) -> tuple[Source | None, Path]:
    """The source of a spec and the folder that its imports may come from."""
    if isinstance(spec, Source):
        return spec, Path(spec.shown).parent if spec.shown not in ("", "-", "<stdin>") else Path.cwd()
    path = Path(spec)
    return read_named(path, path.name, path.as_posix(), findings), path.parent


def read_named(path: Path, name: str, shown: str, findings: Findings) -> Source | None:
    """A file under the name it has in generated code, and the one it has in messages."""
    source = read_source(path, shown, findings)
    return None if source is None else Source(name, source.text, shown)


def build_model(
    files: tuple[LoadedFile, ...],
    names: Names,
    meanings: Meanings,
    texts: Mapping[str, str],
    tables: Mapping[str, Source],
    findings: Findings,
) -> Model | None:
    """The model: overrides parsed, sections evaluated against their signatures."""
    statements = [
        *names.files[0].values,
        *(s for s in names.supernet.body.statements if isinstance(s, (ast.LetStatement, ast.ParamStatement))),
    ]
    defaults = [s for s in statements if isinstance(s, ast.ParamStatement)]
    params = read_overrides({s.name.name: s for s in defaults}, texts, names, findings)
    values: dict[str, object] = {}
    for statement in statements:
        if isinstance(statement, (ast.LetStatement, ast.ParamStatement)):
            override = params.get(statement.name.name)
            value = constant(statement.value, values, Findings()) if override is None else override
            if isinstance(value, (int, Fraction)):
                values[statement.name.name] = value
    sections = names.sections
    method = method_call(sections.get("method"), values, findings)
    return Model(
        name=names.supernet.name.name,
        files=files,
        names=names,
        meanings=meanings,
        params=params,
        method=method,
        data=data_call(sections.get("data"), values, findings),
        train=train_call(sections.get("train"), values, findings, method.name),
        search=search_call(sections.get("search"), values, findings, method.name),
        tables=tables,
    )


def check_method(model: Model, graph: Graph, findings: Findings) -> None:
    """Asks the method whether the network has what it needs."""
    method = find_method(model.method.name)
    section = model.names.sections.get("method")
    if method is None or section is None or section.call is None:
        if graph.choices and model.names.sections:
            told = model.names.supernet.name.span
            message = f"no `method` is named: {ONE_ALONE}"
            findings.report(
                ONE_SUBNET, told, message, help="write `method us_net(subnets=4)`, which draws every choice"
            )
        return
    call = section.call

    def report(rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None:
        spans = {a.name.name: a.span for a in call.args if a.name is not None}
        findings.report(rule, spans.get(at or "", call.span), message, help=help)

    if graph.labels and not method.learns_levels:
        message = f"`{method.name}` trains only `{graph.labels[0].name}`, and the network classifies more levels"
        report(LEVELS_UNTRAINED, message, help="write `method early_exit` or `inclusive`, or leave `labels` out")
    method.check(graph, model.method, report)
    several, least = method.subnets_per_step(graph, model.method), prod(len(choice.options) for choice in graph.choices)
    if method.draws and several > least > 1:
        message = f"a step trains {several} sub-networks, and there are {least}"
        report(SAME_SUBNET, message, at="subnets", help=f"write `subnets={least}`, or make more elastic")
    asked = () if findings else method.asks(graph, model.method)
    if asked:
        try:
            method.check_found(graph, model.method, answers(graph, asked), report)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                report(diagnostic.rule, diagnostic.primary.message, at="analysis", help=diagnostic.help)
    if method.needs_slices:
        check_slices(graph, method.name, findings)


def check_counted(graph: Graph, findings: Findings) -> None:
    """A size that rounds or compares what very many choices give is refused, as no cost could be counted with it."""
    tables = {choice.name: len(choice.options) for choice in graph.choices}
    if all(prod(tables[name] for name in free(size)) <= MOST_TABLED for size in numbers_of(graph)):
        return
    from specc.cost.totals import costs_of

    try:
        costs_of(graph)
    except SpecError as error:
        findings.diagnostics.extend(error.diagnostics)


MOST_TABLED = 1 << 18
"""Combinations of options that a size may have whatever is done with them."""
MOST_SEARCHED = 1_000_000
"""Sub-networks that an exhaustive search may have to look at."""


def check_search(model: Model, graph: Graph, findings: Findings) -> None:
    """An exhaustive search needs a space that can be listed."""
    strategy = model.search["strategy"]
    if not (isinstance(strategy, Call) and strategy.name == "exhaustive"):
        return
    from specc.subnets.space import TOO_LARGE, size

    count = size(graph)
    if count > MOST_SEARCHED:
        section = model.names.sections["search"]
        named = (arg.span for arg in section.settings if arg.name is not None and arg.name.name == "strategy")
        message = f"there are {count:,} sub-networks, and an exhaustive search looks at {MOST_SEARCHED:,} at most"
        findings.report(TOO_LARGE, next(named, section.span), message, help="write strategy=evolution(evaluations=256)")


def compile_project(compiled: Compiled, at: Assignment | None = None) -> dict[str, str]:
    """The files of the PyTorch project of a spec, by their paths; with `at`, of one of its sub-networks: a static one.

    `at` has an option for every choice, or for every active one.
    """
    from specc.codegen.install import marked
    from specc.codegen.project import project_files

    graph = compiled.graph if at is None else bind_fully(compiled.graph, at)
    texts = spec_texts(compiled)
    if graph.choices:
        from specc.subnets.space import costs_module, space_module

        texts |= {"space.py": space_module(graph), "costs.py": costs_module(graph)}
        texts |= method_files(compiled, graph)
        texts |= channels_file(compiled, graph)
    own = own_files(compiled)
    files = project_files(graph, compiled.model, texts, tuple(own))
    replaced = own.keys() & files.keys()
    assert not replaced, f"{min(replaced)} would be replaced"
    return marked(dict(sorted({**files, **own}.items())))


NO_START: Final = Rule(
    "E251",
    "no-start",
    "the weights that training starts from do not exist, or would not go with the project",
    "`start` names a file beside the spec or in a folder below it, which `specc compile` copies into the project,\n"
    "or an absolute path, which train.py reads where it is.\n"
    'Wrong:  train { start="../net.safetensors" }\n'
    'Right:  train { start="net.safetensors" }, copied beside the spec',
)


def start_file(compiled: Compiled) -> tuple[Path, str] | None:
    """The file of `train { start=.. }` and its path in the project; None where there is none to copy.

    Raises SpecError where it does not exist, or would replace a generated file.
    """
    name = str(compiled.model.train["start"])
    if not name or PurePath(name).is_absolute():
        return None
    spec = compiled.files[0].shown
    folder = Path.cwd() if spec in ("", "-", "<stdin>") else Path(spec).parent
    findings = Findings()
    section = compiled.model.names.sections["train"]
    place = next((a.span for a in section.settings if a.name is not None and a.name.name == "start"), section.span)
    if ".." in PurePath(name).parts or is_generated(PurePath(name)):
        wrong = taken(PurePath(name)) if is_generated(PurePath(name)) else f"`{name}` lies outside the spec's folder"
        findings.report(NO_START, place, wrong, help="copy the file beside the spec, under a name of its own")
    elif not (folder / name).is_file():
        findings.report(NO_START, place, f"there is no {name} beside the spec", help="or give train.py --start FILE")
    if findings:
        raise SpecError(findings.diagnostics)
    return folder / name, PurePath(name).as_posix()


def own_files(compiled: Compiled) -> dict[str, str]:
    """The Python files of `data own(path=..)`, where it lies beside the spec, of `loss=own(..)` and `module(..)`."""
    from specc.codegen.training import own_loss

    data = compiled.model.data
    paths = {path for op in compiled.graph.ops for path in op.operator.files(op)}
    if data is not None and data.name == "own":
        paths.add(PurePath(str(data["path"])).as_posix())
    if loss := own_loss(compiled.model.train):
        paths.add(PurePath(loss).as_posix())
    return {source.name: source.text for source in compiled.files[1:] if source.name in paths}


def method_files(compiled: Compiled, graph: Graph) -> Mapping[str, str]:
    """What the method adds to the project, written from the answers to the analyses that it asks for."""
    call = compiled.model.method
    method = find_method(call.name)
    assert method is not None, call.name
    return method.files(graph, call, answers(graph, method.requests(graph, call)))


def channels_file(compiled: Compiled, graph: Graph) -> Mapping[str, str]:
    """channels.json, by which train.py sorts the channels of weights that it starts from."""
    scores = None
    if compiled.model.train["sort"] == "tas":
        from specc.importance import importance, settings_of

        found = importance(graph, settings_of(compiled.model.method))
        scores = {row.name: row.score for row in found.ops}
    text = channels_json(graph, scores)
    return {"channels.json": text} if text else {}


def bind_fully(graph: Graph, at: Assignment) -> Graph:
    """The static network of an assignment; choices that it leaves out are inactive and stand anywhere."""
    from specc.passes.specialise import specialise

    return specialise(graph, {choice.name: at.get(choice.name, choice.largest) for choice in graph.choices})


def spec_texts(compiled: Compiled) -> dict[str, str]:
    """The spec's own files as they stand in its project: spec.specc, and what it imports beside it."""
    spec, *imported = compiled.files
    texts = {"spec.specc": spec.text}
    for source in imported:
        if source.name.endswith((".specc", ".csv")) and not source.shown.startswith("std/"):
            texts.setdefault(source.name, source.text)
    return texts
