"""Early exits and inclusive sub-networks: their steps against Eq. 1 and 2 written out by hand, and their judging."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.methods.early_exit import step as early_exit
from specc.methods.inclusive import step as inclusive
from specc.outputs.classes.task import Classes
from specc.pipeline import load
from specc.runtime.run.distributed import World
from specc.runtime.train.levels import Level, Levels, read_levels, total
from specc.runtime.train.outputs import Subnet, evaluate_outputs, report, subnets
from tests.helpers.documents import check_file
from tests.helpers.projects import project
from tests.helpers.scripts import run, write_project
from tests.helpers.steps import drawn, moved, snapshot, trainer_of

torch.set_num_threads(1)

TABLE = "class,half\n0,0\n1,1\n2,1\n"
EXITS = """
supernet tiny {
  input image(2, 6, 6);  classes 3
  LABELS
  norm batch
  stem { conv(4, kernel=3); norm; relu }
  exit e1 BY { pool(avg); linear(CLASSES) }
  stage s1 {
    conv(5, kernel=3, stride=2); norm; relu
    exit e2 BY { norm; pool(avg); linear(CLASSES) }
    conv(6, kernel=1)
  }
  head BY { relu; pool(avg); linear(CLASSES) }
}
method early_exit
"""
NESTED = """
choice k in 1..3
supernet tiny {
  input image(2, 6, 6);  classes 3
  LABELS
  norm batch(bank=k)
  stem { conv(4, kernel=3) }
  stage s1 { residual { norm; relu; conv(2 * k, kernel=3); norm; relu; conv(4, kernel=1) } }
  head by k BYTOO { norm; relu; pool(avg); linear(CLASSES) }
}
method inclusive
"""
IMAGES, LABELS = drawn(6, 2, 6, 6), torch.tensor([0, 1, 2, 0, 1, 2])
HALVES = torch.tensor([0, 1, 1, 0, 1, 1])
WORLD = World(0, 1, torch.device("cpu"))


def generated(text: str, folder: Path, levels: bool) -> tuple[Any, Any, Levels]:
    """The network of a spec, with one level of labels or with two, its space and its levels."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(TABLE)
    text = text.replace("LABELS", 'labels { fine = classes; half = 2 from "table.csv" }' if levels else "")
    text = text.replace("CLASSES", "level.classes" if levels else "classes")
    text = text.replace("BYTOO", ", level" if levels else "").replace("BY", "by level" if levels else "")
    (folder / "net.specc").write_text(text)
    made = project(load(folder / "net.specc"), folder / "project")
    torch.manual_seed(0)
    return made.model.Model(), made.modules["space"], read_levels(folder / "project" / "ir.json")


def layers(net: nn.Module) -> tuple[Callable[..., Tensor], Callable[..., Tensor], Callable[..., Tensor]]:
    """Convolution, batch norm in training and linear layer from the parameters by name."""
    values = dict(net.named_parameters())

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = values[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
        return F.batch_norm(x, None, None, weight[: x.shape[1]], bias[: x.shape[1]], True)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x.mean((2, 3)), values[f"{name}.weight"], values[f"{name}.bias"])

    return conv, norm, linear


def exits_by_hand(net: nn.Module, level: str) -> dict[str, Tensor]:
    conv, norm, linear = layers(net)
    first = F.relu(norm(conv(IMAGES, "stem.conv"), "stem.norm"))
    second = F.relu(norm(conv(first, "s1.conv1", 2), "s1.norm"))
    return {
        "e1": linear(first, f"e1{level}.linear"),
        "e2": linear(norm(second, f"s1.e2{level}.norm"), f"s1.e2{level}.linear"),
        "head": linear(F.relu(conv(second, "s1.conv2")), f"head{level}.linear"),
    }


