"""Parts that the language has no word for: which part it is, and that its class computes what the original does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from specc.importing.foreign import Around, File, Part, class_name, part_around
from specc.importing.layers import layers_of
from specc.importing.python import Code
from specc.importing.recognise import Unread, recognise
from specc.importing.rehearse import Rehearsal
from specc.importing.sources import Loaded
from specc.importing.trace import trace


class Channels(nn.Module):
    """A gate over every other channel, by a convolution of one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 1, 3))
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.conv1d(x.mean((2, 3)).view(len(x), 1, -1), self.weight, padding=2, dilation=2)
        y = y.view(len(x), -1, 1, 1).sigmoid()
        return self.norm(x * y.expand_as(x))  # type: ignore[no-any-return]


class Windows(nn.Module):
    """Attention in windows of 4 x 4, with a mask that it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.bias = nn.Parameter(torch.randn(2, 16, 16))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        mask = x.new_zeros(16, 16)
        mask[:8, 8:] = -5.0
        x = x.permute(0, 2, 3, 1).view(n, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
        q, k, v = self.qkv(x).reshape(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1) / 2 + self.bias + mask).softmax(-1)
        x = self.drop(self.proj((a @ v).transpose(1, 2).reshape(-1, 16, c)))
        return x.view(n, h // 4, w // 4, 4, 4, c).transpose(2, 3).reshape(n, h, w, c).permute(0, 3, 1, 2)


class Distances(nn.Module):
    """Attention by learned weights of distances, which are constants that are repeated for every image."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.place = nn.Linear(8, 8), nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        rows, columns = torch.arange(h), torch.arange(w)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2).float()
        apart = (places[None] - places[:, None])[None].expand(n, -1, -1, -1)
        a = self.place(apart).squeeze(-1).softmax(-1)
        return (a @ self.value(x.flatten(2).mT)).mT.reshape(n, c, h, w)  # type: ignore[no-any-return]


class Net(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.stem, self.part, self.head = nn.Conv2d(3, 8, 3, padding=1), part, nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.part(self.stem(x)).mean((2, 3)))  # type: ignore[no-any-return]


def part_of(net: nn.Module) -> tuple[Part, str, dict[str, str]]:
    """The part that stays what it is, the file of its class, and the states in it."""
    loaded = Loaded("net", net.eval())
    first = trace(loaded, ((3, 8, 8),))
    twin = trace(loaded, ((3, 8, 8),), batch=3).traced
    found = recognise(first.traced)
    assert isinstance(found, Unread)
    around = Around(first.traced, twin, layers_of(net), net.state_dict().keys())
    part, _, code = part_around(found.seen, found.node, around, found.together, Rehearsal(first.program, 2).holds)
    file = File("net_modules.py", "net")
    name = file.named(code, class_name(part))
    assert file.named(code, class_name(part)) == name
    return part, file.text(), dict(code.states)


@pytest.mark.parametrize("make", [Channels, Windows, Distances])
def test_a_module_stays_a_class(make: type[nn.Module]) -> None:
    net = Net(make())
    for name, value in net.named_buffers():
        if name.endswith(("mean", "var")):
            value.uniform_(0.5, 1.5)
    part, text, states = part_of(net)
    assert (part.path, part.name) == ("part", make.__name__)
    made: dict[str, type[nn.Module]] = {}
    exec(compile(text, "net_modules.py", "exec"), made)
    mine = made[make.__name__]()
    original = net.state_dict()
    mine.load_state_dict({ours.removeprefix("module."): original[theirs] for ours, theirs in states.items()})
    x = torch.randn(5, 8, 8, 8)
    for training in (False, True):
        mine.train(training)
        net.part.train(training)
        torch.manual_seed(0)
        wanted = net.part(x)
        torch.manual_seed(0)
        assert torch.allclose(mine(x), wanted, atol=1e-5)


class Gate(nn.Module):
    """A gate over every other channel, whose weights are those of one layer of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=2, dilation=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x.mean((2, 3)).view(len(x), 1, -1)).view(len(x), -1, 1, 1).sigmoid()
        return x * y.expand_as(x)  # type: ignore[no-any-return]


class Normed(Gate):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))  # type: ignore[no-any-return]


def test_a_layer_of_torch_stays_one_unless_it_is_all_that_a_module_holds() -> None:
    part, text, states = part_of(Net(Gate()))
    assert (part.path, part.name) == ("part", "Gate")
    assert "self.conv = nn.Conv1d(1, 1, 3, padding=2, dilation=2, bias=False)" in text
    assert states == {"module.conv.weight": "part.conv.weight"}
    part, text, states = part_of(Net(Normed()))
    assert (part.path, part.name) == ("part.conv", "Conv1d")
    assert list(states.values()) == ["part.conv.weight"]


def test_calls_of_a_functional_forward_are_a_part() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cumsum(self.stem(x), 3)
            return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]

    part, text, states = part_of(Net())
    assert [node.target for node in part.nodes] == ["aten.cumsum"]
    assert "class Cumsum(nn.Module)" in text
    assert "return x.cumsum(3)" in text
    assert not states


def test_a_layer_that_is_called_twice_is_one_part_with_what_is_between() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.twice, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.twice(torch.relu(self.twice(self.stem(x))))
            return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]

    part, text, states = part_of(Net())
    assert [node.target for node in part.nodes] == ["aten.conv2d", "aten.relu", "aten.conv2d"]
    assert text.count("nn.Conv2d(8, 8, 3, padding=1)") == 1
    assert sorted(states.values()) == ["twice.bias", "twice.weight"]


def test_names_of_parts_are_free() -> None:
    file = File("net_modules.py", "net")
    names = [file.named(Code(f"    body{i}\n", {}, 0), "Attention") for i in (0, 1, 2, 1)]
    assert names == ["Attention", "Attention2", "Attention3", "Attention2"]
