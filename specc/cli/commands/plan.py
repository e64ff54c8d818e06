"""Shows what `compile` would write, and its costs: the number of sub-networks, their costs, the training, the files.

Memory counts float32 values: all weights (`weight_bytes`), and peak activation memory for one image (`peak_bytes`).
With -o the files are compared with the project in that folder.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.cli import arguments as shared
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.pipeline import Compiled

SUMMARY = "show what compile would write, and its costs"
BYTES = 4
"""Of a float32 number."""


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="compare with the project in this folder")


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.subnets.space import approximate_range

    compiled = shared.load(args, terminal)
    with terminal.busy("counting"):
        plan = network(compiled) | {"method": method(compiled), "data": data(compiled)}
    if not plan["exact"]:
        terminal.warn(approximate_range(compiled.graph))
    plan["files"] = files(compiled, args.output)
    if args.json:
        from specc.schemas.costs import Plan

        terminal.json(Plan.model_validate(plan))
    else:
        show(plan, args.output, terminal)
    return 0


def network(compiled: Compiled) -> dict[str, Any]:
    """The space and what its sub-networks cost."""
    from specc.cost import cost
    from specc.subnets.space import complete, range_of_costs, size

    graph = compiled.graph
    ranges = range_of_costs(graph)
    ends = {end: cost(graph, complete(graph, {}, end)) for end in ("min", "max")}
    return {
        "spec": graph.name,
        "size": str(size(graph)),
        "choices": len(graph.choices),
        "operations": len(graph.ops),
        "params": span(ranges.params),
        "params_total": ends["max"].params_total,
        "macs": span(ranges.macs),
        "weight_bytes": {end: BYTES * report.params for end, report in ends.items()},
        "peak_bytes": span(ranges.peak_bytes),
        "exact": ranges.exact,
    }


def span(ends: tuple[int, int]) -> dict[str, int]:
    return {"min": ends[0], "max": ends[1]}


def method(compiled: Compiled) -> dict[str, Any]:
    """How the sub-networks are trained together."""
    from specc.methods import find_method

    call = compiled.model.method
    found = find_method(call.name)
    assert found is not None, call.name
    subnets = found.subnets_per_step(compiled.graph, call)
    listed = found.listed(compiled.graph, call) if compiled.graph.choices else None
    return {"name": call.name, "subnets_per_step": subnets, "listed": None if listed is None else len(listed)}


def data(compiled: Compiled) -> dict[str, Any]:
    """What it is trained on, and for how long."""
    call, train = compiled.model.data, compiled.model.train
    return {"name": None if call is None else call.name, "epochs": train["epochs"], "batch_size": train["batch_size"]}


def files(compiled: Compiled, output: str | None) -> list[dict[str, str]]:
    """The project's files and what would become of those that stand in the folder."""
    from specc.codegen.install import changes
    from specc.pipeline import compile_project

    made = compile_project(compiled)
    found = tuple((path, "new") for path in sorted(made)) if output is None else changes(made, Path(output))
    return [{"path": path, "change": change} for path, change in found]


def show(plan: dict[str, Any], output: str | None, terminal: Terminal) -> None:
    """The plan for people."""
    how, what = plan["method"], plan["data"]
    trained = f"{how['name']}, {plural(how['subnets_per_step'], 'sub-network')} a step"
    if how["listed"] is not None and how["listed"] < int(plan["size"]):
        trained += f"; {plural(how['listed'], 'sub-network')} in all, no other is trained"
    terminal.data(
        f"{plan['spec']}: {plural(int(plan['size']), 'sub-network')}, {plural(plan['choices'], 'choice')}, "
        f"{plural(plan['operations'], 'operation')}\n"
        f"method: {trained}\n"
        f"data:   {what['name'] or 'none named'}, {what['epochs']} epochs, batches of {what['batch_size']}\n\n"
    )
    rows = [
        ("parameters", plan["params"]["min"], plan["params"]["max"]),
        ("multiply-accumulates", plan["macs"]["min"], plan["macs"]["max"]),
        ("bytes of weights", plan["weight_bytes"]["min"], plan["weight_bytes"]["max"]),
        ("bytes of feature maps", plan["peak_bytes"]["min"], plan["peak_bytes"]["max"]),
    ]
    terminal.table(("for one image", "smallest", "largest"), rows, right=("smallest", "largest"))
    changed = [row for row in plan["files"] if row["change"] != "same"]
    where = f" in {output}" if output else ""
    terminal.data(f"\n{len(plan['files'])} files{where}, {len(changed)} of them would change\n")
    if output:
        for row in changed:
            terminal.data(f"  {row['change']}: {row['path']}\n")


def plural(number: int, what: str) -> str:
    """`1 choice`, `4,096 choices`; numbers of more than 24 digits in powers of ten."""
    text = f"{number:,}" if number < 10**24 else f"about 10^{len(str(number)) - 1}"
    return f"{text} {what}{'' if number == 1 else 's'}"
