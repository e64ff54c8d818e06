"""Bundles for onnxruntime: sub-networks beside one file of weights answer as the network does, without PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specc.runtime.deploy.regions import Region, Run, region_of, runs_of, scales
from tests.helpers.comparing import images, scramble
from tests.helpers.parts import part
from tests.helpers.projects import Project, assignments, compiled, plain, project
from tests.helpers.twins import TWINS

MERGING = ("digits_repvgg",)
"""Calibrated branches that are merged into one convolution are weights of each sub-network's own."""
RUN = """\
import sys

import numpy as np

folder, answers = sys.argv[1:]
sys.path.insert(0, folder)
from anytime import Anytime

saved = np.load(answers)
net = Anytime(folder, threads=1, keep=1)
for row in net.subnets:
    net.switch(row["name"])
    found = net.run(saved["in" + row["name"]])
    found = found if isinstance(found, dict) else {row["outputs"][0]: found}
    for name, value in found.items():
        wanted = saved["out" + row["name"] + name]
        assert np.abs(value - wanted).max() < 1e-5 * np.abs(wanted).max(), (row["name"], name)
assert len(net.sessions) == 1, "one session is kept"
least = min(row["macs"] for row in net.subnets)
assert net.row(net.choose(macs=least))["macs"] == least
assert net.choose(budget_ms=1e9) == net.best(net.subnets)["name"]
for limits in ({"macs": least - 1}, {"budget_ms": 0}):
    try:
        net.choose(**limits)
    except ValueError as error:
        assert f"the least has {least} MACs" in str(error)
    else:
        raise AssertionError(limits)
assert "torch" not in sys.modules, "PyTorch has been imported"
print("as the network")
"""


def written(name: str, folder: Path, count: int) -> tuple[Project, Path]:
    """A bundle of a twin's largest, smallest and `count` random sub-networks, half of them calibrated, and beside it
    inputs with the network's own answers."""
    spec = compiled(name)
    made = project(spec, folder / "project")
    net = made.model.Model().eval()
    scramble(net)
    module = part(made, "deploy.onnx_bundle")
    subnets, saved = [], {}
    with torch.no_grad(), made.known():
        for number, at in enumerate(assignments(spec.graph, count)):
            x = images(spec.graph, at, 32)
            plan = net.plan(plain(spec.graph, at))
            if number % 2 and made.calibrate is not None:
                others = 2 * torch.randn(16, *x.shape[1:], generator=torch.Generator().manual_seed(number)) + 0.5
                plan = made.calibrate.calibrate(net, plan, [others])
            macs = made.modules["space"].macs(plain(spec.graph, at))
            subnets.append(module.Subnet(str(number + 1), plan, (x,), {"macs": macs}))
            saved[f"in{number + 1}"] = x.numpy()
            for key, value in named(net(x, plan)).items():
                saved[f"out{number + 1}{key}"] = value.numpy()
        bundle = folder / "anytime_onnx"
        module.save_onnx(bundle, net, subnets, ["images"], {}, lambda it: net(*it.inputs, it.plan))
    np.savez(folder / "answers.npz", **saved)  # type: ignore[arg-type]
    return made, bundle


def named(outputs: Any) -> dict[str, Any]:
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def run(bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, str(bundle), str(bundle.with_name("answers.npz"))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_sub_networks_answer_without_torch_and_weights_stand_there_once(tmp_path: Path) -> None:
    _, bundle = written("digits_densenet", tmp_path, 1)
    done = run(bundle)
    assert done.stdout == "as the network\n", done.stderr
    index = json.loads((bundle / "index.json").read_text())
    rows = index["subnets"]
    assert [row["name"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    graphs = {row["name"]: (bundle / row["file"]).stat().st_size for row in rows}
    assert max(graphs.values()) <= 60_000 + 8 * channels(bundle, max(graphs, key=lambda name: graphs[name]))
    for path in (bundle / "weights.bin", bundle / rows[-1]["file"]):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        before = path.read_bytes()
        path.write_bytes(bytes(content))
        assert "not the file that export.py wrote" in run(bundle).stderr
        path.write_bytes(before)
    (bundle / rows[0]["file"]).unlink()
    assert "is missing" in run(bundle).stderr


def channels(bundle: Path, name: str) -> int:
    """The channels of a graph that are scaled, each with an offset."""
    import onnx

    graph = onnx.load(bundle / f"{name}.onnx", load_external_data=False).graph
    return sum(max(tensor.dims) for tensor in graph.initializer if tensor.name.endswith("|scale"))


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_sub_networks_of_every_twin_answer_without_torch(name: str, tmp_path: Path) -> None:
    made, bundle = written(name, tmp_path, 2)
    done = run(bundle)
    assert done.stdout == "as the network\n", done.stderr
    if name not in MERGING:
        whole = sum(parameter.numel() for parameter in made.model.Model().parameters()) * 4
        assert (bundle / "weights.bin").stat().st_size <= 1.2 * whole + 4096


def test_regions_are_what_indexing_takes() -> None:
    """Places of a tensor by numpy's own indexing, at random: with steps, and in several runs."""
    random = np.random.default_rng(0)
    for _ in range(200):
        shape = tuple(int(size) for size in random.integers(1, 9, random.integers(1, 4)))
        numbers = np.arange(np.prod(shape)).reshape(shape)
        rows = [np.sort(random.choice(size, random.integers(1, size + 1), replace=False)) for size in shape]
        region = region_of("w", numbers[np.ix_(*rows)], shape)
        assert region is not None
        assert np.array_equal(region.of(numbers.astype(np.float32)), numbers[np.ix_(*rows)])


def test_what_is_no_product_of_places_is_no_region() -> None:
    assert region_of("w", np.array([[0, 1], [3, 2]]), (2, 2)) is None
    assert region_of("w", np.array([[0, 5]]), (3, 4)) is None
    assert region_of("w", np.array([[0, 1, 2]]), (3, 3)) == Region("w", ((Run(0, 1),), ()))


def test_runs_are_few() -> None:
    assert runs_of(np.array([0, 1, 2, 8, 9])) == (Run(0, 3), Run(8, 10))
    assert runs_of(np.array([0, 2, 4])) == (Run(0, 5, 2),)
    assert runs_of(np.array([3])) == (Run(3, 4),)


def test_scales_are_found_along_their_axis_or_not_at_all() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    by = np.array([2, -1, 0.5], np.float32)
    found = scales(weights, weights * by[:, None], 0)
    assert found is not None
    assert np.allclose(found, by)
    assert scales(weights, weights * by[:, None], 1) is None
    assert scales(weights, np.full_like(weights, np.inf), 0) is None
