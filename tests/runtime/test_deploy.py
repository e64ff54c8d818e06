"""What is shipped: plain source and weights, bundles and their runtime, files that are whole or not there."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import timeit
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from specc.codegen.runtime.choosing import read_points, several, spread
from specc.codegen.runtime.front import Point
from specc.codegen.runtime.tensors import load_tensors, save_tensors
from specc.codegen.runtime.whole import put_back, whole_file, whole_folder
from tests.codegen.projects import Project, compiled, from_text, importing, project
from tests.codegen.test_models import relative, scramble
from tests.runtime.test_projects import run

torch.set_num_threads(1)

ELASTIC = """
import std.mobilenet

supernet net {
  input image(3, resolution=12..16 step 4);  classes 4
  norm batch(bank=width)
  width uniform {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3); norm(eps=1e-3); relu6 }
  stage s1 {
    inverted_residual(16, expand=2, kernel={3, 5})
    skippable keep { inverted_residual(16, expand=2) }
    conv(24, kernel=3, bias=yes); norm; exit early { pool(avg); linear(classes) }
    maxpool(2); norm; dropout(0.2)
  }
  head { pool(avg); linear(16); norm; relu; linear(classes) }
}
method us_net(subnets=3)
"""
TOKENS = """
supernet parts {
  input image(3, 8, 8);  classes 4
  norm layer
  width uniform {0.5, 1.0} round 8
  stem { patch_embed(4, dim=16); class_token; position }
  stage s1 {
    residual { norm; attention(2) }
    skippable keep { residual { norm; linear(32); gelu; linear(16) } }
  }
  head { norm; take(class_token); linear(classes) }
}
method us_net(subnets=3)
"""
NESTED = """
choice k in 1..3
supernet nested {
  input image(2, 6, 6);  classes 3
  norm batch(bank=k)
  stem { conv(4, kernel=3) }
  stage s1 { residual { norm; relu; conv(2 * k, kernel=3); norm; relu; conv(4, kernel=1) } }
  head by k { norm; relu; pool(avg); linear(classes) }
}
method inclusive
"""
PAIRS = """
supernet pairs {
  input left image(1, 8, 8)
  input right image(1, 8, 8)
  classes 2
  width uniform {0.5, 1.0} round 8
  stem {
    a = conv(16, kernel=3, from=left)
    b = conv(16, kernel=3, from=right)
    add(a, b); relu
    concat(here, a)
  }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=2)
"""
SPECS: dict[str, tuple[str, tuple[tuple[int, ...], ...], tuple[Any, ...]]] = {
    "elastic": (ELASTIC, ((3, 16, 16),), ("max", {"width": 0.5, "s1.b1.kernel": 3}, {"exit": "early", "width": 0.75})),
    "tokens": (TOKENS, ((3, 8, 8),), ("max", "min")),
    "nested": (NESTED, ((2, 6, 6),), ("max", {"k": 2})),
    "pairs": (PAIRS, ((1, 8, 8), (1, 8, 8)), ("max", "min")),
}
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
    net.load_state_dict(load_file(folder / "weights.safetensors"))
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


def network(made: Project) -> Any:
    net = made.model.Model().eval()
    scramble(net)
    return net


def inputs_of(name: str) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, *shape, generator=generator) for shape in SPECS[name][1])


def part(made: Project, name: str) -> Any:
    """A module of the project's elastic/."""
    with importing(made.folder):
        sys.modules.update(made.modules)
        return __import__(f"elastic.{name}", fromlist=["elastic"])


@torch.no_grad()
def test_the_source_of_a_sub_network_runs_where_nothing_of_the_project_is(
    made: dict[str, Project], tmp_path: Path
) -> None:
    """To 1e-6, with the bound network's state; as a formatter leaves it, and without unused names."""
    count = 0
    for name, (_, _, ats) in SPECS.items():
        net, inputs, exporting = network(made[name]), inputs_of(name), part(made[name], "exporting")
        plans = [net.plan(at) for at in ats]
        if name == "elastic":
            plans.append(net.plan({"width": 0.5}, outputs=["early", "head"]))
        for plan in plans:
            static = net.bind(plan, fold=False)
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
    made: dict[str, Project], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = part(made["elastic"], "static_source")
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(scrambled, (x,)))
    static = torch.fx.GraphModule(nn.Module(), graph, "Odd")
    with pytest.raises(ValueError, match="has no plain name in torch"):
        source.static_source(static, "Odd.", (torch.ones(1, 2),))
    exporting = part(made["elastic"], "exporting")
    exporting.write_source(static, "Odd.", (torch.ones(1, 2),), torch.ones(1, 2), tmp_path)
    assert "no model.py" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def scrambled(x: torch.Tensor) -> torch.Tensor:
    return x.flip(0)


