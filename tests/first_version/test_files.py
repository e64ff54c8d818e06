"""Files of specc 0.1 in a project of now: checkpoints, fronts, bundles, sub-networks and latency tables.

They are made from the project's own files: `then` calls everything as the first version did, by a list of this test.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file

from specc.methods.ofa.step import Shrinking
from specc.methods.pss.step import build_pools
from specc.methods.tips.step import read_importance
from specc.pipeline import compile_project, load
from specc.runtime.deploy.bundle import index_text
from specc.runtime.deploy.choosing import read_points
from specc.runtime.files.first_version import UNCHANGED, FirstVersion
from specc.runtime.files.whole import load_tensors
from specc.runtime.train.subnets import parse, resolved
from specc.space.choices import Space
from specc.space.latency_table import WrongTable, read_table
from tests.helpers.scripts import run, write_files, write_project

SPEC = """
import std.mobilenet
supernet small {
  input image(1, 8, 8); classes 10
  norm batch
  width per_group {0.5, 1.0} round 4
  stem { conv(8, kernel=3); norm; relu6 }
  stage s1 { inverted_residual(12, expand=1) }
  stage s2 { inverted_residual(16, expand=2, stride=2) }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=3)
data digits
train { epochs=2; batch_size=256; optimizer=sgd(lr=0.1, momentum=0.9); ema=0.9; calibrate=64 }
search { strategy=exhaustive; calibrate=64 }
"""
NAMES = {"s1.b1.norm2": "s1.b1.norm1", "s1.b1.conv2": "s1.b1.conv", "s1.b1.norm3": "s1.b1.norm2"}
"""What is called otherwise now, and its first name."""


def then(name: str) -> str:
    for now, first in NAMES.items():
        if name == now or name.startswith(f"{now}."):
            return first + name.removeprefix(now)
    return name


def called_then(named: Mapping[str, Any]) -> dict[str, Any]:
    return {then(name): value for name, value in named.items()}


TRAINED = """
import train
sys.argv = ["train.py", "--device", "cpu", "--epochs", "1"]
train.main()
import json, space
from model import Model
about = {"fingerprint": Model.first_fingerprint, "choices": {n: [*o] for n, o in space.CHOICES.items()}}
open("about.json", "w").write(json.dumps(about))
import search, export
for main, words in ((search.main, ["search.py", "--device", "cpu"]), (export.main, ["export.py", "--bundle"]),
                    (export.main, ["export.py", "--at", "2", "--formats", "source"])):
    sys.argv = words
    main()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its files in `runs`, and the same of the first version in `first`."""
    folder = write_project(tmp_path_factory.mktemp("small"), SPEC, "")
    run(folder, TRAINED)
    about = json.loads((folder / "about.json").read_text())
    old, new = folder / "first", folder / "runs"
    shutil.copytree(new, old)
    saved = torch.load(new / "checkpoint.pt", weights_only=True)
    saved["net"], saved["network"] = called_then(saved["net"]), about["fingerprint"]
    saved["average"]["net"] = called_then(saved["average"]["net"])
    torch.save(saved, old / "checkpoint.pt")
    front = json.loads((new / "pareto.json").read_text())
    front |= {"fingerprint": about["fingerprint"], "weights": digest(saved["average"]["net"])}
    for row in front["points"]:
        row["at"] = called_then(row["at"])
    (old / "pareto.json").write_text(json.dumps(front))
    subnet = json.loads((new / "export" / "subnet.json").read_text())
    subnet |= {"fingerprint": about["fingerprint"], "at": called_then(subnet["at"])}
    (old / "export" / "subnet.json").write_text(json.dumps(subnet))
    write_bundle(old / "anytime", about)
    return folder


def digest(state: Mapping[str, torch.Tensor]) -> str:
    made = hashlib.sha256()
    for name in sorted(state):
        value = state[name].contiguous()
        made.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode() + value.numpy().tobytes())
    return made.hexdigest()[:16]


def write_bundle(folder: Path, about: Mapping[str, Any]) -> None:
    save_file(called_then(load_file(folder / "weights.safetensors")), folder / "weights.safetensors")
    rows, texts = load_tensors(folder / "norms.safetensors")
    rows = {name: row.clone() for name, row in rows.items()}
    norms = json.dumps([then(name) for name in json.loads(texts["norms"])])
    save_file(rows, folder / "norms.safetensors", {**texts, "norms": norms})
    index = json.loads((folder / "index.json").read_text())
    index["choices"] = [then(name) for name in index["choices"]]
    index["fingerprint"] = about["fingerprint"]
    index["space"] = f"{zlib.crc32(json.dumps(called_then(about['choices'])).encode()):08x}"
    index["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16] for name in index["files"]}
    (folder / "index.json").write_text(index_text(index))


def test_the_files_of_the_fixture_have_other_names(project: Path) -> None:
    for name in ("checkpoint.pt", "pareto.json", "anytime/index.json", "anytime/weights.safetensors"):
        assert (project / "runs" / name).read_bytes() != (project / "first" / name).read_bytes()
    saved = torch.load(project / "first" / "checkpoint.pt", weights_only=True)
    assert "s1.b1.conv.weight" in saved["net"]
    assert "s1.b1.norm3.weight" not in saved["net"]
    front = json.loads((project / "first" / "pareto.json").read_text())
    assert "s1.b1.conv.width" in front["points"][0]["at"]


RESUMED = """
import train, shutil
for of in ("runs", "first"):
    sys.argv = ["train.py", "--device", "cpu", "--resume", f"{of}/checkpoint.pt", "--output-dir", f"{of}-on",
                "--epochs", "2"]
    train.main()
