"""Whole processes of the command line beside the import of what it stands on, and how compiling grows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from specc import pipeline
from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax.parse import parse
from tests.benchmarks.rows import Row, processor_seconds, side_by_side
from tests.helpers.folders import ROOT, SPECS

SPEC = "specs/mobilenet_v2_pss.specc"


# Bytecode is written and read, as it is for every installed package.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def process(*words: str) -> Callable[[], object]:
    """A run of this Python with these words, in the repository."""
    line = [sys.executable, *words]
    return lambda: subprocess.run(
        line, cwd=ROOT, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def run() -> list[Row]:
    imports = process("-c", "import lark, pydantic")
    rows = [
        Row(
            "specc check mobilenet_v2_pss / import lark, pydantic",
            ratio(process("-m", "specc", "check", SPEC), imports),
            2.2,
            "x",
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "project")
        compiling = process("-m", "specc", "compile", SPEC, "-o", out, "--force", "--quiet")
        rows.append(Row("specc compile mobilenet_v2_pss / import lark, pydantic", ratio(compiling, imports), 4, "x"))
        shutil.rmtree(out, ignore_errors=True)
    rows.extend(in_process())
    return rows


def ratio(first: Callable[[], object], second: Callable[[], object]) -> float:
    return side_by_side(first, second, rounds=15)[2]


def in_process() -> list[Row]:
    """Parsed text to checked graph, and a spec of 10,000 operators beside one of 1,000."""
    path = SPECS / "mobilenet_v2_pss.specc"
    files = pipeline.load(path).files
    whole = median(processor_seconds(lambda: pipeline.load(path)) for _ in range(21))
    parsing = median(processor_seconds(lambda: [parse(file, Findings()) for file in files]) for _ in range(21))
    small, large = generated_spec(1_000), generated_spec(10_000)
    _, _, growth = side_by_side(lambda: compiled(large), lambda: compiled(small), rounds=3)
    return [
        Row("mobilenet_v2_pss, parsed text to checked graph", 1e3 * (whole - parsing), 10, "ms"),
        Row("compiling 10,000 operators / 1,000 operators", growth, 12, "x"),
    ]


def compiled(source: Source) -> object:
    return pipeline.compile_project(pipeline.load(source))


def generated_spec(operators: int) -> Source:
    """A supernet of this many written operators in stages of 100, with elastic widths and skippable sub-paths."""
    block = "skippable { residual { conv(16, kernel=3); norm; relu; conv(16, kernel=3); norm } }"
    blocks = "\n    ".join([block] * 19)
    stages = [
        f"  stage s{number} {{\n    {blocks}\n    conv(16, kernel=1); norm; relu; conv(16, kernel=1); norm\n  }}\n"
        for number in range(operators // 100)
    ]
    text = (
        "supernet large {\n  input image(3, 16, 16)\n  classes 10\n  norm batch\n  width per_group 0.5..1.0 round 8\n"
        f"  stem {{ conv(16, kernel=3); norm; relu }}\n{''.join(stages)}  head {{ pool(avg); linear(classes) }}\n}}\n"
    )
    return Source("large.specc", text)
