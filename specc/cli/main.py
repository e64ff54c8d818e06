"""Finds the command, runs it, and turns whatever happens into an exit code.

0 fine, also with warnings; 1 the spec or its use is wrong, or a warning under --strict; 2 the command line is wrong;
70 a bug in specc; 130 interrupted.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from specc import __version__
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal
from specc.diagnostics import SpecError
from specc.plugins import BrokenPackage, home_of, package_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

FINE, WRONG_SPEC, WRONG_COMMAND, BUG, INTERRUPTED = 0, 1, 2, 70, 130


class Command(Protocol):
    """What a module of `commands/` has."""

    SUMMARY: str

    def arguments(self, parser: ArgumentParser) -> None: ...

    def run(self, args: Namespace, terminal: Terminal) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code. Prints every failure; raises nothing."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.set_int_max_str_digits(0)  # a space may have more sub-networks than Python likes to print digits
    terminal = Terminal(
        sys.stdout,
        sys.stderr,
        quiet="--quiet" in words or "-q" in words,
        json="--json" in words,
        strict="--strict" in words,
    )
    try:
        code = dispatch(words, terminal)
        terminal.flush()
        return code
    except (SpecError, Failure) as error:
        return said(terminal, error)
    except BrokenPackage as error:
        return said(terminal, Failure(str(error), "it is not part of specc: tell its authors, or uninstall it"))
    except BrokenPipeError:
        return silenced()
    except OSError as error:  # a file that cannot be written, a full disk
        where = f"{error.filename}: " if error.filename else ""
        return said(terminal, Failure(where + reason(error)))
    except KeyboardInterrupt:
        terminal.message("interrupted")
        return INTERRUPTED
    except SystemExit as leaving:  # argparse, after --help or a wrong option
        return leaving.code if isinstance(leaving.code, int) else FINE
    except Exception as bug:
        return report_bug(bug, terminal)


def said(terminal: Terminal, error: SpecError | Failure) -> int:
    """Shows what ended a command, where its reader is still there; gives the exit code."""
    try:
        if isinstance(error, SpecError):
            terminal.diagnostics(error.diagnostics)
        else:
            terminal.failure(error)
        terminal.flush()
    except BrokenPipeError:
        silenced()
    return WRONG_SPEC if isinstance(error, SpecError) else error.code


def silenced() -> int:
    """The reader of our output has gone (`specc rules | head`): nothing more can be said, and nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FINE


def dispatch(words: list[str], terminal: Terminal) -> int:
    """Runs the command that the first word names."""
    if not words or words[0] in ("-h", "--help", "help"):
        terminal.data(overview())
        return FINE if words else WRONG_COMMAND
    if words[0] in ("-V", "--version"):
        terminal.data(f"specc {__version__}\n")
        return FINE
    name = words[0]
    if name not in command_names():
        from specc.diagnostics.near import near_or_all

        raise UsageError(f"there is no command `{name}`", near_or_all(name, command_names()))
    command = load_command(name)
    args = parser_of(name, command).parse_args(words[1:])
    return command.run(args, terminal)


def parser_of(name: str, command: Command) -> ArgumentParser:
    """The parser of one command: the others' are never built."""
    from argparse import RawDescriptionHelpFormatter

    from specc.portable.run.flags import Flags

    class Parser(Flags):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message, f"`{self.prog} --help` lists the options")

    doc = (sys.modules[f"specc.cli.commands.{name}"].__doc__ or "").strip()
    shape = RawDescriptionHelpFormatter  # the description keeps its lines
    parser = Parser(prog=f"specc {name}", description=doc, allow_abbrev=False, formatter_class=shape)
    # No option begins with a digit: `--macs -5..10M` is a wrong value, not a missing one.
    parser._negative_number_matcher = re.compile(r"-\.?[0-9]")
    command.arguments(parser)
    return parser


def command_names() -> tuple[str, ...]:
    """The commands there are: the files of `commands/`."""
    folder = Path(__file__).parent / "commands"
    return tuple(sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and name[0] != "_"))


def load_command(name: str) -> Command:
    return cast(Command, import_module(f"specc.cli.commands.{name}"))


def overview() -> str:
    """The text of `specc --help`."""
    rows = "".join(f"  {name:<11} {load_command(name).SUMMARY}\n" for name in command_names())
    return (
        "specc compiles a small language for elastic networks to PyTorch projects.\n\n"
        f"usage: specc COMMAND ...\n\n{rows}\n"
        "`specc COMMAND --help` lists the options of a command. Commands that read a spec accept - for standard\n"
        "input, -p NAME=VALUE, --strict, --json and --quiet.\n"
        "Exit codes: 0 success, also with warnings; 1 error in the spec, or a warning under --strict;\n"
        "2 error in the command line.\n"
    )


def report_bug(bug: Exception, terminal: Terminal) -> int:
    """An exception that nothing should let through: specc is wrong, or a package that it asked, not the spec."""
    package = package_of(bug)
    if package:
        from specc.portable.run.raised import raised

        text = raised(bug, home_of(package))
        terminal.message(f"this is a bug in the package `{package}`, not in your spec: {text}")
    else:
        terminal.message(f"this is a bug in specc, not in your spec: {type(bug).__name__}: {bug}")
    if os.environ.get("SPECC_TRACEBACK", "") not in ("", "0"):
        import traceback

        terminal.message(traceback.format_exc().rstrip())
    else:
        terminal.message(
            f"help: please report it to {'its authors' if package else 'the project you got specc from'}, "
            "with the spec and what this prints:\n"
            f"      SPECC_TRACEBACK=1 specc {' '.join(sys.argv[1:])}"
        )
    return BUG
