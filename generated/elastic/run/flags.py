"""A parser of flags that refuses one given twice, of which argparse would silently take the last."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any


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
