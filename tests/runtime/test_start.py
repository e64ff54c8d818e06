"""Training that starts from weights: what fits, what is sorted, what is frozen, and one sub-network trained further."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.analyses.channels import channels_json
from specc.diagnostics import SpecError
from specc.importance import importance as importance_of
from specc.importance import settings_of
from specc.outputs.classes.task import Classes
from specc.pipeline import compile_project, load, start_file
from specc.runtime.deploy.finetuning import finetune_flags, optimizer_of
from specc.runtime.files.whole import save_tensors
from specc.runtime.net.extract import extract
from specc.runtime.run.distributed import World
from specc.runtime.train.optim import build_optimizer
from specc.runtime.train.sorting import importance, read_channels, sort_all
from specc.runtime.train.start import freeze, start
from specc.source import Source
from tests.helpers.commands import specc
from tests.helpers.comparing import scramble
from tests.helpers.parts import part
from tests.helpers.projects import from_text, project
from tests.helpers.scripts import run, write_project

ALONE = World(0, 1, torch.device("cpu"))
SPEC = """
import std.mobilenet
supernet net {
  input image(3, 8, 8); classes CLASSES
  norm batch
  WIDTH
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { norm batch(bank=BANK); inverted_residual(16, expand=2); SKIP { inverted_residual(16, expand=2) } }
  stage s2 { inverted_residual(32, expand=2, stride=2) }
  head { pool(avg); linear(classes) }
}
"""
UNIFORM = "width uniform {0.5, 1.0} round 8"


def text_of(width: str = "", skip: str = "repeat 1", bank: str = "shared", classes: int = 10) -> str:
    return SPEC.replace("WIDTH", width).replace("SKIP", skip).replace("BANK", bank).replace("CLASSES", str(classes))


def network(folder: Path, width: str = "", skip: str = "repeat 1", bank: str = "shared", classes: int = 10) -> Any:
    spec = from_text(text_of(width, skip, bank, classes))
    folder.mkdir(parents=True, exist_ok=True)
    net = project(spec, folder).model.Model().eval()
    if spec.graph.choices:
        (folder / "channels.json").write_text(channels_json(spec.graph))
    return net


def weights_of(net: nn.Module, file: Path, prefix: str = "") -> Path:
    save_tensors(file, {prefix + name: value for name, value in net.state_dict().items()})
    return file


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    net = network(tmp_path / "plain")
    scramble(net)
    return net


IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def outputs(net: nn.Module, *plan: Any) -> Tensor:
    return net.eval()(IMAGES, *plan)  # type: ignore[no-any-return]


# --- what fits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_the_largest_sub_network_has_the_outputs_of_the_file(
    prefix: str, plain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights_of(plain, tmp_path / "w.safetensors", prefix)
    net = network(tmp_path / "elastic", UNIFORM, "skippable")
    start(net, file, 10, ALONE)
    assert torch.equal(outputs(net), outputs(plain))
    assert "tensors from w.safetensors" in capsys.readouterr().out


def test_banks_are_filled_from_the_one_that_there_is(
    plain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = network(tmp_path / "banks", "", "skippable", "skip")
    start(net, weights_of(plain, tmp_path / "w.safetensors"), 10, ALONE)
    assert torch.equal(outputs(net), outputs(plain))
    norm = net.s1.b1.norm1
    assert torch.equal(norm[0].weight, norm[1].weight)
    assert torch.equal(norm[0].running_var, plain.s1.b1.norm1.running_var)
    assert "copies of the file's one bank" in capsys.readouterr().out


def test_of_several_banks_the_largest_sub_networks_is_taken(tmp_path: Path) -> None:
    trained = network(tmp_path / "banks", "", "skippable", "skip")
    scramble(trained)
    net = network(tmp_path / "plain")
    start(net, weights_of(trained, tmp_path / "w.safetensors"), 10, ALONE)
    assert torch.equal(outputs(net), outputs(trained))


def test_another_class_count_starts_anew(plain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = network(tmp_path / "seven", UNIFORM, classes=7)
    before = net.head.linear.weight.detach().clone()
    start(net, weights_of(plain, tmp_path / "w.safetensors"), 7, ALONE)
    assert torch.equal(net.head.linear.weight, before)
    assert torch.equal(net.stem.conv.weight, plain.stem.conv.weight)
    assert "another class count, these start anew: head.linear.weight, head.linear.bias" in capsys.readouterr().out


def test_what_lacks_and_what_is_left_over_is_listed(
    plain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = plain.state_dict()
    state["s9.conv.weight"] = state.pop("stem.conv.weight")
    save_tensors(tmp_path / "w.safetensors", state)
    start(network(tmp_path / "elastic", UNIFORM), tmp_path / "w.safetensors", 10, ALONE)
    told = capsys.readouterr().out
    assert "the file lacks these, which start anew: stem.conv.weight" in told
    assert "left over in the file: s9.conv.weight" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"x": torch.ones(2)}, "no name in w.safetensors is one of this network's"),
        (lambda s: s | {"stem.conv.weight": torch.ones(8, 3, 3, 3)}, r"another network: stem.conv.weight is \[8, 3"),
        (lambda s: s | {"stem.conv.weight": s["stem.conv.weight"] * float("nan")}, "are NaN or infinite: stem.conv"),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, message: str, plain: Any, tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", change(plain.state_dict()))
    net = network(tmp_path / "elastic", UNIFORM)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(SystemExit, match=message):
        start(net, tmp_path / "w.safetensors", 10, ALONE)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_file_that_is_not_there_or_no_weights(tmp_path: Path) -> None:
    net = network(tmp_path / "elastic", UNIFORM)
    with pytest.raises(SystemExit, match="there is no"):
        start(net, tmp_path / "none.safetensors", 10, ALONE)
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(SystemExit):
        start(net, tmp_path / "w.safetensors", 10, ALONE)
    torch.save({"code": print}, tmp_path / "w.pt")
    with pytest.raises(SystemExit, match=r"is no checkpoint of train\.py"):
        start(net, tmp_path / "w.pt", 10, ALONE)


# --- sorting ----------------------------------------------------------------------------------------

LABELS = torch.tensor([1, 3, 5, 9])


@pytest.mark.parametrize("how", ["l1", "l2", "taylor"])
@pytest.mark.parametrize("width", [UNIFORM, "width per_group {0.5, 1.0} round 8"])
def test_sorting_changes_no_output_of_the_largest(how: str, width: str, tmp_path: Path) -> None:
    net = network(tmp_path / "net", width, "skippable")
    scramble(net)
    before, state = outputs(net), {name: value.clone() for name, value in net.state_dict().items()}
    sort_all(net, how, tmp_path / "net" / "channels.json", [(IMAGES, LABELS)], Classes(10), ALONE)
    torch.testing.assert_close(outputs(net), before, rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(value, state[name]) for name, value in net.state_dict().items())
    sets = read_channels(tmp_path / "net" / "channels.json", net)
    assert sets
    assert all(parameter.grad is None for parameter in net.parameters())
    if how != "taylor":
        for channels in sets:
            each = importance(net, channels, how)
            assert torch.equal(each, each.sort(descending=True).values)


def test_taylor_is_what_the_loss_would_change_by(tmp_path: Path) -> None:
    """Against finite differences: a channel's weights scaled by 1 - h change the loss by h times the sum of w * g."""
    net = network(tmp_path / "net", "width per_group {0.5, 1.0} round 8").double()
    scramble(net)
    net.eval()
    (channels,) = [c for c in read_channels(tmp_path / "net" / "channels.json", net) if c.rows[0] == "s2.b1.conv1"]
    images = IMAGES.double()
    F.cross_entropy(net(images), LABELS).backward()  # type: ignore[no-untyped-call]
    weight = net.get_submodule(channels.judges[0]).weight
    for place in (0, 3):
        entry = (place, 0, 0, 0) if weight.shape[1] == 1 else (0, place, 0, 0)
        with torch.no_grad():
            kept, h = weight[entry].item(), 1e-4
            losses = []
            for factor in (1 - h, 1 + h):
                weight[entry] = kept * factor
                losses.append(F.cross_entropy(net(images), LABELS).item())
            weight[entry] = kept
        slope = (losses[1] - losses[0]) / (2 * h)
        assert slope == pytest.approx((weight * weight.grad)[entry].item(), rel=1e-4, abs=1e-9)