"""


def test_a_run_goes_on_from_a_checkpoint_of_the_first_version(project: Path) -> None:
    run(project, RESUMED)
    mine, theirs = (torch.load(project / f"{of}-on" / "checkpoint.pt", weights_only=True) for of in ("runs", "first"))
    assert mine["network"] == theirs["network"]
    for now, before in ((mine["net"], theirs["net"]), (mine["average"]["net"], theirs["average"]["net"])):
        assert [*now] == [*before]
        assert all(torch.equal(value, before[name]) for name, value in now.items())


EXPORTED = """
import export, search
def main(script, *words):
    sys.argv = [script.__file__, *words]
    script.main()
for of in ("runs", "first"):
    files = ["--checkpoint", f"{of}/checkpoint.pt", "--front", f"{of}/pareto.json"]
    main(export, "--at", "2", "--formats", "source", *files, "--output-dir", f"second-{of}")
    main(export, "--at", f"{of}/export/subnet.json", "--formats", "source", *files, "--output-dir", f"file-{of}")
    main(export, "--bundle", *files, "--output-dir", f"all-{of}")
    main(search, "--device", "cpu", "--checkpoint", f"{of}/checkpoint.pt", "--output-dir", f"search-{of}")
"""


def test_sub_networks_of_an_old_front_are_exported_as_those_of_a_new_one(project: Path) -> None:
    run(project, EXPORTED)
    for name in ("second-{}/export/weights.safetensors", "file-{}/export/weights.safetensors"):
        mine, theirs = (load_file(project / name.format(of)) for of in ("runs", "first"))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[n]) for n, value in mine.items())
    for name in ("second-{}/export/subnet.json", "all-{}/anytime/index.json", "search-{}/pareto.json"):
        mine, theirs = (json.loads((project / name.format(of)).read_text()) for of in ("runs", "first"))
        for found in (mine, theirs):
            found.pop("files", None)
            found.pop("checksum", None)
            for row in found.get("points", ()):  # measured anew
                del row["latency"], row["latency_p90"]
        assert mine == theirs


LOADED = """
import torch
from elastic.deploy import bundle
from elastic.deploy.serving import Runtime
from model import Model
from pathlib import Path
images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
found = []
for of in ("runs", "first"):
    net = Model().eval()
    plans = bundle.load(Path(of, "anytime"), net)
    runtime = Runtime.load(Path(of, "anytime"), Model)
    with torch.inference_mode():
        found.append([*(net(images, plan) for plan in plans), runtime.run(images)])
