"""What is shipped: plain source with its weights, bundles and the runtime that serves them."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.codegen.runtime.tensors import load_tensors
from tests.codegen.projects import Project, compiled, from_text, importing, project
from tests.codegen.test_models import relative, scramble

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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokens", "nested", "pairs"])
def test_programs_of_all_kinds_of_networks_are_exported(
    made: dict[str, Project], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """torch.export and ONNX, whose runtime is the oracle, at two assignments: attention, heads, several inputs."""
    exporting = part(made[name], "exporting")
    net, inputs = network(made[name]), inputs_of(name)
    for at in SPECS[name][2]:
        static = net.bind(net.plan(at))
        with torch.no_grad():
            wanted = static(*inputs)
        names = ["left", "right"][: len(inputs)]
        exporting.write_program(static, inputs, wanted, tmp_path / "net.pt2")
        exporting.write_onnx(static, inputs, names, wanted, tmp_path / "net.onnx")
        out = capsys.readouterr().out
        assert "torch.export: same answers" in out
        assert "onnxruntime: same answers" in out


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


def test_a_bundle_without_figures_counts_costs_itself_and_serves_the_largest(
    made: dict[str, Project], tmp_path: Path
) -> None:
    net, space = network(made["elastic"]), made["elastic"].modules["space"]
    part(made["elastic"], "deploy").save(tmp_path / "b", net, [net.plan("min"), net.plan("max")])
    runtime = part(made["elastic"], "serving").Runtime.load(tmp_path / "b", made["elastic"].model.Model)
    assert runtime.current == 1
    assert [subnet.macs for subnet in runtime.subnets] == [space.macs(space.smallest()), space.macs(space.largest())]
    assert runtime.choose(macs=space.macs(space.smallest())) == 0
    assert [subnet.accuracy for subnet in runtime.subnets] == [None, None]
    with pytest.raises(FileNotFoundError, match="there is no bundle"):
        part(made["elastic"], "deploy").load(tmp_path / "none", net)


def test_a_switch_writes_one_pointer(made: dict[str, Project], tmp_path: Path) -> None:
    """TIPS' Algorithm 2. How fast it is, the benchmarks say."""
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    before = dict(vars(runtime))
    runtime.switch(0)
    assert [name for name, value in vars(runtime).items() if before[name] is not value] == ["call"]


@pytest.mark.parametrize("name", ["mobilenet_v2_us", "mobilenet_v2_pss", "mobilenet_v2_tips"])
def test_twelve_assignments_of_mobilenet_v2_take_two_kilobytes(name: str, tmp_path: Path) -> None:
    """TIPS' 1.9 KB for twelve; and with norm statistics (1 + 0.02 N) of the supernet (PSS-Net, Table 3).

    It is the whole index, with the choices' names - TIPS' network has 34 -, costs and accuracies.
    """
    found = project(compiled(name), tmp_path)
    net, space, rng = found.model.Model(), found.modules["space"], random.Random(0)

    def measured(cut: Any) -> Any:
        return cut.calibrated(torch.rand(cut.features), torch.rand(cut.features)) if hasattr(cut, "calibrated") else cut

    plans = [part(found, "plan").map_cuts(net.plan(space.draw(rng)), measured) for _ in range(12)]
    figures = [
        {"macs": space.macs(p.assignment), "params": space.params(p.assignment), "accuracy": 0.71234} for p in plans
    ]
    deploy = part(found, "deploy")
    deploy.save(tmp_path / "anytime", net, plans, figures, name)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "anytime").iterdir()}
    assert sizes["index.json"] < 1900
    assert 1 < sum(sizes.values()) / sizes["weights.safetensors"] <= 1 + 0.02 * 12
    rows = deploy.read_index(tmp_path / "anytime", net)["subnets"]
    assert [row["at"] for row in rows] == [plan.assignment for plan in plans]
    assert [{key: row[key] for key in known} for row, known in zip(rows, figures, strict=True)] == figures
    other = found.model.Model()
    for mine, theirs in zip(plans, deploy.load(tmp_path / "anytime", other), strict=True):
        assert mine == theirs
        assert torch.equal(deploy.statistics(mine)[1], deploy.statistics(theirs)[1])
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))


def test_choices_of_more_options_than_letters_are_spelt_in_numbers(made: dict[str, Project]) -> None:
    deploy = part(made["elastic"], "deploy")
    for count in (62, 63, 200):
        options = {"width": tuple(range(count)), "keep": (False, True)}
        for at in ({"width": count - 1, "keep": True}, {"width": 0}, {"keep": False}):
            spelling = deploy.spelt(at, ["keep", "width"], options)
            assert isinstance(spelling, str) == (count == 62)
            assert deploy.read(json.loads(json.dumps(spelling)), ["keep", "width"], options) == at


