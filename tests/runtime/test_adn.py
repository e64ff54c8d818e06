"""ADN's step against Eq. 8 written out by hand, what it trains, and its settings at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.methods.adn import step as adn
from tests.helpers.steps import drawn, generated, moved, snapshot, trainer_of

torch.set_num_threads(1)

SPEC = """
block refine(out) { residual { conv(out, kernel=3); norm }; relu }
supernet tiny {
  input image(2, 6, 6);  classes 3
  norm batch(bank=skip)
  stem { conv(4, kernel=3); norm(bank=shared); relu }
  stage s1 { refine(4); skippable { refine(4) } }
  stage s2 { conv(5, kernel=3, stride=2); norm; relu; skippable { refine(5) } }
  head { pool(avg); linear(classes) }
}
method adn
"""
IMAGES, LABELS = drawn(6, 2, 6, 6), torch.tensor([0, 1, 2, 0, 1, 2])


def by_hand(net: nn.Module, keep: bool) -> tuple[Tensor, list[Tensor]]:
    """Logits and the two stages' ends of the super-net (`keep`) or the base-net, from the parameters by name."""
    values = dict(net.named_parameters())
    bank = int(keep)

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        return F.conv2d(x, values[f"{name}.weight"], stride=stride, padding=1)

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
        return F.batch_norm(x, None, None, weight, bias, True)

    x = F.relu(norm(conv(IMAGES, "stem.conv"), "stem.norm"))
    x = F.relu(x + norm(conv(x, "s1.b1.conv"), f"s1.b1.norm.{bank}"))
    if keep:
        x = F.relu(x + norm(conv(x, "s1.b2.conv"), "s1.b2.norm.0"))
    first = x
    x = F.relu(norm(conv(x, "s2.conv", 2), f"s2.norm.{bank}"))
    if keep:
        x = F.relu(x + norm(conv(x, "s2.b1.conv"), "s2.b1.norm.0"))
    logits = F.linear(x.mean(dim=(2, 3)), values["head.linear.weight"], values["head.linear.bias"])
    return logits, [first, x]


def kl(teacher: Tensor, pupil: Tensor) -> Tensor:
    """KL(softmax(teacher) || softmax(pupil)) from its definition, the mean over the batch."""
    p, q = teacher.softmax(dim=1), pupil.softmax(dim=1)
    return (p * (p.log() - q.log())).sum(dim=1).mean()


@pytest.mark.parametrize(("alpha", "features", "logits"), [(0.5, True, True), (0.3, True, False), (0.5, False, True)])
def test_a_step_is_equation_8(tmp_path: Path, alpha: float, features: bool, logits: bool) -> None:
    net, space = generated(SPEC, tmp_path)
    reference, _ = generated(SPEC, tmp_path / "again")
    outputs = ["head", "s1", "s2"] if features else ["head"]
    pair = adn.pair(space)
    assert pair == [{"s1.keep": True, "s2.keep": True}, {"s1.keep": False, "s2.keep": False}]
    plans = [net.plan(at, outputs=outputs) for at in pair]
    trainer = trainer_of(net)
    losses = adn.step(trainer, IMAGES, LABELS, plans, alpha=alpha, logits=logits)

    teacher, teachers = by_hand(reference, True)
    pupil, pupils = by_hand(reference, False)
    terms = [kl(t.mean(dim=(2, 3)).detach(), p.mean(dim=(2, 3))) for t, p in zip(teachers, pupils, strict=True)]
    wanted = [alpha * F.cross_entropy(teacher, LABELS)]
    distance = sum(terms[1:], terms[0]) if features else torch.zeros(())
    wanted.append((1 - alpha) * (distance + (kl(teacher.detach(), pupil) if logits else 0)))
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)

    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    theirs = dict(reference.named_parameters())
    for name, mine in net.named_parameters():
        gradient, expected = mine.grad, theirs[name].grad
        assert (gradient is None) == (expected is None), name
        if gradient is not None:
            torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-6)


def test_which_banks_and_weights_move(tmp_path: Path) -> None:
    """Both banks of a mandatory norm, one bank of the others; a base-net alone leaves the skippable paths alone."""
    net, space = generated(SPEC, tmp_path)
    largest, smallest = adn.pair(space)
    before = snapshot(net)
    trainer = trainer_of(net)
    adn.step(trainer, IMAGES, LABELS, [net.plan(at, outputs=["head", "s1", "s2"]) for at in (largest, smallest)])
    trainer.update()
    assert moved(net, before) == set(before)

    net, space = generated(SPEC, tmp_path)
    adn.step(trainer_of(net), IMAGES, LABELS, [net.plan(largest, outputs=["head", "s1", "s2"])])
    # The super-net alone: its bank's statistics move, the other bank's don't.
    buffers = {name for name in moved(net, before) if "running" in name}
    assert {"s1.b1.norm.1.running_mean", "s2.norm.1.running_var", "stem.norm.running_mean"} <= buffers
    assert not any(".norm.0." in name for name in buffers if name.startswith(("s1.b1", "s2.norm")))

    net, space = generated(SPEC, tmp_path)
    trainer = trainer_of(net)
    adn.step_on_labels(trainer, IMAGES, LABELS, [net.plan(smallest, outputs=["head"])])
    trainer.update()
    still = set(before) - moved(net, before)
    assert {name for name in still if name.startswith(("s1.b2", "s2.b1"))} == {
        name for name in before if name.startswith(("s1.b2", "s2.b1"))
    }
    assert {"s1.b1.norm.1.weight", "s1.b1.norm.1.running_mean", "s2.norm.1.bias"} <= still


def test_without_specialisation_both_learn_the_labels_half_each(tmp_path: Path) -> None:
    net, space = generated(SPEC, tmp_path)
    reference, _ = generated(SPEC, tmp_path / "again")
    plans = [net.plan(at, outputs=["head"]) for at in adn.pair(space)]
    losses = adn.step_on_labels(trainer_of(net), IMAGES, LABELS, plans)
    wanted = [F.cross_entropy(by_hand(reference, keep)[0], LABELS) / 2 for keep in (True, False)]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)


def test_tokens_are_pooled_over_their_places_and_a_temperature_keeps_the_gradients_size() -> None:
    tokens = drawn(2, 5, 3)
    torch.testing.assert_close(adn.pooled(tokens), torch.stack([tokens[0].mean(dim=0), tokens[1].mean(dim=0)]))
    assert adn.pooled(drawn(2, 3)).shape == (2, 3)
    teacher, pupil = drawn(4, 3, seed=2), drawn(4, 3, seed=3)
    torch.testing.assert_close(adn.divergence(pupil, teacher, 2.0), 4 * kl(teacher / 2, pupil / 2))


def test_all_settings_are_evaluated_the_super_net_first(tmp_path: Path) -> None:
    net, space = generated(SPEC, tmp_path)
    assert [adn.flags(space, at) for at in space.every()] == ["TT", "TF", "FT", "FF"]
    rows = adn.settings_table(trainer_of(net), space, None, [(IMAGES, LABELS)]).splitlines()
    assert rows[0].split() == ["skipped", "MACs", "params", "test", "accuracy"]
    assert rows[2].split()[0] == "FF"
    assert rows[-1].split()[0] == "TT"
    assert sorted(row.split()[0] for row in rows[2:]) == ["FF", "FT", "TF", "TT"]
