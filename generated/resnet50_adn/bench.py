"""Measures latencies of sub-networks, sliced from the elastic network and bound.

    python bench.py                              those of pareto.json
    python bench.py --at max min --batch-size 16 --device cuda
    python bench.py --table                      every block alone: latency.cpu.json

One thread; the fastest, the median and the 90th percentile of many rounds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

import space
from elastic.block_times import write_table
from elastic.front import from_json
from elastic.latency import Latency, measure
from elastic.progress import amount, table
from elastic.subnets import parse, resolved, short
from model import Model

IMAGE = (3, 224, 224)  # channels, height, width
# The blocks of a latency table, and the choices that what they take depends on.
BLOCKS = {
    "stem": [],
    "s1.b1": ["s1.keep"],
    "s1.b2": ["s1.keep"],
    "s1.b3": ["s1.keep"],
    "s2.b1": ["s2.keep"],
    "s2.b2": ["s2.keep"],
    "s2.b3": ["s2.keep"],
    "s2.b4": ["s2.keep"],
    "s3.b1": ["s3.keep"],
    "s3.b2": ["s3.keep"],
    "s3.b3": ["s3.keep"],
    "s3.b4": ["s3.keep"],
    "s3.b5": ["s3.keep"],
    "s3.b6": ["s3.keep"],
    "s4.b1": ["s4.keep"],
    "s4.b2": ["s4.keep"],
    "s4.b3": ["s4.keep"],
    "head": [],
}


def main() -> None:
    flags = arguments()
    net = Model().to(flags.device).eval()
    if flags.table:
        here = Path(__file__).parent
        about = {"network": "resnet50_adn", "batch_size": flags.batch_size}
        print(write_table(net, space, BLOCKS, IMAGE, flags.device, about, here, flags.rounds))
        return
    images = torch.randn(flags.batch_size, *IMAGE, device=flags.device)
    rows = []
    for at in sub_networks(flags):
        plan = net.plan(at)
        size = plan.resolution
        small = images[..., :size, :size] if size else images
        net.use(plan)
        sliced = measure(net, small, rounds=flags.rounds, budget=2.0)
        bound = measure(net.bind(plan), small, rounds=flags.rounds, budget=2.0)
        rows.append([short(at), amount(space.macs(at)), shown(sliced), shown(bound)])
    print(table(["sub-network", "MACs", "sliced", "bound"], rows))
    print("milliseconds a batch: fastest / median / 90th percentile")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures latencies on this machine.")
    add = parser.add_argument
    add("--at", nargs="+", metavar="SUBNET", help="max, min, a .json file or choice=option,...")
    add("--table", action="store_true", help="write latency.DEVICE.json, for budgets in latency")
    add("-b", "--batch-size", type=int, default=1)
    add("--device", default="cpu")
    add("--rounds", type=int, default=200)
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="of pareto.json")
    return parser.parse_args()


def sub_networks(flags: argparse.Namespace) -> list[dict[str, Any]]:
    """Those of --at; else pareto.json's; else the largest and the smallest."""
    front = flags.output_dir / "pareto.json"
    if not flags.at and front.is_file():
        return [dict(point.at) for point in from_json(front.read_text(encoding="utf-8"))]
    try:
        return [resolved(space, parse(text)) for text in flags.at or ["max", "min"]]
    except ValueError as error:
        raise SystemExit(f"--at: {error}") from None


def shown(latency: Latency) -> str:
    times = (latency.fastest, latency.median, latency.p90)
    return " / ".join(f"{1e3 * seconds:.3f}" for seconds in times)


if __name__ == "__main__":
    main()
