"""Writes the PyTorch project of a spec into a folder.

Replaces the folder atomically, and only files that specc wrote: without --force it refuses to overwrite others, and
keeps them. With --at it writes one static sub-network in plain PyTorch layers. With --check it writes nothing, and
exits with 1 if the folder differs.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import Failure, reason
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.pipeline import Compiled

SUMMARY = "write the PyTorch project"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the project's folder")
    shared.at(parser, None, "write one static sub-network")
    parser.add_argument("--force", action="store_true", help="also replace files that specc did not write")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the folder would change")


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.pipeline import compile_project, start_file

    with terminal.busy("compiling"):
        compiled = shared.load(args, terminal)
        at = None
        if args.at is not None:
            from specc.cli.assignment import assignment

            at = assignment(compiled, args.at, args.seed, terminal)
        files = compile_project(compiled, at)
        start = start_file(compiled)
    if args.check:
        return compare(files, args.output, terminal)
    return write(files, start, compiled, args, terminal)


def compare(files: dict[str, str], output: str, terminal: Terminal) -> int:
    """What would change, and whether anything would."""
    from specc.codegen.install import changes

    found = [(path, change) for path, change in changes(files, Path(output)) if change != "same"]
    if terminal.as_json:
        from specc.schemas.files import Differences

        rows = [{"path": path, "change": change} for path, change in found]
        terminal.json(Differences.model_validate({"output": output, "same": not found, "files": rows}))
    for path, change in found:
        terminal.note(f"{change}: {output}/{path}")
    if not found:
        terminal.note(f"{output} is what the compiler makes")
    return 1 if found else 0


def write(
    files: dict[str, str], start: tuple[Path, str] | None, compiled: Compiled, args: Namespace, terminal: Terminal
) -> int:
    from specc.codegen.install import Refused, carry, install

    try:
        install(files, Path(args.output), args.force)
        carry(start, Path(args.output))
    except Refused as error:
        raise Failure(str(error), error.help) from None
    except OSError as error:
        raise Failure(f"cannot write {args.output}: {reason(error)}") from None
    from shlex import quote

    next = f"next: cd {quote(args.output)} && python train.py{data_flags(compiled)}"
    terminal.note(f"wrote {len(files)} files to {args.output}; {next}")
    if compiled.model.data is None:
        written = "data cifar10" if "NAME" in next else 'data own(path="mine.py")'
        terminal.note(f"the spec names no `data`, so these flags do; or write it there: `{written}`")
    if args.json:
        from specc.schemas.files import Compiled as Written

        terminal.json(Written(spec=compiled.name, output=args.output, files=tuple(sorted(files))))
    return 0


def data_flags(compiled: Compiled) -> str:
    """What train.py has to be told of its data."""
    from specc.codegen.training import data_flag

    data, graph = compiled.model.data, compiled.graph
    if data is None:
        tensor = graph.tensor_table()[graph.inputs[0]]
        one_image = len(graph.inputs) == 1 and len(tensor.space) == 2
        return " --dataset NAME --data-path DIR" if one_image else " --dataset own --data-path FILE"
    return "" if any(value for name, value in data.values if name == "path") else data_flag(data.name)
