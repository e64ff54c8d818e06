"""NaN and Inf stop a run: with the step, the sub-network, the rate and the batch; no checkpoint is written over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import World
from specc.runtime.run.journal import Journal
from specc.runtime.search.evaluator import Evaluator
from specc.runtime.train import checkpoint
from specc.runtime.train.evaluate import evaluate
from specc.runtime.train.scores import Score, summary
from tests.helpers.folders import PACKAGE
from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project
from tests.helpers.steps import trainer_of
from tests.helpers.tiny import TinySpace, tiny_net

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=2; batch_size=128; optimizer=sgd(lr=0.1); calibrate=64 }
search { calibrate=64 }
"""
ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    with Scripts(write_project(tmp_path_factory.mktemp("finite"), SPEC, "method us_net")) as found:
        assert found("train.py").code == 0
        yield found


def test_a_rate_that_is_too_high_stops_the_run_and_keeps_the_batch(scripts: Scripts) -> None:
    """The checkpoint of the good run is still there, byte for byte, and can be searched."""
    file = scripts.folder / "runs" / "checkpoint.pt"
    before = file.read_bytes()
    reason = scripts("train.py", "--lr", "1e8").reason
    assert "epoch 1, " in reason
    assert "step " in reason
    assert "at a learning rate of " in reason
    assert "atch is in runs/not_finite.pt, checkpoint.pt stays as it was" in reason
    assert file.read_bytes() == before
    kept = torch.load(scripts.folder / "runs" / "not_finite.pt", weights_only=True)
    assert kept["inputs"][0].shape == (128, 1, 8, 8)
    assert kept["labels"].shape == (128,)
    assert (kept["epoch"], len(kept["losses"])) == (0, 4)
    assert 0 < kept["lr"] <= 1e8


def test_a_later_epoch_leaves_the_checkpoint_of_the_last_good_one(scripts: Scripts) -> None:
    scripts.do("import elastic.train.optim as o; usual = o.learning_rate")
    scripts.do("o.learning_rate = lambda s, e, n: lambda step: 1.0 if step < n else 1e12")
    reason = scripts("train.py", "--output-dir", "late").reason
    scripts.do("o.learning_rate = usual")
    assert reason.startswith("epoch 2")
    assert torch.load(scripts.folder / "late" / "checkpoint.pt", weights_only=True)["epoch"] == 1
    reason = scripts("train.py", "--lr", "1e30", "-b", "1024", "--epochs", "1", "--output-dir", "late").reason
    assert "all outputs of largest, smallest are NaN or infinite: the training has diverged" in reason
    assert torch.load(scripts.folder / "late" / "checkpoint.pt", weights_only=True)["epoch"] == 1


def test_nan_in_the_data_stops_the_run_and_is_in_the_batch(scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def load(settings):\n"
        "    pixels = torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))\n"
        "    pixels[::40] = float('nan')\n"
        "    labels = [i % 10 for i in range(400)]\n"
        "    return (pixels, labels), (pixels[1:40], labels[1:40])\n"
    )
    ended = scripts("train.py", "--dataset", "own", "--data-path", f"{tmp_path}/mine.py", "--output-dir", str(tmp_path))
    if "NaN" not in ended.reason:
        assert "is nan, at a learning rate" in ended.reason
        kept = torch.load(tmp_path / "not_finite.pt", weights_only=True)
        assert kept["inputs"][0].isnan().any()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_weights_that_are_nan_are_neither_searched_nor_exported_nor_evaluated(scripts: Scripts, tmp_path: Path) -> None:
    saved = torch.load(scripts.folder / "runs" / "checkpoint.pt", weights_only=True)
    saved["net"]["head.linear.weight"][0] = float("nan")
    torch.save(saved, tmp_path / "checkpoint.pt")
    file = f"{tmp_path}/checkpoint.pt"
    for command in (
        ("search.py", "--checkpoint", file, "--output-dir", str(tmp_path)),
        ("export.py", "--checkpoint", file, "--at", "max", "--output-dir", str(tmp_path)),
        ("train.py", "--resume", file, "--test-only"),
        ("train.py", "--resume", file, "--epochs", "4"),
    ):
        assert "the checkpoint's weights are NaN or infinite (head.linear.weight)" in scripts(*command).reason
    assert not (tmp_path / "pareto.json").exists()


