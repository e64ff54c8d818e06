"""PSS-Net, Tables 1 and 4 to 6: pools against US-Nets and MutualNet at equal MACs, top-k calibration, fine-tuning.

One network of separable convolutions on rendered characters, trained by each method with as many forward and backward
passes: 3 a step for PSS-Net, 4 for the others, which therefore see three quarters of its epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from specc.codegen.install import install
from specc.pipeline import compile_project, load
from specc.source import Source
from tests.claims.table import Figure, show

SPEC = """
import std.mobilenet

supernet glyphs_INPUT {
  input image(3, INPUT); classes 46
  norm batch
  width WIDTH
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { depthwise_separable(32, stride=2) }
  stage s2 { repeat 2 { depthwise_separable(64) } }
  stage s3 { depthwise_separable(96, stride=2); depthwise_separable(96) }
  head { pool(avg); linear(classes) }
}
method METHOD
data glyphs(images=6900, test_images=1380, size=20)
train {
  epochs=EPOCHS; batch_size=64
  optimizer=sgd(lr=0.1, momentum=0.9, weight_decay=1e-4); schedule=cosine(warmup=0.5)
  calibrate=512; evaluate_every=EPOCHS
}
"""
EPOCHS = 20
STEP = 150_000
TOP = (1, 5, 10, 20)
SIZES = "resolution=12..20 step 2"
UNIFORM = "uniform 0.5..1.0 step 0.0625 round 4"
METHODS = {
    "PSS-Net": (SIZES, "per_group 0.5..1.0 round 4", f"pss(pool=20, budgets=[macs(step={STEP})])", 1),
    "US-Net": ("20, 20", UNIFORM, "us_net(subnets=4)", 0.75),
    "MutualNet": (SIZES, UNIFORM, "mutualnet(subnets=4)", 0.75),
}
"""Input, width, method and the share of EPOCHS."""

PROGRAM = '''
import json, sys
sys.path.insert(0, ".")
asked = json.load(sys.stdin)
sys.argv = ["train.py", "--device", "cpu", "--seed", str(asked["seed"])]
import torch
from torch.nn.functional import cross_entropy
import space, train
from elastic.train import checkpoint
from elastic.data.datasets import load_data
from elastic.run.distributed import World
from elastic.train.evaluate import evaluate
from train import TASK
from elastic.train.calibrate import calibrated
from elastic.data.loading import Loading
from elastic.net.network import resize

torch.set_num_threads(1)
train.main()
world = World(0, 1, torch.device("cpu"))
net = train.Model()
saved = checkpoint.load(train.Path("runs/checkpoint.pt"))
checkpoint.trained(net.eval(), saved)
loading = Loading(load_data(saved["data"]), train.IMAGE, world)
fitting = loading.calibration(512)
judging, testing = (loading.evaluation(images) for images in (loading.data.validation, loading.data.test))


def judged(at):
    plan = calibrated(net, net.plan(at), fitting)
    scores = [evaluate(net, plan, images, TASK, world).value for images in (judging, testing)]
    return {"at": at, "macs": space.macs(at), "validation": scores[0], "test": scores[1]}


def tuned(at, epochs):
    """Test accuracies of a sub-network alone, before and after more training."""
    plan = calibrated(net, net.plan(at), fitting)
    static = net.extract(plan, fold=False)
    size = plan.resolution or train.IMAGE[-1]
    batches = [(resize(images, size), labels) for images, labels in testing]
    accuracies = [evaluate(static, None, batches, TASK, world).value]
    optimizer = torch.optim.SGD(static.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    static.train()
    for epoch in range(epochs):
        for images, labels in loading.training(64, (), asked["seed"] + 1, epoch):
            optimizer.zero_grad()
            cross_entropy(static(resize(images, size)), labels).backward()
            optimizer.step()
        schedule.step()
    return [*accuracies, evaluate(static, None, batches, TASK, world).value]


if saved["memory"] is None:
    found = {"subnets": [judged(at) for at in space.every()]}
else:
    kept = json.loads(train.Path("runs/constraints.json").read_text())["subnets"]
    pools = [pool for pool in saved["memory"]["entries"] if pool]
    found = {
        "targets": [row["target"] for row in kept],
        "pools": [[judged(at) for at, _ in pool] for pool in pools],
        "tuned": [tuned(kept[i]["at"], asked["tuning"]) for i in (0, len(kept) // 2, len(kept) - 1)],
    }
with open("found.json", "w") as file:
    json.dump(found, file)
'''


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one seed of all methods gave: PSS-Net's constraints and pools, the others' sub-networks."""

    targets: list[int]
    pools: list[list[dict[str, Any]]]
    tuned: list[list[float]]
    others: dict[str, list[dict[str, Any]]]

    def pooled(self, constraint: int, top: int) -> float:
        """The test accuracy of the best by validation among the first `top` of a pool."""
        return float(max(self.pools[constraint][:top], key=lambda row: row["validation"])["test"])

    def within(self, method: str, most: float) -> float:
        """The test accuracy of the best by validation among another method's sub-networks of at most so many MACs."""
        rows = [row for row in self.others[method] if row["macs"] <= most] or [
            min(self.others[method], key=lambda row: row["macs"])
        ]
        return float(max(rows, key=lambda row: row["validation"])["test"])