def test_damaged_bundles_and_those_of_other_networks_are_refused(made: dict[str, Project], tmp_path: Path) -> None:
    """Whatever byte they end at. The network is then as it was."""
    folder = tmp_path / "anytime"
    bundle(made["elastic"], folder)
    deploy, serving = part(made["elastic"], "deploy"), part(made["elastic"], "serving")
    net = made["elastic"].model.Model()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rng = random.Random(0)
    for name in ("index.json", "weights.safetensors", "norms.safetensors"):
        whole = (folder / name).read_bytes()
        for length in (0, 7, 100, *(rng.randrange(len(whole) - 2) for _ in range(10))):
            (folder / name).write_bytes(whole[:length])
            with pytest.raises(ValueError, match="damaged"):
                deploy.load(folder, net)
        (folder / name).unlink()
        with pytest.raises((ValueError, FileNotFoundError), match=r"damaged: it has no|there is no bundle"):
            deploy.load(folder, net)
        (folder / name).write_bytes(whole)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(ValueError, match="is a bundle of net, whose choices are not those of Nested"):
        serving.Runtime.load(folder, made["nested"].model.Model)
    index = json.loads((folder / "index.json").read_text())
    index["space"] = deploy.fingerprint(part(made["nested"], "deploy").options_of(made["nested"].model.Model()))
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="damaged"):
        deploy.load(folder, made["nested"].model.Model())


@pytest.mark.parametrize("straight", [False, True])
def test_a_call_runs_one_sub_network_whatever_is_switched_meanwhile(
    made: dict[str, Project], tmp_path: Path, straight: bool
) -> None:
    """Two threads run while a third one switches: every answer is one sub-network's, to the last bit."""
    bundle(made["elastic"], tmp_path / "anytime")
    runtime = part(made["elastic"], "serving").Runtime.load(
        tmp_path / "anytime", made["elastic"].model.Model, straight=straight
    )
    (x,) = inputs_of("elastic")
    with torch.inference_mode():
        wanted = [call(x) for call in runtime.calls]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(wanted, 2))
    seen: list[list[int]] = [[], []]
    done = threading.Event()

    def serve(mine: list[int]) -> None:
        for step in range(300):
            answer = runtime.run(x) if step % 3 else runtime.run(x, macs=runtime.subnets[0].macs)
            mine.append(next((n for n, own in enumerate(wanted) if torch.equal(answer, own)), -1))

    def change() -> None:
        while not done.is_set():
            for number in range(len(runtime)):
                runtime.switch(number)

    servers = [threading.Thread(target=serve, args=(mine,)) for mine in seen]
    changer = threading.Thread(target=change)
    changer.start()
    for thread in servers:
        thread.start()
    for thread in servers:
        thread.join()
    done.set()
    changer.join()
    assert [len(mine) for mine in seen] == [300, 300]
    assert -1 not in (*seen[0], *seen[1])
    assert len({*seen[0], *seen[1]}) > 1


def test_times_are_measured_once_by_many_threads_and_again_when_asked(
    made: dict[str, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    serving = part(made["elastic"], "serving")
    (x,) = inputs_of("elastic")
    asked: list[Any] = []

    def two(*given: Any) -> float:
        asked.append(given)
        return 2.0

    monkeypatch.setitem(type(runtime).measured.__wrapped__.__globals__, "milliseconds", two)
    threads = [threading.Thread(target=runtime.run, args=(x,), kwargs={"budget_ms": 5}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 3
    assert runtime.measured(x[:1]) == [2, 2, 2]  # another shape, another time
    assert len(asked) == 6
    assert runtime.measured(x, again=True) == [2, 2, 2]
    assert len(asked) == 9
    with pytest.raises(ValueError, match="no inputs are given"):
        runtime.choose(budget_ms=1)
    kept = serving.Runtime.load(tmp_path / "anytime", made["elastic"].model.Model).latencies
    assert sorted(kept) == ["cpu, 1 threads, 1x3x16x16, straight", "cpu, 1 threads, 2x3x16x16, straight"]


@torch.no_grad()
def test_a_bundle_keeps_what_its_sub_networks_are_asked_for(made: dict[str, Project], tmp_path: Path) -> None:
    net, (x,) = network(made["elastic"]), inputs_of("elastic")
    plans = [net.plan({"width": 0.5}, outputs=["early", "head"]), net.plan("max")]
    part(made["elastic"], "deploy").save(tmp_path / "b", net, plans)
    runtime = part(made["elastic"], "serving").Runtime.load(tmp_path / "b", made["elastic"].model.Model)
    assert runtime.current == 1
    runtime.switch(0)
    found, wanted = runtime.run(x), net(x, plans[0])
    assert found.keys() == wanted.keys() == {"early", "head"}
    assert all(relative(found[name], wanted[name]) < 1e-5 for name in wanted)


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


KILLED_AT_ANY_TIME = """
import sys, time
from pathlib import Path
from elastic import deploy
from model import Model

net = Model()
plans = [net.plan("min"), net.plan("max")]
print("ready", flush=True)
while True:
    for number, plan in enumerate(plans):
        for value in net.parameters():
            value.data.fill_(number + 1)
        deploy.save(Path("moments"), net, [plan], [{"macs": number + 1}])
"""


@pytest.mark.slow
def test_a_bundle_is_whole_at_whatever_moment_its_writer_dies(made: dict[str, Project]) -> None:
    """Twenty real kills at random moments of a process that writes two bundles in turn: one of both is there, whole."""
    folder = made["elastic"].folder
    deploy, rng, seen = part(made["elastic"], "deploy"), random.Random(1), set()
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.path.insert(0, '.')\n" + KILLED_AT_ANY_TIME],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.05 + rng.random() * 0.1)
        writer.kill()
        writer.wait()
        net = made["elastic"].model.Model()
        (plan,) = deploy.load(folder / "moments", net)
        (row,) = deploy.read_index(folder / "moments", net)["subnets"]
        number = row["macs"]
        assert plan == net.plan("min" if number == 1 else "max")
        assert all(bool((value == number).all()) for value in net.parameters())
        seen.add(number)
    assert seen == {1, 2}
