"""REFERENCE's table of commands has every flag of every command, and the pages name no flag that there is not."""

from __future__ import annotations

import re

import pytest

from specc.cli.main import command_names, load_command, parser_of
from specc.runtime.search.options import UNITS
from specc.runtime.train.options import SPARED
from tests.helpers.folders import ROOT

EVERYWHERE = {"-h", "--help", "-q", "--quiet"}
"""What the table's introduction has of all commands."""
FLAG = r"(?<![\w-])--[a-z][a-z0-9-]*"


def flags_of(name: str) -> set[str]:
    actions = parser_of(name, load_command(name))._actions
    return {flag for action in actions for flag in action.option_strings}


def rows() -> dict[str, set[str]]:
    """The flags of each command in the table."""
    text = (ROOT / "grammar" / "REFERENCE.md").read_text()
    part = text.split("\n## Commands and their flags\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([a-z]+)` \|(.*)\|$", part, re.M)
    return {name: set(re.findall(r"`(--?[A-Za-z][\w-]*)`", row)) for name, row in found}


def test_every_command_has_its_row() -> None:
    assert tuple(sorted(rows())) == command_names()


@pytest.mark.parametrize("name", command_names())
def test_every_flag_is_documented_and_every_documented_flag_exists(name: str) -> None:
    assert rows()[name] == flags_of(name) - EVERYWHERE


@pytest.mark.parametrize("page", ["README.md", "grammar/REFERENCE.md"])
def test_pages_name_only_flags_of_commands_and_of_projects(page: str) -> None:
    """Those of projects are in quotes in the code that reads them."""
    known = {flag for name in command_names() for flag in flags_of(name)} | OTHERS
    known |= {f"--min-{name}" for name in UNITS} | {f"--{name.replace('_', '-')}" for name in SPARED}
    for path in (*(ROOT / "specc").rglob("*.py"), *(ROOT / "specc").rglob("*.jinja")):
        known |= set(re.findall(rf"[\"']({FLAG})[\"']", path.read_text()))
    assert set(re.findall(FLAG, (ROOT / page).read_text())) <= known


OTHERS = {"--nproc-per-node"}
"""Flags of torchrun."""
