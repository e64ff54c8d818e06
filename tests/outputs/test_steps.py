"""One step of every method on every kind of output, against the same step in plain PyTorch: the networks are written
out by hand, and so are the losses, the distances to a teacher and the update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specc.methods import method_names
from specc.methods.adn import step as adn
from specc.methods.awn import step as awn
from specc.methods.early_exit import step as early_exit
from specc.methods.inclusive import step as inclusive
from specc.methods.inclusive_sparse import step as inclusive_sparse
from specc.methods.independent import step as independent
from specc.methods.mutualnet import step as mutualnet
from specc.methods.ofa import step as ofa
from specc.methods.pss import step as pss
from specc.methods.tips import step as tips
from specc.methods.us_net import step as us_net
from specc.outputs import output_kinds
from specc.outputs.boxes.task import Boxes
from specc.outputs.classes.task import Classes
from specc.outputs.pixels.task import Pixels
from specc.outputs.restored.task import Restored
from specc.outputs.tags.task import Tags
from specc.outputs.values.task import Values
from specc.runtime.run.distributed import World
from specc.runtime.train.interfaces import Task
from specc.runtime.train.levels import read_levels
from specc.runtime.train.trainer import Trainer
from tests.helpers.projects import from_text, project
from tests.helpers.steps import drawn, trainer_of

torch.set_num_threads(1)

WORLD = World(0, 1, torch.device("cpu"))
RATE = 0.1
IMAGES = drawn(3, 2, 4, 4)
Parameters = Mapping[str, Tensor]


# Losses and distances, written as the papers and textbooks do.


def cross_entropy(output: Tensor, targets: Tensor) -> Tensor:
    said = output - output.exp().sum(1, keepdim=True).log()
    return -torch.stack([said[i, int(target)] for i, target in enumerate(targets)]).mean()


def divergence(output: Tensor, teacher: Tensor) -> Tensor:
    """sum_c p_c (log p_c - log q_c), the mean over all that is no class."""
    p, q = teacher.softmax(1), output.softmax(1)
    return (p * (p.log() - q.log())).sum(1).mean()


def soft_cross_entropy(output: Tensor, teacher: Tensor) -> Tensor:
    """-sum_c p_c log q_c, the mean over all that is no class."""
    return -(teacher.softmax(1) * output.log_softmax(1)).sum(1).mean()


def cross_entropy_of_pixels(output: Tensor, masks: Tensor) -> Tensor:
    """The mean over all pixels but those of class 255."""
    losses = [
        -output[image, :, row, column].log_softmax(0)[int(masks[image, row, column])]
        for image, row, column in (masks != 255).nonzero().tolist()
    ]
    return torch.stack(losses).mean()


def binary(output: Tensor, tags: Tensor) -> Tensor:
    p = output.sigmoid()
    return -(tags * p.log() + (1 - tags) * (1 - p).log()).mean()


def binary_divergence(output: Tensor, teacher: Tensor) -> Tensor:
    p, q = teacher.sigmoid(), output.sigmoid()
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()


def binary_of_teacher(output: Tensor, teacher: Tensor) -> Tensor:
    return binary(output, teacher.sigmoid())


def squared(output: Tensor, targets: Tensor) -> Tensor:
    return (output - targets).square().mean()


def absolute(output: Tensor, images: Tensor) -> Tensor:
    return (output - images / 255).abs().mean()


Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Kind:
    """A kind of output: its statement, what its heads end in, targets, and its loss and distance by hand."""

    statement: str
    end: str
    task: Task
    targets: Tensor
    loss: Loss
    distance: Loss

    @property
    def soft(self) -> Loss:
        """The soft cross-entropy where the outputs are probabilities, else the distance."""
        soft: dict[Loss, Loss] = {divergence: soft_cross_entropy, binary_divergence: binary_of_teacher}
        return soft.get(self.distance, self.distance)


MASKS = torch.tensor([0, 1, 2, 255]).repeat(12).view(3, 4, 4).to(torch.uint8)
BYTES = (255 * drawn(3, 2, 4, 4, seed=3).sigmoid()).to(torch.uint8)
FRAMES = torch.full((3, 2, 5), -1.0)
FRAMES[0] = torch.tensor([[0.1, 0.1, 0.9, 0.8, 0.0], [0.0, 0.5, 0.4, 1.0, 2.0]])
FRAMES[1, 0] = torch.tensor([0.2, 0.3, 0.7, 0.9, 1.0])
KINDS = {
    "classes": Kind(
        "classes 3", "pool(avg); linear(classes)", Classes(3), torch.tensor([2, 0, 1]), cross_entropy, divergence
    ),
    "pixels": Kind(
        "classes 3 each pixel", "conv(classes, kernel=1)", Pixels(3), MASKS, cross_entropy_of_pixels, divergence
    ),
    "tags": Kind(
        "tags 3", "pool(avg); linear(tags)", Tags(3), drawn(3, 3, seed=2).gt(0).float(), binary, binary_divergence
    ),
    "values": Kind("values 2", "pool(avg); linear(values)", Values(2), drawn(3, 2, seed=2), squared, squared),
    # The loss and the distance of boxes are held against their papers in tests/runtime/test_boxes.py.
    "boxes": Kind(
        "boxes 3", "conv(boxes + 5, kernel=1, bias=yes)", Boxes(3), FRAMES, Boxes(3).criterion, Boxes(3).distance
    ),
    "restored": Kind("restores image(2)", "conv(restores, kernel=3)", Restored(2), BYTES, absolute, squared),
}


# Networks, as the specs below have them.


def end(values: Parameters, name: str, x: Tensor) -> Tensor:
    """What a head or exit makes of a map: its mean through a linear layer, or a map by a convolution."""
    if f"{name}.linear.weight" in values:
        weight, bias = values[f"{name}.linear.weight"], values[f"{name}.linear.bias"]
        return x.mean((2, 3)) @ weight[:, : x.shape[1]].T + bias
    weight = values[f"{name}.conv.weight"][:, : x.shape[1]]
    return F.conv2d(x, weight, values.get(f"{name}.conv.bias"), padding=weight.shape[-1] // 2)


def wide(values: Parameters, width: int) -> Tensor:
    """A convolution of so many channels, and the head."""
    return end(values, "head", F.conv2d(IMAGES, values["stem.conv"][:width], padding=1).relu())


def deep(values: Parameters, kept: bool) -> tuple[Tensor, Tensor]:
    """The output with or without the second convolution of the stage, and the stage's features, averaged."""
    x = F.conv2d(IMAGES, values["stem.conv"], padding=1).relu()
    x = F.conv2d(x, values["s1.conv1"], padding=1).relu()
    if kept:
        x = x + F.conv2d(x, values["s1.conv2"], padding=1)
    return end(values, "head", x), x.mean((2, 3))


