"""Once-for-all: learned kernels, sorted channels, phases, and the step against a reference written out by hand."""

from __future__ import annotations

import copy
import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.analyses.channels import channel_sets
from specc.cost import cost
from specc.methods.ofa import step as ofa
from specc.methods.ofa.step import sort_channels
from specc.ops.transformed.torch import TransformedConv2d
from specc.pipeline import compile_project, load
from specc.runtime.train.optim import learning_rate
from specc.runtime.train.sorting import ChannelSet, importance, reorder
from specc.runtime.train.trainer import Average
from specc.source import Source
from specc.subnets.space import complete
from tests.helpers.projects import from_text
from tests.helpers.steps import drawn, generated, moved, snapshot, trainer_of

torch.set_num_threads(1)

EXPAND = """
import std.mobilenet
supernet tiny {
  input image(2, 7, 7);  classes 3
  norm batch
  stem { conv(4, kernel=3); norm; relu }
  stage s1 { repeat 1..2 { inverted_residual(4, kernel={3, 5, 7}, expand={2, 3, 4}) } }
  head { pool(avg); linear(classes) }
}
method ofa
"""
WIDTHS = """
import std.mobilenet_v3
supernet tiny {
  input image(2, 8, 8);  classes 3
  norm batch
  width per_group 0.5..1.0 round 2
  stem { conv(8, kernel=3); norm; relu }
  stage s1 { mb_v3(8, expand=2, kernel=3); skippable { mb_v3(8, expand=2, kernel=3) } }
  stage s2 { mb_v3(12, expand=2, kernel=3, stride=2); conv(12, kernel=3, groups=3); norm; relu }
  stage s3 { a = conv(4, kernel=1); concat(a, conv(6, kernel=3)); norm; conv(8, kernel=1); norm; relu }
  head { flatten; linear(10); relu; linear(classes) }
}
method ofa(phases=[full, depth, width])
"""
GATED = """
import std.mobilenet_v3
supernet tiny {
  input image(2, 7, 7);  classes 3
  norm batch
  stem { conv(8, kernel=3); norm; relu }
  stage s1 { repeat 1..2 { mb_v3(8, kernel={3, 5}, expand={3, 4, 6}) } }
  head { pool(avg); linear(classes) }
}
method ofa
"""
DROPOUT = "dropout(0.5); linear(classes)"
IMAGES, LABELS = drawn(6, 2, 7, 7), torch.tensor([0, 1, 2, 0, 1, 2])


def layer(seed: int = 0) -> TransformedConv2d:
    torch.manual_seed(seed)
    return TransformedConv2d(6, 6, 7, padding=3, groups=6, bias=False, transforms=(3, 5))