def test_tas_weighs_layers_by_their_scores(tmp_path: Path) -> None:
    text = text_of(UNIFORM, "skippable")
    text += "\nmethod us_net(subnets=2)\ntrain { sort=tas }\n"
    files = compile_project(load(Source("t.specc", text)))
    found = importance_of(load(Source("t.specc", text)).graph, settings_of(load(Source("t.specc", text)).model.method))
    scores = {row.name: row.score for row in found.ops}
    rows = json.loads(files["channels.json"])["channels"]
    assert rows
    for row in rows:
        assert row["scores"] == pytest.approx([scores[name] for name in row["judges"]], rel=1e-6)
    net = network(tmp_path / "net", UNIFORM, "skippable")
    with pytest.raises(SystemExit, match="write `sort=tas` in the spec's train"):
        sort_all(net, "tas", tmp_path / "net" / "channels.json", None, Classes(10), ALONE)
    (tmp_path / "c.json").write_text(files["channels.json"])
    sort_all(net, "tas", tmp_path / "c.json", None, Classes(10), ALONE)
    (channels,) = [c for c in read_channels(tmp_path / "c.json", net) if c.rows[0] == "stem.conv"]
    expected = sum(
        net.get_submodule(name).weight.detach().abs().sum(dim=(0, 2, 3)) * scores[name] for name in channels.judges
    )
    torch.testing.assert_close(importance(net, channels, "tas"), expected, rtol=1e-4, atol=1e-7)


