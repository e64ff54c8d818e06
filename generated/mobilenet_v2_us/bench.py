"""Measures latencies of sub-networks: sliced from the elastic network, bound, and straight.

    python bench.py                              those of pareto.json
    python bench.py --at max min --batch-size 16 --device cuda
    python bench.py --table                      of every block in every shape: latency.cpu.json

The fastest, the median and the 90th percentile of many rounds. One thread is timed by its processor
time, in which other processes have no part.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import space
from elastic.deploy.choosing import read_points
from elastic.latency.block_times import write_table
from elastic.latency.timing import measure
from elastic.net.network import sized
from elastic.net.shapes import Inputs, random_inputs
from elastic.run.distributed import usable
from elastic.run.flag_types import whole
from elastic.run.progress import amount, table
from elastic.train.subnets import parse, resolved, short
from model import Model

IMAGE = (3, 224, 224)  # channels, height, width
# The blocks of a latency table, and the choices that what they take depends on.
BLOCKS = {
    "stem": ["width"],
    "s1.b1": ["width"],
    "s2.b1": ["width"],
    "s2.b2": ["width"],
    "s3.b1": ["width"],
    "s3.b2": ["width"],
    "s3.b3": ["width"],
    "s4.b1": ["width"],
    "s4.b2": ["width"],
    "s4.b3": ["width"],
    "s4.b4": ["width"],
    "s5.b1": ["width"],
    "s5.b2": ["width"],
    "s5.b3": ["width"],
    "s6.b1": ["width"],
    "s6.b2": ["width"],
    "s6.b3": ["width"],
    "s7.b1": ["width"],
    "head": ["width"],
}


def main() -> None:
    flags = arguments()
    net = Model().to(usable(flags.device)).eval()
    if flags.table:
        made = write_table(
            net,
            space,
            BLOCKS,
            IMAGE,
            Path(__file__).parent,
            network="mobilenet_v2_us",
            device=flags.device,
            threads=flags.threads,
            batch_size=flags.batch_size,
            form="sliced" if flags.sliced else "straight",
        )
        print(made)
        return
    inputs = random_inputs(IMAGE, flags.batch_size, flags.device)
    rows = []
    for at in sub_networks(flags):
        plan = net.plan(at)
        small = sized(inputs, plan.resolution)
        net.use(plan)
        forms = (net, net.bind(plan, fold=True), net.straight(plan))
        times = [shown(form, small, flags) for form in forms]
        rows.append([short(at), amount(space.macs(at)), *times])
    print(table(["sub-network", "MACs", "sliced", "bound", "straight"], rows))
    print("milliseconds a batch: fastest / median / 90th percentile")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures latencies on this machine.")
    add = parser.add_argument
    add("--at", nargs="+", metavar="SUBNET", help="max, min, a .json file or choice=option,...")
    add("--table", action="store_true", help="write latency.DEVICE.json, for budgets in latency")
    add("--sliced", action="store_true", help="a table of blocks that slice the shared weights")
    add("-b", "--batch-size", type=whole(1), default=1)
    add("--device", default="cpu")
    add("--threads", type=whole(1), default=1, metavar="N", help="of torch, on the CPU (1)")
    add("--rounds", type=whole(1), default=200)
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="of pareto.json")
    return parser.parse_args()


def sub_networks(flags: argparse.Namespace) -> list[dict[str, Any]]:
    """Those of --at; else pareto.json's; else the largest and the smallest."""
    front = flags.output_dir / "pareto.json"
    if not flags.at and front.is_file():
        return [dict(point.at) for point in read_points(front, space)]
    try:
        return [resolved(space, parse(text)) for text in flags.at or ["max", "min"]]
    except ValueError as error:
        raise SystemExit(f"--at: {error}") from None


def shown(module: Any, inputs: Inputs, flags: argparse.Namespace) -> str:
    """Milliseconds: the fastest, the median and the 90th percentile."""
    found = measure(module, inputs, rounds=flags.rounds, budget=2.0, threads=flags.threads)
    times = (found.fastest, found.median, found.p90)
    return " / ".join(f"{1e3 * seconds:.3f}" for seconds in times)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
