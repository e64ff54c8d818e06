"""Bundles and the runtime that serves them: sizes, limits, threads, damage, and writers that die."""

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

from tests.helpers.comparing import relative
from tests.helpers.parts import SPECS, inputs_of, network, part
from tests.helpers.projects import Project, compiled, from_text, project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    return {name: project(from_text(SPECS[name][0]), tmp_path_factory.mktemp(name)) for name in ("elastic", "nested")}


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
    part(made, "deploy.bundle").save(folder, net, [net.plan(at) for at in ats], figures, "net")
    return part(made, "deploy.serving").Runtime.load(folder, made.model.Model)


def measured(made: Project, net: Any, at: Any) -> Any:
    """A plan with norm statistics of its own."""

    def own(place: str, cut: Any) -> Any:
        return cut.calibrated(torch.rand(cut.features), torch.rand(cut.features)) if hasattr(cut, "calibrated") else cut

    return part(made, "net.plan").map_cuts(net.plan(at), own)


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
        ValueError, match=f"no prepared sub-network satisfies the constraints; the least are {small.macs:g} MACs"
    ):
        runtime.run(x, macs=small.macs - 1)
    with pytest.raises(IndexError):
        runtime.switch(3)
    assert middle.value == 0.9


def test_latencies_are_measured_once_and_kept_in_the_bundle(made: dict[str, Project], tmp_path: Path) -> None:
    runtime = bundle(made["elastic"], tmp_path / "anytime")
    (x,) = inputs_of("elastic")
    assert json.loads((tmp_path / "anytime" / "index.json").read_text())["latency"] == {}
    assert runtime.choose(x, budget_ms=1e6) == 1
    with pytest.raises(ValueError, match="the least are"):
        runtime.run(x, budget_ms=1e-6)
    (found,) = json.loads((tmp_path / "anytime" / "index.json").read_text())["latency"].items()
    assert found[0] == "cpu, 1 threads, 2x3x16x16, fused"
    assert len(found[1]) == 3
    again = part(made["elastic"], "deploy.serving").Runtime.load(tmp_path / "anytime", made["elastic"].model.Model)
    assert again.measured(x) == found[1]
    again.latencies[found[0]] = [1.0, 3.0, 2.0]
    assert again.choose(x, budget_ms=2) == 2
    assert again.choose(x, budget_ms=1) == 0
    # Another bundle takes its place while it serves: times of the former say nothing of that.
    net = network(made["elastic"])
    part(made["elastic"], "deploy.bundle").save(tmp_path / "anytime", net, [net.plan("min")])
    assert len(again.measured(x, again=True)) == 3
    assert part(made["elastic"], "deploy.bundle").read_index(tmp_path / "anytime", net)["latency"] == {}