def exits(values: Parameters) -> list[Tensor]:
    first = F.conv2d(IMAGES, values["stem.conv"], padding=1).relu()
    second = F.conv2d(first, values["s1.conv"], padding=1).relu()
    return [end(values, "e1", first), end(values, "head", second)]


def nested(values: Parameters, k: int) -> Tensor:
    x = F.conv2d(IMAGES, values["stem.conv"], padding=1).relu()
    x = F.conv2d(x, values["s1.conv"][: 2 * k], padding=1).relu()
    return end(values, f"head{k}", x)


def sliced(values: Parameters, k: int) -> Tensor:
    """Two slices of two channels; the second reads both, the first only itself."""
    x = F.conv2d(IMAGES, values["stem.conv"], padding=1).relu()
    weight = values["s1.conv"]
    first = F.conv2d(x[:, :2], weight[:2, :2], padding=1)
    x = first if k == 1 else torch.cat([first, F.conv2d(x, weight[2:], padding=1)], 1)
    return end(values, f"head{k}", x.relu())


STEM = "stem { conv(4, kernel=3); relu }"
WIDE = f"width uniform {{0.5, 1.0}}; {STEM}; head {{ END }}"
ANY = f"width any 0.5..1.0; connect triangular; {STEM.replace('3)', '3, connect=dense)')}; head {{ DENSE }}"
SKIPPED = "skippable more { residual { conv(4, kernel=3) } }"
DEEP = f"{STEM}; stage s1 {{ conv(4, kernel=3); relu; {SKIPPED} }}; head {{ END }}"
EXITS = f"{STEM}; exit e1 {{ END }}; stage s1 {{ conv(4, kernel=3); relu }}; head {{ END }}"
NESTED = f"{STEM}; stage s1 {{ conv(2 * k, kernel=3); relu }}; head by k {{ END }}"
SLICED = f"width by k; {STEM}; stage s1 {{ conv(4, kernel=3, connect=triangular(2)); relu }}; head by k {{ END }}"


