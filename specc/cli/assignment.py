"""Sub-networks named on the command line: `--at max`, `--at width=0.5,s1.depth=2`, `--at chosen.json`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from specc.assignments import WrongAssignment, checked
from specc.cli.failure import Failure, UsageError, reason
from specc.ir.expr import Option

if TYPE_CHECKING:
    from specc.pipeline import Compiled


def assignment(compiled: Compiled, where: str, seed: int = 0) -> dict[str, Option]:
    """The canonical assignment that a word, a list or a file names. What is not named stands at its largest option.

    Raises Failure where a choice or an option does not exist, UsageError where the text is malformed.
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
        return net.assignment(checked(net.graph, from_json(where) if where.endswith(".json") else from_text(where)))
    except WrongAssignment as error:
        raise Failure(str(error), error.help) from None


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


def from_json(path: str) -> dict[str, object]:
    """A file holding `{"choice": option, ...}`, or what `cost` and `sample` print: an object with that under "at"."""
    import json

    from pydantic import RootModel, StrictBool, StrictInt, StrictStr, ValidationError

    class Options(RootModel[dict[str, StrictBool | StrictInt | float | StrictStr]]):
        """One option for each choice."""

    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(value, dict) and isinstance(value.get("at"), dict):
            value = value["at"]
        return dict(Options.model_validate(value).root)
    except OSError as error:
        raise Failure(f"cannot read {path}: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = f"{'.'.join(map(str, first['loc'][:1]))}: {first['msg']}"
        shape = 'the file should hold an object such as {"width": 0.5, "s1.keep": true}'
        raise Failure(f"{path} holds no assignment: {what}", shape) from None