def gradients(net: nn.Module) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def assert_same_gradients(net: nn.Module, reference: nn.Module) -> None:
    theirs = gradients(reference)
    for name, mine in gradients(net).items():
        other = theirs[name]
        assert (mine is None) == (other is None), name
        if mine is not None and other is not None:
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", [None, (0.25, 0.5, 1.0)])
def test_all_exits_learn_the_labels_in_one_pass(tmp_path: Path, weights: tuple[float, ...] | None) -> None:
    net, space, levels = generated(EXITS, tmp_path / "mine", levels=False)
    reference, _, _ = generated(EXITS, tmp_path / "theirs", levels=False)
    passes = count_passes(net)
    given = None if weights is None else early_exit.weights_of(space, levels, weights)
    losses = early_exit.step(trainer_of(net), IMAGES, LABELS, net.plan("max", "all"), levels, given)

    assert len(passes) == 1
    answers = exits_by_hand(reference, "")
    wanted = {name: F.cross_entropy(answers[name], LABELS) for name in ("head", "e1", "e2")}
    torch.testing.assert_close(torch.stack(losses), torch.stack(list(wanted.values())).detach(), rtol=0, atol=1e-6)
    e1, e2, head = weights or (1.0, 1.0, 1.0)
    summed = head * wanted["head"] + e1 * wanted["e1"] + e2 * wanted["e2"]
    summed.backward()  # type: ignore[no-untyped-call]
    assert_same_gradients(net, reference)


def count_passes(net: nn.Module) -> list[int]:
    passes: list[int] = []
    net.register_forward_pre_hook(lambda module, args: passes.append(1))
    return passes


def test_an_exit_of_no_weight_moves_nothing_of_its_own(tmp_path: Path) -> None:
    net, space, levels = generated(EXITS, tmp_path, levels=False)
    trainer = trainer_of(net)
    before = snapshot(net)
    plan = net.plan("max", "all")
    early_exit.step(trainer, IMAGES, LABELS, plan, levels, early_exit.weights_of(space, levels, [0, 1, 0]))
    trainer.update()
    parameters = {name for name, _ in net.named_parameters()}
    still = parameters - moved(net, before)
    assert still == {"e1.linear.weight", "e1.linear.bias", "s1.conv2.weight", "head.linear.weight", "head.linear.bias"}
    # All norms saw the images, whatever their exit's weight.
    assert {"stem.norm.running_mean", "s1.norm.running_mean", "s1.e2.norm.running_mean"} <= moved(net, before)


def test_exits_learn_every_level_of_the_labels(tmp_path: Path) -> None:
    net, space, levels = generated(EXITS, tmp_path / "mine", levels=True)
    reference, _, _ = generated(EXITS, tmp_path / "theirs", levels=True)
    weights = early_exit.weights_of(space, levels, [0.25, 0.5, 1])
    losses = early_exit.step(trainer_of(net), IMAGES, LABELS, net.plan("max", "all"), levels, weights)

    wanted, names = torch.zeros(()), []
    for name, weight in (("head", 1.0), ("e1", 0.25), ("e2", 0.5)):
        for level, labels in (("fine", LABELS), ("half", HALVES)):
            loss = F.cross_entropy(exits_by_hand(reference, f"_{level}")[name], labels)
            wanted = wanted + weight * loss
            names.append(loss.detach())
    torch.testing.assert_close(torch.stack(losses), torch.stack(names), rtol=0, atol=1e-6)
    wanted.backward()  # type: ignore[no-untyped-call]
    assert_same_gradients(net, reference)


def nested_by_hand(net: nn.Module, k: int, level: str) -> Tensor:
    conv, norm, linear = layers(net)
    values = dict(net.named_parameters())
    x = conv(IMAGES, "stem.conv")
    y = F.conv2d(F.relu(norm(x, f"s1.norm1.{k - 1}")), values["s1.conv1.weight"][: 2 * k], padding=1)
    y = F.relu(norm(y, f"s1.norm2.{k - 1}"))
    x = x + F.conv2d(y, values["s1.conv2.weight"][:, : 2 * k])
    return linear(F.relu(norm(x, f"head{k}{level}.norm")), f"head{k}{level}.linear")


@pytest.mark.parametrize("two", [False, True])
def test_every_nested_sub_network_learns_in_a_pass_of_its_own(tmp_path: Path, two: bool) -> None:
    net, space, levels = generated(NESTED, tmp_path / "mine", levels=two)
    reference, _, _ = generated(NESTED, tmp_path / "theirs", levels=two)
    plans = inclusive.nested(net, space, "k", levels)
    assert [plan.assignment for plan in plans] == [{"k": 3}, {"k": 2}, {"k": 1}]
    passes = count_passes(net)
    losses = inclusive.step(trainer_of(net), IMAGES, LABELS, plans, levels)

    assert len(passes) == 3
    compared = [("_fine", LABELS), ("_half", HALVES)] if two else [("", LABELS)]
    wanted = [
        torch.stack([F.cross_entropy(nested_by_hand(reference, k, level), labels) for level, labels in compared]).sum()
        for k in (3, 2, 1)
    ]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    assert_same_gradients(net, reference)