@dataclass(frozen=True)
class Step:
    """A method's step: the network that it runs on, the call, and the sum of its losses by hand."""

    network: str
    call: Callable[[Trainer, Any, Any, Tensor, Path], Any]
    by_hand: Callable[[Parameters, Kind], Tensor]


def labels_of_all(values: Parameters, kind: Kind, widths: tuple[int, ...]) -> Tensor:
    return torch.stack([kind.loss(wide(values, width), kind.targets) for width in widths]).sum()


def taught(values: Parameters, kind: Kind, pupils: tuple[int, ...]) -> Tensor:
    """The widest learns the targets, the others its outputs."""
    teacher = wide(values, 4)
    total = kind.loss(teacher, kind.targets)
    for width in pupils:
        total = total + kind.distance(wide(values, width), teacher.detach())
    return total


def by_tips(values: Parameters, kind: Kind) -> Tensor:
    """Eq. 21: all learn the targets, the others the outputs of the super-network as well, by soft cross-entropy."""
    teacher, pupil = wide(values, 4), wide(values, 2)
    labels = kind.loss(teacher, kind.targets) + kind.loss(pupil, kind.targets)
    return labels + kind.soft(pupil, teacher.detach())


def teacher_of(targets: Tensor) -> Tensor:
    """Outputs of a teacher that is another network."""
    shapes = {"classes": (3, 3), "pixels": (3, 3, 4, 4), "boxes": (3, 8, 4, 4)}
    name = next(name for name, kind in KINDS.items() if kind.targets is targets)
    return drawn(*shapes.get(name, targets.shape), seed=7)


def by_ofa(values: Parameters, kind: Kind) -> Tensor:
    output = wide(values, 2)
    return kind.loss(output, kind.targets) + 0.5 * kind.distance(output, teacher_of(kind.targets))


def by_adn(values: Parameters, kind: Kind) -> Tensor:
    """Eq. 8 with alpha = 0.3: stages are compared by the divergence of their pooled features, summed over channels."""
    teacher, features = deep(values, True)
    pupil, mine = deep(values, False)
    apart = divergence(mine, features.detach()) + kind.distance(pupil, teacher.detach())
    return 0.3 * kind.loss(teacher, kind.targets) + 0.7 * apart


def plans(net: Any, *widths: int) -> list[Any]:
    (choice,) = net.planner.space.CHOICES
    first = net.planner.space.CHOICES[choice]
    return [net.plan({choice: first[-1] if width == 4 else first[0] if width == 2 else width}) for width in widths]


def run_ofa(trainer: Trainer, net: Any, space: Any, targets: Tensor, folder: Path) -> Any:
    return ofa.step(trainer, IMAGES, targets, plans(net, 2), teacher_of(targets), 0.5)


def run_adn(trainer: Trainer, net: Any, space: Any, targets: Tensor, folder: Path) -> Any:
    pair = [net.plan({"more": kept}, outputs=["head", "s1"]) for kept in (True, False)]
    return adn.step(trainer, IMAGES, targets, pair, alpha=0.3)