assert len(found[0]) > 2
assert all(torch.equal(mine, theirs) for mine, theirs in zip(*found, strict=True))
"""


def test_a_bundle_of_the_first_version_gives_the_same_answers(project: Path) -> None:
    run(project, LOADED)


@pytest.mark.parametrize("name", ["digits_tips", "digits_mobilenet_v3_ofa"])
def test_states_of_the_first_version_load(name: str, tmp_path: Path) -> None:
    """Under the names that it wrote, without a fingerprint and with it."""
    here = Path(__file__).parent
    states = json.loads((here / "states.json").read_text())[name]
    (tmp_path / "shapes.json").write_text(json.dumps(states))
    write_files(tmp_path, compile_project(load(here.parents[1] / "specs" / f"{name}.specc")))
    run(tmp_path, LOADED_STATE)


LOADED_STATE = """
import json, torch
from elastic.train import checkpoint
from model import Model
shapes = json.load(open("shapes.json"))
own = Model().state_dict()
assert [[*value.shape] for value in own.values()] == [*shapes.values()]
values = {name: torch.rand(shape).to(mine.dtype) for (name, shape), mine in zip(shapes.items(), own.values())}
for said in ({}, {"network": Model.first_fingerprint}):
    net = Model()
    checkpoint.trained(net, {"net": values, "average": None, **said})
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), values.values(), strict=True))
try:
    checkpoint.trained(Model(), {"net": values, "average": None, "network": "0123456789abcdef"})
except SystemExit as error:
    assert "different network" in str(error)
else:
    raise AssertionError("weights of another network were taken")
