"""Settings and flags, sub-networks as people write them, checkpoints, logs, latencies."""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.codegen.toml import toml
from specc.ir.parameter import REQUIRED, SameAs
from specc.methods import settings as language
from specc.portable.run.flags import whole
from specc.python.literals import literal
from specc.runtime.data import augment, datasets
from specc.runtime.data.moving import together_augmentation
from specc.runtime.latency.timing import measure
from specc.runtime.net.plan import short, spelled
from specc.runtime.run.distributed import join
from specc.runtime.run.progress import Bar, Log, Mean, amount, seconds, table
from specc.runtime.run.settings import at_path, read_settings
from specc.runtime.search.options import search_options
from specc.runtime.train import checkpoint
from specc.runtime.train import options as recipe
from specc.runtime.train.options import train_options
from specc.runtime.train.subnets import parse, resolved
from specc.space.latency_table import NANOSECONDS
from tests.helpers.tiny import TinySpace

SETTINGS: dict[str, Any] = {
    "data": {"name": "digits", "path": "", "validation": 0.15, "seed": 0, "test": 0.2},
    "train": {
        "epochs": 40,
        "batch_size": 128,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False},
        "schedule": {"name": "cosine", "warmup": 2, "final": 0, "warmup_from": 0.01},
        "no_decay": [],
        "init": {"name": "default"},
        "start": "",
        "sort": "l1",
        "freeze": [],
        "layer_decay": 1,
        "zero_init_residual": False,
        "label_smoothing": 0,
        "mixup": 0,
        "cutmix": 0,
        "repeats": 1,
        "accumulate": 1,
        "clip": 0,
        "augment": [{"name": "crop", "padding": 1}],
        "amp": False,
        "ema": 0,
        "calibrate": 1024,
        "evaluate_every": 1,
        "seed": 0,
    },
    "search": {
        "objectives": ["accuracy", "macs"],
        "strategy": {"name": "evolution", "evaluations": 256, "population": 32, "mutation": 0.2},
        "budgets": [{"name": "macs", "most": 1e6}],
        "calibrate": 1024,
        "seed": 0,
    },
}


def test_without_flags_the_settings_hold() -> None:
    found = train_options(SETTINGS, [])
    assert (found.epochs, found.batch_size, found.workers) == (40, 128, min(4, len(os.sched_getaffinity(0))))
    assert found.optimizer == SETTINGS["train"]["optimizer"]
    assert found.data == SETTINGS["data"]
    assert found.output_dir == Path("runs")
    assert found.resume is None


def test_flags_are_torchvisions_and_override_the_settings() -> None:
    flags = (
        "--data-path d --dataset CIFAR-10 --epochs 3 -b 32 --lr 0.5 --momentum 0.8 --wd 0.01 -j 2 --resume c.pt --amp "
        "--output-dir out --device cpu --label-smoothing 0.1 --clip-grad-norm 1 --model-ema --model-ema-decay 0.99 "
        "--lr-scheduler MultiStepLR --lr-warmup-epochs 1 --lr-milestones 1 2 --lr-gamma 0.2 --seed 7"
    )
    found = train_options(SETTINGS, flags.split())
    assert found.data == {**SETTINGS["data"], "name": "CIFAR-10", "path": "d"}
    assert found.optimizer == {**SETTINGS["train"]["optimizer"], "lr": 0.5, "momentum": 0.8, "weight_decay": 0.01}
    warmup = {"warmup": 1.0, "warmup_from": 0.01}
    assert found.schedule == {"name": "multistep", **warmup, "milestones": [1.0, 2.0], "gamma": 0.2}
    assert (found.amp, found.ema, found.clip, found.label_smoothing) == (True, 0.99, 1.0, 0.1)
    assert (found.epochs, found.batch_size, found.workers, found.seed) == (3, 32, 2, 7)
    assert (found.resume, found.output_dir, found.device) == (Path("c.pt"), Path("out"), "cpu")
    assert train_options({**SETTINGS, "train": {**SETTINGS["train"], "ema": 0.9}}, ["--no-model-ema"]).ema == 0