STEPS: Mapping[str, Step] = {
    "independent": Step(
        WIDE,
        lambda trainer, net, space, y, _: independent.step(trainer, IMAGES, y, plans(net, 4, 2)),
        lambda values, kind: labels_of_all(values, kind, (4, 2)),
    ),
    "us_net": Step(
        WIDE,
        lambda trainer, net, space, y, _: us_net.step(trainer, IMAGES, y, plans(net, 4, 2)),
        lambda values, kind: taught(values, kind, (2,)),
    ),
    "mutualnet": Step(
        WIDE,
        lambda trainer, net, space, y, _: mutualnet.step(trainer, IMAGES, y, plans(net, 4, 2)),
        lambda values, kind: taught(values, kind, (2,)),
    ),
    "tips": Step(
        WIDE,
        lambda trainer, net, space, y, _: tips.step(trainer, IMAGES, y, plans(net, 4, 2)),
        by_tips,
    ),
    "pss": Step(
        WIDE,
        lambda trainer, net, space, y, _: pss.step(trainer, IMAGES, y, plans(net, 4, 2, 2), WORLD),
        lambda values, kind: taught(values, kind, (2, 2)),
    ),
    "ofa": Step(WIDE, run_ofa, by_ofa),
    "awn": Step(
        ANY,
        lambda trainer, net, space, y, _: awn.step(trainer, IMAGES, y, plans(net, 4, 3, 2)),
        lambda values, kind: labels_of_all(values, kind, (4, 3, 2)),
    ),
    "adn": Step(DEEP, run_adn, by_adn),
    "early_exit": Step(
        EXITS,
        lambda trainer, net, space, y, folder: early_exit.step(
            trainer, IMAGES, y, net.plan("max", "all"), read_levels(folder / "ir.json")
        ),
        lambda values, kind: torch.stack([kind.loss(output, kind.targets) for output in exits(values)]).sum(),
    ),
    "inclusive": Step(
        NESTED,
        lambda trainer, net, space, y, folder: inclusive.step(
            trainer,
            IMAGES,
            y,
            inclusive.nested(net, space, "k", read_levels(folder / "ir.json")),
            read_levels(folder / "ir.json"),
        ),
        lambda values, kind: torch.stack([kind.loss(nested(values, k), kind.targets) for k in (1, 2)]).sum(),
    ),
    "inclusive_sparse": Step(
        SLICED,
        lambda trainer, net, space, y, folder: inclusive_sparse.step(
            trainer, IMAGES, y, net.plan("max", "all"), read_levels(folder / "ir.json")
        ),
        lambda values, kind: torch.stack([kind.loss(sliced(values, k), kind.targets) for k in (1, 2)]).sum(),
    ),
}


def spec(network: str, kind: Kind) -> str:
    """The spec of a network that ends in what the kind asks for."""
    choice = "choice k in 1..2\n" if " k" in network else ""
    body = network.replace("END", kind.end).replace("DENSE", kind.end[:-1] + ", connect=dense)").replace("; ", "\n  ")
    return f"{choice}supernet tiny {{\n  input image(2, 4, 4)\n  {kind.statement}\n  {body}\n}}\nmethod independent\n"


def test_every_kind_and_every_method_is_here() -> None:
    assert {*KINDS} == {kind.name for kind in output_kinds()} - {"free"}
    assert {*STEPS} == {*method_names()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", dict.fromkeys(step.network for step in STEPS.values()))
def test_a_step_is_the_step_by_hand(kind: str, network: str, tmp_path: Path) -> None:
    about = KINDS[kind]
    made = project(from_text(spec(network, about)), tmp_path)
    for name, step in STEPS.items():
        if step.network != network:
            continue
        torch.manual_seed(0)
        net: Any = made.model.Model()
        before = {key: value.detach().clone().requires_grad_() for key, value in net.named_parameters()}
        aliases = {k.removesuffix(".weight"): v for k, v in before.items() if k.endswith("conv.weight") or ".conv" in k}
        trainer = trainer_of(net, RATE, about.task)
        losses = step.call(trainer, net, made.modules["space"], about.targets, tmp_path)
        trainer.update()

        total = step.by_hand(before | aliases, about)
        found = losses[0] if isinstance(losses, tuple) else losses
        torch.testing.assert_close(torch.stack(list(found)).sum(), total.detach(), rtol=1e-5, atol=1e-6, msg=name)
        total.backward()  # type: ignore[no-untyped-call]
        moved = 0
        for key, value in net.named_parameters():
            gradient = before[key].grad
            wanted = before[key].detach() - (0 if gradient is None else RATE * gradient)
            assert torch.allclose(value.detach(), wanted, rtol=1e-5, atol=1e-6), f"{name} on {kind}: {key}"
            moved += not torch.equal(value.detach(), before[key].detach())
        assert moved == len(before), f"{name} leaves a parameter of {kind} as it was"
