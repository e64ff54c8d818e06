"""Writes a PyTorch network as a spec, and its weights to a .safetensors file beside it.

SOURCE is one of

  torchvision:resnet50          a network of torchvision, with random weights
  timm:mobilenetv4_conv_small   a network of timm, with random weights
  my_file.py:build              the nn.Module that the function `build` of this file returns, with its weights
  network.pt2                   a program written by torch.export.save

The command traces the network with torch.export, recognises its operations, writes them as a spec, and compiles that.
Then it compares the result with the original: parameters, multiply-accumulates, outputs on three inputs, and one step
of training. If anything differs, it writes nothing. Parts that the language cannot express remain PyTorch modules; the
command lists each with its file and line.

Of your files only the named Python file is executed. Weights are read as data, never unpickled.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.elastify.notes import Kept
    from specc.imported import Imported
    from specc.source import Source

SUMMARY = "write a PyTorch network as a spec, and its weights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="torchvision:NAME, timm:NAME, FILE.py:FUNCTION or FILE.pt2")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the spec to write, such as net.specc; the weights go to net.safetensors",
    )
    text = "size of an input with its batch, such as 1,3,64,64; repeat for each input (1,3,224,224)"
    parser.add_argument("--input", action="append", default=[], metavar="SIZES", help=text)
    text = (
        "load these weights first: a .safetensors file, a state_dict of torch.save, or `pretrained` for the library's"
    )
    parser.add_argument("--weights", metavar="FILE", help=text)
    parser.add_argument("--returns", metavar="NAME", help="the output to use, if the network returns several tensors")
    text = "what the output is, if its shape does not say: classes, tags, values, restores, `classes each pixel`"
    parser.add_argument("--predicts", metavar="WHAT", help=text)
    parser.add_argument(
        "--elastic", metavar="WHAT", help='make these elastic, as `specc elastify` does: "skippable; kernel {3, 5}"'
    )
    parser.add_argument(
        "--method", metavar="METHOD", help="training method of the elastic network, as for `specc elastify`"
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    shared.strict(parser)
    shared.common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.imported import import_network, install
    from specc.importing.sources import CannotImport

    output = Path(args.output)
    if output.suffix != ".specc":
        raise UsageError(f"a spec's file ends in .specc, unlike {args.output}")
    shapes = [sizes(text) for text in args.input]
    kind = "" if args.predicts is None else output_kind(args.predicts)
    asked = elasticity(args)
    for path in (output, output.with_suffix(".safetensors")):
        if path.exists() and not args.force:
            raise Failure(f"{path} exists", "--force overwrites it, -o FILE writes elsewhere")
    try:
        with terminal.busy("importing"):
            found = import_network(args.source, shapes, args.returns, args.weights, output.name, kind)
    except CannotImport as error:
        raise Failure(str(error), error.help) from None
    if args.strict and found.notes:
        raise Failure(found.notes[0], "without --strict this is a warning")
    text = found.written.text
    notes: list[str] = []
    if asked is not None:
        text, notes = elastic_text(found, asked, output)
    text += f"\ntrain {{ start={quoted(output.with_suffix('.safetensors').name)} }}\n"
    terminal.warn(found.compiled.warnings)
    try:
        files = install(found, text, output)
    except OSError as error:
        raise Failure(f"cannot write {args.output}: {reason(error)}") from None
    report(found, args, text, files, terminal)
    for note in notes:
        terminal.note(note)
    return 0


def quoted(text: str) -> str:
    """A text as the language writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def output_kind(words: str) -> str:
    """The kind of output that a statement's words name. Raises UsageError."""
    from specc.importing.predicts import kind_named, words_of
    from specc.outputs import output_kinds

    found = kind_named(words)
    if found is None:
        known = ", ".join(words_of(kind.name) for kind in output_kinds())
        raise UsageError(f"`--predicts {words}` is nothing that a spec predicts", f"it is one of: {known}")
    return found


