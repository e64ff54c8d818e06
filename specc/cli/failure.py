"""What ends a command other than a diagnostic: a wrong command line, an unreadable file, a folder that is not ours."""

from __future__ import annotations


class Failure(Exception):
    """Something outside the spec's text is wrong. `help` says what would mend it, `code` is the exit code."""

    code = 1

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


class UsageError(Failure):
    """The command line is wrong."""

    code = 2
