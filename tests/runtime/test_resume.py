"""Resuming: the recipe and the data are the checkpoint's; a flag does what it says, or is refused with the reason."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu6 }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=4; batch_size=128; optimizer=sgd(lr=0.2); schedule=cosine; calibrate=64; evaluate_every=9 }
"""
FLAGS = ("--batch-size", "512", "--amp", "--label-smoothing", "0.1", "--seed", "3")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    folder = write_project(tmp_path_factory.mktemp("resume"), SPEC, "method us_net")
    with Scripts(folder) as found:
        assert found("train.py", *FLAGS, "--epochs", "2", "--output-dir", "runs/two").code == 0
        assert found("train.py", *FLAGS, "--output-dir", "runs/whole").code == 0
        yield found


@pytest.fixture
def two(scripts: Scripts, tmp_path: Path) -> Path:
    """A folder with a run of four epochs that stopped after two."""
    shutil.copytree(scripts.folder / "runs" / "two", tmp_path / "two")
    return tmp_path / "two"


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def rates(folder: Path) -> list[float]:
    return [json.loads(line)["lr"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_equal(left: Path, right: Path) -> None:
    """Weights, momentum and metrics, bit for bit."""
    first, second = content(left / "checkpoint.pt"), content(right / "checkpoint.pt")
    for name, value in first["net"].items():
        assert torch.equal(second["net"][name], value), name
    for place, state in first["optimizer"]["state"].items():
        assert torch.equal(second["optimizer"]["state"][place]["momentum_buffer"], state["momentum_buffer"])
    assert (left / "metrics.jsonl").read_text() == (right / "metrics.jsonl").read_text()


STOP = """
from elastic.train import checkpoint
save = checkpoint.save

def interrupted(path, content):
    save(path, content)
    if content["epoch"] == 2:
        checkpoint.save = save
        raise KeyboardInterrupt

checkpoint.save = interrupted
"""


def test_flags_of_the_run_hold_when_it_goes_on_without_them(scripts: Scripts) -> None:
    """Batch size, mixed precision, smoothing, seed, the folder: `--resume` alone is the run that never stopped."""
    scripts.do(STOP)
    stopped = scripts("train.py", *FLAGS, "--output-dir", "runs/stopped")
    assert stopped.code == 1
    assert "interrupted" in stopped.err
    ended = scripts("train.py", "--resume", "runs/stopped/checkpoint.pt")
    assert ended.code == 0, ended.err
    assert "runs/stopped/checkpoint.pt: goes on after 2 of 4 epochs, writes into runs/stopped" in ended.out
    assert not (scripts.folder / "runs" / "checkpoint.pt").exists()
    assert_equal(scripts.folder / "runs" / "stopped", scripts.folder / "runs" / "whole")
    assert rates(scripts.folder / "runs" / "stopped")[-1] == pytest.approx(0)


def test_flags_that_are_repeated_contradict_nothing(scripts: Scripts, two: Path) -> None:
    ended = scripts(
        "train.py", *FLAGS, "--epochs", "2", "--opt", "sgd", "--lr", "0.2", "--resume", f"{two}/checkpoint.pt"
    )
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--lr", "0.5"), "optimizer.lr was 0.2, now 0.5"),
        (("--opt", "adamw"), "optimizer was 'sgd', now 'adamw'"),
        (("--momentum", "0.5"), "optimizer.momentum was 0.9, now 0.5"),
        (("--wd", "0.5"), "optimizer.weight_decay was 0, now 0.5"),
        (("--norm-weight-decay", "0"), "no_decay was [], now ['norm']"),
        (("--seed", "4"), "seed was 3, now 4"),
        (("--lr-scheduler", "constant"), "schedule was 'cosine', now 'constant'"),
        (("--lr-warmup-epochs", "1"), "schedule.warmup was 0, now 1.0"),
        (("--label-smoothing", "0"), "label_smoothing was 0.1, now 0.0"),
        (("--mixup-alpha", "0.2"), "mixup was 0, now 0.2"),
        (("--auto-augment", "ra"), "augment was []"),
        (("--ra-sampler",), "repeats was 1, now 3"),
        (("--clip-grad-norm", "1"), "clip was 0, now 1.0"),
        (("--model-ema",), "ema was 0, now 0.999"),
        (("--dataset", "glyphs"), "data.name was 'digits', now 'glyphs'"),
    ],
)
def test_what_would_be_another_run_is_refused_with_both_values(
    scripts: Scripts, two: Path, flags: tuple[str, ...], told: str
) -> None:
    before = (two / "checkpoint.pt").read_bytes()
    assert told in scripts("train.py", "--resume", f"{two}/checkpoint.pt", *flags).reason
    assert (two / "checkpoint.pt").read_bytes() == before


