"""Checks a network in PyTorch: the only command that needs it.

Writes the project to a temporary folder and runs it. For the largest, the smallest and some random sub-networks,
parameters and MACs must match torch's counts, and the elastic, the extracted and the folded network must agree.
Exit code 70 means that they do not, which is a bug in specc.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from math import isfinite
from random import Random
from typing import TYPE_CHECKING, Any, Final

from specc.assignments import assignment_json, show_assignment
from specc.cli import arguments as shared
from specc.cli.failure import Failure
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from specc.api import Network
    from specc.pipeline import Compiled

SUMMARY = "check the numbers and the generated code in PyTorch"
CLOSE: Final = 1e-4
"""Answers that are meant to be equal may differ by this share: single precision over some hundred layers."""
BUG: Final = 70
LISTED: Final = 100_000
"""The most sub-networks that are listed to draw different ones from."""
ROUNDS: Final = 100
"""The most rounds of draws in larger spaces, where hardly any is drawn twice."""


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    text = "random sub-networks besides the largest and the smallest (3); all if there are fewer"
    flags = ("-n", "--subnets", "--number")
    parser.add_argument(*flags, dest="number", type=shared.positive("-n"), default=3, metavar="N", help=text)
    parser.add_argument("--seed", type=shared.whole, default=0, metavar="S", help="random seed (0)")


def run(args: Namespace, terminal: Terminal) -> int:
    from importlib.util import find_spec
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from specc.api import Network

    if find_spec("torch") is None:
        raise Failure("verify runs the generated project, which needs PyTorch", "pip install 'specc[train]'")
    compiled = shared.load(args, terminal)
    net = Network(compiled)
    with terminal.busy("checking"), TemporaryDirectory(prefix="specc-verify-") as folder:
        cases = cases_of(net, args.number, args.seed)
        found = answers(compiled, cases, Path(folder))
    rows = [compared(net, case, answer) for case, answer in zip(cases, found, strict=True)]
    agree = all(row["agrees"] for row in rows)
    if args.json:
        from specc.schemas.costs import Verified

        terminal.json(Verified.model_validate({"spec": compiled.name, "agrees": agree, "cases": finite(rows)}))
    else:
        show(rows, net, cases, terminal)
    if not agree:
        terminal.message("this is a bug in specc, not in your spec: please report it with the spec and this output")
    return 0 if agree else BUG


def cases_of(net: Network, number: int, seed: int) -> list[dict[str, Any]]:
    """The largest, the smallest and `number` others, all different; all there are where these are no more."""
    from itertools import count

    from specc.space.choices import every
    from specc.subnets.conditions import conditions, count_of

    size = count_of(conditions(net.graph))
    found = {tuple(net.assignment(end).items()): None for end in ("max", "min")}
    wanted = len(found) + number
    if size is not None and size <= max(wanted, LISTED):
        others = [key for at in every(conditions(net.graph)) if (key := tuple(at.items())) not in found]
        return [dict(key) for key in (*found, *Random(seed).sample(others, min(number, len(others))))]
    # So many sub-networks are seldom drawn twice.
    for more in count(seed):
        drawn = net.sample(number, seed=more, distribution="independent")
        found.update(dict.fromkeys(tuple(at.items()) for at in drawn))
        if len(found) >= wanted or more >= seed + ROUNDS:
            break
    return [dict(key) for key in [*found][:wanted]]


def answers(compiled: Compiled, cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What the project itself finds in a process of its own."""
    import json
    import subprocess
    import sys
    from pathlib import Path

    from specc.codegen.install import install
    from specc.pipeline import compile_project

    project = folder / "project"
    install(compile_project(compiled), project)
    script = Path(__file__).parents[2] / "runtime" / "verify.py"
    (project / "verify.py").write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    asked = [question(compiled, at) for at in cases]
    done = subprocess.run(
        [sys.executable, "-B", "verify.py"], cwd=project, input=json.dumps(asked), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"the generated project does not run:\n{done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def question(compiled: Compiled, at: dict[str, Any]) -> dict[str, Any]:
    """One case as the script reads it: an assignment, and the shapes of the inputs at it."""
    from specc.ir.expr import evaluate

    graph = compiled.graph
    table = graph.tensor_table()
    full = {choice.name: at.get(choice.name, choice.largest) for choice in graph.choices}
    shapes = [[evaluate(size, full) for size in (table[n].features, *table[n].space)] for n in graph.inputs]
    return {"at": assignment_json(graph, at) if graph.choices else None, "inputs": shapes}


def compared(net: Network, at: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """What specc says beside what torch says."""
    report = net.cost(at or "max")
    said = {"params": report.params, "params_total": report.params_total, "macs": report.macs}
    torch = {name: answer[name] for name in said}
    close = answer["difference"] <= CLOSE and answer["folded"] <= CLOSE  # and neither is nan
    return {
        "at": assignment_json(net.graph, at),
        "specc": said,
        "torch": torch,
        "difference": answer["difference"],
        "folded": answer["folded"],
        "agrees": said == torch and close,
    }


def finite(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as JSON has them: a difference that is not finite is null."""
    names = ("difference", "folded")
    return [row | {name: row[name] if isfinite(row[name]) else None for name in names} for row in rows]


def show(rows: list[dict[str, Any]], net: Network, cases: list[dict[str, Any]], terminal: Terminal) -> None:
    """A line a sub-network; where the two differ, what torch says instead."""

    def both(row: dict[str, Any], name: str) -> str:
        said, torch = row["specc"][name], row["torch"][name]
        return f"{said:,}" if said == torch else f"{said:,} (torch: {torch:,})"

    table = [
        (
            "agrees" if row["agrees"] else "DIFFERS",
            both(row, "params"),
            both(row, "macs"),
            f"{max(row['difference'], row['folded']):.1e}",
            shortened(show_assignment(net.graph, at)) if at else "the network",
        )
        for row, at in zip(rows, cases, strict=True)
    ]
    columns = ("verdict", "params", "macs", "difference", "at")
    terminal.table(columns, table, right=("params", "macs", "difference"))


def shortened(text: str, most: int = 100) -> str:
    """The first choices of an assignment of many."""
    return text if len(text) <= most else f"{text[: text.rindex(',', 0, most)]}, ..."