def divergence(pupil: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || pupil), the mean over the batch."""
    shares = teacher.softmax(dim=-1)
    return (shares * (shares.log() - pupil.log_softmax(dim=-1))).sum(dim=-1).mean()


def test_a_smaller_kernel_is_the_centre_at_first() -> None:
    conv, x = layer(), drawn(2, 4, 9, 9)
    assert {name for name, _ in conv.named_parameters()} == {"weight", "transform5", "transform3"}
    for size, start in ((5, 1), (3, 2)):
        weight = conv.weight[:4, :, start : start + size, start : start + size]
        wanted = F.conv2d(x, weight, padding=size // 2, groups=4)
        torch.testing.assert_close(conv(x, conv.cut(4, 4, size, size // 2)), wanted, rtol=0, atol=1e-6)
    assert conv.cut(6, 6, 7, 3) is None


def test_smaller_kernels_are_transforms_of_the_next_larger_ones_and_learn() -> None:
    conv, x = layer(), drawn(2, 6, 9, 9)
    with torch.no_grad():
        for name in ("transform5", "transform3"):
            conv.get_parameter(name).copy_(drawn(*conv.get_parameter(name).shape, seed=7))
    five = torch.stack([conv.transform5 @ w[0, 1:6, 1:6].reshape(25) for w in conv.weight]).view(6, 1, 5, 5)
    three = torch.stack([conv.transform3 @ w[0, 1:4, 1:4].reshape(9) for w in five]).view(6, 1, 3, 3)
    small = conv.cut(6, 6, 3, 1)
    y = conv(x, small)
    torch.testing.assert_close(y, F.conv2d(x, three, padding=1, groups=6), rtol=1e-4, atol=1e-4)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in conv.parameters())
    # Outside the central taps nothing is read.
    assert conv.weight.grad is not None
    assert conv.weight.grad[:, :, 0].abs().sum() == 0

    assert small is not None
    with torch.inference_mode():
        before = conv(x, small)
        assert torch.equal(before, conv(x, small))
        torch.testing.assert_close(conv.extracted(small)(x), before, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        conv.get_parameter("transform3").zero_()
        assert conv(x, small).abs().sum() == 0


def test_transforms_are_allocated_and_cost_no_sub_network_anything(tmp_path: Path) -> None:
    spec = from_text(EXPAND)
    net, _ = generated(EXPAND, tmp_path)
    found = cost(spec.graph, complete(spec.graph, {}, "min"))
    assert found.params_total == sum(p.numel() for p in net.parameters())
    without = from_text(EXPAND.replace("method ofa", "method ofa(transforms=no)"))
    assert found.params == cost(without.graph, complete(without.graph, {}, "min")).params
    assert found.params_total - cost(without.graph, complete(without.graph, {}, "min")).params_total == 2 * (625 + 81)
    extracted = net.extract(net.plan("min"))
    assert not any("transform" in name for name, _ in extracted.named_parameters())
    assert sum(p.numel() for p in net.extract(net.plan("min"), fold=False).parameters()) == found.params
    net.eval()
    with torch.inference_mode():
        torch.testing.assert_close(extracted(IMAGES), net(IMAGES, net.plan("min")), rtol=1e-4, atol=1e-5)


def sets_of(spec: str) -> list[ChannelSet]:
    return [ChannelSet(s.rows, s.columns, s.judges) for s in channel_sets(from_text(spec).graph)]


@pytest.mark.parametrize("spec", [EXPAND, WIDTHS], ids=["expand", "widths"])
def test_reordered_channels_change_no_answer(spec: str, tmp_path: Path) -> None:
    net, _ = generated(spec, tmp_path)
    images = drawn(3, *((2, 7, 7) if spec is EXPAND else (2, 8, 8)))
    net(images)  # so that norms have statistics of their own
    net.eval()
    with torch.inference_mode():
        before = net(images)
    sets = sets_of(spec)
    generator = torch.Generator().manual_seed(3)
    for channels in sets:
        norm = importance(net, channels)
        order = torch.randperm(len(norm), generator=generator)
        reorder(net, channels, order)
        torch.testing.assert_close(importance(net, channels), norm[order])
    with torch.no_grad():
        torch.testing.assert_close(net(images), before, rtol=1e-4, atol=1e-5)


def test_which_channels_may_change_places() -> None:
    """Residual sums share one set; grouped convolutions, concatenations and flattened maps keep their order."""
    found = {s.rows[0]: s for s in sets_of(WIDTHS)}
    assert "stem.conv" in found
    assert {name for name in found["stem.conv"].rows if name.endswith("conv2")} == {"s1.b1.conv2", "s1.b2.conv2"}
    gated = [name for name in found["s1.b1.conv1"].rows if "excitation" in name]
    assert len(gated) == 1
    rows = {name for s in found.values() for name in s.rows}
    assert not rows & {"s2.b1.conv2", "s2.conv", "s3.conv1", "s3.conv2", "s3.conv3", "head.linear2"}


def test_sorting_puts_the_most_important_first_in_the_average_and_the_momentum_too(tmp_path: Path) -> None:
    net, _ = generated(EXPAND, tmp_path)
    channels = sets_of(EXPAND)[0]
    assert channels.rows[0] == "s1.b1.conv1"
    trainer = trainer_of(net)
    trainer.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    trainer.average = Average(net, 0.5)
    ofa.step(trainer, IMAGES, LABELS, [net.plan("max")], None)
    trainer.optimizer.step()
    weight = net.s1.b1.conv1.weight
    before, momentum = weight.detach().clone(), trainer.optimizer.state[weight]["momentum_buffer"].clone()
    averaged = trainer.evaluated.get_parameter("s1.b1.conv1.weight")
    average = averaged.detach().clone()
    norm = net.s1.b1.conv2.weight.detach().abs().sum(dim=(0, 2, 3))
    order = sort_channels(trainer, channels, len(weight))
    assert torch.equal(order, norm.argsort(descending=True, stable=True))
    sorted_norm = net.s1.b1.conv2.weight.detach().abs().sum(dim=(0, 2, 3))
    assert torch.equal(sorted_norm, sorted_norm.sort(descending=True).values)
    assert torch.equal(weight.detach(), before[order])
    assert torch.equal(trainer.optimizer.state[weight]["momentum_buffer"], momentum[order])
    assert torch.equal(averaged, average[order])


def shrinking(spec: str, folder: Path) -> tuple[Any, Any, ofa.Shrinking]:
    net, space = generated(spec, folder)
    path = folder / "shrinking.json"
    path.write_text(compile_project(load(Source("tiny.specc", spec)))["shrinking.json"])
    return net, space, ofa.Shrinking(path, space, net)


def test_a_damaged_file_of_phases_is_told(tmp_path: Path) -> None:
    net, space, _ = shrinking(EXPAND, tmp_path)
    path = tmp_path / "shrinking.json"
    path.write_text(path.read_text().replace('"subnets"', '"nets"', 1))
    with pytest.raises(SystemExit, match=r"is corrupt: 'stages\[0\]\.subnets' is missing"):
        ofa.Shrinking(path, space, net)


def test_a_run_too_short_for_its_phases_says_so(tmp_path: Path) -> None:
    net, _, memory = shrinking(EXPAND, tmp_path)
    news = memory.begin(0, 1, trainer_of(net))
    assert "too few epochs for depth, expand, larger options, expand: what that lets go is not trained" in news
    _, _, memory = shrinking(EXPAND, tmp_path / "again")
    assert memory.begin(0, 5, trainer_of(net)) == "phase full"


def test_phases_let_go_in_turn(tmp_path: Path) -> None:
    net, space, memory = shrinking(EXPAND, tmp_path)
    trainer, rng = trainer_of(net), random.Random(0)
    stages = ["full", "kernel", "depth", "expand, larger options", "expand"]
    assert [stage.phase for stage in memory.stages] == stages
    assert [round(605 * stage.share) for stage in memory.stages] == [180, 125, 150, 25, 125]
    assert [stage.subnets for stage in memory.stages] == [1, 1, 2, 4, 4]

    def seen(epoch: int) -> dict[str, set[Any]]:
        memory.begin(epoch, 60, trainer)
        every = [at for _ in range(60) for at in memory.draws(space, rng)]
        return {name: {at[name] for at in every if name in at} for name in space.CHOICES}

    assert memory.begin(0, 60, trainer) == "phase full"
    assert memory.teacher_logits(IMAGES, [], space) is None
    assert memory.draws(space, rng) == [space.largest()]
    assert seen(17)["s1.b1.kernel"] == {7}
    kernels = seen(18)
    assert memory.teacher is not None
    assert kernels["s1.b1.kernel"] == kernels["s1.b2.kernel"] == {3, 5, 7}
    assert (kernels["s1.depth"], kernels["s1.b1.expand"]) == ({2}, {4})
    assert seen(30)["s1.depth"] == {1, 2}
    assert seen(44)["s1.b1.expand"] == {4}
    assert len(memory.draws(space, rng)) == 2
    assert seen(45)["s1.b1.expand"] == {3, 4}
    assert seen(47)["s1.b1.expand"] == {3, 4}
    assert seen(48)["s1.b1.expand"] == {2, 3, 4}
    assert len(memory.draws(space, rng)) == 4
    assert memory.begin(59, 60, trainer) == ""


def test_channels_are_sorted_before_each_stage_that_makes_them_narrower(tmp_path: Path) -> None:
    """First all channels, later those alone that every sub-network trained so far has: none changes its output."""
    net, _, memory = shrinking(GATED, tmp_path)
    trainer = trainer_of(net)
    images = drawn(3, 2, 7, 7)
    blocks = ("s1.b1", "s1.b2")

    def outputs(expand: int) -> Tensor:
        net.eval()
        with torch.no_grad():
            logits: Tensor = net(images, net.plan({f"{block}.expand": expand for block in blocks}))
        net.train()
        return logits

    net(images)  # norms have statistics of their own
    assert memory.begin(30, 60, trainer) == "phase full; phase kernel; phase depth"
    whole = outputs(6)
    before = snapshot(net)
    assert memory.begin(45, 60, trainer) == "phase expand, larger options, 4 sets of channels sorted"
    assert "s1.b1.conv1.weight" in moved(net, before)
    torch.testing.assert_close(outputs(6), whole, rtol=0, atol=1e-5)
    projection = net.s1.b1.conv2.weight.detach().abs().sum(dim=(0, 2, 3))
    assert torch.equal(projection, projection.sort(descending=True).values)

    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    whole, kept = outputs(6), outputs(4)
    before = snapshot(net)
    assert memory.begin(48, 60, trainer) == "phase expand, 4 sets of channels sorted"
    assert "s1.b1.conv1.weight" in moved(net, before)
    torch.testing.assert_close(outputs(6), whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(outputs(4), kept, rtol=0, atol=1e-5)
    assert torch.equal(net.s1.b1.conv1.weight[32:], before["s1.b1.conv1.weight"][32:])
    before = snapshot(net)
    assert memory.begin(50, 60, trainer) == ""
    assert not moved(net, before)


def test_every_stage_has_an_optimizer_of_its_own(tmp_path: Path) -> None:
    net, _, memory = shrinking(EXPAND, tmp_path)
    trainer = trainer_of(net)
    trainer.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    memory.begin(0, 60, trainer)
    ofa.step(trainer, IMAGES, LABELS, [net.plan("max")], None)
    trainer.optimizer.step()
    assert trainer.optimizer.state
    memory.begin(17, 60, trainer)
    assert trainer.optimizer.state
    memory.begin(18, 60, trainer)
    assert not trainer.optimizer.state


def test_the_teacher_answers_by_the_statistics_of_the_batch(tmp_path: Path) -> None:
    """Its running statistics mix the resolutions of its training; they are not read, and not changed."""
    spec = GATED.replace("image(2, 7, 7)", "image(2, resolution={6, 8})").replace("linear(classes)", DROPOUT)
    net, space, memory = shrinking(spec, tmp_path)
    memory.begin(30, 60, trainer_of(net))
    assert memory.teacher is not None
    with torch.no_grad():
        for name, buffer in memory.teacher.named_buffers():
            if "running" in name:
                buffer.fill_(7)
    before = {name: b.clone() for name, b in memory.teacher.named_buffers() if "running" in name}
    images = drawn(6, 2, 8, 8)
    answers = memory.teacher_logits(images, [net.plan({**space.smallest(), "resolution": 8})], space)
    assert answers is not None
    reference = copy.deepcopy(net).train()
    for module in reference.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        torch.testing.assert_close(answers, reference(images, reference.plan({"resolution": 8})), rtol=0, atol=1e-6)
    after = dict(memory.teacher.named_buffers())
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_rate_restarts_with_every_stage() -> None:
    """Once-for-all's rates: 2.6, 0.96 and 0.24, and 0.08 without a warm-up before the smaller options."""
    settings = tomllib.loads(compile_project(load("specs/mobilenet_v3_ofa.specc"))["settings.toml"])["train"]
    epochs = settings["epochs"]
    assert epochs == 180 + 125 + 2 * (25 + 125)
    factor = learning_rate(settings["schedule"], epochs, 10)

    def rate(epoch: float) -> float:
        return float(settings["optimizer"]["lr"]) * factor(round(epoch * 10))

    assert rate(5) == pytest.approx(2.6)
    assert rate(179.9) < 1e-4
    for start, warmup, peak, length in (
        (180, 5, 0.96, 125),
        (305, 0, 0.08, 25),
        (330, 5, 0.24, 125),
        (455, 0, 0.08, 25),
    ):
        assert rate(start + warmup) == pytest.approx(peak)
        middle = start + warmup + (length - warmup) / 2
        assert rate(middle) == pytest.approx(peak / 2, rel=1e-6)
        assert rate(start + length - 0.1) < 1e-3 * peak
        if warmup:
            assert rate(start) == pytest.approx(peak / 100)
    assert rate(485) == pytest.approx(0.24)
    assert rate(605) == pytest.approx(0)


