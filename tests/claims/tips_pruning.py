"""TIPS, Figures 4 and 8: pruning the outputs of important operations costs more accuracy than pruning the others.

A network is trained alone, then the last channels of one operation at a time are set to zero, behind its norm, with all
others whole. Identities are not pruned; neither are the pooling, which has no channels of its own, and the classifier,
whose channels are the classes. What is important is what `specc importance` says of the elastic network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from specc.codegen.install import install
from specc.importance import importance
from specc.ir.graph import Graph
from specc.passes.importance_view import importance_view
from specc.pipeline import compile_project, load
from specc.subnets.space import complete
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

TWINS = {
    "digits_tips": "MobileNetV2-like",
    "digits_resnet_tips": "ResNet-like",
    "digits_efficientnet_tips": "EfficientNet-like",
}
RATIOS = (0.01, *(n / 20 for n in range(1, 20)), 0.99)
SHOWN = (0.25, 0.5, 0.75, 0.99)
Floats = NDArray[np.float64]
LAYERS = ("conv", "depthwise")
PROGRAM = """
import json, sys
sys.path.insert(0, ".")
asked = json.load(sys.stdin)
sys.argv = ["train.py", "--device", "cpu", "--seed", str(asked["seed"])]
import torch
import train
from elastic.train import checkpoint
from elastic.data.datasets import load_data
from elastic.run.distributed import World
from elastic.train.evaluate import evaluate
from train import TASK
from elastic.data.loading import Loading

torch.set_num_threads(1)
train.main()
world = World(0, 1, torch.device("cpu"))
net = train.Model()
saved = checkpoint.load(train.Path("runs/checkpoint.pt"))
checkpoint.trained(net.eval(), saved)
loading = Loading(load_data(saved["data"]), train.IMAGE, world)
batches = list(loading.evaluation(loading.data.test))


def pruned(module, ratio):
    def cut(module, inputs, output):
        kept = output.shape[1] - max(1, round(ratio * output.shape[1]))
        return torch.cat((output[:, :kept], torch.zeros_like(output[:, kept:])), dim=1)

    hook = net.get_submodule(module).register_forward_hook(cut)
    accuracy = evaluate(net, None, batches, TASK, world).value
    hook.remove()
    return accuracy


whole = evaluate(net, None, batches, TASK, world).value
rows = {module: [pruned(module, ratio) for ratio in asked["ratios"]] for module in asked["modules"]}
with open("pruned.json", "w") as file:
    json.dump({"whole": whole, "pruned": rows}, file)
"""


def operations(graph: Graph) -> tuple[list[str], list[str]]:
    """The modules behind which important and unimportant convolutions are pruned: their norms where they have one."""
    important = set(importance(graph).important)
    kinds = {op.name: op.kind for op in graph.ops}
    found: tuple[list[str], list[str]] = ([], [])
    for edge in importance_view(graph).edges:
        if edge.kind in LAYERS:
            norms = [name for name in edge.ops if kinds[name].endswith("_norm")]
            found[edge.name not in important].append((norms or [edge.name])[-1])
    return found


def accuracies(spec: str, seed: int) -> tuple[float, Floats, Floats]:
    """The whole network's accuracy, and (operations, ratios) of the important and of the other operations."""
    compiled = load(SPECS / f"{spec}.specc")
    important, others = operations(compiled.graph)
    with TemporaryDirectory() as folder:
        project = Path(folder) / spec
        install(compile_project(compiled, complete(compiled.graph, {}, "max")), project)
        asked = json.dumps({"seed": seed, "ratios": RATIOS, "modules": [*important, *others]})
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", PROGRAM]
        subprocess.run(command, cwd=project, input=asked, text=True, env=environment, check=True, stdout=sys.stderr)
        found = json.loads((project / "pruned.json").read_text())
    rows = found["pruned"]
    return found["whole"], np.array([rows[name] for name in important]), np.array([rows[name] for name in others])


def figures(seeds: int) -> Iterator[Figure]:
    for spec, kind in TWINS.items():
        runs = [accuracies(spec, seed) for seed in range(seeds)]
        important = np.array([rows.mean(axis=0) for _, rows, _ in runs])
        others = np.array([rows.mean(axis=0) for _, _, rows in runs])
        whole = 100 * np.array([accuracy for accuracy, _, _ in runs])
        worse = (important.mean(axis=0) < others.mean(axis=0)).sum()
        counts = f"{len(runs[0][1])} important, {len(runs[0][2])} other convolutions; whole: {spread(whole)}"
        yield Figure(f"{kind} ({spec})", counts, "")
        for ratio in SHOWN:
            i = RATIOS.index(ratio)
            ours = f"important {spread(100 * important[:, i])}, others {spread(100 * others[:, i])}"
            yield Figure(f"{ratio:.0%} of the channels pruned", ours, "important ones cost much more")
        less = f"{worse} of {len(RATIOS)}"
        yield Figure("ratios at which the important ones cost more", less, "all")


def spread(values: Floats) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1) if len(values) > 1 else 0:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    show(
        "TIPS, Figures 4 and 8: pruning important and other operations",
        f"Digits twins, trained alone, seeds 0 to {args.seeds - 1}: mean test accuracy over operations, each pruned on "
        "its own by 1 to 99 %, and its standard deviation over seeds.",
        figures(args.seeds),
    )


if __name__ == "__main__":
    main()