@pytest.mark.parametrize("straight", [False, True])
@torch.no_grad()
def test_sliced_bound_straight_and_bundled_sub_networks_agree(
    made: dict[str, Project], tmp_path: Path, straight: bool
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
        part(made[name], "deploy").save(tmp_path / name, net, plans)
        serving = part(made[name], "serving")
        runtime = serving.Runtime.load(tmp_path / name, made[name].model.Model, straight=straight)
        assert len(runtime) == len(ats)
        assert [dict(subnet.at) for subnet in runtime.subnets] == ats
        for number, plan in enumerate(plans):
            wanted = net(*inputs, plan)
            sized = inputs
            if plan.resolution:
                sized = tuple(part(made[name], "net").resize(x, plan.resolution) for x in inputs)
            runtime.switch(number)
            assert runtime.current == number
            for found in (net.bind(plan)(*sized), net.straight(plan)(*sized), runtime.run(*inputs)):
                assert relative(found, wanted) < 1e-5, (name, plan.chosen)


def bundle(made: Project, folder: Path) -> Any:
    """Three sub-networks of which the middle one is the most accurate."""
    net, space = network(made), made.modules["space"]
    ats = [{"width": width, "resolution": 16} for width in (0.5, 0.75, 1.0)]
    figures = [
        {"macs": space.macs(at), "params": space.params(at), "accuracy": accuracy}
        for at, accuracy in zip(
            (space.canonical({**space.largest(), **at}) for at in ats), (0.6, 0.9, 0.8), strict=True
        )
    ]
    part(made, "deploy").save(folder, net, [net.plan(at) for at in ats], figures, "net")
    return part(made, "serving").Runtime.load(folder, made.model.Model)


def test_a_runtime_picks_the_most_accurate_within_the_limits(made: dict[str, Project], tmp_path: Path) -> None:
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    small, middle, large = runtime.subnets
    assert runtime.current == 1
    (x,) = inputs_of("elastic")
    assert runtime.choose(macs=large.macs) == 1
    assert runtime.choose(macs=small.macs, params=large.params) == 0
    assert torch.equal(runtime.run(x, params=small.params), runtime.calls[0](x))
    assert runtime.current == 1  # limits are of one call
    with pytest.raises(
        ValueError, match=f"no prepared sub-network keeps the limits; the least are {small.macs:g} MACs"
    ):
        runtime.run(x, macs=small.macs - 1)
    with pytest.raises(IndexError):
        runtime.switch(3)
    assert middle.accuracy == 0.9


def test_latencies_are_measured_once_and_kept_in_the_bundle(made: dict[str, Project], tmp_path: Path) -> None:
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    (x,) = inputs_of("elastic")
    assert json.loads((tmp_path / "anytime" / "index.json").read_text())["latency"] == {}
    assert runtime.choose(x, budget_ms=1e6) == 1
    with pytest.raises(ValueError, match="the least are"):
        runtime.run(x, budget_ms=1e-6)
    (found,) = json.loads((tmp_path / "anytime" / "index.json").read_text())["latency"].items()
    assert found[0] == "cpu, 1 threads, 2x3x16x16, straight"
    assert len(found[1]) == 3
    again = part(made["elastic"], "serving").Runtime.load(tmp_path / "anytime", made["elastic"].model.Model)
    assert again.measured(x) == found[1]
    again.latencies[found[0]] = [1.0, 3.0, 2.0]
    assert again.choose(x, budget_ms=2) == 2
    assert again.choose(x, budget_ms=1) == 0


def test_a_bundle_without_figures_serves_the_largest_and_says_what_it_does_not_know(
    made: dict[str, Project], tmp_path: Path
) -> None:
    net = network(made["elastic"])
    part(made["elastic"], "deploy").save(tmp_path / "b", net, [net.plan("min"), net.plan("max")])
    runtime = part(made["elastic"], "serving").Runtime.load(tmp_path / "b", made["elastic"].model.Model)
    with pytest.raises(ValueError, match="does not say how many MACs"):
        runtime.choose(macs=1)
    with pytest.raises(SystemExit, match="there is no bundle"):
        part(made["elastic"], "deploy").load(tmp_path / "none", net)


def test_a_switch_writes_one_pointer(made: dict[str, Project], tmp_path: Path) -> None:
    """TIPS' Algorithm 2; the goal is 3 us, their table says 37."""
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    before = dict(vars(runtime))
    runtime.switch(0)
    assert [name for name, value in vars(runtime).items() if before[name] is not value] == ["call"]
    assert min(timeit.repeat(lambda: runtime.switch(2), number=1000, repeat=5)) / 1000 < 3e-6


def test_twelve_assignments_of_mobilenet_v2_take_two_kilobytes(tmp_path: Path) -> None:
    """TIPS' 1.9 KB; and with norm statistics (1 + 0.02 N) of the supernet (PSS-Net, Table 3)."""
    found = project(compiled("mobilenet_v2_pss"), tmp_path)
    net, space, rng = found.model.Model(), found.modules["space"], random.Random(0)

    def measured(cut: Any) -> Any:
        return cut.calibrated(torch.rand(cut.features), torch.rand(cut.features)) if hasattr(cut, "calibrated") else cut

    plans = [part(found, "plan").map_cuts(net.plan(space.draw(rng)), measured) for _ in range(12)]
    figures = [
        {"macs": space.macs(p.assignment), "params": space.params(p.assignment), "accuracy": 0.71234} for p in plans
    ]
    deploy = part(found, "deploy")
    deploy.save(tmp_path / "anytime", net, plans, figures, "mobilenet_v2_pss")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "anytime").iterdir()}
    assert sizes["index.json"] < 2000
    assert 1 < sum(sizes.values()) / sizes["weights.safetensors"] <= 1 + 0.02 * 12
    other = found.model.Model()
    for mine, theirs in zip(plans, deploy.load(tmp_path / "anytime", other), strict=True):
        assert mine == theirs
        assert torch.equal(deploy.statistics(mine)[1], deploy.statistics(theirs)[1])
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))


