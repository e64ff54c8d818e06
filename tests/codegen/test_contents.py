"""`elastic/__init__.py`: what each file of a project is for, in the words that the file begins with."""

from __future__ import annotations

import ast

import pytest

from specc.codegen.contents import contents, purpose
from specc.pipeline import compile_project
from tests.codegen.projects import compiled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"""One thing."""\n', "One thing"),
        ('"""One thing: on\ntwo lines. And more.\n\nA paragraph.\n"""\n', "One thing: on two lines"),
        ("import os\n", ""),
    ],
)
def test_a_purpose_is_the_first_sentence_of_the_docstring(text: str, said: str) -> None:
    assert purpose(text) == said


def test_parts_stand_by_what_they_are() -> None:
    parts = {
        "specc.ops.conv.torch": ("conv", '"""A convolution."""'),
        "specc.codegen.runtime.bind": ("bind", '"""Binding."""'),
        "acme.toy.step": ("toy", '"""Of somebody else."""'),
    }
    assert contents(parts).splitlines()[2:] == [
        "Layers:",
        "    conv  A convolution",
        "",
        "Training, search and deployment:",
        "    bind  Binding",
        "",
        "The method's training step:",
        "    toy   Of somebody else",
        '"""',
    ]


def test_every_part_of_a_project_is_listed_once() -> None:
    files = compile_project(compiled("digits"))
    listed = ast.get_docstring(ast.parse(files["elastic/__init__.py"]))
    assert listed is not None
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("    ") and line[4] != " "]
    parts = [path[8:-3] for path in files if path.startswith("elastic/") and not path.endswith("__init__.py")]
    assert sorted(names) == sorted(parts)