def test_another_optimizer_starts_from_its_own_defaults_and_odd_flags_are_refused() -> None:
    found = train_options(SETTINGS, ["--opt", "adamw", "--lr", "0.002"])
    assert found.optimizer["name"] == "adamw"
    assert (found.optimizer["lr"], found.optimizer["weight_decay"]) == (0.002, 0.01)
    assert train_options(SETTINGS, ["--lr-scheduler", "cosineannealinglr"]).schedule["name"] == "cosine"
    with pytest.raises(SystemExit, match="adamw has no momentum"):
        train_options(SETTINGS, ["--opt", "adamw", "--momentum", "0.9"])
    with pytest.raises(SystemExit) as stopped:
        train_options(SETTINGS, ["--test-only"])
    assert stopped.value.code == 2
    wrong = {**SETTINGS, "train": {**SETTINGS["train"], "epoch": 3}}
    with pytest.raises(SystemExit, match=r"\[train\] has no setting 'epoch'"):
        train_options(wrong, [])
    wrong = {**SETTINGS, "train": {key: value for key, value in SETTINGS["train"].items() if key != "repeats"}}
    with pytest.raises(SystemExit, match=r"\[train\] lacks the setting 'repeats'"):
        train_options(wrong, [])
    wrong = {**SETTINGS, "train": {**SETTINGS["train"], "optimizer": {"name": "lion"}}}
    with pytest.raises(SystemExit, match="'lion' is unknown"):
        train_options(wrong, [])


def test_the_flags_of_stronger_recipes_are_torchvisions_too() -> None:
    flags = (
        "--mixup-alpha 0.2 --cutmix-alpha 1.0 --auto-augment imagenet --random-erase 0.1 --ra-sampler --ra-reps 4 "
        "--norm-weight-decay 0 --transformer-embedding-decay 0 --bias-weight-decay 0.0001 --opt rmsprop "
        "--lr-scheduler steplr --lr-step-size 2 --lr-gamma 0.973 --lr-warmup-epochs 5 --lr-warmup-decay 0.1 "
        "--accumulate 2 --weight-decay 0.0001"
    )
    found = train_options(SETTINGS, flags.split())
    assert (found.mixup, found.cutmix, found.repeats, found.accumulate) == (0.2, 1.0, 4, 2)
    assert [word["name"] for word in found.augment] == ["crop", "autoaugment", "erase"]
    assert found.augment[1]["policy"] == "imagenet"
    assert found.augment[2]["probability"] == 0.1
    assert found.no_decay == ["norm", "position", "class_token"]
    assert found.schedule == {"name": "exponential", "gamma": 0.973, "every": 2.0, "warmup": 5.0, "warmup_from": 0.1}
    assert found.optimizer["eps"] == 0.0316


def test_flags_replace_what_the_recipe_says_and_leave_the_rest() -> None:
    policy = {"name": "randaugment", "operations": 2, "magnitude": 9}
    words = [policy, {"name": "erase", "probability": 0.5}, {"name": "flip"}]
    train = {**SETTINGS["train"], "augment": words, "repeats": 5, "no_decay": ["norm", "bias"]}
    strong = {**SETTINGS, "train": train}
    found = train_options(strong, ["--auto-augment", "ta_wide", "--random-erase", "0", "--norm-weight-decay", "1e-4"])
    assert [word["name"] for word in found.augment] == ["trivialaugment", "flip"]
    assert found.no_decay == ["bias"]
    assert train_options(strong, ["--ra-sampler"]).repeats == 5
    assert train_options(strong, ["--no-ra-sampler"]).repeats == 1
    assert train_options(SETTINGS, ["--ra-sampler"]).repeats == 3
    assert train_options(strong, []).augment == words
    with pytest.raises(SystemExit, match=r"--norm-weight-decay is 0 or that of all parameters, 0\.0001"):
        train_options(strong, ["--norm-weight-decay", "0.5"])
    with pytest.raises(SystemExit, match="accumulate must be at least 1"):
        train_options(strong, ["--accumulate", "0"])


def test_search_flags_set_limits_and_replace_those_of_the_spec() -> None:
    found = search_options(SETTINGS, [])
    assert found.budgets == [{"name": "macs", "most": 1e6}]
    assert found.data is None
    assert found.checkpoint == Path("runs/checkpoint.pt")
    flags = "--max-macs 2e5 --max-latency 5 --evaluations 10 --data-path d --dataset cifar10"
    found = search_options(SETTINGS, flags.split())
    assert found.budgets == [{"name": "macs", "most": 2e5}, {"name": "latency", "most": 0.005}]
    assert found.strategy["evaluations"] == 10
    assert found.data is not None
    assert found.data["path"] == "d"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_no_images_and_no_threads_are_no_benchmark(text: str) -> None:
    assert whole(1)("16") == 16
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no whole number|is less than 1"):
        whole(1)(text)


def test_a_limit_in_milliseconds_is_a_latency_of_as_many_nanoseconds_to_the_last_bit() -> None:
    rng = random.Random(0)
    for nanoseconds in (rng.randrange(10**5, 10**8) for _ in range(100)):
        flags = ["--max-latency", f"{nanoseconds / 1e6:.6f}"]
        (limit,) = (budget for budget in search_options(SETTINGS, flags).budgets if budget["name"] == "latency")
        assert limit["most"] == nanoseconds / NANOSECONDS


