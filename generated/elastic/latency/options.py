"""The flags of bench.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from elastic.run.flag_types import whole
from elastic.run.flags import Flags


def bench_flags(
    elastic: bool = False, blocks: bool = False, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """`elastic` for a network with sub-networks, `blocks` where a table of its blocks can be made."""
    parser = Flags(description="Measures latencies on this machine.")
    add = parser.add_argument
    if elastic:
        add(
            "--at",
            nargs="+",
            metavar="SUBNET",
            help="max, min, a .json file or choice=option,...",
        )
    if blocks:
        add(
            "--table", action="store_true", help="write latency.DEVICE.json, for budgets in latency"
        )
        add(
            "--sliced",
            dest="form",
            action="store_const",
            const="sliced",
            default="fused",
            help="a table of blocks that slice the shared weights",
        )
    add("-b", "--batch-size", type=whole(1), default=1)
    add("--device", default="cpu")
    add("--threads", type=whole(1), default=1, metavar="N", help="torch threads on the CPU (1)")
    add("--rounds", type=whole(1), default=200)
    if elastic:
        add(
            "--output-dir",
            type=Path,
            default=Path("runs"),
            metavar="DIR",
            help="folder of pareto.json",
        )
    return parser.parse_args(argv)
