"""Reads spec tests out of Markdown.

A heading is a test, a fence of `specc` under it is a spec, and comments in it say what must be reported there:

    stem { convv(32) }   # error: [unknown-name] "did you mean `conv`"

An error comment names the rule and, between quotes, a part of what is said; `# also: [rule]` stands where one of
the rule's secondary labels must point. `# warning: [rule]` expects a warning. A spec without such comments must be
fine, without a warning; it may state facts about its network, as `# shape: [16, 8, 8]`, which `facts.py` checks.
Words after `specc` on the fence:

    specc stage              the text stands in a stage (of 16 channels, 32 x 32) of a complete supernet
    specc supernet           the text stands in a supernet that has an input, classes and a norm
    specc blocks/x.specc     another file of the same test; the one without a name is `main.specc`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from specc import pipeline
from specc.diagnostics import Diagnostic, SpecError
from tests.helpers.facts import assert_facts
from tests.helpers.folders import ROOT

FOLDER = ROOT / "tests" / "spec_tests"
# The text stands on the lines it has in the test: what goes before it is put on its first line.
BEFORE = "supernet test { input image(3, 32, 32); classes 10; norm batch; "
WRAPPERS = (
    ("stage", BEFORE + "stem { conv(16, kernel=3) }; stage s1 { ", "\n}; head { pool(avg); linear(classes) } }\n"),
    ("supernet", BEFORE, "\n}\n"),
    ("", "", ""),
)
HEADING_OR_FENCE = re.compile(r"^#+ ([^\n]*)|^```specc[ ]*([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"# (error|warning|also): \[([a-z0-9-]+)\](?: \"([^\"]*)\")?")


@dataclass(frozen=True, slots=True)
class Expected:
    """One error, warning or secondary label: in which file and line, of which rule, saying what."""

    file: str
    line: int
    rule: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class SpecTest:
    """A heading and the files under it."""

    name: str
    files: tuple[tuple[str, str], ...]

    @property
    def begin(self) -> int:
        """Where the test's own text begins in `main.specc`."""
        return next((len(before) for _, before, _ in WRAPPERS if before and self.main.startswith(before)), 0)

    @property
    def main(self) -> str:
        """The text of `main.specc`."""
        return dict(self.files).get("main.specc", "")

    def expected(self, word: str) -> list[Expected]:
        found = []
        for file, text in self.files:
            for number, line in enumerate(text.splitlines(), start=1):
                for kind, rule, said in COMMENT.findall(line):
                    if kind == word:
                        found.append(Expected(file, number, rule, said, kind))
        return found


def all_tests() -> Iterator[SpecTest]:
    """The tests of all Markdown files of this folder."""
    for path in sorted(FOLDER.glob("*.md")):
        yield from read_tests(path.stem, path.read_text(encoding="utf-8"))


def read_tests(stem: str, text: str) -> Iterator[SpecTest]:
    """The tests of one Markdown text. A heading without a fence is a title."""
    title, files = "", []
    for match in HEADING_OR_FENCE.finditer(text + "\n# "):
        heading, words, body = match.groups()
        if heading is None:
            files.append(spec_file(words.strip(), body))
            continue
        if files:
            yield SpecTest(f"{stem}: {title}", tuple(files))
        title, files = heading.strip(), []


def spec_file(words: str, body: str) -> tuple[str, str]:
    for word, before, after in WRAPPERS:
        if words == word:
            return "main.specc", before + body.rstrip("\n") + (after or "\n")
    return words, body


def run(test: SpecTest, folder: Path) -> None:
    """Writes the files of a test, compiles `main.specc` and compares what is reported with what the comments say."""
    for name, text in test.files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    try:
        compiled = pipeline.load(str(folder / "main.specc"))
    except SpecError as error:
        compare(test, error.diagnostics)
        return
    # What stands around it may be unused.
    compare(test, tuple(d for d in compiled.warnings if d.primary.span.start >= test.begin))
    assert_facts(test.main, compiled, test.begin)


def compare(test: SpecTest, found: tuple[Diagnostic, ...]) -> None:
    def place(diagnostic: Diagnostic) -> tuple[str, int, str, str]:
        return (
            *where(test, diagnostic.primary.span.source.name, diagnostic.primary.span.start, diagnostic),
            diagnostic.rule.name,
            diagnostic.severity,
        )

    expected = [*test.expected("error"), *test.expected("warning")]
    told = "\n".join(f"{place(d)}: {d.primary.message} ({d.help})" for d in found) or "nothing"
    assert Counter(map(place, found)) == Counter((e.file, e.line, e.rule, e.kind) for e in expected), (
        f"reported:\n{told}"
    )
    for item in expected:
        texts = [
            f"{d.primary.message} {d.help}" for d in found if place(d) == (item.file, item.line, item.rule, item.kind)
        ]
        assert any(item.text in text for text in texts), f"line {item.line} says:\n" + "\n".join(texts)
    labels = [
        (*where(test, label.span.source.name, label.span.start, d, label.span.source.text), d.rule.name)
        for d in found
        for label in d.related
    ]
    for item in test.expected("also"):
        assert (item.file, item.line, item.rule) in labels, f"the other places are {labels}"


def where(test: SpecTest, name: str, start: int, diagnostic: Diagnostic, text: str | None = None) -> tuple[str, int]:
    """The test's name for a reported file, and the line."""
    shown = next((file for file, _ in test.files if name.endswith(file)), name)
    source = diagnostic.primary.span.source.text if text is None else text
    return shown, source.count("\n", 0, start) + 1
