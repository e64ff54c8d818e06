"""TIPS, Figure 5a: paths of higher TPS have a higher mean singular value, in residual perceptrons on real digits.

The perceptrons of specs/mlp80_tips.specc with 80 to 140 layers of 80 neurons, an addition around every two layers,
initialised with the variance of Eq. 13. A path is a random segment of 50 feature maps; its Jacobian is the product
along its edges: W of a linear layer and the derivative of the ReLU behind it at a digit, the identity for a residual
edge. The paper does not say how it draws paths: here once with a fair coin at every block, once with a coin that is
drawn for each path, which gives paths of all shares of residual edges.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from specc.importance import Settings, importance
from specc.passes.importance_view import View, importance_view
from specc.pipeline import load
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

NEURONS, NODES, PIXELS = 80, 50, 28 * 28
Floats = NDArray[np.float64]


def weights_of(view: View, rng: np.random.Generator) -> dict[int, Floats]:
    """The weights of every linear layer by its edge, zero-mean with the largest variance q of Eq. 13."""
    effective = NEURONS + 1  # the neurons' mean degree: a layer's weights and one addition
    deviation = (effective + NEURONS + 2 * (effective * NEURONS) ** 0.5) ** -0.5
    return {
        number: rng.normal(0, deviation, (NEURONS, PIXELS if edge.source == 0 else NEURONS))
        for number, edge in enumerate(view.edges)
        if not edge.identity and edge.target not in view.lasts
    }


def jacobians(view: View, weights: dict[int, Floats], pixels: Floats) -> dict[int, Floats]:
    """The Jacobian of every linear layer with its ReLU at one digit, from one pass through the whole network."""
    into: dict[int, list[int]] = {}
    for number, edge in enumerate(view.edges):
        into.setdefault(edge.target, []).append(number)
    maps = {0: pixels}
    found = {}
    for node in range(1, len(view.nodes) - 1):
        arriving = np.zeros(NEURONS)
        for number in into[node]:
            source = maps[view.edges[number].source]
            arriving += weights[number] @ source if number in weights else source
        maps[node] = np.maximum(arriving, 0)
        for number in into[node]:
            if number in weights:
                found[number] = (arriving > 0)[:, None] * weights[number]
    return found


def segment(view: View, ahead: list[list[int]], fair: bool, rng: np.random.Generator) -> list[int]:
    """The edges of a random path of NODES feature maps, the image and the head left out."""
    while True:
        node = int(rng.integers(1, len(view.nodes) - 1))
        residual = 0.5 if fair else rng.random()
        path: list[int] = []
        while len(path) < NODES - 1 and (onward := [n for n in ahead[node] if view.edges[n].target not in view.lasts]):
            around = rng.random() < residual
            path.append(next((n for n in onward if view.edges[n].identity == around), onward[0]))
            node = view.edges[path[-1]].target
        if len(path) == NODES - 1:
            return path


def mean_singular_value(path: list[int], linear: dict[int, Floats]) -> float:
    product = np.eye(NEURONS)
    for number in path:
        if number in linear:
            product = linear[number] @ product
    return float(np.linalg.svd(product, compute_uv=False).mean())


def figures(segments: int, digits: int, seed: int) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    images = load_digits().images
    for layers in (80, 100, 120, 140):
        graph = load(SPECS / "mlp80_tips.specc", {"layers": str(layers)}).graph
        view = importance_view(graph)
        tas = np.array([tensor.tas for tensor in importance(graph, Settings(seed=seed)).tensors])
        ahead: list[list[int]] = [[] for _ in view.nodes]
        for number, edge in enumerate(view.edges):
            ahead[edge.source].append(number)
        weights = weights_of(view, rng)
        chosen = images[rng.choice(len(images), digits, replace=False)]
        linear = [jacobians(view, weights, enlarged(image)) for image in chosen]
        for fair in (True, False):
            paths = [segment(view, ahead, fair, rng) for _ in range(segments)]
            nodes = [[view.edges[path[0]].source, *(view.edges[n].target for n in path)] for path in paths]
            tps = [tas[list(path)].sum() for path in nodes]
            sigma = [float(np.mean([mean_singular_value(path, one) for one in linear])) for path in paths]
            rho = spearmanr(tps, sigma).statistic
            what = f"{layers} layers, {'a fair coin' if fair else 'a coin for each path'}"
            ours = f"rho {rho:.3f}; mean singular value {min(sigma):.0e} to {max(sigma):.0e}"
            yield Figure(what, ours, "higher TPS, higher mean singular value, without exception")


def enlarged(image: Floats) -> Floats:
    """An 8 x 8 digit as 28 x 28 pixels between 0 and 1, with mean square 1 over them as normalised inputs have."""
    large: Floats = np.pad(np.kron(image / 16, np.ones((3, 3))), 2).reshape(-1)
    large /= np.sqrt(np.mean(large**2))
    return large


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--digits", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    show(
        "TIPS, Figure 5a: TPS and the mean singular value",
        f"mlp80_tips with 80 to 140 layers, T = 8, {args.segments} random segments of {NODES} feature maps, "
        f"{args.digits} real digits, seed {args.seed}: Spearman's rho of TPS against the mean singular value of the "
        "segment's Jacobian.",
        figures(args.segments, args.digits, args.seed),
    )


if __name__ == "__main__":
    main()