def trained(method: str, seed: int, epochs: int) -> dict[str, Any]:
    """What PROGRAM writes, for one method and seed."""
    image, width, call, share = METHODS[method]
    words = {"INPUT": image, "WIDTH": width, "METHOD": call, "EPOCHS": str(max(1, round(share * epochs)))}
    text = SPEC.replace("glyphs_INPUT", "glyphs")
    for name, value in words.items():
        text = text.replace(name, value)
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        install(compile_project(load(Source("glyphs.specc", text))), project)
        asked = json.dumps({"seed": seed, "tuning": max(1, epochs // 10)})
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", PROGRAM]
        subprocess.run(command, cwd=project, input=asked, text=True, env=environment, check=True, stdout=sys.stderr)
        found: dict[str, Any] = json.loads((project / "found.json").read_text())
    return found


def run(seed: int, epochs: int) -> Run:
    pss = trained("PSS-Net", seed, epochs)
    others = {name: trained(name, seed, epochs)["subnets"] for name in METHODS if name != "PSS-Net"}
    return Run(pss["targets"], pss["pools"], pss["tuned"], others)


def figures(runs: Sequence[Run]) -> Iterator[Figure]:
    shared = range(min(len(found.pools) for found in runs))
    for number in shared:
        target = runs[0].targets[number]
        parts = [f"PSS-Net {spread([found.pooled(number, 5) for found in runs])}"]
        for method in METHODS:
            if method != "PSS-Net":
                values = [found.within(method, target + STEP / 2) for found in runs]
                parts.append(f"{method} {spread(values)}")
        yield Figure(
            f"{target / 1e6:.2f} M MACs", ", ".join(parts), "PSS-Net +0.3 to +3.5 over MutualNet" * (not number)
        )
    for top in TOP:
        values = [float(np.mean([found.pooled(number, top) for number in shared])) for found in runs]
        yield Figure(f"k = {top} calibrated, mean over constraints", spread(values), PAPER_TOP[top])
    for place, name in enumerate(("smallest", "middle", "largest")):
        before, after = ([found.tuned[place][i] for found in runs] for i in (0, 1))
        yield Figure(f"{name} constraint, fine-tuned", f"{spread(before)} to {spread(after)}", PAPER_TUNED[place])


PAPER_TOP = {1: "72.6 %", 5: "73.0 %", 10: "73.0 %", 20: "73.03 %"}
PAPER_TUNED = ("-0.4", "-0.3", "-0.3")


def spread(values: Sequence[Any]) -> str:
    found = 100 * np.array(values, dtype=float)
    return f"{found.mean():.1f} ± {found.std(ddof=1) if len(found) > 1 else 0:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of PSS-Net; the others have three quarters")
    parser.add_argument("--at-once", type=int, default=2, help="seeds that run beside one another")
    args = parser.parse_args()
    with ThreadPoolExecutor(args.at_once) as pool:
        runs = list(pool.map(run, range(args.seeds), [args.epochs] * args.seeds))
    show(
        "PSS-Net, Tables 1, 4, 5 and 6: pools, top-k calibration, fine-tuning",
        f"Glyphs 20x20, separable convolutions, widths 0.5 to 1, {args.epochs} epochs of 3 passes a step against "
        f"{max(1, round(0.75 * args.epochs))} of 4, seeds 0 to {args.seeds - 1}: test accuracy of the sub-network that "
        "is best on validation images, at most as expensive; mean and standard deviation over seeds.",
        figures(runs),
    )


if __name__ == "__main__":
    main()
