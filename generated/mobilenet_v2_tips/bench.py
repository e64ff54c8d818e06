"""Measures latencies of sub-networks: sliced from the elastic network, extracted, and fused.

    python bench.py                              those of pareto.json
    python bench.py --at max min --batch-size 16 --device cuda
    python bench.py --table                      of every block in every shape: latency.cpu.json

The fastest, the median and the 90th percentile of many rounds. One thread is timed by its processor
time, which excludes other processes.
"""

from __future__ import annotations

from pathlib import Path

import space
from elastic.data.images import random_inputs
from elastic.deploy.choosing import sub_networks
from elastic.files.first_version import first_version
from elastic.latency.block_times import read_blocks, write_table
from elastic.latency.timing import bench_flags, milliseconds
from elastic.net.plan import short
from elastic.net.resizing import sized
from elastic.run.distributed import usable
from elastic.run.progress import amount, table
from model import Model

IMAGE = (3, 224, 224)  # channels, height, width
NAME = "mobilenet_v2_tips"
HERE = Path(__file__).parent


def main() -> None:
    flags = bench_flags(elastic=True, blocks=True)
    net = Model().to(usable(flags.device)).eval()
    if flags.table:
        under = {"threads": flags.threads, "batch_size": flags.batch_size, "form": flags.form}
        of = (net, space, read_blocks(HERE / "ir.json"), IMAGE, HERE, NAME)
        print(write_table(*of, device=flags.device, **under))
        return
    inputs = random_inputs(IMAGE, flags.batch_size, flags.device)
    rows = []
    for at in sub_networks(space, flags.at, flags.output_dir / "pareto.json", first_version(net)):
        plan = net.plan(at)
        small = sized(inputs, plan.resolution)
        net.use(plan)
        forms = (net, net.extract(plan, fold=True), net.fused(plan))
        times = [milliseconds(form, small, flags.rounds, flags.threads) for form in forms]
        rows.append([short(at), amount(space.macs(at)), *times])
    print(table(["sub-network", "MACs", "sliced", "extracted", "fused"], rows))
    print("milliseconds a batch: fastest / median / 90th percentile")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
