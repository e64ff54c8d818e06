"""TIPS: which groups are important, how sub-networks are drawn, and its step against Eq. 21 written out by hand."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.importance import Settings, importance, settings_of
from specc.methods.tips import step as tips
from specc.pipeline import compile_project, load
from specc.source import Source
from tests.helpers.folders import SPECS
from tests.helpers.steps import drawn, generated, moved, snapshot, trainer_of
from tests.helpers.tiny import TinySpace

torch.set_num_threads(1)

SPEC = """
supernet tiny {
  input image(2, 6, 6);  classes 3
  norm batch
  width per_group 0.5..1.0 round 2
  stem { conv(8, kernel=3); norm; relu }
  stage s1 { skippable { residual { conv(16, kernel=3); norm; relu; conv(8, kernel=1); norm } } }
  head { pool(avg); linear(classes) }
}
method tips(METHOD)
"""
IMAGES, LABELS = drawn(6, 2, 6, 6), torch.tensor([0, 1, 2, 0, 1, 2])


def importance_of(spec: Path | Source) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compile_project(load(spec))["importance.json"])
    return found


def test_the_important_groups_of_mobilenet_v2_are_those_that_facts_names() -> None:
    """Written by the stem and by the blocks that no sub-network may drop; the others' hidden channels are not."""
    found = importance_of(SPECS / "mobilenet_v2_tips.specc")
    important = {row["choice"] for row in found["groups"] if row["important"]}
    blocks = {f"s{s}.b1.conv{i}.width" for s in range(2, 8) for i in (1, 2)}
    assert important == {"stem.conv.width", "s1.b1.conv2.width"} | blocks
    others = {row["choice"] for row in found["groups"]} - important
    rounds = {2: (2,), 3: (2, 3), 4: (2, 3, 4), 5: (2, 3), 6: (2, 3)}
    assert others == {f"s{s}.b{b}.conv1.width" for s, blocks in rounds.items() for b in blocks}
    assert not any(row["important"] for row in found["sub_paths"])
    assert len(found["sub_paths"]) == 10
    (output,) = [row for row in found["groups"] if row["choice"] == "s3.b1.conv2.width"]
    assert output["layers"] == ["s3.b1.conv2", "s3.b2.conv2", "s3.b3.conv2"]


def test_every_skippable_pair_of_a_perceptron_is_a_sub_path() -> None:
    found = importance_of(SPECS / "mlp80_tips.specc")
    assert len(found["sub_paths"]) == 40
    assert sum(tensor["tas"] for tensor in found["tensors"]) == pytest.approx(1, abs=1e-5)


def test_widths_that_operators_say_themselves_are_groups_too() -> None:
    spec = SPEC.replace("width per_group 0.5..1.0 round 2", "").replace("METHOD", "boost=1")
    spec = spec.replace("conv(8, kernel=3); norm; relu }", "conv({4, 8}, kernel=3); norm; relu }", 1)
    spec = spec.replace("conv(8, kernel=1)", "conv(in / 2, kernel=1)").replace("conv(16", "conv(in * 2")
    found = importance_of(Source("tiny.specc", spec))
    (group,) = found["groups"]
    assert group["choice"] == "stem.conv.out"
    assert group["layers"][0] == "stem.conv"


def test_without_an_analysis_nothing_is_important() -> None:
    files = compile_project(load(Source("tiny.specc", SPEC.replace("METHOD", "analysis=none"))))
    found = json.loads(files["importance.json"])
    assert not any(row["important"] for row in [*found["groups"], *found["sub_paths"]])
    assert found["ops"] == found["tensors"] == []
    again = compile_project(load(Source("tiny.specc", SPEC.replace("METHOD", "analysis=none"))))
    assert again == files


