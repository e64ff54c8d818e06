"""Top-level names: what every file defines, what it can see, and the one supernet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from specc.diagnostics import Findings, Rule
from specc.frozen import frozen
from specc.ops import operators
from specc.semantics.files import LoadedFile
from specc.source import Span
from specc.syntax import ast

DUPLICATE_NAME = Rule(
    "E211",
    "duplicate-name",
    "a name is given twice",
    "In one scope every block, let, param, choice, stage and parameter has a name of its own, and none is "
    "called like an\n"
    "operator.\n"
    "Wrong:  block a(x) { }   block a(y) { }\n"
    "Right:  block a(x) { }   block b(y) { }",
)
UNKNOWN_NAME = Rule(
    "E212",
    "unknown-name",
    "a name is not defined here",
    "Names come from parameters, lets, choices, params, repeat indices, blocks of this file and of its imports.\n"
    "Wrong:  stem { convv(32, kernel=3) }\n"
    "Right:  stem { conv(32, kernel=3) }",
)
RECURSION = Rule(
    "E213",
    "recursion",
    "a block calls itself",
    "Blocks are written out where they are called, so a circle of calls would never end. Use `repeat`.\n"
    "Wrong:  block a(n) { conv(n, kernel=3); a(n) }\n"
    "Right:  block a(n) { conv(n, kernel=3) }   ...   repeat 4 { a(64) }",
)
ONE_SUPERNET = Rule(
    "E214",
    "one-supernet",
    "a spec does not have exactly one supernet",
    "A spec file describes one network; the files it imports describe none.\n"
    "Wrong:  supernet a { ... }   supernet b { ... }\n"
    "Right:  one file for each.",
)
TWO_SECTIONS = Rule(
    "E215",
    "duplicate-section",
    "a section is given twice",
    "There is one `method`, one `data`, one `train` and one `search` in a spec.\n"
    "Wrong:  train { epochs=1 }   train { epochs=2 }\n"
    "Right:  train { epochs=2 }",
)


FileStatement: TypeAlias = ast.LetStatement | ast.ParamStatement | ast.ChoiceStatement
"""What gives a value at the top of a file."""


@frozen
class FileNames:
    """What one file sees: its own top-level definitions and those of the files it imports, imported values first."""

    blocks: Mapping[str, ast.Block]
    own_blocks: tuple[ast.Block, ...]
    values: tuple[FileStatement, ...]
    imported: tuple[FileStatement, ...]


@frozen
class Names:
    """The names of all files of a spec.

    `choices` are those of the supernet's scope, wherever they are declared in it; `option_words` are the words among
    their options, as in `choice op in {conv3, pool3}`, and among those of the choices in blocks; `stages` are what the
    stem, the stages and the head are called, those without a name by their number.
    """

    files: tuple[FileNames, ...]
    supernet: ast.Supernet
    sections: Mapping[str, ast.Section]
    choices: Mapping[str, Span]
    option_words: frozenset[str]
    stages: Mapping[ast.Stage, str]


def collect_names(files: tuple[LoadedFile, ...], findings: Findings) -> Names | None:
    """Every file's scope, the supernet and the sections of the first file. None where there is no supernet."""
    own = [own_names(file.tree, findings) for file in files]
    scopes = []
    for index in range(len(files)):
        blocks = {b.name.name: b for b in own[index][0]}
        own_blocks, imported_values = tuple(blocks.values()), list[FileStatement]()
        for imported in files[index].imports:
            for block in own[imported][0]:
                earlier = blocks.get(block.name.name)
                if earlier is not None and earlier is not block:
                    findings.report(
                        DUPLICATE_NAME,
                        earlier.name.span,
                        f"the block `{block.name.name}` is also imported",
                        secondary=[(block.name.span, "from here")],
                    )
                blocks.setdefault(block.name.name, block)
            imported_values[:0] = [v for v in own[imported][1] if v not in imported_values]
        values = (*imported_values, *own[index][1])
        scopes.append(FileNames(blocks, own_blocks, values, tuple(imported_values)))
    supernet = the_supernet(files, findings)
    sections = the_sections(files[0].tree, findings)
    if supernet is None:
        return None
    declared = choice_statements(files, supernet)
    words = option_words([*declared, *block_choices(files)])
    choices, stages = choice_names(declared, findings), stage_names(supernet.body)
    return Names(tuple(scopes), supernet, sections, choices, words, stages)


def own_names(tree: ast.SpecFile, findings: Findings) -> tuple[list[ast.Block], list[FileStatement]]:
    """One file's blocks and values, duplicates reported."""
    blocks: list[ast.Block] = []
    values: list[FileStatement] = []
    seen: dict[str, Span] = {}
    for item in tree.items:
        if isinstance(item, ast.Block):
            blocks.append(item)
        elif isinstance(item, (ast.LetStatement, ast.ParamStatement, ast.ChoiceStatement)):
            values.append(item)
        else:
            continue
        once(item.name, seen, findings)
        no_operator(item.name, findings)
        if isinstance(item, ast.Block):
            parameters: dict[str, Span] = {}
            for parameter in item.parameters:
                once(parameter.name, parameters, findings)
                not_reserved(parameter.name, findings)
    return blocks, values


