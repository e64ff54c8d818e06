"""ADN, Table 3 and Figure 3: what specialisation and skip-aware norms do, all settings at test time, the banks' means.

One residual network with a skippable block in each of three stages, on rendered characters. Every arm sees as many
images; an arm that trains two sub-networks makes two passes for each, as in the paper.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np

from tests.claims.runs import answer, spread
from tests.claims.table import Figure, show

SPEC = """
import std.resnet

supernet glyphs_resnet {
  input image(3, 20, 20); classes 46
  norm batch(BANK)
  stem { conv(12, kernel=3); norm(bank=shared); relu }
  stage s1 { basic(12); skippable { basic(12) } }
  stage s2 { basic(24, stride=2); skippable { basic(24) } }
  stage s3 { basic(48, stride=2); skippable { basic(48) } }
  head { pool(avg); linear(classes) }
}
method METHOD
data glyphs(images=6900, test_images=1380, size=20)
train {
  epochs=EPOCHS; batch_size=64
  optimizer=sgd(lr=0.1, momentum=0.9, weight_decay=1e-4); schedule=multistep([0.4, 0.67, 0.93])
  init=msra; calibrate=0; evaluate_every=EPOCHS
}
"""
ARMS = {
    "neither": ("bank=shared", "adn(specialize=no)", "75.2 / 72.2 %"),
    "skip-aware norms alone": ("bank=skip", "adn(specialize=no)", "76.1 / 74.9 %"),
    "specialisation alone": ("bank=shared", "adn", "76.6 / 75.1 %"),
    "both": ("bank=skip", "adn", "77.6 / 76.1 %"),
}
"""The norms, the method, and the paper's accuracies of the super-net and the base-net (its Table 3)."""
ALONE: Mapping[Literal["max", "min"], tuple[str, str]] = {"max": ("individual", "76.7 %"), "min": ("-Base", "75.0 %")}

PROGRAM = """
import space

found = {"accuracy": {}, "banks": {}}
for at in space.every():
    flags = "".join("F" if at.get(name, False) else "T" for name in space.CHOICES)
    found["accuracy"][flags] = evaluate(net, net.plan(at), testing, TASK, world).value
for name, module in net.named_modules():
    banks = [m for m in module.children() if hasattr(m, "running_mean")]
    if len(banks) == 2 and name.startswith("s"):
        first, second = banks
        scale = ((first.running_var + second.running_var) / 2).sqrt()
        apart = (first.running_mean - second.running_mean) / scale
        found["banks"][name] = float(apart.square().mean().sqrt())
"""
ONE = """
found = {"accuracy": evaluate(net, None, testing, TASK, world).value}
"""


def spec_of(arm: str, epochs: int) -> str:
    bank, method, _ = ARMS[arm]
    return SPEC.replace("BANK", bank).replace("METHOD", method).replace("EPOCHS", str(epochs))


def measured(seed: int, epochs: int) -> dict[str, Any]:
    """Everything of one seed, by arm; `max` and `min` are the networks trained alone."""
    print(f"seed {seed}", file=sys.stderr)
    found: dict[str, Any] = {arm: answer(spec_of(arm, epochs), seed, PROGRAM) for arm in ARMS}
    plain = SPEC.replace("BANK", "bank=shared").replace("METHOD", "independent").replace("EPOCHS", str(epochs))
    for at in ALONE:
        found[at] = answer(plain, seed, ONE, at=at)
    return found


def figures(runs: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    for at, (name, paper) in ALONE.items():
        yield Figure(f"{name} network, alone", spread([run[at]["accuracy"] for run in runs]), f"ResNet-50: {paper}")
    for arm, (_, _, paper) in ARMS.items():
        ends = [spread([run[arm]["accuracy"][flags] for run in runs]) for flags in ("FFF", "TTT")]
        yield Figure(f"{arm}: super-net / base-net", " / ".join(ends), paper)
    settings = sorted(runs[0]["both"]["accuracy"], key=lambda flags: (flags.count("T"), flags))
    for flags in settings:
        accuracy = spread([run["both"]["accuracy"][flags] for run in runs])
        yield Figure(f"both, setting {flags}", accuracy, "a gradual fall, untrained settings between the two")
    first = [np.mean([run["both"]["banks"][f"s{stage}.b1.norm1"] for stage in (2, 3)]) for run in runs]
    rest = [
        np.mean([far for name, far in run["both"]["banks"].items() if not name.endswith("b1.norm1")]) for run in runs
    ]
    ours = f"first layers of stages 2 and 3: {np.mean(first):.2f}; other layers: {np.mean(rest):.2f}"
    yield Figure("distance of the banks' means, in standard deviations", ours, "near 0 at each stage's first layer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        runs = list(pool.map(lambda seed: measured(seed, args.epochs), range(args.seeds)))
    show(
        "ADN, Table 3 and Figure 3",
        f"A residual network of three stages on rendered characters (46 classes), {args.epochs} epochs, seeds 0 to "
        f"{args.seeds - 1}: test accuracy, mean and standard deviation over seeds. The paper's figures are ImageNet's.",
        figures(runs),
    )


if __name__ == "__main__":
    main()