"""

FIRST = FirstVersion("f1", {"s": {"b": "b2", "a": "b"}}, "w1")


class Choices:
    """A space whose `b` and `b2` were `a` and `b`."""

    CHOICES: ClassVar = {"s.b": (1, 2), "s.b2": (3, 4)}

    def canonical(self, at: Mapping[str, Any]) -> dict[str, Any]:
        return dict(at)


def test_names_that_are_others_now_go_by_the_fingerprint(tmp_path: Path) -> None:
    """`s.b` is a choice of both versions: what a file means by it, its fingerprint says."""
    space: Any = Choices()
    file = tmp_path / "subnet.json"
    file.write_text(json.dumps({"fingerprint": "f1", "at": {"s.b": 3}}))
    assert resolved(space, parse(str(file), FIRST), FIRST) == {"s.b": 2, "s.b2": 3}
    file.write_text(json.dumps({"fingerprint": "f2", "at": {"s.b": 1}}))
    assert resolved(space, parse(str(file), FIRST), FIRST) == {"s.b": 1, "s.b2": 4}
    # A name that there is no more gives a file away that does not say of which network it is.
    assert resolved(space, {"s.a": 1, "s.b": 3}, FIRST) == {"s.b": 1, "s.b2": 3}
    with pytest.raises(ValueError, match=r"no choice 's\.a'"):
        resolved(space, {"s.a": 1})
    with pytest.raises(ValueError, match=r"no choice 's\.c'"):
        resolved(space, {"s.c": 1}, FIRST)


def test_fronts_of_the_first_version_have_to_be_of_these_weights(tmp_path: Path) -> None:
    space: Any = Choices()
    file = tmp_path / "pareto.json"
    front = {"fingerprint": "f1", "weights": "w1", "points": [{"at": {"s.a": 1, "s.b": 3}, "macs": 1, "params": 1}]}
    file.write_text(json.dumps(front))
    of = {"fingerprint": "f2", "weights": "w2"}
    assert [point.at for point in read_points(file, space, of, FIRST)] == [{"s.b": 1, "s.b2": 3}]
    with pytest.raises(SystemExit, match="different network"):
        read_points(file, space, of, UNCHANGED)
    file.write_text(json.dumps({**front, "weights": "w3"}))
    with pytest.raises(SystemExit, match="different weights"):
        read_points(file, space, of, FIRST)


def test_a_latency_table_of_the_first_version(tmp_path: Path) -> None:
    file = tmp_path / "latency.cpu.json"
    row = {"name": "s.a", "choices": ["s.a"], "seconds": [1, 2]}
    head = {"network": "n", "device": "cpu", "threads": 1, "batch_size": 1}
    file.write_text(json.dumps({**head, "choices": {"s.a": [1, 2]}, "blocks": [row]}))
    space = Space({"s.b": (1, 2)}, {}, ())
    (block,) = read_table(file, space, FIRST.renamed).blocks
    assert (block.name, block.choices) == ("s.b", ("s.b",))
    with pytest.raises(WrongTable, match=r"no choice 's\.a'"):
        read_table(file, space)
    file.write_text(json.dumps({**head, "form": "straight", "choices": {"s.a": [1, 2]}, "blocks": [row]}))
    assert read_table(file, space, FIRST.renamed).form == "fused"


class Renamed(torch.nn.Module):
    """A network whose class says that `s.b` and `s.b2` were `s.a` and `s.b`."""

    renamed = FIRST.renamed

    def __init__(self) -> None:
        super().__init__()
        self.s = torch.nn.ModuleDict({"b": torch.nn.Linear(1, 1), "b2": torch.nn.Linear(1, 1)})


def test_a_latency_budget_by_a_table_of_the_first_version(tmp_path: Path) -> None:
    row = {"name": "s.a", "choices": ["s.a"], "seconds": [1, 2]}
    head = {"network": "n", "device": "cpu", "threads": 1, "batch_size": 1}
    (tmp_path / "latency.cpu.json").write_text(json.dumps({**head, "choices": {"s.a": [1, 2]}, "blocks": [row]}))
    space = Space({"s.b": (1, 2)}, {}, ())
    budget = [{"name": "latency", "device": "cpu", "step": 1}]
    settings = {"capacity": 1, "sampler": "uniform", "space_share_end": 1, "temperature_end": 1, "smoothing": 0.9}
    pools = build_pools(space, budget, settings, tmp_path, Renamed())
    assert [constraint.target for constraint in pools.budgets.constraints] == [10**9, 2 * 10**9]
    with pytest.raises(SystemExit, match=r"no choice 's\.a'"):
        build_pools(space, budget, settings, tmp_path)


IMPORTANCE = {"network": "n", "ops": [], "tensors": []}


def group(choice: str, important: bool) -> dict[str, Any]:
    return {"choice": choice, "important": important, "score": 1, "layers": []}


def test_importance_of_the_first_version(tmp_path: Path) -> None:
    space: Any = Choices()
    file = tmp_path / "importance.json"
    rows = {"groups": [group("s.a", True)], "sub_paths": [group("s.b", False)]}
    file.write_text(json.dumps(IMPORTANCE | rows))
    found = read_importance(file, space, Renamed())
    assert [row["choice"] for row in (*found["groups"], *found["sub_paths"])] == ["s.b", "s.b2"]
    with pytest.raises(SystemExit, match=r"different network: it has the choice 's\.a'"):
        read_importance(file, space)
    now = {"groups": [group("s.b", True)], "sub_paths": [group("s.b2", False)]}
    file.write_text(json.dumps(IMPORTANCE | now))
    assert read_importance(file, space, Renamed()) == IMPORTANCE | now


def test_phases_of_the_first_version(tmp_path: Path) -> None:
    space: Any = Choices()
    file = tmp_path / "shrinking.json"

    def phases(choice: str, layer: str) -> dict[str, Any]:
        stage = {"phase": "width", "share": 1, "subnets": 1, "drawn": {choice: 2}}
        channels = {"rows": [layer], "columns": [], "judges": [], "sorted": {"1": 1}}
        return {"network": "n", "always": [choice], "stages": [stage], "channels": [channels]}

    file.write_text(json.dumps(phases("s.a", "s.b")))
    memory = Shrinking(file, space, Renamed())
    assert memory.always == ("s.b",)
    assert memory.stages[0].drawn == {"s.b": 2}
    assert memory.sets[0].channels.rows == ["s.b2"]
    with pytest.raises(SystemExit, match=r"different network: it has the choice 's\.a'"):
        Shrinking(file, space, torch.nn.Module())
    file.write_text(json.dumps(phases("s.b", "s.b")))
    memory = Shrinking(file, space, Renamed())
    assert (memory.always, memory.sets[0].channels.rows) == (("s.b",), ["s.b"])