# --- what learns ------------------------------------------------------------------------------------


def test_frozen_parts_do_not_learn(tmp_path: Path) -> None:
    net = network(tmp_path / "net", UNIFORM)
    freeze(net, ["stem", "s1.b1.conv1"])
    still = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    assert still == {"stem.conv.weight", "stem.norm.weight", "stem.norm.bias", "s1.b1.conv1.weight"}
    with pytest.raises(SystemExit, match="--freeze s7: there is no such part; there are stem, s1, s2, head"):
        freeze(net, ["s7"])
    with pytest.raises(SystemExit, match="nothing is left to learn"):
        freeze(net, ["stem", "s1", "s2", "head"])


def test_rates_fall_from_the_head_to_the_stem(tmp_path: Path) -> None:
    net = network(tmp_path / "net", UNIFORM)
    settings = {"name": "sgd", "lr": 0.8, "momentum": 0, "weight_decay": 0.1, "nesterov": False}
    optimizer = build_optimizer(net, settings, ["norm"], 0.5)
    names = {parameter: name for name, parameter in net.named_parameters()}
    rates = {names[p]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates.keys() == {*names.values()}
    blocks = [("head.linear.weight", 0.8), ("s2.b1.conv1.weight", 0.4), ("s1.b2.norm1.bias", 0.2)]
    for name, rate in [*blocks, ("s1.b1.conv1.weight", 0.1), ("stem.conv.weight", 0.05)]:
        assert rates[name] == pytest.approx(rate)
    assert optimizer.param_groups[0]["lr"] == 0.8


# --- the scripts ------------------------------------------------------------------------------------

TINY = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } } }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=2; batch_size=256; optimizer=sgd(lr=0.2); calibrate=128; seed=1 }
search { calibrate=256; strategy=exhaustive }
"""


@pytest.mark.parametrize("further", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_from_weights_to_a_front_and_back(further: bool, tmp_path: Path) -> None:
    """Trained, taken up by another method and by a search without training; trained further, resumed, exported."""
    first = write_project(tmp_path / "a", TINY, "method independent(subnets=[max])")
    accuracy = run(first, "train.py").split("test accuracy, largest: ")[1].split("%")[0]
    weights = str(first / "runs" / "weights.safetensors")

    second = write_project(tmp_path / "b", TINY, "method us_net(subnets=2)")
    told = run(second, "search.py", "--start", weights, "--output-dir", "zero")
    assert "sets of channels sorted by l1" in told
    points = json.loads((second / "zero" / "pareto.json").read_text())["points"]
    largest = max(points, key=lambda point: point["macs"])
    assert abs(100 * largest["test_accuracy"] - float(accuracy)) < 1.5  # norms are calibrated on other images
    if not further:
        return
    run(second, "export.py", "--checkpoint", "zero/start.safetensors", "--front", "zero/pareto.json", "--at", "1")

    told = run(second, "train.py", "--start", weights, "--epochs", "1", "--freeze", "stem", "--layer-decay", "0.9")
    assert "tensors from weights.safetensors" in told
    told = run(second, "train.py", "--resume", "runs/checkpoint.pt", "--epochs", "2")
    assert "tensors from" not in told

    told = run(second, "finetune.py", "--at", "min", "--epochs", "2", "--teacher", "0.5", "--formats", "source")
    assert "before, " in told
    about = json.loads((second / "runs" / "export" / "subnet.json").read_text())
    assert about["at"] == {"width": 0.5, "keep": False} or about["at"] == {"width": 0.5, "s1.keep": False}
    assert 0 <= about["accuracy"] <= 1


def test_fine_tuning_obeys_or_refuses_each_flag(tmp_path: Path) -> None:
    settings = tomllib.loads(
        compile_project(load(Source("t.specc", TINY.replace("METHOD", "method us_net(subnets=2)"))))["settings.toml"]
    )
    flags, options = finetune_flags(settings, ["--at", "min", "--freeze", "stem", "--device", "cpu", "-j", "0"])
    assert (flags.at, options.freeze, options.epochs, options.device, options.workers) == (
        "min",
        ["stem"],
        10,
        "cpu",
        0,
    )
    assert options.optimizer["lr"] == pytest.approx(0.02)
    refused = ("--resume a.pt", "--start a.pt", "--sort l2", "--test-only", "--sync-bn", "--dataset mnist")
    for text in (*refused, "--model-ema", "--target 0.9", "--evaluate-every 2"):
        with pytest.raises(SystemExit) as stopped:
            finetune_flags(settings, ["--at", "min", *text.split()])
        assert stopped.value.code == 2


@dataclass
class Recipe:
    """What the optimizer reads of the options."""

    freeze: list[str]
    layer_decay: float
    no_decay: tuple[str, ...] = ()
    optimizer: dict[str, Any] = field(
        default_factory=lambda: {"name": "sgd", "lr": 0.8, "momentum": 0, "weight_decay": 0, "nesterov": False}
    )


def test_what_is_tuned_is_frozen_and_rated_by_block(tmp_path: Path) -> None:
    """Names are the network's own: neither flag may be lost on the way to the extracted sub-network."""
    net = network(tmp_path / "net", UNIFORM)
    optimizer = optimizer_of(extract(net, net.plan("max"), resized=False), cast(Any, Recipe(["stem"], 0.5)))
    rates = sorted({group["lr"] for group in optimizer.param_groups})
    assert rates == pytest.approx([0.1, 0.2, 0.4, 0.8])  # s1.b1, s1.b2, s2.b1, head
    assert sum(len(group["params"]) for group in optimizer.param_groups) == sum(
        not name.startswith("stem") for name, _ in net.named_parameters()
    )