def test_numbers_of_sub_networks_and_peaks_may_be_said() -> None:
    said = EXPAND.replace("method ofa", "method ofa(subnets=3, peaks=[0.5, 0.25, 0.1])")
    files = compile_project(load(Source("tiny.specc", said)))
    stages = json.loads(files["shrinking.json"])["stages"]
    assert [stage["subnets"] for stage in stages] == [1, 3, 3, 3, 3]
    schedule = tomllib.loads(files["settings.toml"])["train"]["schedule"]
    assert schedule["peaks"] == pytest.approx([0.5, 0.25, 0.1 / 3, 0.1])
    own = EXPAND.replace("method ofa", "method ofa\ntrain { epochs=10; schedule=cosine(restarts=[4]) }")
    schedule = tomllib.loads(compile_project(load(Source("tiny.specc", own)))["settings.toml"])["train"]["schedule"]
    assert schedule["restarts"] == [4]
    assert "peaks" not in schedule


def test_a_resumed_run_has_the_teacher_and_the_phases_that_the_run_had(tmp_path: Path) -> None:
    net, space, memory = shrinking(EXPAND, tmp_path)
    trainer = trainer_of(net)
    memory.begin(20, 60, trainer)
    with torch.no_grad():
        net.head.linear.weight.zero_()
    again, _, resumed = shrinking(EXPAND, tmp_path / "again")
    again.load_state_dict(net.state_dict())
    resumed.restore(memory.state())
    assert resumed.begin(20, 60, trainer_of(again)) == ""
    plans = [again.plan(at) for at in resumed.draws(space, random.Random(1))]
    mine, theirs = memory.teacher_logits(IMAGES, plans, space), resumed.teacher_logits(IMAGES, plans, space)
    assert mine is not None
    assert theirs is not None
    assert torch.equal(mine, theirs)
    assert mine.abs().sum() > 0