def once(name: ast.Name, seen: dict[str, Span], findings: Findings) -> None:
    """Notes a name in `seen`, reported where it is there already."""
    if name.name in seen:
        findings.report(
            DUPLICATE_NAME,
            name.span,
            f"the name `{name.name}` is given a second time",
            secondary=[(seen[name.name], "the first time is here")],
        )
    seen.setdefault(name.name, name.span)


def no_operator(name: ast.Name, findings: Findings) -> None:
    """Reports a definition that would hide an operator, or be hidden by what `in` and `here` always mean."""
    if name.name in operators() or name.name == "norm":
        findings.report(DUPLICATE_NAME, name.span, f"`{name.name}` is the name of an operator")
    not_reserved(name, findings)


def not_reserved(name: ast.Name, findings: Findings) -> None:
    """Reports a definition that what `in` and `here` always mean would hide."""
    if name.name in ("in", "here"):
        findings.report(DUPLICATE_NAME, name.span, f"`{name.name}` always means the tensor that arrives at its place")


def the_supernet(files: tuple[LoadedFile, ...], findings: Findings) -> ast.Supernet | None:
    supernets = [item for item in files[0].tree.items if isinstance(item, ast.Supernet)]
    for extra in supernets[1:]:
        findings.report(
            ONE_SUPERNET,
            extra.name.span,
            "a spec has one supernet, this is another",
            secondary=[(supernets[0].name.span, "the first is here")],
            help="put it into a file of its own",
        )
    if not supernets:
        source = files[0].tree.source
        findings.report(
            ONE_SUPERNET,
            Span(source, 0, min(len(source.text), 1)),
            "this file has no supernet",
            help="add `supernet NAME { input ...; classes ...; stem { } stage { } head { } }`, "
            "or start from `specc new`",
        )
    return supernets[0] if supernets else None


def the_sections(tree: ast.SpecFile, findings: Findings) -> dict[str, ast.Section]:
    sections: dict[str, ast.Section] = {}
    for item in tree.items:
        if isinstance(item, ast.Section):
            if item.kind in sections:
                findings.report(
                    TWO_SECTIONS,
                    item.span,
                    f"a second `{item.kind}` section",
                    secondary=[(sections[item.kind].span, "the first is here")],
                )
            sections.setdefault(item.kind, item)
    return sections


def choice_statements(
    files: tuple[LoadedFile, ...], supernet: ast.Supernet
) -> list[ast.ChoiceStatement | ast.Skippable]:
    """The choices and named skippables of the supernet's scope: at the top of every file, and anywhere in the
    supernet."""
    found: list[ast.ChoiceStatement | ast.Skippable] = [
        item for file in files for item in file.tree.items if isinstance(item, ast.ChoiceStatement)
    ]
    for statement in statements_of(supernet.body):
        if isinstance(statement, ast.ChoiceStatement) or (
            isinstance(statement, ast.Skippable) and statement.name is not None
        ):
            found.append(statement)
    return found


def block_choices(files: tuple[LoadedFile, ...]) -> list[ast.ChoiceStatement]:
    """The choices that blocks declare: each call makes its own."""
    blocks = (item for file in files for item in file.tree.items if isinstance(item, ast.Block))
    return [s for block in blocks for s in statements_of(block.body) if isinstance(s, ast.ChoiceStatement)]


def choice_names(declared: list[ast.ChoiceStatement | ast.Skippable], findings: Findings) -> dict[str, Span]:
    seen: dict[str, Span] = {}
    for statement in declared:
        if statement.name is not None:
            once(statement.name, seen, findings)
    return seen


def stage_names(body: ast.Body) -> dict[ast.Stage, str]:
    """What the stem, the stages and the head of a supernet are called."""
    names: dict[ast.Stage, str] = {}
    for stage in (s for s in body.statements if isinstance(s, ast.Stage)):
        number = 1 + sum(s.kind == "stage" for s in names)
        named = f"s{number}" if stage.kind == "stage" else stage.kind
        names[stage] = named if stage.name is None else stage.name.name
    return names


def option_words(declared: list[ast.ChoiceStatement | ast.Skippable]) -> frozenset[str]:
    sets = [s.options for s in declared if isinstance(s, ast.ChoiceStatement) and isinstance(s.options, ast.SetExpr)]
    return frozenset(item.name for options in sets for item in options.items if isinstance(item, ast.Name))


def statements_of(body: ast.Body) -> Iterator[ast.Statement]:
    """Every statement of a body and of the bodies in it, in order, without recursion on their number."""
    for statement in body.statements:
        yield statement
        for inner in bodies_of(statement):
            yield from statements_of(inner)


def bodies_of(statement: ast.Statement) -> tuple[ast.Body, ...]:
    """The braces of one statement."""
    match statement:
        case ast.Residual():
            return (statement.body,) if statement.shortcut is None else (statement.body, statement.shortcut)
        case ast.When():
            return (statement.body,) if statement.otherwise is None else (statement.body, statement.otherwise)
        case ast.Repeat() | ast.Skippable() | ast.Branches() | ast.Exit() | ast.Stage():
            return (statement.body,)
    return ()