def test_a_bundle_without_figures_counts_costs_itself_and_serves_the_largest(
    made: dict[str, Project], tmp_path: Path
) -> None:
    net, space = network(made["elastic"]), made["elastic"].modules["space"]
    part(made["elastic"], "deploy.bundle").save(tmp_path / "b", net, [net.plan("min"), net.plan("max")])
    runtime = part(made["elastic"], "deploy.serving").Runtime.load(tmp_path / "b", made["elastic"].model.Model)
    assert runtime.current == 1
    assert [subnet.macs for subnet in runtime.subnets] == [space.macs(space.smallest()), space.macs(space.largest())]
    assert runtime.choose(macs=space.macs(space.smallest())) == 0
    assert [subnet.value for subnet in runtime.subnets] == [None, None]
    with pytest.raises(FileNotFoundError, match="there is no bundle"):
        part(made["elastic"], "deploy.bundle").load(tmp_path / "none", net)


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

    plans = [measured(found, net, space.draw(rng)) for _ in range(12)]
    figures = [
        {"macs": space.macs(p.assignment), "params": space.params(p.assignment), "accuracy": 0.71234} for p in plans
    ]
    deploy = part(found, "deploy.bundle")
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
    deploy = part(made["elastic"], "deploy.bundle")
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
    deploy, serving = part(made["elastic"], "deploy.bundle"), part(made["elastic"], "deploy.serving")
    net = made["elastic"].model.Model()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rng = random.Random(0)
    for name in ("index.json", "weights.safetensors", "norms.safetensors"):
        whole = (folder / name).read_bytes()
        for length in (0, 7, 100, *(rng.randrange(len(whole) - 2) for _ in range(10))):
            (folder / name).write_bytes(whole[:length])
            with pytest.raises(ValueError, match="corrupt"):
                deploy.load(folder, net)
        (folder / name).unlink()
        with pytest.raises((ValueError, FileNotFoundError), match=r"corrupt: it has no|there is no bundle"):
            deploy.load(folder, net)
        (folder / name).write_bytes(whole)
    whole_index = (folder / "index.json").read_bytes()
    for part_of, changed in (
        (b'"latency":{}', b'"latency":[]'),
        (b'"latency":{}', b'"latency":{"cpu":[1,2]}'),
        (b'"latency":{}', b'"latency":{"cpu":[1,null,2]}'),
        (b'"latency":{}', b'"more":{}'),
        (b"0.9", b'"0.9"'),
        (b"0.9", b"[]"),
        (b'"network":"net"', b'"network":"\xff"'),
        (b'"network"', b'"of"'),
    ):
        (folder / "index.json").write_bytes(whole_index.replace(part_of, changed))
        with pytest.raises(ValueError, match=r"index\.json is corrupt"):
            serving.Runtime.load(folder, made["elastic"].model.Model)
    (folder / "index.json").write_bytes(whole_index)
    deploy.save(tmp_path / "another", net, [measured(made["elastic"], net, at) for at in ({"width": 0.5}, "max")])
    deploy.save(folder, net, [measured(made["elastic"], net, at) for at in ("max", {"width": 0.5})])
    (tmp_path / "another" / "norms.safetensors").replace(folder / "norms.safetensors")
    with pytest.raises(ValueError, match=r"corrupt: the checksum of norms\.safetensors differs"):
        deploy.load(folder, net)
    bundle(made["elastic"], folder)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(ValueError, match="is a bundle of net, whose choices are not those of Nested"):
        serving.Runtime.load(folder, made["nested"].model.Model)
    index = json.loads((folder / "index.json").read_text())
    index["space"] = deploy.fingerprint(part(made["nested"], "deploy.bundle").options_of(made["nested"].model.Model()))
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="corrupt"):
        deploy.load(folder, made["nested"].model.Model())


