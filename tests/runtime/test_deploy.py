"""What is shipped: plain source with its weights, programs, bundles that answer alike."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.runtime.files.whole import load_tensors
from tests.helpers.comparing import relative
from tests.helpers.parts import SPECS, inputs_of, network, part
from tests.helpers.projects import Project, from_text, project

torch.set_num_threads(1)

FRESH = """
import importlib.util, pathlib, sys
import torch
from safetensors.torch import load_file

torch.set_num_threads(1)
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.Model().eval()
    weights, known = (read(folder / "weights.safetensors") for read in (module.load_weights, load_file))
    assert weights.keys() == known.keys() and all(torch.equal(weights[name], known[name]) for name in known)
    net.load_state_dict(weights)
    inputs, wanted = torch.load(folder / "answers.pt")
    with torch.no_grad():
        found = net(*inputs)
    for mine, own in zip(*(a.values() if isinstance(a, dict) else [a] for a in (found, wanted))):
        assert (mine - own).abs().max() <= 1e-6 * own.abs().max(), folder.name
assert not [name for name in sys.modules if name.split(".")[0] in ("elastic", "specc", "space", "model")]
print("checked", len(list(pathlib.Path(sys.argv[1]).iterdir())))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    return {name: project(from_text(text), tmp_path_factory.mktemp(name)) for name, (text, _, _) in SPECS.items()}


@torch.no_grad()
def test_the_source_of_a_sub_network_runs_where_nothing_of_the_project_is(
    made: dict[str, Project], tmp_path: Path
) -> None:
    """To 1e-6, with the extracted network's state; as a formatter leaves it, and without unused names."""
    count = 0
    for name, (_, _, ats) in SPECS.items():
        net, inputs, exporting = network(made[name]), inputs_of(name), part(made[name], "deploy.exporting")
        plans = [net.plan(at) for at in ats]
        if name == "elastic":
            plans.append(net.plan({"width": 0.5}, outputs=["early", "head"]))
        for plan in plans:
            static = net.extract(plan, fold=False)
            wanted = static(*inputs)
            folder = tmp_path / f"sub{count}"
            with made[name].known():
                exporting.write_source(static, f"Sub-network {plan.chosen}.", inputs, wanted, folder)
            torch.save((inputs, wanted), folder / "answers.pt")
            assert {*load_tensors(folder / "weights.safetensors")[0]} == {*static.state_dict()}
            count += 1
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == f"checked {count}\n", done.stderr
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--isolated", "--no-cache", "--line-length", "100"]
    for command in (["format", "--check"], ["check", "--select", "E,F,I,B,PIE"]):
        checked = subprocess.run([*ruff, *command, *options, str(tmp_path)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


def test_an_operation_without_a_plain_name_is_told_and_the_weights_are_written(
    made: dict[str, Project], tmp_path: Path
) -> None:
    source = part(made["elastic"], "deploy.static_source")
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(scrambled, (x,)))
    static = torch.fx.GraphModule(nn.Module(), graph, "Odd")
    with pytest.raises(ValueError, match="has no plain name in torch"):
        source.static_source(static, "Odd.", (torch.ones(1, 2),))
    exporting = part(made["elastic"], "deploy.exporting")
    with pytest.raises(ValueError, match="has no plain name in torch"):
        exporting.write_source(static, "Odd.", (torch.ones(1, 2),), torch.ones(1, 2), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def scrambled(x: torch.Tensor) -> torch.Tensor:
    return x.flip(0)


@torch.no_grad()
def test_written_weights_with_a_bit_changed_are_refused(made: dict[str, Project], tmp_path: Path) -> None:
    """By the source that stands beside them, and by the project. What is said of tensors counts, too."""
    net, inputs = network(made["tokens"]), inputs_of("tokens")
    static = net.extract(net.plan("min"))
    exporting = part(made["tokens"], "deploy.exporting")
    with made["tokens"].known():
        exporting.write_source(static, "A sub-network.", inputs, static(*inputs), tmp_path)
    found: dict[str, Any] = {"__name__": "written"}
    exec((tmp_path / "model.py").read_text(), found)
    file = tmp_path / "weights.safetensors"
    content = file.read_bytes()
    first = 8 + int.from_bytes(content[:8], "little")
    own = content[8:first].index(b"}") + 8  # what comes before is the checksum itself
    rng = random.Random(0)
    for place in (first, len(content) - 1, *(rng.randrange(own, len(content)) for _ in range(100))):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        if json_blank(changed, content, first):
            continue
        file.write_bytes(bytes(changed))
        for load in (found["load_weights"], load_tensors):
            with pytest.raises((ValueError, TypeError, KeyError)):
                load(file)
    file.write_bytes(content)
    assert {*found["load_weights"](file)} == {*load_tensors(file)[0]} == {*static.state_dict()}


def json_blank(changed: bytes | bytearray, content: bytes, first: int) -> bool:
    """Whether two headers say the same, as one blank behind the end is as good as another."""
    return changed[8:first].rstrip() == content[8:first].rstrip() and changed[first:] == content[first:]


@pytest.mark.parametrize("fused", [False, True])
@torch.no_grad()
def test_sliced_extracted_fused_and_bundled_sub_networks_agree(
    made: dict[str, Project], tmp_path: Path, fused: bool
) -> None:
    for name in SPECS:
        net, inputs = network(made[name]), inputs_of(name)
        space, rng = made[name].modules["space"], random.Random(3)
        ats = [space.largest(), space.smallest(), *(space.draw(rng) for _ in range(4))]
        plans = [net.plan(at) for at in ats]
        calibrate = made[name].calibrate
        if len(inputs) == 1 and calibrate is not None:
            images = torch.randn(32, *SPECS[name][1][0], generator=torch.Generator().manual_seed(1))
            plans = [calibrate.calibrate(net, plan, [images]) for plan in plans]
        part(made[name], "deploy.bundle").save(tmp_path / name, net, plans)
        serving = part(made[name], "deploy.serving")
        runtime = serving.Runtime.load(tmp_path / name, made[name].model.Model, fused=fused)
        assert len(runtime) == len(ats)
        assert [dict(subnet.at) for subnet in runtime.subnets] == ats
        for number, plan in enumerate(plans):
            wanted = net(*inputs, plan)
            sized = inputs
            if plan.resolution:
                sized = tuple(part(made[name], "net.resizing").resize(x, plan.resolution) for x in inputs)
            runtime.switch(number)
            assert runtime.current == number
            for found in (net.extract(plan)(*sized), net.fused(plan)(*sized), runtime.run(*inputs)):
                assert relative(found, wanted) < 1e-5, (name, plan.chosen)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokens", "nested", "pairs"])
def test_programs_of_all_kinds_of_networks_are_exported(
    made: dict[str, Project], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """torch.export and ONNX, whose runtime is the oracle, at two assignments: attention, heads, several inputs."""
    programs = part(made[name], "deploy.programs")
    net, inputs = network(made[name]), inputs_of(name)
    for at in SPECS[name][2]:
        static = net.extract(net.plan(at))
        with torch.no_grad():
            wanted = static(*inputs)
        names = ["left", "right"][: len(inputs)]
        programs.write_program(static, inputs, wanted, tmp_path / "net.pt2")
        programs.write_onnx(static, inputs, names, wanted, tmp_path / "net.onnx")
        out = capsys.readouterr().out
        assert "torch.export: same outputs" in out
        assert "onnxruntime: same outputs" in out