def by_hand(net: nn.Module, blocks: int, hidden: int, kernel: int) -> Tensor:
    """Training-mode logits of the sub-network whose blocks all have so many hidden channels and such kernels."""
    v = dict(net.named_parameters())

    def norm(x: Tensor, name: str) -> Tensor:
        n = x.shape[1]
        return F.batch_norm(x, None, None, v[f"{name}.weight"][:n], v[f"{name}.bias"][:n], True)

    x = F.relu(norm(F.conv2d(IMAGES, v["stem.conv.weight"], padding=1), "stem.norm"))
    for b in ("s1.b1", "s1.b2")[:blocks]:
        filters = v[f"{b}.depthwise.weight"][:hidden]
        for size in (5, 3):
            if size >= kernel:
                centre = filters[:, 0, 1:-1, 1:-1].flatten(1)
                filters = (centre @ v[f"{b}.depthwise.transform{size}"].T).view(hidden, 1, size, size)
        y = F.relu6(norm(F.conv2d(x, v[f"{b}.conv1.weight"][:hidden]), f"{b}.norm1"))
        y = F.relu6(norm(F.conv2d(y, filters, padding=kernel // 2, groups=hidden), f"{b}.norm2"))
        x = x + norm(F.conv2d(y, v[f"{b}.conv2.weight"][:, :hidden]), f"{b}.norm3")
    return F.linear(x.mean(dim=(2, 3)), v["head.linear.weight"], v["head.linear.bias"])


@pytest.mark.parametrize("distill", [1.0, 0.5])
def test_a_step_learns_the_labels_and_the_teachers_answers(tmp_path: Path, distill: float) -> None:
    net, space, memory = shrinking(EXPAND, tmp_path)
    reference, _ = generated(EXPAND, tmp_path / "again")
    trainer = trainer_of(net)
    memory.begin(59, 60, trainer)
    reference.load_state_dict(net.state_dict())
    small = {"s1.depth": 1, "s1.b1.kernel": 3, "s1.b1.expand": 2}
    middle = {f"s1.b{b}.{name}": value for b in (1, 2) for name, value in (("kernel", 5), ("expand", 3))}
    plans = [net.plan(small), net.plan({"s1.depth": 2, **middle})]
    answers = memory.teacher_logits(IMAGES, plans, space)
    assert answers is not None
    assert memory.teacher is not None
    taught = snapshot(memory.teacher)
    with torch.no_grad():
        torch.testing.assert_close(answers, reference(IMAGES), rtol=0, atol=1e-6)
    before = snapshot(net)
    losses = ofa.step(trainer, IMAGES, LABELS, plans, answers, distill)

    logits = [by_hand(reference, 1, 8, 3), by_hand(reference, 2, 12, 5)]
    wanted = [F.cross_entropy(x, LABELS) + distill * divergence(x, answers) for x in logits]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    theirs = dict(reference.named_parameters())
    for name, mine in net.named_parameters():
        torch.testing.assert_close(mine.grad, theirs[name].grad, rtol=0, atol=1e-5)

    trainer.update()
    changed = moved(net, before)
    assert "s1.b2.depthwise.transform5" in changed
    assert "s1.b2.depthwise.transform3" not in changed
    assert torch.equal(net.s1.b1.conv1.weight[12:], before["s1.b1.conv1.weight"][12:])
    assert not moved(memory.teacher, taught)


def test_a_resolution_is_one_for_the_step_and_for_its_teacher(tmp_path: Path) -> None:
    spec = EXPAND.replace("image(2, 7, 7)", "image(2, resolution={6, 8})")
    net, space, memory = shrinking(spec, tmp_path)
    trainer, rng = trainer_of(net), random.Random(0)
    memory.begin(0, 60, trainer)
    assert {memory.draws(space, rng)[0]["resolution"] for _ in range(40)} == {6, 8}
    memory.begin(31, 60, trainer)
    for _ in range(10):
        first, second = memory.draws(space, rng)
        assert first["resolution"] == second["resolution"]
    images = drawn(2, 2, 8, 8)
    assert memory.teacher is not None
    wanted = memory.teacher(images, memory.teacher.plan({"resolution": 6}))  # type: ignore[operator]
    answers = memory.teacher_logits(images, [net.plan({**space.smallest(), "resolution": 6})], space)
    assert answers is not None
    assert torch.equal(answers, wanted)
