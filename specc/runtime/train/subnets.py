"""Sub-networks as people name them: `max`, `min`, `width=0.5,s1.depth=1` or a JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from specc.portable.files import documents
from specc.portable.files.documents import read_json
from specc.portable.run.numerals import read, same, written
from specc.runtime.files.first_version import UNCHANGED, FirstVersion
from specc.runtime.train.interfaces import Assignment, Space


def resolved(space: Space, at: Assignment | str, first: FirstVersion = UNCHANGED) -> dict[str, Any]:
    """The canonical assignment behind "max", "min" or some choices; those not given are at their largest option.

    Choices may go by their names in the first version. Raises ValueError where a choice or an option does not exist.
    """
    if isinstance(at, str):
        if at not in ("max", "min"):
            raise ValueError(f"{at!r} is no sub-network: max, min or an assignment")
        return space.largest() if at == "max" else space.smallest()
    if first.wrote(None, at, space.CHOICES):
        at = first.now(at)
    for name in at:
        if name not in space.CHOICES:
            raise ValueError(
                f"there is no choice {name!r}; the choices are {', '.join(space.CHOICES)}"
            )
    chosen = {name: own_option(name, space.CHOICES[name], option) for name, option in at.items()}
    return space.canonical({name: options[-1] for name, options in space.CHOICES.items()} | chosen)


def own_option(name: str, options: Sequence[Any], wanted: object) -> Any:
    """The option of a choice that is written as a value is: 1/10 is 0.1, and yes is true. Raises ValueError."""
    for option in options:
        if same(option, wanted):
            return option
    listed = ", ".join(map(written, options))
    raise ValueError(f"{name} cannot be {written(wanted)}; its options are {listed}")


def parse(text: str, first: FirstVersion = UNCHANGED) -> Assignment | str:
    """What `--at` was given: choices with commas or blanks between them, a file with a JSON object, or one itself.

    Of a file that is known to be of the first version the names are those of now.
    """
    if text in ("max", "min"):
        return text
    if text.startswith("{"):
        try:
            return dict(read_json(text))
        except ValueError as error:
            raise SystemExit(f"--at {text}: {error}") from None
    if text.endswith(".json"):
        try:
            return assignment_in(read_json(Path(text).read_bytes()), first)
        except OSError as error:
            raise SystemExit(f"{text}: {error}") from None
        except ValueError as error:
            raise SystemExit(f"{text} holds no assignment: {error}") from None
    pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
    if not pairs or any(not sign for _, sign, _ in pairs):
        raise SystemExit(f"--at {text}: max, min, a .json file or choice=option,... is expected")
    try:
        return {name: option(value) for name, _, value in pairs}
    except ValueError as error:
        raise SystemExit(f"--at {text}: {error}") from None


def assignment_in(content: Any, first: FirstVersion = UNCHANGED) -> Assignment:
    """The choices and options of a file, or of what it has under "at", as subnet.json has them. Raises ValueError."""
    of = None
    if isinstance(content, dict) and isinstance(content.get("at"), dict):
        of, content = content.get("fingerprint"), content["at"]
    documents.mapping(documents.option)(content)
    found: Assignment = content
    return first.now(found) if of and of == first.fingerprint else found


def option(text: str) -> bool | int | float | Fraction | str:
    """`3`, `0.5`, `1/3`, `yes`, `true` or a word, as in a spec. Raises ValueError for anything else."""
    words = {"true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    found = read(text)
    return float(found) if isinstance(found, Fraction) and "/" not in text else found