def test_broken_settings_are_reported_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[train]\nepochs = = 3\n")
    with pytest.raises(SystemExit, match=r"settings.toml: .*line 2"):
        read_settings(tmp_path / "settings.toml")


HOSTILE = ['"', "'", "\\", "\n", '"""', "'''", "{x}", "{{ x }}", "#", "\x7f\x00", "end\\", '"\nimport os\n"', "é\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_code(text: str) -> None:
    tables = {"data": {"name": "digits", "path": text, "nested": {"items": [text, {"deep": text}]}}}
    assert tomllib.loads(toml(tables)) == tables
    for value in (text, [text] * 3, {"key": text, "more": [text * 20] * 3}):
        assert eval(literal(value), {"__builtins__": {}}) == value


def test_sub_networks_as_people_write_them(tmp_path: Path) -> None:
    space = TinySpace()
    assert parse("width=4,keep=no") == parse("width=4 keep=false") == {"width": 4, "keep": False}
    assert parse("r=0.35") == {"r": 0.35}
    assert parse("op=conv3") == {"op": "conv3"}
    assert resolved(space, parse("max")) == {"width": 8, "keep": True}
    assert resolved(space, parse("keep=no")) == {"width": 8, "keep": False}
    (tmp_path / "at.json").write_text('{"width": 2}')
    assert resolved(space, parse(str(tmp_path / "at.json"))) == {"width": 2, "keep": True}
    assert parse(spelled({"width": 4, "keep": False})) == {"width": 4, "keep": False}
    assert parse('{"width": 4, "keep": false}') == {"width": 4, "keep": False}
    with pytest.raises(SystemExit, match=r"--at \{width: 4\}: Expecting property name"):
        parse("{width: 4}")
    assert spelled({"width": 1, "keep": True}) == short({"width": 1, "keep": True}) == "width=1,keep=yes"
    assert short({f"s{i}.width": i for i in range(9)}, most=32) == "s0.width=0,s1.width=1,..."
    for wrong in ("", "largest", "width"):
        with pytest.raises(SystemExit):
            parse(wrong)
    (tmp_path / "at.json").write_text("[1]")
    with pytest.raises(SystemExit, match="holds no assignment"):
        parse(str(tmp_path / "at.json"))
    with pytest.raises(ValueError, match="'mid' is no sub-network"):
        resolved(space, "mid")


@pytest.mark.parametrize("name", ["foo", "cuda:99", "xla"])
def test_a_device_that_is_not_there_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SystemExit, match=rf"^--device {name}: [^\n]+$"):
        join(name)
    assert join("cpu").device == torch.device("cpu")


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs" / "checkpoint.pt"
    net, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    checkpoint.save(path, {"epoch": 1, "net": net.state_dict(), "average": None})
    checkpoint.trained(other, checkpoint.load(path))
    assert torch.equal(net.weight, other.weight)
    with pytest.raises(
        SystemExit, match=r"a different network, train this one first: weight has shape \[1, 2\] for \[1, 3\]"
    ):
        checkpoint.trained(torch.nn.Linear(3, 1), checkpoint.load(path))

    def interrupted(content: object, file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    torch_save = torch.save
    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, {"epoch": 2})
    assert checkpoint.load(path)["epoch"] == 1
    torch_save(net.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(SystemExit, match=r"weights.pt is no checkpoint of train.py: it holds something else"):
        checkpoint.load(tmp_path / "weights.pt")
    (tmp_path / "text.pt").write_text("no tensors here")
    with pytest.raises(SystemExit, match=r"text.pt is no checkpoint of train.py"):
        checkpoint.load(tmp_path / "text.pt")
    with pytest.raises(SystemExit, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "none.pt")


def test_every_epoch_starts_its_random_numbers_anew() -> None:
    def numbers(epoch: int, rank: int = 0) -> tuple[float, float]:
        rng = checkpoint.seed_epoch(3, epoch, rank)
        return rng.random(), float(torch.rand(1))

    first = numbers(0)
    numbers(1)
    assert numbers(0) == first
    assert numbers(1) != first
    assert numbers(0, rank=1)[0] == first[0]  # all processes draw the same sub-networks
    assert numbers(0, rank=1)[1] != first[1]  # and augment differently


def test_a_resumed_log_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for epoch in range(4):
        log.write(epoch, loss=1.0 / (epoch + 1))
    log.close()
    log = Log(tmp_path, first_epoch=2)
    log.write(2, loss=9.0)
    log.close()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["loss"]) for row in rows] == [(0, 1.0), (1, 0.5), (2, 9.0)]
    Log(None).write(0, loss=1.0)


