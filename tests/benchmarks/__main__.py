"""`python -m tests.benchmarks [NAME ...]`: runs all benchmarks, or those named, and prints one table.

With --strict the exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.rows import Row


def main(words: list[str]) -> int:
    wanted = [word.removeprefix("bench_") for word in words if not word.startswith("-")]
    names = [path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py"))]
    rows: list[Row] = []
    print(f"{'':2}{'what':<66}{'measured':>12}{'bar':>10}")
    for name in names:
        if wanted and name.removeprefix("bench_") not in wanted:
            continue
        print(f"{name.removeprefix('bench_')}", flush=True)
        for row in import_module(f"tests.benchmarks.{name}").run():
            rows.append(row)
            bar = "" if row.bar is None else f"{row.bar:g} {row.unit}"
            print(f"  {row.name:<66}{row.value:>9.3g} {row.unit:<3}{bar:>9}{'' if row.holds else '  OVER'}", flush=True)
    missed = sum(not row.holds for row in rows)
    print(f"{len(rows)} figures, {missed} over the bar")
    return 1 if missed and "--strict" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