def test_tensors_are_read_and_written_as_the_package_does(tmp_path: Path) -> None:
    tensors = {
        "half": torch.randn(3, 5).to(torch.bfloat16),
        "weight": torch.randn(4, 3).t(),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "mask": torch.tensor([True, False, True]),
        "double": torch.randn(2, dtype=torch.float64),
        "bytes": torch.arange(-3, 3, dtype=torch.int8),
    }
    save_tensors(tmp_path / "ours", tensors, {"about": "us"})
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(contiguous, tmp_path / "theirs", {"about": "us"})
    ours, about = load_tensors(tmp_path / "theirs")
    assert about == {"about": "us"}
    for found in (ours, load_tensors(tmp_path / "ours")[0], safetensors.torch.load_file(tmp_path / "ours")):
        assert {*found} == {*tensors}
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)
    content = (tmp_path / "ours").read_bytes()
    for damaged in (content[:-1], content[:20], b"", b"\x80\x02}" * 30):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(ValueError, match="safetensors"):
            load_tensors(tmp_path / "damaged")


def test_a_folder_or_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with whole_folder(tmp_path / "it") as aside:
            (aside / "a.txt").write_text(text)
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "it") as aside:
        (aside / "a.txt").rename(aside / "b.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it" / "a.txt").read_text() == "second"
    with pytest.raises(KeyError), whole_file(tmp_path / "file") as file:
        file.write(b"half" + {}["missing"])
    assert not (tmp_path / "file").exists()
    # Killed between the two renames of a folder: the next one who asks puts the former back.
    (tmp_path / "it").rename(tmp_path / "it.old")
    put_back(tmp_path / "it")
    assert (tmp_path / "it" / "a.txt").read_text() == "second"


KILLED = """
import os, signal, sys
from pathlib import Path
from elastic import deploy
from model import Model

net = Model()
save = deploy.save_tensors

def killed(path, *rest):
    save(path, *rest)
    if path.name == sys.argv[1]:
        path.write_bytes(path.read_bytes()[:100])
        os.kill(os.getpid(), signal.SIGKILL)

deploy.save_tensors = killed
deploy.save(Path("anytime"), net, [net.plan("max")])
"""


