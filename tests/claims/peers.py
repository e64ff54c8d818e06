"""A trained network at half its MACs: specc beside Torch-Pruning and NVIDIA's Model Optimizer (FastNAS).

    python -m venv peers
    peers/bin/pip install torch-pruning 'nvidia-modelopt[hf]' torchprofile==0.0.4
    python -m tests.claims.peers --python peers/bin/python

They pin their torch, so they run in an environment of their own; one that does not run is told. Counted are the lines
that a user writes, the seconds to make torchvision's resnet50 elastic (or to prune it), the parameters that are kept at
half the MACs, and, of the small network of `from_trained`, the accuracy after equal fine-tuning on rendered characters.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from specc.runtime.data.datasets import load_data
from specc.runtime.data.loading import Loading
from specc.runtime.run.distributed import World
from tests.claims.from_trained import DATA, SHAPE, trained
from tests.claims.table import Figure, show

PRUNING = """
import copy
import torch_pruning as tp

def pruned(net, example, last, score):
    macs, _ = tp.utils.count_ops_and_params(net, example)
    for percent in range(2, 100, 2):
        found = copy.deepcopy(net)
        ignored = [found.get_submodule(last)]
        importance = tp.importance.GroupMagnitudeImportance(p=1)
        pruner = tp.pruner.BasePruner(
            found, example, importance=importance, pruning_ratio=percent / 100, ignored_layers=ignored
        )
        pruner.step()
        if tp.utils.count_ops_and_params(found, example)[0] <= macs / 2:
            return found
"""
OPTIMIZER = """
import modelopt.torch.prune as mtp

def pruned(net, example, last, score):
    config = {"data_loader": [], "score_func": score, "checkpoint": "found.pth", "max_iter_data_loader": 0}
    found, _ = mtp.prune(
        model=net, mode="fastnas", constraints={"flops": "50%"}, dummy_input=example, config=config
    )
    return found
"""
PEERS = {"Torch-Pruning": PRUNING, "Model Optimizer, FastNAS": OPTIMIZER}
SPECC = """
specc import mine.py:build --input 1,3,20,20 -o net.specc --method us_net --elastic "width per_group 0.25..1.0 round 4"
specc compile net.specc -o net
cd net
python search.py --start ../net.safetensors --dataset glyphs --max-macs HALF
python finetune.py --checkpoint runs/start.safetensors --max-macs HALF --epochs EPOCHS
"""
"""What a user of specc types."""
AFTER = """
import json, sys, time
import torch, torch.nn.functional as F

asked = json.load(sys.stdin)
torch.set_num_threads(1)
data = torch.load(asked["data"], weights_only=True)

def params(net):
    return sum(p.numel() for p in net.parameters())

@torch.no_grad()
def accuracy(net, part):
    net.eval()
    images, labels = data[part]
    right = sum(int((net(x).argmax(1) == y).sum()) for x, y in zip(images.split(256), labels.split(256)))
    return right / len(labels)