def test_more_epochs_another_folder_and_what_is_no_recipe_are_free(scripts: Scripts, two: Path, tmp_path: Path) -> None:
    flags = (
        "--epochs",
        "3",
        "--output-dir",
        f"{tmp_path}/other",
        "-j",
        "1",
        "--evaluate-every",
        "1",
        "--calibrate",
        "32",
    )
    ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", *flags)
    assert ended.code == 0, ended.err
    assert "epochs was 2, now 3: the learning rate follows the schedule of the new number" in ended.out
    assert content(tmp_path / "other" / "checkpoint.pt")["epoch"] == 3
    assert content(two / "checkpoint.pt")["epoch"] == 2
    assert rates(tmp_path / "other") == pytest.approx([0])


def test_a_run_is_not_made_shorter_than_it_is(scripts: Scripts, two: Path) -> None:
    ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--epochs", "1")
    assert "has been trained for 2 epochs, more than --epochs 1" in ended.reason


def test_another_batch_size_goes_on_by_epochs(scripts: Scripts, two: Path) -> None:
    """Half the batch is twice the steps: the cosine is where it was, and ends at 0."""
    ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--epochs", "4", "-b", "128")
    assert ended.code == 0, ended.err
    assert "batch_size was 512, now 128: the schedule and the place in it are counted in epochs" in ended.out
    found = rates(two)
    assert found[:2] == pytest.approx([0.1, 0.0])
    wanted = [0.2 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in (3, 4)]
    assert found[2:] == pytest.approx(wanted)
    assert content(two / "checkpoint.pt")["schedule"]["last_epoch"] == 4 * 8


def test_the_data_is_the_checkpoints(scripts: Scripts, tmp_path: Path) -> None:
    """A run on a file of its own goes on with that file, and not with other images; evaluating looks at them, too."""
    own = tmp_path / "mine.py"
    text = (
        "import torch\n"
        "def load(settings):\n"
        "    pixels = torch.arange(COUNT * 64, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(-1, 1, 8, 8)\n"
        "    labels = [i % 3 for i in range(COUNT)]\n"
        "    return (pixels, labels), (pixels[:60], labels[:60])\n"
    )
    own.write_text(text.replace("COUNT", "600"))
    folder = tmp_path / "runs"
    begun = scripts(
        "train.py", "--dataset", "own", "--data-path", str(own), "--epochs", "1", "--output-dir", str(folder)
    )
    assert begun.code == 0, begun.err
    file = str(folder / "checkpoint.pt")
    for flags in (("--test-only",), ("--epochs", "2")):
        ended = scripts("train.py", "--resume", file, *flags)
        assert ended.code == 0, ended.err
        assert "own: " in ended.out
        assert "60 images" in ended.out

    own.rename(tmp_path / "moved.py")
    assert "there is no file" in scripts("train.py", "--resume", file, "--epochs", "3").reason
    ended = scripts("train.py", "--resume", file, "--epochs", "3", "--data-path", str(tmp_path / "moved.py"))
    assert ended.code == 0, ended.err
    (tmp_path / "moved.py").write_text(text.replace("COUNT", "900"))
    reason = scripts("train.py", "--resume", file, "--epochs", "4", "--data-path", str(tmp_path / "moved.py")).reason
    assert "the data has changed since the run began" in reason
    (tmp_path / "moved.py").write_text(text.replace("COUNT", "600").replace("i % 3", "2 - i % 3"))
    reason = scripts("train.py", "--resume", file, "--epochs", "4", "--data-path", str(tmp_path / "moved.py")).reason
    assert "labels" in reason


def test_settings_that_were_edited_meanwhile_change_nothing_and_are_named(scripts: Scripts, two: Path) -> None:
    settings = scripts.folder / "settings.toml"
    before = settings.read_text()
    try:
        settings.write_text(before.replace("lr = 0.2", "lr = 0.3"))
        ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--epochs", "3")
    finally:
        settings.write_text(before)
    assert ended.code == 0, ended.err
    assert "settings.toml has changed since (optimizer.lr): the run goes on as it began" in ended.err
    assert content(two / "checkpoint.pt")["recipe"]["optimizer"]["lr"] == 0.2


