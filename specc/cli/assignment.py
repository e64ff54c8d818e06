"""Sub-networks named on the command line: `--at max`, `--at width=0.5,s1.depth=2`, `--at chosen.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.failure import Failure, UsageError
from specc.ir.choice import Choice, Range
from specc.ir.expr import Option, decimal, normal

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from specc.ir.graph import Graph


def at_argument(parser: ArgumentParser, default: str | None, text: str) -> None:
    """`--at`, with a line on what it is for."""
    parser.add_argument(
        "--at", default=default, metavar="WHERE", help=f"{text}: max, min, random, choice=option,... or FILE.json"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides what `--at random` draws (0)")


def assignment(graph: Graph, where: str, seed: int = 0) -> dict[str, Option]:
    """The canonical assignment that a word, a list or a file names. What is not named stands at its largest option.

    Raises Failure where a choice or an option does not exist, UsageError where the text is malformed.
    """
    from specc.analysis.space import canonical

    return dict(canonical(graph, complete(graph, where, seed)))


def complete(graph: Graph, where: str, seed: int) -> dict[str, Option]:
    """An option for every choice, whether anything reads it or not."""
    largest = {choice.name: choice.largest for choice in graph.choices}
    if where == "max":
        return largest
    if where == "min":
        return {choice.name: choice.smallest for choice in graph.choices}
    if where == "random":
        return largest | drawn(graph, seed)
    if where.endswith(".json"):
        return largest | from_json(graph, where)
    return largest | from_text(graph, where)


def drawn(graph: Graph, seed: int) -> dict[str, Option]:
    """A sub-network drawn uniformly from all."""
    from specc.cli.draws import draw_assignments

    return dict(draw_assignments(graph, 1, seed)[0])


def from_text(graph: Graph, text: str) -> dict[str, Option]:
    """`width=0.5,s1.keep=no`."""
    found: dict[str, Option] = {}
    for item in text.split(","):
        name, equals, value = item.partition("=")
        if not equals:
            raise UsageError(
                f"`{item.strip()}` names no option", "write max, min, random, choice=option,... or FILE.json"
            )
        choice = named(graph, name.strip())
        if choice.name in found:
            raise UsageError(f"the choice `{choice.name}` is given twice")
        found[choice.name] = option(choice, value.strip())
    return found


def from_json(graph: Graph, path: str) -> dict[str, Option]:
    """A file holding `{"choice": option, ...}`, or what `cost` and `sample` print: an object with that under "at"."""
    from pydantic import RootModel, StrictBool, StrictInt, StrictStr, ValidationError

    class Options(RootModel[dict[str, StrictBool | StrictInt | float | StrictStr]]):
        """One option for each choice."""

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {path}: {reason(error)}") from None
    try:
        import json

        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("at"), dict):
            value = value["at"]
        options = Options.model_validate(value).root
    except ValueError as error:
        detail = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" if detail else str(error)
        shape = 'the file should hold an object such as {"width": 0.5, "s1.keep": true}'
        raise Failure(f"{path} holds no assignment: {what}", shape) from None
    choices = {name: named(graph, name) for name in options}
    return {name: option(choices[name], value) for name, value in options.items()}


def named(graph: Graph, name: str) -> Choice:
    """The choice of this name. Raises Failure with near names."""
    table = graph.choice_table()
    if name in table:
        return table[name]
    from specc.cli.main import near

    help = near(name, list(table)) if table else "it has no choices: it is one network"
    raise Failure(f"`{graph.name}` has no choice `{name}`", help)


def option(choice: Choice, value: object) -> Option:
    """The option that a word or a JSON value means. Raises Failure with the options there are."""
    wanted = meaning(choice, value)
    options = choice.options
    if isinstance(options, Range) and not isinstance(wanted, str):
        steps = (Fraction(wanted) - options.start) / options.step
        if steps.denominator == 1 and 0 <= steps < len(options):
            return normal(wanted)
    elif wanted in tuple(options):
        return wanted
    raise Failure(f"`{value}` is no option of `{choice.name}`", f"its options are {show_options(choice)}")


def meaning(choice: Choice, value: object) -> Option:
    """The number or word behind a JSON value or a word; yes, no, true and false of a skip choice are 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    text = str(value)
    if choice.kind in ("skip", "exit") and text in ("yes", "no", "true", "false"):
        return int(text in ("yes", "true"))
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?(/[0-9]*[1-9][0-9]*)?", text) and (
        "/" not in text or "." not in text
    ):
        return normal(Fraction(text))
    return text


def option_json(choice: Choice, value: Option) -> object:
    """An option as JSON has it: skips as true or false, ratios as decimals (as text where they have none)."""
    if choice.kind == "skip":
        return bool(value)
    if isinstance(value, Fraction):
        text = decimal(value)
        return text if "/" in text else float(text)
    return value


def assignment_json(graph: Graph, at: Mapping[str, Option]) -> dict[str, object]:
    """An assignment as JSON has it, in the order of the graph's choices."""
    return {choice.name: option_json(choice, at[choice.name]) for choice in graph.choices if choice.name in at}


def show_option(choice: Choice, value: Option) -> str:
    if choice.kind == "skip":
        return "yes" if value else "no"
    return decimal(value) if isinstance(value, Fraction) else str(value)


def show_options(choice: Choice, most: int = 8) -> str:
    """`no, yes`; `32, 48, 64`; `16..64 step 8` for a range that is longer than `most`."""
    options = choice.options
    if len(options) <= most:
        return ", ".join(show_option(choice, value) for value in options)
    if isinstance(options, Range):
        step = "" if options.step == 1 else f" step {show_option(choice, options.step)}"
        return f"{show_option(choice, choice.smallest)}..{show_option(choice, choice.largest)}{step}"
    shown = [show_option(choice, value) for value in (*options[: most - 1], options[-1])]
    return ", ".join((*shown[:-1], "...", shown[-1]))


def show_assignment(graph: Graph, at: Mapping[str, Option]) -> str:
    """`width=0.5, s1.keep=no`."""
    pairs = (f"{c.name}={show_option(c, at[c.name])}" for c in graph.choices if c.name in at)
    return ", ".join(pairs) or "(no choices)"


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in words."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 ({error.reason} at byte {error.start})"
    return (error.strerror or str(error)).lower()
