"""The arguments that commands share, and how a spec named on the command line is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from specc.cli.failure import Failure, UsageError
from specc.cli.terminal import Terminal, standard_input
from specc.portable.run import numerals
from specc.source import Source

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from specc.pipeline import Compiled

NO_COUNTS: Final = ("s", "B")
"""How numbers end that count no parameters and no multiply-accumulates: seconds and bytes."""


def common(parser: ArgumentParser) -> None:
    """`--json` and `--quiet`."""
    parser.add_argument("--json", action="store_true", help="print one JSON value, also for errors")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only results, warnings and errors")


def spec(parser: ArgumentParser, optional: bool = False) -> None:
    """The spec, its parameters, and what all commands take."""
    text = "a .specc file, or - for standard input"
    parser.add_argument("spec", nargs="?" if optional else None, metavar="SPEC", help=text)
    parameters(parser)
    strict(parser)
    common(parser)


def parameters(parser: ArgumentParser) -> None:
    """`-p NAME=VALUE`."""
    text = "set a `param` of the spec; repeatable"
    parser.add_argument("-p", "--param", action="append", default=[], metavar="NAME=VALUE", help=text)


def strict(parser: ArgumentParser) -> None:
    """`--strict`."""
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors: exit 1, write nothing")


def at(parser: ArgumentParser, default: str | None, text: str) -> None:
    """`--at`, with a line on what it is for."""
    help = f"{text}: max, min, random, choice=option,... or FILE.json"
    parser.add_argument("--at", default=default, metavar="WHERE", help=help + (f" ({default})" if default else ""))
    parser.add_argument("--seed", type=whole, default=0, metavar="S", help="random seed of `--at random` (0)")


def load(args: Namespace, terminal: Terminal) -> Compiled:
    """The compiled spec of a command; its warnings are shown.

    Raises SpecError, also for warnings under --strict, or UsageError where a `-p` is malformed.
    """
    compiled = load_spec(args.spec, args.param)
    terminal.warn(compiled.warnings)
    return compiled


def load_spec(name: str, params: Sequence[str]) -> Compiled:
    """Reads and compiles the spec at a path, or on stdin where the name is `-`."""
    from specc import pipeline

    return pipeline.load(standard_source() if name == "-" else name, pairs(params))


def standard_source() -> Source:
    """The spec on standard input. Raises Failure where it is not UTF-8."""
    try:
        return Source("<stdin>", standard_input().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from None


def pairs(words: Sequence[str]) -> dict[str, str]:
    """`["a=1", "b=2"]` as a mapping. Raises UsageError."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise UsageError(f"`-p {word}` sets no parameter", "write -p name=value, as in -p width_mult=1.4")
        if name.strip() in found:
            raise UsageError(f"the parameter `{name.strip()}` is given twice")
        found[name.strip()] = value.strip()
    return found


def number(text: str) -> Fraction:
    """`300`, `0.5`, `10M`, and `1,234,567` as tables print it. Raises UsageError."""
    refuse_negative(text)
    refuse_endless(text)
    written = text.strip()
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", written):
        written = written.replace(",", "")
    try:
        if not written.endswith(NO_COUNTS):
            return Fraction(numerals.number(written))
    except ValueError:
        pass
    raise UsageError(f"`{text}` is not a number", "a number may end in k, M or G, as in 60M")


def window(text: str) -> tuple[Fraction | None, Fraction | None]:
    """`60M..100M`, `..100M` or `60M..`: the ends of a budget, None where it is open. Raises UsageError."""
    return _ends(text, number, "60M..100M")


def times(text: str) -> tuple[Fraction | None, Fraction | None]:
    """`2ms..2.5ms`, `..3ms`: a window of latencies, in seconds. Raises UsageError."""
    return _ends(text, seconds, "2ms..3ms")


def _ends(text: str, read: Callable[[str], Fraction], example: str) -> tuple[Fraction | None, Fraction | None]:
    low, dots, high = text.partition("..")
    if not dots or not (low.strip() or high.strip()):
        raise UsageError(f"`{text}` is not a range", f"write LO..HI, as in {example}; either end may be omitted")
    ends = (read(low) if low.strip() else None, read(high) if high.strip() else None)
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise UsageError(f"invalid range `{text}`: the lower bound exceeds the upper bound")
    return ends


def seconds(text: str) -> Fraction:
    """`1.5ms` in seconds. Raises UsageError."""
    refuse_negative(text)
    refuse_endless(text)
    try:
        if text.strip().endswith(("s", "ms", "us")):
            return Fraction(numerals.number(text.strip()))
    except ValueError:
        pass
    raise UsageError(f"`{text}` is not a time", "a time ends in s, ms or us, as in 1.5ms")


def refuse_negative(text: str) -> None:
    """Raises UsageError for a negative number."""
    if text.strip().startswith("-"):
        raise UsageError(
            f"costs cannot be negative: {text.strip()}", "omit an end to leave the range open, as in ..100M"
        )


def refuse_endless(text: str) -> None:
    """Raises UsageError for a number of too many characters."""
    if len(text) > numerals.LONGEST:
        raise UsageError(
            f"`{text[: numerals.LONGEST]}...` is too long: a number has at most {numerals.LONGEST} characters"
        )


def positive(name: str, most: int | None = None) -> Callable[[str], int]:
    """A parser of positive whole numbers, up to `most`, that names its argument. Raises UsageError."""

    def parse(text: str) -> int:
        try:
            found = numerals.number(text)
        except ValueError:
            found = 0
        if not isinstance(found, int) or found < 1 or text.endswith(NO_COUNTS):
            raise UsageError(f"{name} must be a positive whole number, not `{text[: numerals.LONGEST]}`")
        if most is not None and found > most:
            raise UsageError(f"{name} is at most {most:,}, not {found:,}", "another --seed draws others")
        return found

    return parse


def whole(text: str) -> int:
    """A whole number with or without a sign. Raises ArgumentTypeError, to which argparse adds the flag's name."""
    from argparse import ArgumentTypeError

    try:
        found = numerals.read(text)
    except ValueError:
        found = ""
    if not isinstance(found, int) or isinstance(found, bool) or text.endswith(NO_COUNTS):
        raise ArgumentTypeError(f"`{text[: numerals.LONGEST]}` is not a whole number")
    return found
