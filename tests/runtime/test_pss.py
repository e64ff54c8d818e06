"""PSS-Net: its step against a reference written out by hand; its project trained, interrupted, resumed and deployed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.pss import step as pss
from specc.outputs.classes.task import Classes
from specc.pipeline import compile_project, load
from specc.runtime.run.distributed import World
from specc.runtime.train.trainer import Trainer
from specc.source import Source
from specc.space.choices import Space
from tests.helpers.networks import reported
from tests.helpers.networks import spec as spec_text
from tests.helpers.projects import compiled, project
from tests.helpers.scripts import RESUMED, run, write_project
from tests.helpers.tiny import TinySpace, tiny_net

IMAGES = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
SETTINGS: dict[str, Any] = {
    "capacity": 3,
    "sampler": "uniform",
    "space_share_end": 0.01,
    "temperature_end": 0.01,
    "smoothing": 0.9,
}
WORLD = World(0, 1, torch.device("cpu"))


def test_a_step_by_hand() -> None:
    """The largest learns the labels, the drawn one and the smallest its answers; the drawn one's loss is its score."""
    net, reference, start = tiny_net(), tiny_net(), tiny_net()
    optimizer = SGD(net.parameters(), lr=0.1)
    trainer = Trainer(net, optimizer, LambdaLR(optimizer, lambda step: 1.0), Classes(0), WORLD)
    ats = [TinySpace().largest(), {"width": 4, "keep": False}, TinySpace().smallest()]
    losses, score = pss.step(trainer, IMAGES, LABELS, [net.plan(at) for at in ats], WORLD)
    trainer.update()

    assert net.ran == ats
    answers = reference(IMAGES, reference.plan(ats[0]))
    teacher = answers.detach().softmax(dim=1)
    wanted = [F.cross_entropy(answers, LABELS)]
    for at in ats[1:]:
        said = reference(IMAGES, reference.plan(at)).log_softmax(dim=1)
        wanted.append((teacher * (teacher.log() - said)).sum() / len(IMAGES))
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    drawn = reference(IMAGES, reference.plan(ats[1]))
    assert score == pytest.approx(-F.cross_entropy(drawn, LABELS).item(), abs=1e-6)

    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    for mine, theirs, before in zip(net.parameters(), reference.parameters(), start.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(mine, before - 0.1 * theirs.grad, rtol=0, atol=1e-6)


def test_no_gradient_reaches_the_teacher_through_its_pupils() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    teacher = torch.randn(4, 3, requires_grad=True)
    Classes(3).distance(logits, teacher.detach()).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert teacher.grad is None
    torch.testing.assert_close(Classes(3).distance(teacher, teacher.detach()), torch.tensor(0.0), atol=1e-7, rtol=0)


def test_a_budget_without_its_table_ends_with_a_plain_message(tmp_path: Path) -> None:
    space = Space({"a": (1, 2)}, costs=lambda rows: (rows[:, 0], rows[:, 0]))
    with pytest.raises(SystemExit, match=r"there is no latency\.cpu\.json beside train\.py"):
        pss.build_pools(space, [{"name": "latency", "device": "cpu", "step": 0.001}], SETTINGS, tmp_path)


SPEC = """
supernet tiny {
  input image(1, resolution=4..8 step 2);  classes 10
  norm batch
  width per_group {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } }; conv(24, kernel=3); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train {
  epochs=4; batch_size=64; optimizer=sgd(lr=0.1); augment=[crop(padding=1)]
  calibrate=128; evaluate_every=2
}
"""
METHOD = "method pss(pool=3, budgets=[macs(step=20k), latency(step=1ms)], calibrate_top=2)"


def latencies(width: str) -> dict[str, Any]:
    """A latency table by hand: a millisecond for every 2 pixels, a tenth of one for every 8 channels."""
    return {
        "network": "tiny",
        "device": "cpu",
        "threads": 1,
        "batch_size": 1,
        "choices": {"resolution": [4, 6, 8], width: [12, 20, 24]},
        "blocks": [
            {"name": "stem", "choices": ["resolution"], "seconds": [0.001, 0.002, 0.003]},
            {"name": "s1", "choices": [width], "seconds": [0.0001, 0.0002, 0.0003]},
        ],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was interrupted after two of four epochs and resumed, and one that ran through."""
    found = write_project(tmp_path_factory.mktemp("pss"), SPEC, METHOD)
    (found / "latency.cpu.json").write_text(json.dumps(latencies("s1.conv2.width")))
    (found / "printed.txt").write_text(run(found, RESUMED))
    return found


def saved(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / name / "checkpoint.pt", weights_only=True)
    return content


def test_pools_of_a_resumed_run_are_those_of_one_never_interrupted(folder: Path) -> None:
    resumed, whole = saved(folder, "runs"), saved(folder, "whole")
    assert resumed["memory"] == whole["memory"]
    for name, value in whole["net"].items():
        assert torch.equal(resumed["net"][name], value), name
    pools = whole["memory"]["entries"]
    assert sum(map(len, pools)) > 4
    for pool, capacity in zip(pools, whole["memory"]["capacities"], strict=True):
        scores = [score for _, score in pool]
        assert scores == sorted(scores, reverse=True)
        assert len(pool) <= capacity <= 3
        assert len({json.dumps(at) for at, _ in pool}) == len(pool)
    texts = [(folder / name / "constraints.json").read_text() for name in ("runs", "whole")]
    assert texts[0] == texts[1]


def test_the_best_of_every_pool_is_kept_and_runs_again(folder: Path) -> None:
    """constraints.json keeps each constraint; anytime/ makes the sub-networks that were judged."""
    found = json.loads((folder / "runs" / "constraints.json").read_text())
    assert (found["network"], found["dataset"]) == ("tiny", "digits")
    memory = saved(folder, "runs")["memory"]
    assert {row["kind"] for row in found["subnets"]} == {"macs", "latency"}
    assert len(found["subnets"]) == sum(1 for pool in memory["entries"] if pool)
    for row in found["subnets"]:
        half = {"macs": 10_000, "latency": 0.0005}[row["kind"]]
        assert abs(row["cost"] - row["target"]) <= half
        assert row["kind"] != "macs" or row["cost"] == row["macs"]
        # One of the two best of a pool, with its score there.
        top = [entry for pool in memory["entries"] for entry in pool[:2]]
        assert [row["at"], row["score"]] in top
    printed = run(folder, RELOADED)
    assert json.loads(printed) == [row["test_accuracy"] for row in found["subnets"]]
    assert "constraints in macs" in (folder / "printed.txt").read_text()
    assert "drawn exactly" in (folder / "printed.txt").read_text()


RELOADED = """
import json
from pathlib import Path

from elastic.deploy import bundle as deploy
from elastic.data.datasets import load_data
from elastic.run.distributed import join
from elastic.train.evaluate import evaluate
from elastic.data.loading import Loading
from elastic.run.settings import read_settings
from model import Model
from train import TASK

world = join("cpu")
loading = Loading(load_data(read_settings(Path("settings.toml"))["data"]), (1, 8, 8), world)
net = Model()
plans = deploy.load(Path("runs/anytime"), net)
testing = loading.evaluation(loading.data.test)
print(json.dumps([evaluate(net, plan, testing, TASK, world).value for plan in plans]))
"""


def test_another_specs_checkpoint_is_refused(folder: Path) -> None:
    space = Space({"a": (1, 2)}, costs=lambda rows: (rows[:, 0], rows[:, 0]))
    built = pss.build_pools(space, [{"name": "macs", "step": 1}], SETTINGS, folder)
    with pytest.raises(SystemExit, match="the checkpoint does not fit: the pools are of other constraints"):
        built.restore(built.state() | {"capacities": [1, 2, 3]})


def test_sub_networks_take_two_hundredths_of_the_weights_each(tmp_path: Path) -> None:
    """PSS-Net's Table 3 on MobileNetV2: (1 + 0.02 N) of the supernet's storage, here with N = 3."""
    found = project(compiled("mobilenet_v2_pss"), tmp_path)
    code = """
import random
from pathlib import Path

import torch

import space
from elastic.deploy import bundle as deploy
from elastic.train import checkpoint
from elastic.train.calibrate import calibrate
from model import Model

torch.set_num_threads(1)
net = Model()
rng = random.Random(0)
ats = [space.largest(), space.draw(rng), space.smallest()]
plans = [calibrate(net, net.plan(at), [torch.randn(2, 3, 64, 64)]) for at in ats]
deploy.save(Path("anytime"), net, plans)
checkpoint.save(Path("alone.pt"), {"net": net.state_dict()})
other = Model().eval()
images = torch.randn(2, 3, 64, 64)
net.eval()
with torch.inference_mode():
    for mine, theirs in zip(plans, deploy.load(Path("anytime"), other), strict=True):
        assert torch.equal(net(images, mine), other(images, theirs))
        assert mine == theirs
"""
    run(found.folder, code)
    bundle = sum(path.stat().st_size for path in (found.folder / "anytime").iterdir())
    assert 1 < bundle / (found.folder / "alone.pt").stat().st_size <= 1 + 0.02 * 3


BROKEN = {
    "method pss(budgets=[macs(step=0)])": "bad-budget",
    "method pss(budgets=[macs(step=2.5)])": "bad-budget",
    "method pss(budgets=[macs(step=1M), macs(step=2M)])": "bad-budget",
    "method pss(budgets=[])": "bad-budget",
    "method pss(space_share_end=0)": "bad-annealing",
    "method pss(temperature_end=1.5)": "bad-annealing",
    "method mutualnet": "no-elastic-resolution",
}


@pytest.mark.parametrize("method", BROKEN)
def test_what_pss_and_mutualnet_need(method: str) -> None:
    text = spec_text("", "norm batch\n  width uniform 0.5..1.0 step 0.25 round 4", rest=method)
    assert reported(text) == [BROKEN[method]]


def test_two_latencies_are_two_budgets() -> None:
    budgets = 'budgets=[latency("cpu"), latency("phone.json", step=2ms)]'
    text = spec_text("", "norm batch\n  width uniform 0.5..1.0 step 0.25 round 4", rest=f"method pss({budgets})")
    files = compile_project(load(Source("test.specc", text)))
    assert '{"name": "latency", "device": "phone.json", "step": 0.002}' in files["train.py"]


def test_pools_by_the_papers_sampler_hold_what_they_should() -> None:
    """Eq. 4's marginals: other shares, the same windows."""
    sizes = torch.tensor([3, 5, 8, 13]).numpy()
    options = {"a": (3, 5, 8, 13), "b": (3, 5, 8, 13)}
    space = Space(
        options, together=(("a", "b"),), costs=lambda rows: (sizes[rows[:, 0]] * sizes[rows[:, 1]], rows[:, 0])
    )
    pools = pss.build_pools(space, [{"name": "macs", "step": 40}], SETTINGS | {"sampler": "paper"}, Path())
    rng = random.Random(0)
    for _ in range(100):
        pick = pools.pick(rng, 0, 10)
        constraint = pools.budgets.constraints[pick.constraint]
        at: Any = pick.at
        assert constraint.low <= at["a"] * at["b"] <= constraint.high
        pools.record(pick, -rng.random())
    assert "tries on average" in pools.budgets.summary()
