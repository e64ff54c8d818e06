"""`output name { }`: outputs of any shape, a loss of one's own, a step by hand, and what train.py and search.py do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specc.methods.us_net import step as us_net
from specc.outputs.free.task import Free
from specc.outputs.values.task import Values
from specc.pipeline import compile_project, load
from specc.runtime.train.own_loss import Own
from tests.helpers.documents import check_file
from tests.helpers.projects import project
from tests.helpers.scripts import run, write_files
from tests.helpers.steps import drawn, trainer_of

torch.set_num_threads(1)

SPEC = """
supernet tiny {
  input image(2, 4, 4)
  width uniform {0.5, 1.0}
  stem { conv(4, kernel=3); relu }
  output boxes { conv(5, kernel=1) }
  output score { pool(avg); linear(1) }
}
method us_net(subnets=2)
train { epochs=1; batch_size=8; optimizer=sgd(lr=0.05); loss=own(path="loss.py") }
search { strategy=exhaustive }
data own(path="data.py")
"""
LOSS = """
def loss(outputs, targets):
    return (outputs["boxes"] - targets).square().mean() + outputs["score"].abs().mean()

def distance(outputs, teacher):
    return sum((outputs[name] - teacher[name]).abs().mean() for name in outputs)
"""
DATA = """
import torch

def load(settings):
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(48, 2, 4, 4, generator=draw)
    boxes = torch.cat([images, images.abs(), images[:, :1]], 1)
    return (images[:32], boxes[:32]), (images[32:], boxes[32:])