def test_the_teacher_s_norms_are_calibrated(tmp_path: Path) -> None:
    """The running statistics of a network that was trained with others fit none: the largest is calibrated first."""
    text = text_of(UNIFORM, "skippable")
    made = project(from_text(text), tmp_path)
    net = made.model.Model().eval()
    scramble(net)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.fill_(100)
    batches = [(IMAGES, LABELS)]
    expected = part(made, "train.calibrate").calibrated(net, net.plan("max"), batches)
    found = part(made, "deploy.finetuning").teacher_of(net, batches)(IMAGES)
    torch.testing.assert_close(found, outputs(net, expected))
    assert not torch.allclose(found, outputs(net, net.plan("max")), rtol=0.1)


def test_weights_travel_with_the_project(tmp_path: Path, plain: Any) -> None:
    text = text_of(UNIFORM, "skippable")
    spec = tmp_path / "net.specc"
    spec.write_text(text + '\nmethod us_net(subnets=2)\ntrain { start="w/net.safetensors" }\n')
    assert specc("check", spec).code == 0
    done = specc("compile", spec, "-o", tmp_path / "out")
    assert done.code == 1
    assert "no-start" in done.err
    assert "there is no w/net.safetensors beside the spec" in done.err
    assert not (tmp_path / "out").exists()
    (tmp_path / "w").mkdir()
    weights_of(plain, tmp_path / "w" / "net.safetensors")
    assert specc("compile", spec, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "w" / "net.safetensors").read_bytes() == (
        tmp_path / "w" / "net.safetensors"
    ).read_bytes()
    assert 'start = "w/net.safetensors"' in (tmp_path / "out" / "settings.toml").read_text()
    assert specc("compile", spec, "-o", tmp_path / "out", "--check").code == 0
    assert specc("compile", spec, "-o", tmp_path / "out").code == 0
    for wrong in ("../w.safetensors", "model.py"):
        with pytest.raises(SpecError, match=r"outside the spec|a file of the generated project"):
            start_file(from_text(text + f'\ntrain {{ start="{wrong}" }}\n'))