def test_important_groups_are_drawn_half_again_as_wide() -> None:
    """40 % of the channels of an unimportant group are 60 % of an important one's."""

    class Widths(TinySpace):
        @property
        def CHOICES(self) -> Mapping[str, Sequence[Any]]:
            return {"a": range(10, 101), "b": range(10, 101), "keep": (False, True), "res": (4, 6)}

        def canonical(self, at: Mapping[str, Any]) -> dict[str, Any]:
            return dict(at)

    space, rng = Widths(), random.Random(0)
    draws = tips.Draws({"a": 1.5, "b": 1.0}, {"keep": 0.75}, 0.1, True)
    found = [tips.draw(space, rng, draws) for _ in range(2000)]
    assert all(abs(at["a"] - min(100, 1.5 * at["b"])) <= 1 for at in found if at["b"] > 10)
    assert {at["a"] for at in found if at["b"] == 40} <= {59, 60, 61}
    # below w_min unimportant groups stay there, and important ones come down to it
    assert {at["a"] for at in found if at["b"] == 10} == {10, 11, 12, 13, 14, 15, 16}
    for name in "ab":
        assert {min(at[name] for at in found), max(at[name] for at in found)} == {10, 100}
    # u ~ U[w_min / 1.5, 1]: the means of max(w_min, u) and of max(w_min, min(1, 1.5 u)), integrated
    low = 0.1 / 1.5
    means = {"b": ((0.1 - low) * 0.1 + (1 - 0.1**2) / 2) / (1 - low)}
    means["a"] = (0.75 * ((2 / 3) ** 2 - low**2) + 1 / 3) / (1 - low)
    for name, mean in means.items():
        assert sum(at[name] for at in found) / 2000 == pytest.approx(100 * mean, abs=2)
    assert sum(at["keep"] for at in found) / 2000 == pytest.approx(0.75, abs=0.03)
    assert sum(at["res"] == 6 for at in found) / 2000 == pytest.approx(0.5, abs=0.04)

    apart = tips.Draws({"a": 1.5, "b": 1.0}, {}, 0.1, False)
    found = [tips.draw(space, rng, apart) for _ in range(200)]
    assert any(at["a"] < at["b"] for at in found)

    alike = tips.Draws({"a": 1.0, "b": 1.0}, {}, 0.1, True)
    found = [tips.draw(space, rng, alike) for _ in range(2000)]
    assert all(at["a"] == at["b"] for at in found)
    assert sum(at["a"] for at in found) / 2000 == pytest.approx(55, abs=1.5)


def test_the_nearest_count_is_taken_the_larger_of_two() -> None:
    assert tips.nearest((8, 16, 24, 32), 0.5) == 16
    assert tips.nearest((8, 16, 24, 32), 20 / 32) == 24
    assert tips.nearest((8, 16, 24, 32), 0.1) == 8
    assert tips.nearest((8, 16, 24, 32), 1.0) == 32


def test_draws_are_read_from_what_the_compiler_wrote(tmp_path: Path) -> None:
    spec = SPEC.replace("METHOD", "")
    _, space = generated(spec, tmp_path)
    path = tmp_path / "importance.json"
    path.write_text(compile_project(load(Source("tiny.specc", spec)))["importance.json"])
    found = tips.read_importance(path, space)
    draws = tips.draws_of(found, space)
    assert (draws.least, draws.together) == (0.5, True)
    assert draws.boosts == {"stem.conv.width": 1.5, "s1.conv1.width": 1.0}
    assert draws.keeps == {"s1.keep": 0.5}
    rows = tips.draws_table(found, space, draws).splitlines()
    assert rows[2].split()[0] == "stem.conv.width"
    assert rows[2].split()[2:] == ["yes", "0.50..1", "of", "8", "channels,", "1.5", "times", "as", "wide"]
    assert rows[-1].split()[2:] == ["no", "kept", "50%", "of", "the", "time"]
    alike = tips.draws_of(found, space, boost=1)
    assert set(alike.boosts.values()) == {1.0}
    path.write_text(path.read_text().replace('"important": true', '"important": 1'))
    with pytest.raises(SystemExit, match=r"is corrupt: 'groups\[0\]\.important' is not true or false: 1"):
        tips.read_importance(path, space)