def test_a_killed_export_leaves_the_bundle_that_was_there(made: dict[str, Project], tmp_path: Path) -> None:
    folder = made["elastic"].folder
    for victim in ("weights.safetensors", "norms.safetensors"):
        done = subprocess.run(
            [sys.executable, "-c", "import sys; sys.path.insert(0, '.')\n" + KILLED, victim],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == -signal.SIGKILL
        assert (folder / "anytime").exists() == (victim != "weights.safetensors")
        net = network(made["elastic"])
        deploy = part(made["elastic"], "deploy")
        if victim == "weights.safetensors":
            deploy.save(folder / "anytime", net, [net.plan("min")])  # over what the dead one left aside
            assert not (folder / "anytime.partial").exists()
        assert deploy.load(folder / "anytime", net) == [net.plan("min")]


def test_sub_networks_are_spread_over_the_costs(tmp_path: Path) -> None:
    points = [Point({"k": k}, macs, 10, accuracy=k / 10) for k, macs in enumerate((100, 110, 120, 300, 480, 500))]
    assert spread(points, 2) == [0, 5]
    assert spread(points, 3) == [0, 3, 5]
    assert spread(points, 4) == [0, 2, 3, 5] or spread(points, 4) == [0, 3, 4, 5]
    assert spread(points, 9) == [*range(6)]
    assert several("all", points) == [*range(6)]
    with pytest.raises(SystemExit, match="a number of sub-networks is expected"):
        several("many", points)
    row = {"kind": "macs", "target": 1, "cost": 1, "macs": 5, "params": 2, "score": -1.0, "accuracy": 0.5}
    rows = [row | {"at": {"k": 1}}, row | {"at": {"k": 1}, "target": 2}, row | {"at": {"k": 2}}]
    (tmp_path / "constraints.json").write_text(json.dumps({"subnets": rows}))
    assert [p.at for p in read_points(tmp_path / "constraints.json")] == [{"k": 1}, {"k": 2}]
    with pytest.raises(SystemExit, match=r"there is no .*pareto\.json"):
        read_points(tmp_path / "pareto.json")


BEGUN = """
import json
from pathlib import Path

import torch

import space
from elastic import checkpoint
from elastic.options import read_settings
from model import Model

torch.manual_seed(0)
settings = read_settings(Path("settings.toml"))
content = {"net": Model().state_dict(), "average": None, "data": settings["data"]}
checkpoint.save(Path("runs/checkpoint.pt"), content)
ats = [space.smallest(), space.largest()]
points = [{"at": at, "macs": space.macs(at), "params": space.params(at), "accuracy": 0.5} for at in ats]
Path("runs/pareto.json").write_text(json.dumps({"points": points}))
"""
DIGITS = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } } }
  EXIT
  stage s2 { conv(16, kernel=1); norm; relu }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=3)
data digits
search { calibrate=128 }
"""


def begun(folder: Path, text: str) -> Path:
    """A project with the checkpoint and the front that training and searching would have left."""
    made = project(from_text(text), folder)
    run(made.folder, BEGUN)
    return made.folder


def test_several_sub_networks_and_a_bundle_are_exported(tmp_path: Path) -> None:
    """A folder for each, with eight-bit weights; and a bundle that a script serves."""
    folder = begun(tmp_path, DIGITS.replace("EXIT", ""))
    code = "sys.modules['onnx'] = None\nimport export\n"
    out = run(folder, code + "sys.argv = ['export.py', '--pareto', '1', '--int8']\nexport.main()")
    one = folder / "runs" / "pareto" / "1"
    wanted = ["int8.pt2", "int8.safetensors", "model.py", "subnet.json", "subnet.pt2", "weights.safetensors"]
    assert sorted(path.name for path in one.iterdir()) == wanted
    assert (one / "int8.safetensors").stat().st_size < 0.6 * (one / "weights.safetensors").stat().st_size
    for name in ("model.py and its weights", "torch.export", "torch.export, 8-bit weights"):
        assert f"{name}: same answers" in out
    found = re.search(r"test accuracy ([0-9.]+)%, with 8-bit weights ([0-9.]+)%", out)
    assert found is not None
    assert abs(float(found[1]) - float(found[2])) < 3
    out = run(folder, code + SERVED)
    assert "index.json" in out
    assert out.endswith("served\n")


SERVED = """
sys.argv = ["export.py", "--bundle"]
export.main()

import torch
from elastic.serving import Runtime
from model import Model

runtime = Runtime.load("runs/anytime", Model)
images = torch.randn(1, 1, 8, 8)
small, large = runtime.subnets
assert small.macs < large.macs and small.accuracy == 0.5
assert runtime.run(images, budget_ms=1000).shape == (1, 10)
assert torch.equal(runtime.run(images, macs=small.macs), runtime.calls[0](images))
print("served")
"""


@pytest.mark.slow
def test_exits_are_exported_to_onnx_one_by_one_and_together(tmp_path: Path) -> None:
    text = DIGITS.replace("EXIT", "exit e1 { pool(avg); linear(classes) }")
    folder = begun(tmp_path, text.replace("us_net(subnets=3)", "early_exit"))
    for flags in (["--at", "exit=e1"], ["--at", "width=0.5", "--outputs", "e1", "head"], ["--pareto", "2"]):
        out = run(folder, "export.py", *flags)
        for name in ("static module", "model.py and its weights", "torch.export", "onnxruntime"):
            assert out.count(f"{name}: same answers") == (2 if "--pareto" in flags else 1)
    assert sorted(path.name for path in (folder / "runs" / "pareto").iterdir()) == ["1", "2"]