def test_a_checkpoint_of_the_first_format_goes_on_with_a_warning(scripts: Scripts, two: Path) -> None:
    """It holds no recipe; its steps tell that the batch was another one."""
    saved = content(two / "checkpoint.pt")
    old = {
        name: saved[name] for name in ("epoch", "data", "net", "optimizer", "schedule", "scaler", "average", "memory")
    }
    torch.save(old, two / "checkpoint.pt")
    ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", *FLAGS, "--epochs", "3")
    assert ended.code == 0, ended.err
    assert "does not hold its recipe: settings.toml and the flags are taken for it" in ended.err
    assert "does not say of which network it is: names and shapes decide" in ended.err
    torch.save(old, two / "checkpoint.pt")
    ended = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--epochs", "4")
    assert ended.code == 0, ended.err
    assert "2 steps an epoch then, 8 now" in ended.err
    assert rates(two)[-1] == pytest.approx(0)
    torch.save(old, two / "checkpoint.pt")
    reason = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--opt", "adamw").reason
    assert "optimizer" in reason
    torch.save(old, two / "checkpoint.pt")
    reason = scripts("train.py", "--resume", f"{two}/checkpoint.pt", "--momentum", "0.5").reason
    assert "momentum was 0.9, now 0.5" in reason


@pytest.fixture(scope="module")
def others(scripts: Scripts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Projects whose networks or methods differ from the first one's."""
    folder = tmp_path_factory.mktemp("others")
    specs = {
        "activation": (SPEC.replace("relu6", "hswish"), "method us_net"),
        "stride": (SPEC.replace("stride=2", "stride=1"), "method us_net"),
        "none": (SPEC.replace("; relu6", ""), "method us_net"),
        "widths": (SPEC.replace("{0.5, 1.0}", "{0.25, 1.0} ").replace("round 8", "round 4"), "method us_net"),
        "method": (SPEC, "method pss(budgets=[macs(step=8k)])"),
        "parameters": (SPEC, "method us_net(subnets=3)"),
    }
    return {name: write_project(folder / name, spec, method) for name, (spec, method) in specs.items()}


@pytest.mark.parametrize("name", ["activation", "stride", "none", "widths"])
def test_weights_of_another_network_are_refused_though_they_would_fit(
    scripts: Scripts, others: dict[str, Path], two: Path, name: str
) -> None:
    """Trained, evaluated, searched and exported by what they are not."""
    file = f"{two}/checkpoint.pt"
    for command in (
        ("train.py", "--resume", file),
        ("train.py", "--resume", file, "--test-only"),
        ("search.py", "--checkpoint", file),
        ("export.py", "--checkpoint", file, "--at", "max"),
    ):
        reason = scripts(*command, folder=others[name]).reason
        assert "the checkpoint belongs to a different network, Tiny " in reason
        assert len(reason) < 300


def test_another_method_may_evaluate_and_not_go_on(scripts: Scripts, others: dict[str, Path], two: Path) -> None:
    file = f"{two}/checkpoint.pt"
    for name in ("method", "parameters"):
        reason = scripts("train.py", "--resume", file, folder=others[name]).reason
        assert "was trained by us_net, and this project trains by" in reason
        ended = scripts("train.py", "--resume", file, "--test-only", folder=others[name])
        assert ended.code == 0, ended.raised or ended.err
        assert "test accuracy" in ended.out


def test_a_moving_average_of_another_network_is_told_with_a_few_names(scripts: Scripts, two: Path) -> None:
    saved = content(two / "checkpoint.pt")
    foreign = {f"layer{i}.weight": torch.zeros(1) for i in range(200)}
    damages: tuple[dict[str, Any], ...] = (
        {"net": saved["net"] | foreign},
        {"net": {}},
        {"average": {"net": foreign, "updates": 3}},
        {"average": {"net": saved["net"] | {"head.linear.weight": torch.zeros(3, 4)}, "updates": 3}},
    )
    for damage in damages:
        torch.save(saved | damage, two / "checkpoint.pt")
        for command in (
            ("train.py", "--resume", f"{two}/checkpoint.pt", "--test-only"),
            ("search.py", "--checkpoint", f"{two}/checkpoint.pt"),
        ):
            reason = scripts(*command).reason
            assert "the checkpoint belongs to a different network" in reason
            assert 60 < len(reason) < 400