def test_a_nested_sub_network_moves_its_own_norms_and_classifiers_alone(tmp_path: Path) -> None:
    net, space, levels = generated(NESTED, tmp_path, levels=True)
    trainer = trainer_of(net)
    before = snapshot(net)
    second = inclusive.nested(net, space, "k", levels)[1]
    inclusive.step(trainer, IMAGES, LABELS, [second], levels)
    trainer.update()
    touched = moved(net, before)
    assert {name for name in touched if "norm" in name and name.endswith("weight")} == {
        "s1.norm1.1.weight",
        "s1.norm2.1.weight",
        "head2_fine.norm.weight",
        "head2_half.norm.weight",
    }
    assert {name.split(".")[0] for name in touched if name.startswith("head")} == {"head2_fine", "head2_half"}
    assert torch.equal(net.s1.conv1.weight[4:], before["s1.conv1.weight"][4:])
    assert not torch.equal(net.s1.conv1.weight[:4], before["s1.conv1.weight"][:4])
    assert {name for name in touched if "running_mean" in name} == {
        "s1.norm1.1.running_mean",
        "s1.norm2.1.running_mean",
        "head2_fine.norm.running_mean",
        "head2_half.norm.running_mean",
    }


def test_mixed_images_have_shares_of_coarser_classes_too() -> None:
    levels = Levels((Level("fine", 3), Level("half", 2, torch.tensor([0, 1, 1]))), {"a": "fine", "b": "half"})
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(levels.labels(shares)["half"], torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    answers = {"a": drawn(2, 3), "b": drawn(2, 2, seed=2)}
    losses = levels.losses(nn.CrossEntropyLoss(), answers, shares)
    by_hand = -(torch.tensor([[0.5, 0.5], [0.0, 1.0]]) * answers["b"].log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(losses["b"], by_hand)
    torch.testing.assert_close(total(losses.values()), losses["a"] + losses["b"])


class Parrot(nn.Module):
    """Answers that are known: `right` of them at each level."""

    def __init__(self, answers: dict[str, Tensor]) -> None:
        super().__init__()
        self.known = answers

    def forward(self, images: Tensor, plan: Any) -> dict[str, Tensor]:
        return {name: self.known[name] for name in plan.outputs}


def test_every_answer_is_counted_against_the_labels_of_its_level() -> None:
    levels = Levels((Level("fine", 3), Level("half", 2, torch.tensor([0, 1, 1]))), {"a_fine": "fine", "a_half": "half"})
    fine = F.one_hot(torch.tensor([0, 2, 1, 0, 1, 2]), 3).float()  # four of six are right
    half = F.one_hot(torch.tensor([0, 1, 1, 0, 1, 0]), 2).float()  # five of six
    net = Parrot({"a_fine": fine, "a_half": half})

    class Plan:
        outputs = ("a_fine", "a_half")

    scores = evaluate_outputs(net, Plan(), [(IMAGES, LABELS)], Classes(3), WORLD, levels)
    assert {name: round(score.value * 6) for name, score in scores.items()} == {"a_fine": 4, "a_half": 5}
    assert scores["a_half"].images == 6
    torch.testing.assert_close(scores["a_half"].loss, float(F.cross_entropy(half, HALVES)))


def test_the_report_names_the_finest_level_that_meets_a_target(tmp_path: Path) -> None:
    rows = [
        Subnet("head1", {"k": 1}, 100, 10, {"fine": 0.5, "half": 0.9}),
        Subnet("head2", {"k": 2}, 200, 20, {"fine": 0.85, "half": 0.95}),
        Subnet("head3", {"k": 3}, 300, 30, {"fine": 0.4, "half": 0.6}),
    ]
    text = report(rows, 0.8, tmp_path)
    assert [line.split()[-1] for line in text.splitlines()[2:]] == ["half", "fine", "-"]
    check_file(tmp_path / "answers.json")
    data = json.loads((tmp_path / "answers.json").read_text())
    assert data["target"] == 0.8
    assert [row["finest"] for row in data["subnets"]] == ["half", "fine", None]
    assert data["subnets"][0] == {
        "answer": "head1",
        "at": {"k": 1},
        "macs": 100,
        "params": 10,
        "accuracy": {"fine": 0.5, "half": 0.9},
        "finest": "half",
    }
    assert "at 80%" not in report(rows, None, tmp_path)


def test_a_level_is_picked_by_images_that_are_no_test_images(tmp_path: Path) -> None:
    """The test images say how good the choice is: were they to make it, that would be no test."""
    rows = [
        Subnet("head1", {"k": 1}, 100, 10, {"fine": 0.9, "half": 0.95}, {"fine": 0.7, "half": 0.85}),
        Subnet("head2", {"k": 2}, 200, 20, {"fine": 0.7, "half": 0.75}, {"fine": 0.8, "half": 0.9}),
    ]
    text = report(rows, 0.8, tmp_path)
    assert [line.split()[-1] for line in text.splitlines()[2:]] == ["half", "fine"]
    check_file(tmp_path / "answers.json")
    found = json.loads((tmp_path / "answers.json").read_text())["subnets"]
    assert [row["finest"] for row in found] == ["half", "fine"]
    assert [row["accuracy"]["fine"] for row in found] == [0.9, 0.7]
    assert [row["validation"]["fine"] for row in found] == [0.7, 0.8]


def test_rows_are_sub_networks_with_their_own_costs(tmp_path: Path) -> None:
    net, space, levels = generated(NESTED, tmp_path, levels=True)
    plans = inclusive.nested(net, space, "k", levels)
    scores: dict[str, Any] = {}
    for plan in plans:
        scores |= evaluate_outputs(net.eval(), plan, [(IMAGES, LABELS)], Classes(3), WORLD, levels)
    rows = subnets(space, levels, [net.plan({"k": k}) for k in (1, 2, 3)], scores)
    assert [row.name for row in rows] == ["head1", "head2", "head3"]
    assert [list(row.value) for row in rows] == [["fine", "half"]] * 3
    assert [row.macs for row in rows] == [space.macs({"k": k}) for k in (1, 2, 3)]
    for k, row in zip((1, 2, 3), rows, strict=True):
        answers = net(IMAGES, net.plan({"k": k}))
        assert row.value["fine"] == pytest.approx(float((answers.argmax(1) == LABELS).float().mean()))


RECIPE = """
data digits
train { epochs=1; batch_size=512; optimizer=sgd(lr=0.05, momentum=0.9); ema=0.5 }
search { strategy=exhaustive }
"""
TRAINED = """
import train
sys.argv = ["train.py", "--device", "cpu", "--target", "0.01"]
train.main()
"""


SEARCHED = """
import search, export
sys.argv = ["search.py", "--device", "cpu"]
search.main()
sys.argv = ["export.py", "--at", "exit=e1"]
export.main()
"""


@pytest.mark.parametrize(("text", "more"), [(EXITS, SEARCHED), (NESTED, "")])
def test_projects_train_judge_search_and_export(tmp_path: Path, text: str, more: str) -> None:
    text = text.replace("image(2, 6, 6);  classes 3", "image(1, 8, 8);  classes 10").replace("LABELS", "")
    text = text.replace("CLASSES", "classes").replace("BYTOO", "").replace("BY", "")
    folder = write_project(tmp_path, text + RECIPE, "")
    out = run(folder, TRAINED + more)
    check_file(folder / "runs" / "answers.json")
    rows = json.loads((folder / "runs" / "answers.json").read_text())["subnets"]
    assert [row["finest"] for row in rows] == ["accuracy"] * 3
    assert all(set(row["validation"]) == set(row["accuracy"]) for row in rows)
    assert [row["macs"] for row in rows] == sorted(row["macs"] for row in rows)
    assert "test accuracy, head" in out
    if more:
        points = json.loads((folder / "runs" / "pareto.json").read_text())["points"]
        assert {point["at"]["exit"] for point in points} <= {"e1", "e2", "head"}
        assert "torch.export: same outputs" in out