def sizes(text: str) -> tuple[int, ...]:
    """`1,3,224,224` without its batch. Raises UsageError."""
    try:
        found = tuple(int(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        found = ()
    if len(found) < 2 or any(size < 1 for size in found):
        raise UsageError(f"`--input {text}` is no size", "write the batch and the sizes of one image: 1,3,224,224")
    return found[1:]


def elasticity(args: Namespace) -> tuple[str, str, object] | None:
    """What --elastic and --method ask for; None where neither is there. Raises UsageError."""
    if args.elastic is None and args.method is None:
        return None
    from specc.cli.commands.elastify import asked

    return asked(args.elastic, args.method)


def elastic_text(found: Imported, asked: tuple[str, str, object], output: Path) -> tuple[str, list[str]]:
    """The text of the elastic network, and what is to be said of it. Raises Failure where nothing became elastic."""
    from specc.elastify import CannotTrain, NothingElastic, elastify
    from specc.source import Source

    method, banks, request = asked
    with TemporaryDirectory(prefix="specc-import-") as folder:  # a spec's modules are read beside it
        for name, text in found.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        source = Source(output.name, found.written.text, Path(folder, output.name).as_posix())
        told = partial(told_with_lines, source)
        try:
            made = elastify(source, request, method, banks, {})  # type: ignore[arg-type]
        except NothingElastic as error:
            raise Failure(f"{error}: the spec would have no choice", told(error.kept)) from None
        except CannotTrain as error:
            raise Failure(str(error), "\n".join(filter(None, (error.help, told(error.kept))))) from None
    return made.source.text, [*(f"elastic: {line}" for line in made.made), *told(made.kept).splitlines()]


def told_with_lines(source: Source, kept: tuple[Kept, ...]) -> str:
    """What stays as it is, with lines of the text instead of their numbers: the file that they count is not written."""
    from specc.cli.commands.elastify import told

    def quoted(each: Kept) -> Kept:
        if not each.place.startswith(f"{source.shown}:"):
            return each
        number = int(each.place.removeprefix(f"{source.shown}:").split(":")[0])
        return replace(each, place=f"`{source.text.splitlines()[number - 1].strip()}`")

    return told(tuple(map(quoted, kept)))


def report(found: Imported, args: Namespace, text: str, files: list[Path], terminal: Terminal) -> None:
    """What was written, and what it was held against."""
    proof, lines = found.proof, len(text.splitlines())
    if terminal.as_json:
        from specc.schemas.files import ForeignModule, Imported

        foreign = tuple(
            ForeignModule(path=part.path, file=part.file, name=part.name, operator=part.operator, place=part.place)
            for part in found.foreign
        )
        document = Imported(
            spec=found.compiled.name,
            source=args.source,
            predicts=predicts(found),
            files=tuple(path.as_posix() for path in files),
            lines=lines,
            operations=len(found.network.operations),
            params=proof.params[1],
            macs=proof.macs[1],
            difference=proof.outputs,
            difference_trained=proof.trained,
            precision="float64" if proof.double else "float32",
            modules=foreign,
            notes=found.notes,
            unused=found.unused,
            frozen=found.frozen,
            seconds={name: round(value, 3) for name, value in found.seconds.items()},
        )
        terminal.json(document)
        return
    rows = [
        ("parameters", f"{proof.params[0]:,}", f"{proof.params[1]:,}"),
        ("MACs", f"{proof.macs[0]:,}", f"{proof.macs[1]:,}"),
        ("outputs", "three inputs", f"differ by {proof.outputs:.0e} of their spread"),
        ("a step of training", *trained_row(proof.trained)),
    ]
    terminal.note(f"read as a network that predicts: {predicts(found)}")
    terminal.table(("", "original", "spec"), rows, right=("original", "spec"))
    for part in found.foreign:
        where = f" ({part.path})" if part.path else ""
        terminal.message(f"kept as a module: {part.name}{where}, for {part.operator} at {part.place}")
    for note in found.notes:
        terminal.message(f"warning: {note}")
    if not proof.double:
        terminal.note("both were compared in single precision: the network is large, or computes in it on its own")
    if found.plain:
        terminal.message(f"warning: the text has a statement an operation, as no better one was found: {found.plain}")
    if found.unused:
        terminal.note(f"left out, as the output does not depend on them: {listed(found.unused)}")
    if found.frozen:
        terminal.note(f"not trained in the original, and trained here: {listed(found.frozen)}; --freeze keeps them")
    terminal.note(f"wrote {', '.join(map(str, files))}: {lines} lines, {sum(found.seconds.values()):.1f} s")
    terminal.note(f"next: specc plan {args.output}")


def predicts(found: Imported) -> str:
    """`classes 10`, as the spec says it."""
    from specc.importing.predicts import statement

    return statement(found.network.kind, found.compiled.graph.predicts.count)


def trained_row(trained: float | None) -> tuple[str, str]:
    if trained is None:
        return "cannot be taken", "not compared"
    return "two images", f"differ by {trained:.0e} of their spread"


def listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
