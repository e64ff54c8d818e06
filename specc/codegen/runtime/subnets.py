"""Sub-networks as people name them: `max`, `min`, `width=0.5,s1.depth=1` or a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specc.codegen.runtime.interfaces import Assignment, Space


def resolved(space: Space, at: Assignment | str) -> dict[str, Any]:
    """The canonical assignment behind "max", "min" or some choices; those not given are at their largest option.

    Raises ValueError where a choice or an option does not exist.
    """
    if isinstance(at, str):
        if at not in ("max", "min"):
            raise ValueError(f"{at!r} is no sub-network: max, min or an assignment")
        return space.largest() if at == "max" else space.smallest()
    for name, option in at.items():
        if name not in space.CHOICES:
            raise ValueError(
                f"there is no choice {name!r}; the choices are {', '.join(space.CHOICES)}"
            )
        if option not in space.CHOICES[name]:
            options = ", ".join(map(str, space.CHOICES[name]))
            raise ValueError(f"{name} cannot be {option!r}; its options are {options}")
    return space.canonical(
        {name: options[-1] for name, options in space.CHOICES.items()} | dict(at)
    )


def among(space: Space, listed: Sequence[Assignment | str], at: Assignment) -> bool:
    """Whether a sub-network is one of those listed. `at` is canonical."""
    return any(resolved(space, one) == at for one in listed)


def parse(text: str) -> Assignment | str:
    """What `--at` was given: choices with commas or blanks between them, a file with a JSON object, or one itself."""
    if text in ("max", "min"):
        return text
    if text.startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise SystemExit(f"--at {text}: {error}") from None
    if text.endswith(".json"):
        try:
            content = json.loads(Path(text).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise SystemExit(f"{text}: {error}") from None
        if not isinstance(content, Mapping):
            raise SystemExit(
                f"{text} holds no assignment: an object of choices and options is expected"
            )
        return content
    pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
    if not pairs or any(not sign for _, sign, _ in pairs):
        raise SystemExit(f"--at {text}: max, min, a .json file or choice=option,... is expected")
    return {name: option(value) for name, _, value in pairs}


def option(text: str) -> bool | int | float | str:
    """`3`, `0.5`, `true`, `no` or a word."""
    words = {"true": True, "yes": True, "false": False, "no": False}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def spelled(assignment: Assignment) -> str:
    """The reverse of `parse`: `width=0.5,s1.depth=2`; `-` where there is nothing to choose."""
    values = {True: "yes", False: "no"}
    pairs = (
        f"{name}={values[value] if isinstance(value, bool) else value}"
        for name, value in assignment.items()
    )
    return ",".join(pairs) or "-"


def short(assignment: Assignment, most: int = 48) -> str:
    """`spelled` for tables: of a long one only the beginning."""
    text = spelled(assignment)
    if len(text) <= most:
        return text
    kept = text[: most - 4].rpartition(",")[0]
    return f"{kept},..."
