"""Parallel branches: one grouped operation is the sum, or the row, of branches computed one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.helpers.comparing import counted, scramble
from tests.helpers.steps import drawn, generated, moved, snapshot, trainer_of

torch.set_num_threads(1)

BODIES = {
    "sum": "sum { conv(3, kernel=1); norm(bank=k); relu; conv(5, kernel=3); norm(bank=k); relu; conv(6, kernel=1) }",
    "concat": "concat { conv(3, kernel=1); norm(bank=k); relu; conv(5, kernel=3); norm(bank=k); relu\n"
    "    conv(6, kernel=1) }",
    "sum with biases": "sum { conv(3, kernel=1); norm(bank=k); relu; conv(5, kernel=3); norm(bank=k); relu\n"
    "    conv(6, kernel=1, bias=yes); tanh }",
}
BRANCHES = 4


def spec(body: str) -> str:
    return f"""
choice k in 1..2
supernet branchy {{
  input image(2, 6, 6); classes 3
  norm batch
  stem {{ conv(8, kernel=3) }}
  stage s1 {{ branches {BRANCHES} by k {body} }}
  head by k {{ pool(avg); linear(classes) }}
}}
method inclusive
"""


def one_branch(net: nn.Module, x: Tensor, i: int, bank: int, body: str) -> Tensor:
    """What branch i makes of the common input, from its own rows and columns of the weights."""
    values = {**dict(net.named_parameters()), **dict(net.named_buffers())}

    def norm(x: Tensor, name: str, c: int) -> Tensor:
        own, bank_of = slice(i * c, (i + 1) * c), f"s1.{name}.{bank}"
        mean, var = values[f"{bank_of}.running_mean"][own], values[f"{bank_of}.running_var"][own]
        return F.relu(F.batch_norm(x, mean, var, values[f"{bank_of}.weight"][own], values[f"{bank_of}.bias"][own]))

    x = norm(F.conv2d(x, values["s1.conv1.weight"][3 * i : 3 * i + 3]), "norm1", 3)
    x = norm(F.conv2d(x, values["s1.conv2.weight"][5 * i : 5 * i + 5], padding=1), "norm2", 5)
    last, bias = values["s1.conv3.weight"], values.get("s1.conv3.bias")
    if body == "sum":
        return F.conv2d(x, last[:, 5 * i : 5 * i + 5])
    x = F.conv2d(x, last[6 * i : 6 * i + 6], None if bias is None else bias[6 * i : 6 * i + 6])
    return torch.tanh(x) if "tanh" in BODIES[body] else x


@pytest.mark.parametrize("body", BODIES)
def test_branches_together_are_branches_one_by_one(body: str, tmp_path: Path) -> None:
    net, space = generated(spec(BODIES[body]), tmp_path)
    scramble(net.eval())
    x = drawn(3, 2, 6, 6)
    with torch.no_grad():
        stem = net.stem(x)
        for k in (1, 2):
            parts = [one_branch(net, stem, i, k - 1, body) for i in range(BRANCHES * k // 2)]
            wanted = torch.cat(parts, 1) if body == "concat" else sum(parts[1:], parts[0])
            plan = net.plan({"k": k}, outputs=("s1",))
            torch.testing.assert_close(net(x, plan)["s1"], wanted, rtol=1e-4, atol=1e-5)
    meta = net.to("meta")
    for k in (1, 2):
        assert counted(meta, (2, 6, 6), net.plan({"k": k})) == space.macs({"k": k})


def test_a_sub_networks_norms_are_its_own(tmp_path: Path) -> None:
    """I-ResNeXt: training the first k branches moves bank k of every norm and head k, and no other."""
    net, _ = generated(spec(BODIES["sum"]), tmp_path)
    for k in (1, 2):
        before = snapshot(net.train())
        trainer = trainer_of(net)
        for plan in trainer.passes([net.plan({"k": k})]):
            loss = trainer.criterion(trainer.forward(drawn(6, 2, 6, 6), plan), torch.tensor([0, 1, 2, 0, 1, 2]))
            trainer.backward(loss)
        trainer.update()
        touched = moved(net, before)
        banks = {name for name in touched if ".norm" in name}
        assert banks
        assert all(f".{k - 1}." in name for name in banks)
        assert {name.split(".")[0] for name in touched if name.startswith("head")} == {f"head{k}"}