def by_hand(net: nn.Module, stem: int, hidden: int | None) -> Tensor:
    """Logits of the sub-network with so many channels; `hidden` None: the block is skipped."""
    v = dict(net.named_parameters())

    def norm(x: Tensor, name: str) -> Tensor:
        n = x.shape[1]
        return F.batch_norm(x, None, None, v[f"{name}.weight"][:n], v[f"{name}.bias"][:n], True)

    x = F.relu(norm(F.conv2d(IMAGES, v["stem.conv.weight"][:stem], padding=1), "stem.norm"))
    if hidden is not None:
        y = F.relu(norm(F.conv2d(x, v["s1.conv1.weight"][:hidden, :stem], padding=1), "s1.norm1"))
        x = x + norm(F.conv2d(y, v["s1.conv2.weight"][:stem, :hidden]), "s1.norm2")
    return F.linear(x.mean(dim=(2, 3)), v["head.linear.weight"][:, :stem], v["head.linear.bias"])


@pytest.mark.parametrize("distill", [1.0, 0.25])
def test_a_step_is_equation_21(tmp_path: Path, distill: float) -> None:
    net, space = generated(SPEC.replace("METHOD", ""), tmp_path)
    reference, _ = generated(SPEC.replace("METHOD", ""), tmp_path / "again")
    widths = [(8, 16), (6, 10), (4, None), (6, 8)]
    assignments = [
        {"stem.conv.width": stem, "s1.keep": hidden is not None} | ({"s1.conv1.width": hidden} if hidden else {})
        for stem, hidden in widths
    ]
    assert space.canonical(assignments[0]) == space.largest()
    trainer = trainer_of(net)
    losses = tips.step(trainer, IMAGES, LABELS, [net.plan(at) for at in assignments], distill=distill)

    logits = [by_hand(reference, stem, hidden) for stem, hidden in widths]
    teacher = logits[0].detach().softmax(dim=1)
    wanted = [F.cross_entropy(answer, LABELS) for answer in logits]
    for i, answer in enumerate(logits[1:], 1):
        wanted[i] = wanted[i] - distill * (teacher * answer.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)

    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    theirs = dict(reference.named_parameters())
    for name, mine in net.named_parameters():
        torch.testing.assert_close(mine.grad, theirs[name].grad, rtol=0, atol=1e-6)


def test_a_step_draws_beside_the_super_network_and_moves_only_what_ran(tmp_path: Path) -> None:
    net, space = generated(SPEC.replace("METHOD", ""), tmp_path)
    draws = tips.Draws({"stem.conv.width": 1.5, "s1.conv1.width": 1.0}, {"s1.keep": 0.5}, 0.5, True)
    found = tips.sub_networks(space, random.Random(1), draws, 3)
    rng = random.Random(1)
    assert found == [space.largest(), *(tips.draw(space, rng, draws) for _ in range(3))]

    before = snapshot(net)
    trainer = trainer_of(net)
    small = {"stem.conv.width": 4, "s1.keep": False}
    tips.step(trainer, IMAGES, LABELS, [net.plan(small)])
    trainer.update()
    changed = moved(net, before)
    assert not any(name.startswith("s1.") for name in changed)
    assert torch.equal(net.stem.conv.weight[4:], before["stem.conv.weight"][4:])
    assert torch.equal(net.stem.norm.running_mean[4:], before["stem.norm.running_mean"][4:])
    assert not torch.equal(net.stem.norm.running_mean[:4], before["stem.norm.running_mean"][:4])


def test_the_settings_of_an_analysis_are_used_in_training_too() -> None:
    """A given length marks its best path alone, as `specc importance --nodes` does."""
    text = (SPECS / "mobilenet_v2_tips.specc").read_text()
    written = "analysis=importance(subnets=8, coupling=1, damping=1e-5)"
    assert written in text
    spec = text.replace(written, "analysis=importance(nodes=41, seed=7, directed=yes)")
    compiled = load(Source("net.specc", spec))
    found = json.loads(compile_project(compiled)["importance.json"])
    wanted = importance(compiled.graph, Settings(nodes=41, seed=7, directed=True))
    assert (found["nodes"], found["seed"], found["directed"]) == (41, 7, True)
    assert [op["name"] for op in found["ops"] if op["important"]] == list(wanted.important)
    assert len(wanted.important) == 40
    assert [tensor["tas"] for tensor in found["tensors"]] == pytest.approx([t.tas for t in wanted.tensors], rel=1e-7)
    settings = settings_of(compiled.model.method)
    assert settings == Settings(nodes=41, seed=7, directed=True)
    assert settings_of(compiled.model.method, directed=False, seed=1) == Settings(nodes=41, seed=1)
