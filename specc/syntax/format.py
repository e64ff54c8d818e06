"""The formatter: one layout for every spec. It keeps every comment, and a text that it made is left as it is.

Two spaces a level; a body that stood on one line stays there while it fits; statements that shared a line share it
while they fit; a list that does not fit, or has comments in it, gets a line an item. One blank line is kept, two become
one. A comment in the middle of an expression moves to the line before the statement or argument that holds it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from specc.syntax import ast
from specc.syntax.node import fields_of
from specc.syntax.phrase import Braces, Item, Joint, Listed, flat, item

COLUMNS: Final = 100
INDENT: Final = "  "
_NOT_COMPARED: Final = frozenset(("span", "source", "comments"))


def format_spec(file: ast.SpecFile) -> str:
    """The text of a spec in the standard layout, ending with a newline (empty for an empty file)."""
    layout = _Layout(file)
    layout.sequence([item(each) for each in file.items], 0, len(file.source.text), "", braced=False)
    return "".join(line.rstrip() + "\n" for line in layout.lines)


def same(left: object, right: object) -> bool:
    """Whether two trees, or parts of trees, say the same: everything is compared but spans and comments."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is not type(right):
        return False
    fields = fields_of(left)
    if not fields:
        return left == right
    return all(same(getattr(left, f), getattr(right, f)) for f in fields if f not in _NOT_COMPARED)


class _Layout:
    """The lines written so far; the last one is still being written."""

    def __init__(self, file: ast.SpecFile) -> None:
        self.text = file.source.text
        self.comments = file.comments
        self.starts = [comment.span.start for comment in file.comments]
        self.lines: list[str] = []

    # --- sequences -----------------------------------------------------------------------------

    def sequence(self, items: Sequence[Item], begin: int, end: int, indent: str, *, braced: bool = True) -> None:
        """Statements and the comments among them, each on its line or sharing one; `[begin, end)` holds them all."""
        before = begin
        comments = self.within(begin, items[0].start if items else end)
        if braced and comments and not comments[0].own_line and "\n" not in self.text[begin : comments[0].span.start]:
            before = self.trail(comments.pop(0))
        first = True
        shared = False
        for number, each in enumerate(items):
            after = items[number + 1].start if number + 1 < len(items) else end
            hoisted = self.hoisted(each)
            one_line = None if self.within(each.start, each.end) else flat(each.segments)
            joined = one_line is not None and shared and "\n" not in self.text[before : each.start]
            if joined and one_line is not None and len(self.lines[-1]) + 2 + len(one_line) <= COLUMNS:
                self.lines[-1] += f"; {one_line}"
            else:
                for comment in comments:
                    before = self.own_line(comment, before, indent, first)
                    first = False
                self.blank(before, each.start, first)
                self.lines += [indent + comment.text for comment in hoisted]
                self.lines.append(indent)
                shared = self.item(each, indent)
            first = False
            before = each.end
            comments = self.within(each.end, after)
            if comments and not comments[0].own_line:
                before = self.trail(comments.pop(0))
                shared = False
        for comment in comments:
            before = self.own_line(comment, before, indent, first)
            first = False

    def item(self, each: Item, indent: str) -> bool:
        """Writes an item to the end of the current line; whether it took no further line."""
        one_line = None if self.within(each.start, each.end) else flat(each.segments)
        if one_line is not None and len(self.lines[-1]) + len(one_line) <= COLUMNS:
            self.lines[-1] += one_line
            return True
        lines = len(self.lines)
        for number, segment in enumerate(each.segments):
            if isinstance(segment, str):
                self.lines[-1] += segment
            elif isinstance(segment, Joint):
                self.joint(segment, indent)
            else:
                # A list before braces leaves room for the opening one.
                room = 2 if isinstance(segment, Listed) and number + 1 < len(each.segments) else 0
                self.brackets(segment, indent, room)
        return len(self.lines) == lines

    def brackets(self, segment: Braces | Listed, indent: str, room: int) -> None:
        """Braces or a list, at the end of the current line where it fits, over several lines otherwise."""
        one_line = None if self.within(segment.start, segment.end) else flat([segment])
        if one_line is not None and len(self.lines[-1]) + len(one_line) + room <= COLUMNS:
            self.lines[-1] += one_line
            return
        if isinstance(segment, Braces):
            if not segment.items and not self.within(segment.start, segment.end):
                self.lines[-1] += "{ }"
                return
            self.lines[-1] += "{"
            self.sequence(segment.items, segment.start + 1, segment.end, indent + INDENT)
        else:
            self.lines[-1] += segment.opener
            self.arguments(segment, indent + INDENT)
        self.lines.append(indent + ("}" if isinstance(segment, Braces) else segment.closer))

    def arguments(self, listed: Listed, indent: str) -> None:
        """The items of a list, a line each, and the comments among them."""
        comments = self.within(listed.start, listed.items[0].start)
        if comments and not comments[0].own_line:
            self.trail(comments.pop(0))
        for number, each in enumerate(listed.items):
            last = number + 1 == len(listed.items)
            self.lines += [indent + comment.text for comment in [*comments, *self.hoisted(each)]]
            self.lines.append(indent)
            self.item(each, indent)
            self.lines[-1] += "" if last else ","
            comments = self.within(each.end, listed.end if last else listed.items[number + 1].start)
            if comments and not comments[0].own_line:
                self.trail(comments.pop(0))
        self.lines += [indent + comment.text for comment in comments]

    def joint(self, joint: Joint, indent: str) -> None:
        """` else ` and ` shortcut `: after the brace, or on a line of their own after comments."""
        comments = self.within(joint.start, joint.end)
        if not comments:
            self.lines[-1] += joint.text
            return
        if not comments[0].own_line and "\n" not in self.text[joint.start : comments[0].span.start]:
            self.trail(comments.pop(0))
        self.lines += [indent + comment.text for comment in comments]
        self.lines.append(indent + joint.text.lstrip())

    # --- comments ------------------------------------------------------------------------------

    def within(self, start: int, end: int) -> list[ast.Comment]:
        """The comments that begin in `[start, end)`."""
        return list(self.comments[bisect_left(self.starts, start) : bisect_left(self.starts, end)])

    def hoisted(self, each: Item) -> list[ast.Comment]:
        """The comments inside an item that none of its brackets and joints holds."""
        held = [s for s in each.segments if not isinstance(s, str)]
        return [
            comment
            for comment in self.within(each.start, each.end)
            if not any(s.start <= comment.span.start < s.end for s in held)
        ]

    def trail(self, comment: ast.Comment) -> int:
        """Puts a comment at the end of the current line."""
        self.lines[-1] += f"  {comment.text}"
        return comment.span.end

    def own_line(self, comment: ast.Comment, before: int, indent: str, first: bool) -> int:
        self.blank(before, comment.span.start, first)
        self.lines.append(indent + comment.text)
        return comment.span.end

    def blank(self, before: int, start: int, first: bool) -> None:
        """One blank line where the source has one or more between two offsets, but none at the top of braces."""
        if not first and re.search(r"\n[ \t\r]*\n", self.text[before:start]):
            self.lines.append("")
