"""A network that somebody has trained becomes elastic: its accuracy right after import, and after elastic fine-tuning
beside the same recipe from scratch.

The network is a module of its own kind (a functional forward, no spec), trained in plain PyTorch on rendered
characters.
It is imported, made elastic for `us_net` and for `adn`, and trained for as many epochs as the one that starts anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specc.elastify import elastify, read_request
from specc.imported import import_network, install
from specc.methods import find_method
from specc.runtime.data.datasets import load_data
from specc.runtime.data.loading import Loading
from specc.runtime.run.distributed import World
from specc.source import Source
from specc.subnets.space import size
from tests.claims.runs import answer, spread
from tests.claims.table import Figure, show

DATA: Mapping[str, Any] = {
    "name": "glyphs",
    "path": "",
    "images": 6900,
    "test_images": 1380,
    "size": 20,
    "validation": 0.1,
    "seed": 0,
}
SHAPE = (3, 20, 20)
MINE = """
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.a = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn_a = nn.BatchNorm2d(n_out)
        self.b = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn_b = nn.BatchNorm2d(n_out)
        self.skip = None
        if stride != 1 or n_in != n_out:
            self.skip = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        y = F.relu(self.bn_a(self.a(x)))
        y = self.bn_b(self.b(y))
        return F.relu(y + (x if self.skip is None else self.skip(x)))


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, padding=1, bias=False)
        self.first_bn = nn.BatchNorm2d(12)
        self.low = nn.Sequential(Block(12, 12), Block(12, 12))
        self.mid = nn.Sequential(Block(12, 24, 2), Block(24, 24))
        self.high = nn.Sequential(Block(24, 48, 2), Block(48, 48))
        self.out = nn.Linear(48, 46)

    def forward(self, x):
        x = F.relu(self.first_bn(self.first(x)))
        for part in (self.low, self.mid, self.high):
            x = part(x)
        return self.out(x.mean((2, 3)))


def build():
    net = Mine()
    try:
        net.load_state_dict(torch.load("WEIGHTS", weights_only=True))
    except FileNotFoundError:
        pass
    return net
"""
RECIPE = """
data glyphs(images=6900, test_images=1380, size=20, validation=0.1)
train {
  epochs=EPOCHS; batch_size=64
  optimizer=sgd(lr=RATE, momentum=0.9, weight_decay=1e-4); schedule=cosine
  init=msra; calibrate=1024; evaluate_every=EPOCHS; START
}
"""
RATES = {"from scratch": 0.1, "from the trained network": 0.02}
"""Highest learning rates: what is trained already takes a smaller one."""
REQUESTS = {"us_net": "width uniform {0.25, 0.5, 0.75, 1.0} round 4", "adn": "skippable halves"}
PROGRAM = """
import space

fitting = loading.calibration(1024)
found = {}
for at in space.every():
    name = " ".join(f"{key}={value:g}" for key, value in at.items())
    found[name] = evaluate(net, calibrated(net, net.plan(at), fitting), testing, TASK, world).value
"""
AS_IMPORTED = """
from elastic.train.start import start

net = train.Model()
start(net, train.Path(asked["weights"]), 46, world)
found = {"largest": evaluate(net.eval(), net.plan("max"), testing, TASK, world).value}
"""


def trained(folder: Path, seed: int, epochs: int) -> tuple[Path, float]:
    """The user's file, with weights beside it that plain PyTorch has trained; and their test accuracy."""
    torch.manual_seed(seed)
    file = folder / "mine.py"
    file.write_text(MINE.replace("WEIGHTS", str(folder / "mine.pt")))
    made: dict[str, Any] = {}
    exec(file.read_text(), made)
    net: nn.Module = made["build"]()
    loading = Loading(load_data(DATA), SHAPE, World(0, 1, torch.device("cpu")))
    steps = epochs * loading.steps(64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        net.train()
        for images, labels in loading.training(64, (), seed, epoch):
            assert isinstance(images, torch.Tensor)
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    torch.save(net.state_dict(), folder / "mine.pt")
    return file, accuracy(net, loading)


@torch.inference_mode()
def accuracy(net: nn.Module, loading: Loading) -> float:
    net.eval()
    right = count = 0
    for images, labels in loading.evaluation(loading.data.test):
        right += int((net(images).argmax(1) == labels).sum())
        count += len(labels)
    return right / count


def measured(seed: int, epochs: int, only_import: bool = False) -> dict[str, Any]:
    """Everything of one seed: test accuracies by method and start, by sub-network."""
    print(f"seed {seed}", file=sys.stderr)
    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        folder = Path(name)
        file, before = trained(folder, seed, epochs)
        imported = import_network(f"{file}:build", [SHAPE])
        spec = folder / "mine.specc"
        install(imported, imported.written.text, spec)
        weights = spec.with_suffix(".safetensors")
        found: dict[str, Any] = {"original": before, "lines": len(imported.written.text.splitlines())}
        for method, words in () if only_import else REQUESTS.items():
            kind = find_method(method)
            assert kind is not None
            elastic = elastify(Source("mine.specc", imported.written.text), read_request(words), method, kind.banks)
            found[method] = {"size": size(elastic.compiled.graph)}
            for start, rate in RATES.items():
                recipe = RECIPE.replace("EPOCHS", str(epochs)).replace("RATE", str(rate))
                recipe = recipe.replace("START", f'start="{weights}"' if rate < 0.1 else "")
                found[method][start] = answer(elastic.source.text + recipe, seed, PROGRAM)
        untrained = elastify(Source("mine.specc", imported.written.text), read_request(REQUESTS["us_net"]), "us_net")
        recipe = RECIPE.replace("EPOCHS", "1").replace("RATE", "0.1").replace("START", "")
        found["imported"] = answer(untrained.source.text + recipe, seed, AS_IMPORTED, weights=str(weights))["largest"]
    return found


def figures(runs: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    yield Figure("trained in plain PyTorch", spread([run["original"] for run in runs]), "")
    yield Figure("right after import, made elastic, its largest", spread([run["imported"] for run in runs]), "equal")
    for method in (name for name in REQUESTS if name in runs[0]):
        names = [*runs[0][method]["from scratch"]]
        for name in names:
            ends = {start: [run[method][start][name] for run in runs] for start in RATES}
            ours = ", ".join(f"{start} {spread(values)}" for start, values in ends.items())
            yield Figure(f"{method}, {name}", ours, "the second is better")
        means = {start: [sum(run[method][start].values()) / len(names) for run in runs] for start in RATES}
        ours = ", ".join(f"{start} {spread(values)}" for start, values in means.items())
        yield Figure(f"{method}, mean of {len(names)} sub-networks", ours, "the second is better")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only-import", action="store_true", help="nothing is trained elastically")
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs) as pool:
        runs = list(pool.map(partial(measured, epochs=args.epochs, only_import=args.only_import), range(args.seeds)))
    show(
        "A trained network made elastic",
        f"A residual network of somebody's own, {runs[0]['lines']} lines when imported, on rendered characters "
        "(46 classes): "
        f"{args.epochs} epochs in plain PyTorch, then {args.epochs} of elastic training from its weights, beside "
        f"{args.epochs} from scratch; seeds 0 to {args.seeds - 1}, test accuracy, mean and standard deviation. "
        "The last column is what was expected.",
        figures(runs),
    )


if __name__ == "__main__":
    main()