"""
IMAGES, TARGETS = drawn(3, 2, 4, 4), drawn(3, 5, 4, 4, seed=2)


def written(folder: Path, spec: str = SPEC) -> Any:
    for name, text in (("loss.py", LOSS), ("data.py", DATA), ("tiny.specc", spec)):
        (folder / name).write_text(text)
    return project(load(folder / "tiny.specc"), folder / "project")


def by_hand(values: dict[str, Tensor], width: int) -> tuple[Tensor, Tensor]:
    x = F.conv2d(IMAGES, values["stem.conv.weight"][:width], padding=1).relu()
    weight, bias = values["score.linear.weight"], values["score.linear.bias"]
    return F.conv2d(x, values["boxes.conv.weight"][:, :width]), x.mean((2, 3)) @ weight[:, :width].T + bias


def test_a_call_returns_all_outputs_by_name(tmp_path: Path) -> None:
    net: Any = written(tmp_path).model.Model()
    values = dict(net.named_parameters())
    for width, share in ((4, 1.0), (2, 0.5)):
        plan = net.plan({"width": share})
        boxes, score = by_hand(values, width)
        for found in (net(IMAGES, plan), net.extract(plan)(IMAGES), net.fused(plan)(IMAGES)):
            assert [*found] == ["boxes", "score"]
            torch.testing.assert_close(found["boxes"], boxes)
            torch.testing.assert_close(found["score"], score)
        assert [*net(IMAGES, net.plan({"width": share}, outputs=["score"]))] == ["score"]


def test_a_network_without_choices_returns_them_too(tmp_path: Path) -> None:
    static = SPEC.replace("  width uniform {0.5, 1.0}\n", "").replace("method us_net(subnets=2)\n", "")
    net: Any = written(tmp_path, static).model.Model()
    boxes, score = by_hand(dict(net.named_parameters()), 4)
    found = net(IMAGES)
    torch.testing.assert_close(found["boxes"], boxes)
    torch.testing.assert_close(found["score"], score)


def test_a_step_of_several_outputs_is_the_step_by_hand(tmp_path: Path) -> None:
    made = written(tmp_path)
    torch.manual_seed(0)
    net: Any = made.model.Model()
    functions: dict[str, Any] = {}
    exec(LOSS, functions)
    before = {name: value.detach().clone().requires_grad_() for name, value in net.named_parameters()}
    trainer = trainer_of(net, 0.1, Own(Free(2), "loss.py", functions))
    us_net.step(trainer, IMAGES, TARGETS, [net.plan("max"), net.plan("min")])
    trainer.update()

    (boxes, score), (small, low) = by_hand(before, 4), by_hand(before, 2)
    total = (boxes - TARGETS).square().mean() + score.abs().mean()
    total = total + (small - boxes.detach()).abs().mean() + (low - score.detach()).abs().mean()
    total.backward()  # type: ignore[no-untyped-call]
    for name, value in net.named_parameters():
        gradient = before[name].grad
        assert gradient is not None
        torch.testing.assert_close(value.detach(), before[name].detach() - 0.1 * gradient)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"loss": lambda outputs, targets: outputs["boxes"].mean()}, "no loss reads the output 'score'"),
        (
            {"loss": lambda outputs, targets: outputs["boxes"] + outputs["score"]},
            "loss returns .*; one number is wanted",
        ),
        ({"loss": lambda outputs, targets: None}, "loss returns NoneType; one number is wanted"),
    ],
)
def test_a_loss_that_cannot_be_one(functions: dict[str, Any], message: str) -> None:
    task = Own(Free(2), "loss.py", functions)
    with pytest.raises(SystemExit, match=message):
        task.criterion({"boxes": drawn(2, 3), "score": drawn(2, 1)}, drawn(2, 3))


@pytest.mark.parametrize("way", ["values", "items"])
def test_a_loss_that_goes_through_all_outputs_has_read_them(way: str) -> None:
    def loss(outputs: Any, targets: Any) -> Any:
        found = getattr(outputs, way)()
        return sum((pair[1] if isinstance(pair, tuple) else pair).mean() for pair in found)

    outputs = {"boxes": drawn(2, 3), "score": drawn(2, 1)}
    wanted = outputs["boxes"].mean() + outputs["score"].mean()
    torch.testing.assert_close(Own(Free(2), "loss.py", {"loss": loss}).criterion(outputs, drawn(2, 3)), wanted)


@pytest.mark.parametrize(("better", "rising"), [("higher", True), ("lower", False)])
def test_a_metric_of_ones_own(better: str, rising: bool) -> None:
    functions = {
        "loss": lambda output, targets: (output - targets).abs().mean(),
        "metric": lambda output, targets: ((output - targets).abs() < 1).double().mean(),
        "better": better,
    }
    task = Own(Values(2), "loss.py", functions)
    (metric,) = task.metrics
    assert (metric.key, metric.rising) == ("metric", rising)
    output, targets = torch.tensor([[0.0, 0.0], [0.0, 5.0], [9.0, 9.0]]), torch.zeros(3, 2)
    # The first batch has 3 of 4 within 1, the second none of 2; they count by their images.
    counted = task.counted(output[:2], targets[:2]) + task.counted(output[2:], targets[2:])
    score = task.score(counted)
    assert score.value == pytest.approx((2 * 3 / 4 + 0) / 3)
    assert score.loss == pytest.approx((2 * 5 / 4 + 9) / 3)
    assert (score.images, score.broken) == (3, 0)


TRAINED = """
import train, search, export
sys.argv = ["train.py", "--device", "cpu"]
train.main()
sys.argv = ["search.py", "--device", "cpu"]
search.main()
sys.argv = ["export.py", "--at", "min", "--formats", "source", "program"]
export.main()
"""


def test_a_project_trains_searches_and_exports_its_outputs(tmp_path: Path) -> None:
    for name, text in (("loss.py", LOSS), ("data.py", DATA), ("tiny.specc", SPEC)):
        (tmp_path / name).write_text(text)
    folder = write_files(tmp_path / "project", compile_project(load(tmp_path / "tiny.specc")))
    out = run(folder, TRAINED)
    assert "test loss, largest:" in out
    assert "torch.export: same outputs" in out
    check_file(folder / "runs" / "pareto.json")
    front = json.loads((folder / "runs" / "pareto.json").read_text())
    assert front["metric"]["key"] == "loss"
    assert not front["metric"]["rising"]
    about = json.loads((folder / "runs" / "export" / "subnet.json").read_text())
    assert about["outputs"] == ["boxes", "score"]
