"""Flags: a parser that refuses one given twice, and what flags take: numbers as specs have them (20M, 1.5, 2e-4)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import inf
from typing import Any

from specc.portable.run.numerals import number, read


class Flags(argparse.ArgumentParser):
    """An ArgumentParser whose flags may be given once each, but for those that collect values."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        words = sys.argv[1:] if args is None else [*args]
        first: dict[str, str] = {}
        for flag, action in self.given(words):
            before = first.setdefault(action.dest, "")
            if before and before != flag:
                self.error(f"{before} and {flag} set the same thing: give one of them")
            if before and action.nargs != 0:
                self.error(f"{flag} is given twice")
            first[action.dest] = flag
        return super().parse_known_args(words, namespace)

    def given(self, words: Sequence[str]) -> Iterator[tuple[str, argparse.Action]]:
        """The flags among some words, as they are given, each with what it does; not those that collect values."""
        actions = {flag: action for action in self._actions for flag in action.option_strings}
        for word in words:
            if word == "--":
                return
            flag = word.partition("=")[0] if word.startswith("--") else word[:2]
            if flag not in actions and self.allow_abbrev and word.startswith("--"):
                whole = [name for name in actions if name.startswith(flag)]
                flag = whole[0] if len(whole) == 1 else flag
            if flag in actions and not isinstance(actions[flag], argparse._AppendAction):
                yield flag, actions[flag]


def whole(least: int) -> Callable[[str], int]:
    """A flag's type: a whole number of at least so much."""

    def whole_number(text: str) -> int:
        try:
            found = -number(text[1:]) if text.startswith("-") else number(text)
        except ValueError:
            found = Fraction(1, 2)
        if not isinstance(found, int):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        if found < least:
            raise argparse.ArgumentTypeError(f"{found} is less than {least}")
        return found

    return whole_number


def integer(text: str) -> int:
    """A flag's type: a whole number, as in 128 or 2k; whether it fits is the recipe's to say."""
    return whole(-(10**9))(text)


def real(text: str) -> float:
    """A flag's type: a number, as in 0.1, 2e-4 or 1/3; whether it fits is the recipe's to say."""
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    try:
        found = read(text)
    except ValueError:
        found = text
    if isinstance(found, (bool, str)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number, as 0.1, 2e-4 or 1/3 are")
    return float(found)


def cost(text: str) -> float:
    """A flag's type: a limit of a cost, as in 20M, 20e6 or 1.5."""
    if text.lower() in ("inf", "infinity"):
        return inf
    if text.startswith("-"):
        raise argparse.ArgumentTypeError(f"{text} is no cost: a number from 0 on is expected")
    try:
        return float(number(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, as 20M, 1.5 or 2e7 are") from None


def share(text: str) -> float:
    """A flag's type: a number from 0 to 1."""
    try:
        found = float(number(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if found > 1:
        raise argparse.ArgumentTypeError(f"{text} is no share: a number from 0 to 1 is expected")
    return found
