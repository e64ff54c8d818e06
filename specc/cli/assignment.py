"""Sub-networks named on the command line: `--at max`, `--at width=0.5,s1.depth=2`, `--at chosen.json`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from specc.assignments import WrongAssignment, checked
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal
from specc.diagnostics import Findings, Rule
from specc.ir.expr import Option
from specc.portable.files.documents import refused
from specc.portable.run.numerals import read

if TYPE_CHECKING:
    from specc.pipeline import Compiled


NO_EFFECT: Final = Rule(
    "W614",
    "option-without-effect",
    "an assignment sets a choice that nothing in this sub-network reads",
    "Choices of what is not there - of a block that is left out, or behind an exit - change nothing. Perhaps another\n"
    "choice was meant to be set too.\n"
    "Wrong:  specc cost net.specc --at exit=e1,s2.depth=1     where s2 comes after e1\n"
    "Right:  specc cost net.specc --at exit=e1",
)


def assignment(compiled: Compiled, where: str, seed: int, terminal: Terminal) -> dict[str, Option]:
    """The canonical assignment that a word, a list or a file names. What is not named stands at its largest option.

    Warns of what is named and changes nothing. Raises Failure where a choice or an option does not exist, UsageError
    where the text is malformed.
    """
    from specc.api import Network

    net = Network(compiled)
    if where == "random":
        return dict(net.sample(1, seed=seed)[0])
    if where == "max":
        return net.assignment("max")
    if where == "min":
        return net.assignment("min")
    try:
        given = checked(net.graph, from_json(where) if where.endswith(".json") else from_text(where))
    except WrongAssignment as error:
        raise Failure(str(error), error.help) from None
    found = net.assignment(given)
    if idle := [name for name in given if name not in found]:
        findings = Findings()
        message = f"nothing reads `{'`, `'.join(idle)}` in this sub-network"
        findings.report(NO_EFFECT, net.graph.origin, message, help="leave it out, or set what it depends on as well")
        terminal.warn(findings.warnings)
    return found


def from_text(text: str) -> dict[str, object]:
    """`width=0.5,s1.keep=no`."""
    found: dict[str, object] = {}
    for item in text.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals and value):
            known = "write max, min, random, choice=option,... or FILE.json"
            raise UsageError(f"`{item.strip()}` names no option", known)
        if name in found:
            raise UsageError(f"the choice `{name}` is given twice")
        found[name] = value
    return found


def signed(text: str) -> int | Fraction:
    """A number of JSON, exactly. Raises ValueError for one of over 40 characters, which would take long to read."""
    found = read(text)
    assert isinstance(found, (int, Fraction))
    return found


def from_json(path: str) -> dict[str, object]:
    """A file holding `{"choice": option, ...}`, or what `cost` and `sample` print: an object with that under "at"."""
    import json

    from specc.schemas.assignment import AssignmentFile
    from specc.schemas.reading import validated

    try:
        value = json.loads(Path(path).read_bytes(), parse_int=signed, parse_float=signed, parse_constant=refused)
        return {**validated(AssignmentFile, value).options}
    except OSError as error:
        raise Failure(f"cannot read {path}: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        shape = 'the file must hold an object such as {"width": 0.5, "s1.keep": true}'
        raise Failure(f"{path} holds no assignment: {error}", shape) from None
