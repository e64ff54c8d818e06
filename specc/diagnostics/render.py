"""How diagnostics are shown: as text with the source line and carets, and as JSON values.

specs/x.specc:12:5: error[E212] unknown-name: there is no operator or block `conv2`
   |
12 |     conv2(64)
   |     ^^^^^
 9 |   residual {
   |   -------- the sum begins here
help: did you mean `conv`?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from specc.diagnostics.diagnostic import Diagnostic, Label, Severity
from specc.source import Source

if TYPE_CHECKING:
    from specc.schemas import told

WIDEST = 160
"""Characters of a source line that are shown; longer lines are cut around what is marked."""
COLORS: Final[Mapping[Severity, str]] = {"error": "red", "warning": "yellow"}


def render(diagnostic: Diagnostic, color: bool = False) -> str:
    """One diagnostic as text, without a newline at its end."""
    span = diagnostic.primary.span
    line, column = span.source.position(span.start)
    severity = diagnostic.severity
    head = paint(f"{severity}[{diagnostic.rule.code}]", COLORS[severity], color)
    where = paint(f"{file_name(span.source)}:{line}:{column}:", "bold", color)
    parts = [f"{where} {head} {diagnostic.rule.name}: {printable(diagnostic.primary.message)}"]
    parts.extend(excerpt((diagnostic.primary, *diagnostic.related), color, COLORS[severity]))
    parts.append(f"{paint('help:', 'green', color)} {printable(help_line(diagnostic))}")
    return "\n".join(parts)


def file_name(source: Source) -> str:
    """The file as the user named it."""
    return source.shown or source.name


def help_line(diagnostic: Diagnostic) -> str:
    """What would mend it; where the check had nothing to say, where more is said about the rule."""
    return diagnostic.help or f"`specc explain {diagnostic.rule.code}` shows a wrong and a right example"


def render_all(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """Several diagnostics as text, an empty line between two; in the order of their places within a file."""
    return "\n\n".join(render(d, color) for d in in_order(tuple(diagnostics))) + "\n"


def in_order(diagnostics: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """Files as they were first reported, places from the top of each."""
    files: dict[str, int] = {}
    for diagnostic in diagnostics:
        files.setdefault(diagnostic.primary.span.source.name, len(files))
    return sorted(diagnostics, key=lambda d: (files[d.primary.span.source.name], d.primary.span.start))


def excerpt(labels: Sequence[Label], color: bool, style: str = "red") -> list[str]:
    """The marked source lines with what marks them; the first label is the primary one and its file comes first."""
    primary = labels[0]
    sources = list(dict.fromkeys(label.span.source for label in labels if label.span.source.text))
    numbers = {id(label): label.span.source.position(label.span.start)[0] for label in labels}
    margin = max((len(str(number)) for number in numbers.values()), default=1)
    blank = paint(" " * margin + " |", "blue", color)
    rows: list[str] = []
    for source in sources:
        if source is not primary.span.source:
            rows.append(" " * margin + f" in {file_name(source)}:")
        rows.append(blank)
        here = [label for label in labels if label.span.source is source]
        previous = None
        for number in sorted({numbers[id(label)] for label in here}):
            if previous is not None and number > previous + 1:
                rows.append(paint(" " * (margin - 1) + "...", "blue", color))
            previous = number
            marked = sorted(
                (b for b in here if numbers[id(b)] == number), key=lambda b: (b is not primary, b.span.start)
            )
            text, starts = shown_line(source, number, marked[0].span.start)
            rows.append(f"{paint(f'{number:>{margin}} |', 'blue', color)} {text}".rstrip())
            rows.extend(
                f"{blank} {underline(label, style if label is primary else '', source, number, starts, color)}"
                for label in marked
            )
    return rows


def shown_line(source: Source, number: int, mark: int) -> tuple[str, list[int]]:
    """A line as it can be printed, and the column of the screen at which each of its characters stands.

    Characters that are cut off stand at the edge they are beyond. The list has one item more than the line.
    """
    line = source.line(number)
    first = 0
    if len(line) > WIDEST:
        offset = mark - source.line_starts()[number - 1]
        first = min(max(0, offset - WIDEST // 3), len(line) - WIDEST)
    last = min(len(line), first + WIDEST)
    shown = [printable(character) for character in line[first:last].replace("\t", "    ")]
    if first or last < len(line) or not line.isascii() or "\t" in line:
        lead = "... " if first else ""
        columns = [len(lead)] * first
        column = len(lead)
        for character in line[first:last]:
            columns.append(column)
            column += 4 if character == "\t" else screen_width(character)
        columns.extend([column] * (len(line) - last + 1))
        return lead + "".join(shown) + (" ..." if last < len(line) else ""), columns
    return "".join(shown), list(range(len(line) + 1))


def underline(label: Label, style: str, source: Source, number: int, columns: Sequence[int], color: bool) -> str:
    """The row of carets under a line, in the style of the primary label, or of dashes and the label's message.

    A span over several lines is marked to the end of its first.
    """
    line_start = source.line_starts()[number - 1]
    begin = min(label.span.start - line_start, len(columns) - 1)
    end = min(max(label.span.end - line_start, begin), len(columns) - 1)
    length = max(1, columns[end] - columns[begin])
    mark = paint(("^" if style else "-") * length, style or "blue", color)
    message = "" if style else f" {printable(label.message)}"
    return " " * columns[begin] + mark + message


def printable(text: str) -> str:
    """The text with control characters made visible, so that no spec can drive the terminal it is shown on."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else picture(c) for c in text)


def picture(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"


def screen_width(character: str) -> int:
    """2 for the wide characters of East Asian scripts, 0 for accents that combine, else 1."""
    if character.isascii():
        return 1
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def paint(text: str, style: str, color: bool) -> str:
    """The text in an ANSI style, where colour is wanted."""
    if not color:
        return text
    codes = {"bold": "1", "red": "1;31", "green": "1;32", "blue": "34", "yellow": "33", "dim": "2"}
    return f"\x1b[{codes[style]}m{text}\x1b[0m"


def documents(diagnostics: Sequence[Diagnostic]) -> tuple[told.Diagnostic, ...]:
    """Diagnostics as JSON has them, in the order of their places."""
    from specc.schemas import told

    return tuple(told.Diagnostic.model_validate(as_json(found)) for found in in_order(diagnostics))


def as_json(diagnostic: Diagnostic) -> dict[str, object]:
    """One diagnostic as a JSON value; `related` holds its other places."""
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.rule.code,
        "rule": diagnostic.rule.name,
        **place(diagnostic.primary),
        "help": help_line(diagnostic),
        "related": [place(label) for label in diagnostic.related],
        **({"path": diagnostic.path} if diagnostic.path else {}),
    }


def place(label: Label) -> dict[str, object]:
    """A label with its 1-based lines and columns; the end is exclusive."""
    span = label.span
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(max(span.start, span.end))
    return {
        "message": label.message,
        "file": file_name(span.source),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
