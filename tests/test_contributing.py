"""CONTRIBUTING.md and ARCHITECTURE.md are true: what they name exists, and their spec is as they say."""

from __future__ import annotations

import re
from itertools import takewhile

import pytest

from specc.cli.commands.completion import described
from specc.pipeline import load
from specc.source import Source
from tests.helpers.facts import assert_facts
from tests.helpers.folders import PACKAGE, ROOT

PAGES = ("CONTRIBUTING.md", "ARCHITECTURE.md", "editors/README.md", "README.md", "grammar/REFERENCE.md")
PLACEHOLDERS = re.compile(r"NAME|NETWORK|\*")
"""What stands for any name in a path."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_paths_lead_somewhere(page: str) -> None:
    for path in re.findall(r"`((?:specc|tests|specs|grammar|generated|editors|\.ci)/[^` ]*)`", text_of(page)):
        if PLACEHOLDERS.search(path):
            fixed = takewhile(lambda part: not PLACEHOLDERS.search(part), path.split("/"))
            assert ROOT.joinpath(*fixed).is_dir(), path
        else:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_headings(page: str) -> None:
    for target, heading in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text_of(page)):
        if "://" in target:
            continue
        found = (ROOT / page).parent / target if target else ROOT / page
        assert found.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, heading


def test_every_target_is_explained_and_there() -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", text_of("CONTRIBUTING.md")))
    assert named == TARGETS - {"clean"}
    assert set(re.findall(r"^# +make ([a-z-]+)", MAKEFILE, re.M)) <= TARGETS


def test_what_decides_are_the_linter_the_types_and_the_tests() -> None:
    commands = [line for line in text_of(".ci/run").splitlines() if "make" in line]
    assert commands == ["make lint", "exec make test"]
    hooks = re.findall(r"^ +entry: (.*)$", text_of(".pre-commit-config.yaml"), re.M)
    assert len(hooks) == 4
    assert all(hook.startswith(("make ", ".venv/bin/")) for hook in hooks)


def test_the_way_of_a_spec_is_as_told() -> None:
    (spec,) = re.findall(r"^```specc\n(.*?)^```", text_of("ARCHITECTURE.md"), re.M | re.S)
    compiled = load(Source("walk.specc", spec))
    assert_facts(spec, compiled)
    graph = compiled.graph
    assert [choice.name for choice in graph.choices] == ["width", "s1.depth", "s1.conv.kernel"]
    (select,) = (op for op in graph.ops if op.kind == "select")
    assert select.inputs == ("s1.add", "stem.relu")


def flags_there_are() -> str:
    """A pattern of the flags of all commands, and of projects' scripts as they and what they import write them."""
    commands = {flag for _, _, options in described() for flag, _ in options}
    folders = (PACKAGE / "runtime", PACKAGE / "codegen" / "templates", PACKAGE / "methods")
    files = (path for folder in folders for path in folder.rglob("*.*") if path.suffix in (".py", ".jinja"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    written = {flag for text in texts for flag in re.findall(r"\"(--[a-z{][a-z0-9{}_-]+)", text)}
    written |= {f"--{word.replace('_', '-')}" for text in texts for word in re.findall(r"\"([a-z_]+_decay)\"", text)}
    # An f-string stands for several: f"--{kind}-weight-decay".
    return "|".join(re.sub(r"\{\w+\}", "[a-z]+(-[a-z]+)?", flag) for flag in sorted(commands | written))


@pytest.mark.parametrize("page", ["README.md", "grammar/REFERENCE.md"])
def test_flags_that_are_shown_are_there(page: str) -> None:
    there = re.compile(f"{flags_there_are()}|--nproc-per-node")  # the last is torchrun's
    for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text_of(page)):
        assert there.fullmatch(flag), flag


def test_every_command_s_row_is_in_the_readme_and_its_flags_have_help() -> None:
    for name, summary, options in described():
        assert re.search(rf"^\|[^|]*`specc {name}\b", text_of("README.md"), re.M), name
        assert summary
        assert all(help for _, help in options), name


def test_no_page_speaks_of_documents_that_readers_lack() -> None:
    for page in PAGES:
        assert not re.search(r"DESIGN|SKETCHES|FACTS\b|WORDS\b|shared/|issue \d", text_of(page)), page
