"""The moving average of the weights: torch's own class, held to the definition number by number."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from specc.runtime.train.checkpoint import check_checkpoint
from specc.runtime.train.trainer import Average


def network() -> nn.Module:
    """Weights, statistics, a count, a mask that no state holds, and a memory format."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)).to(memory_format=torch.channels_last)
    net.register_buffer("mask", (torch.rand(4) > 0.5).float(), persistent=False)
    return net


def moved(net: nn.Module) -> None:
    with torch.no_grad():
        for value in net.state_dict().values():
            value.add_(1 if not value.is_floating_point() else torch.randn_like(value))


def by_definition(mine: dict[str, Tensor], theirs: dict[str, Tensor], update: int, decay: float) -> None:
    rate = min(decay, (1 + update) / (10 + update))
    for name, value in theirs.items():
        mine[name] = mine[name].lerp(value, 1 - rate) if value.is_floating_point() else value.clone()


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_every_update_is_that_of_the_definition_bit_for_bit(decay: float) -> None:
    """And of a run that goes on from what was saved after eleven updates."""
    net = network()
    average = Average(net, decay)
    wanted = {name: value.clone() for name, value in net.state_dict().items()}
    for update in range(25):
        if update == 11:
            saved = copy.deepcopy(average.state())
            average = Average(network(), decay)
            average.module.load_state_dict(saved["net"])
            average.updates = saved["updates"]
        moved(net)
        average.update_parameters(net)
        by_definition(wanted, net.state_dict(), update, decay)
        assert average.updates == update + 1
        found = average.state()["net"]
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())
    assert torch.equal(average.module.get_buffer("mask"), net.get_buffer("mask"))
    assert found["0.weight"].is_contiguous(memory_format=torch.channels_last)
    assert not any(value.requires_grad for value in average.parameters())


def test_what_a_checkpoint_keeps_of_it_is_what_it_kept_before_it_was_torchs() -> None:
    """The network's own names, and a count: no `module.` before them, no `n_averaged`."""
    net = network()
    average = Average(net, 0.9)
    state = average.state()
    assert state.keys() == {"net", "updates"}
    assert state["net"].keys() == net.state_dict().keys()
    assert state["updates"] == 0
    assert check_checkpoint({"net": net.state_dict(), "average": state})["average"] is state