def test_the_bar_prints_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("training", 3) as bar:
        for _ in range(3):
            bar.advance("epoch 1")
        bar.say("done")
    with Bar("training", 3, shown=False) as bar:
        bar.say("not the main process")
    out, err = capsys.readouterr()
    assert (out, err) == ("done\n", "")


def test_figures_as_people_read_them() -> None:
    mean = Mean()
    assert math.isnan(mean.value())
    for value in (1.0, 2.0):
        mean.add(torch.tensor(value))
    assert mean.value() == 1.5
    assert [amount(n) for n in (950, 12_300, 300_774_272, 4.09e9)] == ["950", "12.3 k", "300.8 M", "4.09 G"]
    assert seconds(time.perf_counter() - 200) == "3 min 20 s"
    assert table(["a", "b"], [["xx", "1"], ["y", "22"]]) == "a    b\n------\nxx   1\ny   22"


def test_latencies_are_measured_on_one_thread_and_in_order() -> None:
    used: list[int] = []

    def call(images: torch.Tensor) -> None:
        used.append(torch.get_num_threads())

    timing = measure(call, torch.zeros(1), rounds=20, budget=0.05)
    assert set(used) == {1}
    assert 0 < timing.fastest <= timing.median <= timing.p90
    assert 5 <= len(used) <= 24


def test_the_scripts_start_from_the_defaults_of_the_language() -> None:
    """`--opt adamw` means what `optimizer=adamw` means in a spec."""
    for ours, theirs in ((recipe.OPTIMIZERS, language.OPTIMIZERS), (recipe.SCHEDULES, language.SCHEDULES)):
        assert set(ours) == {signature.name for signature in theirs}
        for signature in theirs:
            defaults = {p.name: p.default for p in signature.parameters if p.default is not REQUIRED}
            for shared in ("warmup", "warmup_from", "restarts", "peaks", "warmups"):
                defaults.pop(shared, None)
            given = {name: value for name, value in ours[signature.name].items() if name in defaults}
            assert given == {name: pytest.approx(float(value)) for name, value in defaults.items()}  # type: ignore[arg-type]
    assert {*datasets.READERS, *datasets.OF_ANY_KIND} == {signature.name for signature in language.DATASETS}
    per_image = [word for word in augment.PER_IMAGE if word in {s.name for s in language.AUGMENTATIONS}]
    assert len(per_image) == len(augment.PER_IMAGE)
    for signature in language.AUGMENTATIONS:
        word: dict[str, Any] = {"name": signature.name, **{p.name: p.default for p in signature.parameters}}
        word = {name: word[value.parameter] if isinstance(value, SameAs) else value for name, value in word.items()}
        made = together_augmentation([word])((torch.zeros(2, 3, 8, 8),), torch.zeros(2), "classes")[0][0]
        assert made.shape == (2, 3, 8, 8)
        assert len(augment.image_augmentation([word], (8, 8))) == int(signature.name in per_image)


def test_a_path_for_a_data_set_that_is_read_from_none_is_refused() -> None:
    """`--data-path ~/images` without `--dataset folder` would train on the spec's digits, and say nothing."""
    with pytest.raises(SystemExit, match=r"digits is not read from there; .*--dataset folder"):
        at_path({"name": "digits", "path": ""}, "images")
    with pytest.raises(SystemExit, match=r"glyphs is not read from there"):
        search_options(SETTINGS, ["--dataset", "glyphs", "--data-path", "images"])
    assert at_path({"name": "digits", "path": ""}, None) == {"name": "digits", "path": ""}
    assert at_path({"name": "folder", "path": ""}, "images") == {"name": "folder", "path": "images"}


def test_a_search_looks_for_the_data_of_its_checkpoint_where_they_moved_to() -> None:
    """With --data-path alone, the data set is the checkpoint's, which need not be that of settings.toml."""
    found = search_options(SETTINGS, ["--data-path", "moved.py"])
    assert found.data is None
    assert found.data_path == "moved.py"


def test_flags_of_the_recipe_read_numbers_as_specs_do() -> None:
    flags = "--lr 1/4 --batch-size 2k --wd 1e-4 --epochs 3 --lr-milestones 1/2 0.75 --lr-scheduler multistep"
    found = train_options(SETTINGS, flags.split())
    assert found.optimizer["lr"] == 0.25
    assert found.batch_size == 2000
    assert found.schedule["milestones"] == [0.5, 0.75]
    for wrong in ("--lr 2_0", "--lr yes", "--batch-size 1.5", "--epochs many", "--lr 1/0"):
        with pytest.raises(SystemExit):
            train_options(SETTINGS, wrong.split())