def tuned(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    images, labels = data["train"]
    steps = asked["epochs"] * (len(labels) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(asked["epochs"]):
        net.train()
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
        for rows in order[: len(order) // 64 * 64].split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return net

found = {}
import torchvision
big = torchvision.models.resnet50().eval()
before, start = params(big), time.perf_counter()
small = pruned(big, torch.zeros(1, 3, 224, 224), "fc", lambda net: 1.0)
found["seconds"], found["kept"] = time.perf_counter() - start, params(small) / before

made = {}
exec(open(asked["file"]).read(), made)
net = made["build"]().eval()
before = params(net)
small = pruned(net, torch.zeros(1, 3, 20, 20), "out", lambda net: accuracy(net, "validation"))
found["kept_small"], found["before"] = params(small) / before, accuracy(small, "test")
found["after"] = accuracy(tuned(small), "test")
json.dump(found, open(asked["found"], "w"))
"""


def dumped(folder: Path) -> Path:
    """The data as tensors, as the network takes them."""
    loading = Loading(load_data(DATA), SHAPE, World(0, 1, torch.device("cpu")))
    parts = {"train": loading.data.train, "validation": loading.data.validation, "test": loading.data.test}
    tensors = {}
    for name, part in parts.items():
        batches = list(loading.evaluation(part))
        images = [x for x, _ in batches if isinstance(x, torch.Tensor)]
        tensors[name] = (torch.cat(images), torch.cat([labels for _, labels in batches]))
    file = folder / "data.pt"
    torch.save(tensors, file)
    return file


def peer(python: str, program: str, folder: Path, file: Path, data: Path, epochs: int) -> Mapping[str, Any]:
    """What a peer makes of both networks; an `error` where it does not run."""
    found = folder / "found.json"
    asked = {"data": str(data), "file": str(file), "epochs": epochs, "found": str(found)}
    done = subprocess.run(
        [python, "-c", program + AFTER], input=json.dumps(asked), text=True, capture_output=True, cwd=folder
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]}
    result: Mapping[str, Any] = json.loads(found.read_text())
    return result


def ours(folder: Path, file: Path, epochs: int) -> Mapping[str, Any]:
    """What specc makes of both, by the commands that a user types."""

    def specc(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "specc", *words, "-q"], check=True, cwd=folder)

    def script(*words: str) -> str:
        done = subprocess.run([sys.executable, *words], check=True, cwd=folder / "net", capture_output=True, text=True)
        return done.stdout

    elastic = ("--method", "us_net", "--elastic", "width per_group 0.25..1.0 round 4")
    start = time.perf_counter()
    specc("import", "torchvision:resnet50", "-o", "big.specc", *elastic)
    seconds = time.perf_counter() - start
    from specc.assignments import checked, largest
    from specc.cost import cost
    from specc.pipeline import load
    from specc.subnets.space import draw

    big = load(folder / "big.specc").graph
    most = cost(big, largest(big))
    drawn = draw(big, 16, 0, "uniform", (0.48 * most.macs, 0.5 * most.macs), (0, float("inf"))).assignments
    kept = [cost(big, checked(big, at)).params / most.params for at in drawn]

    specc("import", f"{file}:build", "--input", "1,3,20,20", "-o", "net.specc", *elastic)
    text = (folder / "net.specc").read_text()
    settings = "data glyphs(images=6900, test_images=1380, size=20, validation=0.1)\n"
    settings += "search { strategy=evolution(evaluations=128); calibrate=1024 }\n"
    recipe = "batch_size=64; optimizer=sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)"
    text = text.replace("train { ", f"train {{ {recipe}; ")
    (folder / "net.specc").write_text(f"{text}\n{settings}")
    specc("compile", "net.specc", "-o", "net")
    graph = load(folder / "net.specc").graph
    half = str(cost(graph, largest(graph)).macs // 2)
    script("search.py", "--start", "../net.safetensors", "--max-macs", half)
    tuned = ("finetune.py", "--checkpoint", "runs/start.safetensors", "--max-macs", half, "--epochs", str(epochs))
    told = script(*tuned, "--formats", "source")
    before, after = (float(word.rstrip("%,")) / 100 for word in told.split("test accuracy: ")[1].split()[0:3:2])
    about = json.loads((folder / "net" / "runs" / "export" / "subnet.json").read_text())
    share = about["params"] / cost(graph, largest(graph)).params
    return {
        "seconds": seconds,
        "kept": sum(kept) / len(kept),
        "kept_small": share,
        "before": before,
        "after": after,
    }


def lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def figures(found: Mapping[str, Mapping[str, Any]], written: Mapping[str, int]) -> Iterator[Figure]:
    for name, row in found.items():
        if "error" in row:
            yield Figure(name, row["error"][:100], "")
            continue
        text = (
            f"{written[name]} lines; resnet50 in {row['seconds']:.1f} s, {row['kept']:.0%} of its parameters kept; "
            f"the small network: {row['kept_small']:.0%} kept, {row['before']:.1%} before and {row['after']:.1%} after "
            "fine-tuning"
        )
        yield Figure(name, text, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="peers/bin/python", help="that the peers are installed for")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--before", type=int, default=10, help="epochs of the original")
    args = parser.parse_args()
    python = str(Path(args.python).absolute())
    torch.set_num_threads(1)
    found: dict[str, Mapping[str, Any]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        file, accuracy = trained(folder, 0, args.before)
        data = dumped(folder)
        found["specc"] = ours(folder, file, args.epochs)
        for other, program in PEERS.items():
            found[other] = peer(python, program, folder, file, data, args.epochs)
    written = {"specc": lines(SPECC), **{name: lines(program) for name, program in PEERS.items()}}
    show(
        "Half the MACs of a trained network, beside Torch-Pruning and Model Optimizer",
        "One thread, one seed. The small network is that of `from_trained`, "
        f"{accuracy:.1%} after {args.before} epochs; all are fine-tuned for {args.epochs} at a tenth of the rate. "
        "Lines are commands of a shell for specc, lines of Python for the others, without the loop that tunes them. Of "
        "resnet50, whose weights are random, ours is the mean of 16 sub-networks drawn within half the MACs.",
        figures(found, written),
    )


if __name__ == "__main__":
    main()
