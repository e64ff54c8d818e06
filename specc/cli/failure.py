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


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read or written, in words."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 ({error.reason} at byte {error.start})"
    return (error.strerror or str(error)).lower()