@pytest.mark.parametrize("fused", [False, True])
def test_a_call_runs_one_sub_network_whatever_is_switched_meanwhile(
    made: dict[str, Project], tmp_path: Path, fused: bool
) -> None:
    """Two threads run while a third one switches: every answer is one sub-network's, to the last bit."""
    bundle(made["elastic"], tmp_path / "anytime")
    runtime = part(made["elastic"], "deploy.serving").Runtime.load(
        tmp_path / "anytime", made["elastic"].model.Model, fused=fused
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
            time.sleep(0)  # else the other threads wait for Python's lock, again and again

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
    serving = part(made["elastic"], "deploy.serving")
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
    with pytest.raises(ValueError, match="budget_ms needs example inputs"):
        runtime.choose(budget_ms=1)
    kept = serving.Runtime.load(tmp_path / "anytime", made["elastic"].model.Model).latencies
    assert sorted(kept) == ["cpu, 1 threads, 1x3x16x16, fused", "cpu, 1 threads, 2x3x16x16, fused"]
    index = json.loads((tmp_path / "anytime" / "index.json").read_text())
    head = "cpu, 1 threads, 1x3x16x16"
    index["latency"] = {f"{head}, straight": [3, 3, 3], f"{head}, sliced": [4, 4, 4]}
    (tmp_path / "anytime" / "index.json").write_text(part(made["elastic"], "deploy.bundle").index_text(index))
    kept = serving.Runtime.load(tmp_path / "anytime", made["elastic"].model.Model).latencies
    assert kept == {f"{head}, fused": [3, 3, 3], f"{head}, sliced": [4, 4, 4]}


@torch.no_grad()
def test_a_bundle_keeps_what_its_sub_networks_are_asked_for(made: dict[str, Project], tmp_path: Path) -> None:
    net, (x,) = network(made["elastic"]), inputs_of("elastic")
    plans = [net.plan({"width": 0.5}, outputs=["early", "head"]), net.plan("max")]
    part(made["elastic"], "deploy.bundle").save(tmp_path / "b", net, plans)
    runtime = part(made["elastic"], "deploy.serving").Runtime.load(tmp_path / "b", made["elastic"].model.Model)
    assert runtime.current == 1
    runtime.switch(0)
    found, wanted = runtime.run(x), net(x, plans[0])
    assert found.keys() == wanted.keys() == {"early", "head"}
    assert all(relative(found[name], wanted[name]) < 1e-5 for name in wanted)


KILLED = """
import os, signal, sys
from pathlib import Path
from elastic.deploy import bundle as deploy
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
        deploy = part(made["elastic"], "deploy.bundle")
        if victim == "weights.safetensors":
            deploy.save(folder / "anytime", net, [net.plan("min")])  # over what the dead one left aside
            assert not [*folder.glob("anytime.*")]
        assert deploy.load(folder / "anytime", net) == [net.plan("min")]


KILLED_AT_ANY_TIME = """
import sys, time
from pathlib import Path
from elastic.deploy import bundle as deploy
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
    deploy, rng, seen = part(made["elastic"], "deploy.bundle"), random.Random(1), set()
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


def test_a_bundle_with_any_bit_changed_is_refused(made: dict[str, Project], tmp_path: Path) -> None:
    """Every bit of the index and of the norms, and of the weights some in every part of the file."""
    deploy, folder = part(made["elastic"], "deploy.bundle"), tmp_path / "anytime"
    net = network(made["elastic"])
    deploy.save(folder, net, [measured(made["elastic"], net, at) for at in ("min", "max")], classes=["a", "b"])
    index = (folder / "index.json").read_bytes()
    for place, bit in itertools.product(range(len(index)), range(8)):
        changed = bytearray(index)
        changed[place] ^= 1 << bit
        with pytest.raises(ValueError, match=r"checksum|decode|column|char"):
            deploy.check_index(bytes(changed))
    (folder / "index.json").write_bytes(index.replace(b"elastic", b"elastiC").replace(b'"a"', b'"b"'))
    with pytest.raises(ValueError, match=r"index\.json is corrupt, .* checksum does not match its content"):
        deploy.load(folder, net)
    (folder / "index.json").write_bytes(index)
    rng = random.Random(0)
    for name in ("norms.safetensors", "weights.safetensors"):
        content = (folder / name).read_bytes()
        for place in {0, 7, 8, len(content) - 1, *(rng.randrange(len(content)) for _ in range(20))}:
            changed = bytearray(content)
            changed[place] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(bytes(changed))
            with pytest.raises(ValueError, match=f"corrupt: the checksum of {name} differs"):
                deploy.load(folder, net)
        (folder / name).write_bytes(content)
    assert len(deploy.load(folder, net)) == 2


def test_a_bundle_of_the_first_version_has_no_checksums_and_is_read(made: dict[str, Project], tmp_path: Path) -> None:
    deploy, folder = part(made["elastic"], "deploy.bundle"), tmp_path / "anytime"
    net = network(made["elastic"])
    deploy.save(folder, net, [net.plan("min")])
    index = json.loads((folder / "index.json").read_text())
    old = {name: value for name, value in index.items() if name not in ("files", "checksum")}
    (folder / "index.json").write_text(json.dumps(old))
    assert deploy.load(folder, net) == [net.plan("min")]
    (folder / "index.json").write_text(json.dumps({**old, "files": index["files"]}))
    with pytest.raises(ValueError, match="its checksum is missing"):
        deploy.load(folder, net)


def test_a_bundle_is_compared_with_its_network_before_it_takes_its_place(
    made: dict[str, Project], tmp_path: Path
) -> None:
    deploy, folder = part(made["elastic"], "deploy.bundle"), tmp_path / "anytime"
    net, (x,) = network(made["elastic"]), inputs_of("elastic")
    plans = [measured(made["elastic"], net, at) for at in ("min", "max")]
    found: list[float] = []

    def proof(aside: Path) -> None:
        found.append(deploy.differences(aside, net, made["elastic"].model.Model().eval(), plans, x))
        found.append(deploy.differences(aside, net, made["elastic"].model.Model().eval(), plans[::-1], x))
        if found[-1] > 0:
            raise ValueError("they differ")

    with pytest.raises(ValueError, match="they differ"):
        deploy.save(folder, net, plans, proof=proof)
    assert found[0] == 0 < found[1]
    assert not folder.exists()