def test_sub_networks_that_answer_nan_are_on_no_front(scripts: Scripts, tmp_path: Path) -> None:
    """Finite weights whose products are not: only the narrow half is usable."""
    saved = torch.load(scripts.folder / "runs" / "checkpoint.pt", weights_only=True)
    saved["net"]["head.linear.weight"][:, 8:] = 3e38
    torch.save(saved, tmp_path / "checkpoint.pt")
    flags = ("--checkpoint", f"{tmp_path}/checkpoint.pt", "--output-dir", str(tmp_path))
    ended = scripts("search.py", *flags)
    assert ended.code == 0, ended.raised or ended.err
    assert "warning: 1 of 2 sub-networks output NaN or Inf and are left out, such as width=1" in ended.out
    points = json.loads((tmp_path / "pareto.json").read_text())["points"]
    assert [point["at"] for point in points] == [{"width": 0.5}]
    saved["net"]["head.linear.weight"][:] = 3e38
    torch.save(saved, tmp_path / "checkpoint.pt")
    assert "no sub-network is left" in scripts("search.py", *flags).reason
    ended = scripts("train.py", "--resume", flags[1], "--test-only")
    assert "359 outputs are NaN or infinite" in ended.out


def test_a_row_that_is_no_number_is_a_wrong_answer() -> None:
    """Also where argmax would have hit the label."""

    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    logits = torch.tensor([[1.0, 0.0], [float("nan"), 0.0], [float("inf"), 0.0], [0.0, 1.0]])
    score = evaluate(Fixed(), None, [(logits, torch.tensor([0, 0, 0, 0]))], Classes(2), ALONE)
    assert (score.value, score.images, score.broken) == (0.25, 4, 2)
    told = summary({"a": score, "b": Score(0.5, 1.0, 2)}, Classes(2).metrics[0])
    assert told == "accuracy: a 25.0% (2 outputs are NaN or infinite), b 50.0%"


def test_broken_sub_networks_are_remembered(tmp_path: Path) -> None:
    def measure(at: Any, what: str) -> dict[str, float]:
        return {"accuracy": 0.0, "broken": 3} if at["keep"] else {"accuracy": 0.5}

    space = TinySpace()
    for _ in range(2):
        journal = Journal(tmp_path / "search.jsonl", "net")
        journal.read()
        evaluator = Evaluator(lambda at: {"macs": space.macs(at), "params": 1}, measure, journal, (), False, ALONE)
        points = evaluator.points([*space.every()])
        assert [point.at["keep"] for point in points] == [False] * 3
        assert len(evaluator.broken()) == 3
    assert evaluator.reused == 6


def test_every_loss_of_a_step_is_looked_at(tmp_path: Path) -> None:
    """The second sub-network's alone is NaN; its plan is the one that is named."""
    net = tiny_net()
    trainer = trainer_of(net)
    plans = [net.plan({"width": 8, "keep": True}), net.plan({"width": 2, "keep": False})]

    def one(losses: list[float]) -> None:
        for _images, _labels in trainer.watched([(torch.ones(2, 4), torch.tensor([0, 1]))], 4, tmp_path):
            for plan, factor in zip(trainer.passes(plans), losses, strict=True):
                trainer.backward(factor * trainer.forward(torch.ones(2, 4), plan).sum())
            trainer.update()

    one([1.0, 1.0])
    with pytest.raises(SystemExit, match=r"^epoch 5, step 1: the loss of width=2,keep=no is nan, at a learning rate"):
        one([1.0, float("nan")])
    assert torch.load(tmp_path / "not_finite.pt", weights_only=True)["at"] == {"width": 2, "keep": False}


def test_no_method_goes_past_the_trainer() -> None:
    """Losses are looked at where they flow back."""
    for step in PACKAGE.glob("methods/*/*step*.py"):
        text = step.read_text()
        assert "loss.backward(" not in text, step
        assert "def step(" not in text or "trainer.backward(" in text, step


def test_digests_tell_weights_apart() -> None:
    first, second = tiny_net(0).state_dict(), tiny_net(1).state_dict()
    assert checkpoint.digest(first) == checkpoint.digest(tiny_net(0).state_dict())
    assert checkpoint.digest(first) != checkpoint.digest(second)
    assert checkpoint.digest({"a": torch.zeros(2)}) != checkpoint.digest({"a": torch.zeros(1, 2)})
    assert checkpoint.digest({"a": torch.zeros(())}) != checkpoint.digest({"b": torch.zeros(())})
    assert checkpoint.digest({"a": torch.zeros(1)}) != checkpoint.digest({"a": torch.zeros(1, dtype=torch.int32)})
