"""Makes a spec elastic. The largest sub-network of the result is the original network.

--elastic lists what becomes elastic, separated by `;`:

  width per_group 0.5..1.0 round 8   a width for each group of channels that can shrink
  skippable                          each block that keeps its shape may be skipped; `skippable halves`: the second
                                     half of each stage, as one sub-path
  kernel {3, 5}                      these smaller kernels, besides each convolution's own
  resolution 160..224 step 32        images of several sizes; without a range, down to about 5/8 of the size

--method sets the training method; without --elastic it makes elastic what that method needs. The command lists what
it could not make elastic, with the reason. If that is everything, it writes nothing.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.elastify import Elastified, Request
    from specc.elastify.notes import Kept

SUMMARY = "make widths, kernels, depths and resolutions of a spec elastic"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument(
        "--elastic", metavar="WHAT", help="what becomes elastic, see above (default: what --method needs)"
    )
    parser.add_argument("--method", metavar="METHOD", help="training method: " + ", ".join(preparing()))
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="the spec to write (standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.elastify import CannotTrain, NothingElastic, WrongRequest, elastify

    method, banks, request = asked(args.elastic, args.method)
    check_output(args)
    spec = shared.standard_source() if args.spec == "-" else args.spec
    try:
        with terminal.busy("making it elastic"):
            found = elastify(spec, request, method, banks, shared.pairs(args.param))
    except WrongRequest as error:
        raise UsageError(str(error), error.help) from None
    except NothingElastic as error:
        raise Failure(f"{error}: the spec would have no choice", told(error.kept)) from None
    except CannotTrain as error:
        raise Failure(str(error), "\n".join(filter(None, (error.help, told(error.kept))))) from None
    terminal.warn(found.compiled.warnings)
    report(found, args.output, terminal)
    return 0


def asked(elastic: str | None, method: str | None) -> tuple[str, str, Request]:
    """The method's call, its norm banks, and what is to become elastic. Raises UsageError."""
    from specc.elastify import WrongRequest, read_request
    from specc.methods import find_method

    if elastic is None and method is None:
        raise UsageError("nothing is asked to be elastic", "write --elastic WHAT, --method METHOD, or both")
    found = find_method(method.partition("(")[0].strip()) if method is not None else None
    if method is not None and (found is None or not (found.elastic or elastic)):
        from specc.diagnostics.near import near_or_all

        word = method.partition("(")[0].strip()
        if found is None:
            raise UsageError(f"there is no method `{word}`", near_or_all(word, preparing()))
        raise UsageError(f"`{word}` does not say what becomes elastic", "add --elastic WHAT")
    try:
        request = read_request(elastic if elastic is not None else found.elastic if found is not None else "")
    except WrongRequest as error:
        raise UsageError(str(error), error.help) from None
    if found is None:
        return "", "", request
    return (found.elastic_call or found.name) if method == found.name else str(method), found.banks, request


def preparing() -> tuple[str, ...]:
    """The methods that say what is to become elastic for them."""
    from specc.methods import find_method, method_names

    found = ((name, find_method(name)) for name in method_names())
    return tuple(name for name, method in found if method is not None and method.elastic)


def check_output(args: Namespace) -> None:
    """Raises Failure where the result cannot be written, or could not be read from where it would be."""
    if args.output == "-":
        return
    path = Path(args.output)
    if path.exists() and not args.force:
        raise Failure(f"{args.output} exists", "--force overwrites it, -o FILE writes elsewhere")
    folder = Path.cwd() if args.spec == "-" else Path(args.spec).parent
    if path.parent.resolve() != folder.resolve():
        named = files_beside(args)
        if named:
            raise Failure(
                f"the spec names {named[0]}, beside it: {args.output} would not find it",
                "write the result into the spec's own folder",
            )


def files_beside(args: Namespace) -> list[str]:
    """The spec's own other files, as they are named in it."""
    compiled = shared.load_spec(args.spec, args.param) if args.spec != "-" else None
    return [] if compiled is None else [s.name for s in compiled.files[1:] if not s.name.startswith("std/")]


def report(found: Elastified, output: str, terminal: Terminal) -> None:
    from specc.assignments import largest, smallest
    from specc.cost import cost
    from specc.elastify.notes import grouped
    from specc.subnets.space import size

    graph = found.compiled.graph
    least, most = (cost(graph, at) for at in (smallest(graph), largest(graph)))
    number = size(graph)
    if output != "-":
        try:
            Path(output).write_text(found.source.text, encoding="utf-8", newline="")
        except OSError as error:
            raise Failure(f"cannot write {output}: {reason(error)}") from None
    if terminal.as_json:
        from specc.schemas.files import Elastic, NotElastic

        kept = tuple(
            NotElastic(what=each.what, places=places, why=each.why, is_elastic=each.is_warning)
            for each, places in grouped(found.kept)
        )
        terminal.json(
            Elastic(
                spec=found.compiled.name,
                output=None if output == "-" else output,
                text=found.source.text,
                elastic=found.made,
                kept=kept,
                size=str(number),
                params=(least.params, most.params),
                macs=(least.macs, most.macs),
            )
        )
        return
    if output == "-":
        terminal.data(found.source.text)
    for made in found.made:
        terminal.note(f"elastic: {made}")
    for line in told(found.kept).splitlines():
        terminal.note(line)
    params = f"{least.params:,} to {most.params:,} parameters"
    terminal.note(f"{shown(number)} sub-networks: {params}, {least.macs:,} to {most.macs:,} MACs")
    if output != "-":
        terminal.note(f"wrote {output}; next: specc plan {output}")


def told(kept: tuple[Kept, ...]) -> str:
    """What stays as it is, a line each reason, with its first places."""
    from specc.elastify.notes import grouped

    lines = []
    for each, places in grouped(kept):
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        where = f" at {places[0]}{more}" if places else ""
        lines.append(f"{'note' if each.is_warning else 'not elastic'}: {each.what}{where}: {each.why}")
    return "\n".join(lines)


def shown(number: int) -> str:
    """A number of sub-networks: rounded where it has more than twelve digits."""
    return f"{number:,}" if number < 10**12 else f"{number:.2e}"
