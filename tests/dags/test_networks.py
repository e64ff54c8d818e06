"""Generated networks that are no chains: costs, sliced against bound, and whole networks sliced by hand."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.shufflenetv2 import channel_shuffle

from specc.cost.report import cost
from tests.helpers.checks import check, check_training, text_of
from tests.helpers.comparing import scramble
from tests.helpers.projects import assignments, from_text, plain, project

DENSE = """
block layer(growth) { norm; relu; conv(4 * growth, kernel=1); norm; relu; conv(growth, kernel=3) }
block transition { norm; relu; conv(floor(in / 2), kernel=1, width=own); pool(avg, 2) }
"""
NETWORKS = {
    "a concatenation and what reads it": text_of(
        """stage a {
            a = conv(12, kernel=3); b = conv(6, kernel=1, from=stem); c = conv(10, kernel=3, from=stem)
            both = concat(a, b, c)
            conv(8, kernel=3); norm; relu
            concat(here, both); norm; relu; depthwise(kernel=3, bias=yes); norm; conv(16, kernel=1, bias=yes)
        }"""
    ),
    "groups over runs": text_of(
        """stage a {
            concat(conv(8, kernel=1), conv(12, kernel=1)); conv(40, kernel=3, groups=10); norm; relu
            conv(6, kernel=1); concat(here, stem, conv(4, kernel=1, width=fixed)); norm
        }"""
    ),
    "flattened runs": text_of(
        "stage a { concat(conv(4, kernel=3, stride=2), conv(6, kernel=3, stride=2)); pool(max, 2) }",
        head="flatten; linear(24, width=own); relu; linear(classes)",
    ),
    "fixed parts between elastic ones": text_of(
        """stage a {
            concat(conv(4, kernel=1, width=fixed), here, conv(6, kernel=1, width=fixed), conv(4, kernel=1)); norm; relu
            conv(8, kernel=3)
        }"""
    ),
    "dense blocks": text_of(
        """stage a { repeat 3 { concat(here, layer(4)) }; transition }
        stage b { repeat 2 { concat(here, layer(4)) }; norm; relu }""",
        blocks=DENSE,
    ),
    "banks on runs": text_of(
        "stage a { repeat 2 { concat(here, layer(4)) }; norm; relu }",
        settings="norm batch(bank=width); width uniform {0.5, 0.75, 1.0} round 2",
        blocks=DENSE,
    ),
    "layer norms of runs": text_of(
        "stage a { repeat 2 { concat(here, layer(4)) }; norm; relu; depthwise(kernel=3); norm(bank=width) }",
        settings="norm layer; width uniform {0.5, 0.75, 1.0} round 2",
        head="pool(avg); norm; linear(classes)",
        blocks=DENSE,
    ),
    "group norms of runs": text_of(
        """stage a { concat(here, conv(12, kernel=1)); norm; relu; conv(8, kernel=1); norm(groups=2) }
        stage b {
            concat(here, a, conv(4, kernel=3)); norm(groups=10, bank=keep)
            skippable keep { relu; norm(groups=5) }
        }
        stage c { conv(6, kernel=1); norm(groups=3) }""",
        settings="norm group(groups=10); width per_group 0.5..1.0 round 2",
    ).replace("norm; relu }\n  stage a", "norm(groups=2); relu }\n  stage a"),
    "tokens": """supernet net {
      input image(3, 8, 8); classes 5
      norm layer; width per_group 0.5..1.0 round 4
      stem { patch_embed(4, dim=8) }
      stage a {
        concat(here, linear(12)); norm; linear(8); both = concat(here, linear(8)); shuffle(2); linear(12)
        (p, q) = split(2, from=both); add(p, q); scale(here, sigmoid(from=take(mean))); linear(8)
      }
      head { take(mean); linear(classes) }
    }""",
    "runs of one width": text_of(
        "stage a { repeat 2 { concat(here, layer(4)) }; norm; relu; conv(10, kernel=1) }",
        settings="norm batch; width any 0.3..1.0",
        blocks=DENSE,
    ),
    "an elastic kernel on runs": text_of("stage a { concat(here, conv(4, kernel=1)); conv(8, kernel={1, 3, 5}) }"),
    "a split where runs end": text_of(
        """stage a {
            concat(conv(6, kernel=1), conv(6, kernel=1)); norm; relu; (l, r) = split(2)
            r = conv(4, kernel=3, from=r); l = relu(from=l); concat(l, r, stem)
            conv(4, kernel=1)
        }"""
    ),
    "a fixed split of which a part is left": text_of(
        "stage a { conv(12, kernel=1, width=fixed); (p, q, r) = split(3); add(p, r); norm; relu }"
    ),
    "sums": text_of(
        """stage a {
            a = conv(8, kernel=1); b = conv(8, kernel=3, from=stem); c = norm(from=b); d = relu(from=a)
            add(stem, a, b, c, d); conv(8, kernel=1); add(here, here); add(here, conv(8, kernel=1))
        }"""
    ),
    "gates": text_of(
        """stage a { conv(12, kernel=3); scale(here, gate(4)); relu }
        stage b { pool(avg); v = linear(6, width=own); scale(v, sigmoid(from=v)) }""",
        blocks="block gate(n) { pool(avg); linear(n, width=own); relu; linear(12); sigmoid }",
        head="linear(classes)",
    ),
    "up and down": text_of(
        """stage a { conv(8, kernel=3, stride=2); upsample(2) }
        stage c { conv(6, kernel=3, stride=4); u = upsample(4, mode=bilinear); concat(u, a, stem); norm }"""
    ),
    "stochastic depth": text_of(
        "stage a { repeat 3 as i { residual { conv(8, kernel=3); norm; drop_path(0.1 * i) }; relu } }"
    ),
    "shuffled channels": text_of(
        """stage a { concat(conv(6, kernel=1), conv(6, kernel=1)); shuffle(2); norm; relu; conv(8, kernel=3) }
        stage b { conv(12, kernel=1, width=fixed); shuffle(3); conv(6, kernel=1) }"""
    ),
    "a block of several tensors": text_of(
        """stage a {
            x2 = conv(6, kernel=1); x3 = conv(4, kernel=1)
            meet(x2, stem); skippable { meet2(here, x3) }
            add(x3, conv(4, kernel=1))
        }""",
        blocks="block meet(a, b) { concat(a, b); norm; relu; conv(6, kernel=3) }\n"
        "block meet2(a, b) { concat(a, b, conv(2, kernel=1, from=b)); norm; relu; conv(6, kernel=3) }",
    ),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_one_in_all_its_forms(name: str, tmp_path: Path) -> None:
    spec, _, network = check(NETWORKS[name], tmp_path)
    net: Any = network
    at = assignments(spec.graph, 1)[-1]
    present = {row.name for row in cost(spec.graph, at).ops if row.params}
    check_training(net, net.plan(plain(spec.graph, at)), torch.randn(3, 3, 8, 8), present)


SLICED = text_of(
    """stage a {
        a = conv(6, kernel=3); b = conv(10, kernel=1, from=stem); concat(a, b); norm; relu
        depthwise(kernel=3); conv(12, kernel=3); concat(here, b)
    }""",
    head="pool(avg); linear(classes)",
)


def chosen(norm: Any, kept: Tensor, x: Tensor, training: bool) -> Tensor:
    """A norm on some of its channels; in train mode its running statistics are updated there."""
    mean, var = norm.running_mean[kept], norm.running_var[kept]
    y = F.batch_norm(x, mean, var, norm.weight[kept], norm.bias[kept], training, 0.1)
    norm.running_mean[kept], norm.running_var[kept] = mean, var
    return y


def by_hand(net: Any, at: Mapping[str, Any], x: Tensor, training: bool) -> Tensor:
    """The network of `SLICED`, its weights sliced run by run: a's 6 channels, b's 10, the last convolution's 12."""
    first, a, b, last = (at[name] for name in ("stem.conv.width", "a.a.width", "a.b.width", "a.conv.width"))
    both = torch.tensor([*range(a), *range(6, 6 + b)])
    end = torch.tensor([*range(last), *range(12, 12 + b)])
    stem = F.conv2d(x, net.stem.conv.weight[:first], None, 1, 1)
    stem = chosen(net.stem.norm, torch.arange(first), stem, training).relu()
    left = F.conv2d(stem, net.a.a.weight[:a, :first], None, 1, 1)
    right = F.conv2d(stem, net.a.b.weight[:b, :first])
    y = chosen(net.a.norm, both, torch.cat((left, right), 1), training).relu()
    y = F.conv2d(y, net.a.depthwise.weight[both], None, 1, 1, 1, a + b)
    y = F.conv2d(y, net.a.conv.weight[:last][:, both], None, 1, 1)
    pooled = torch.cat((y, right), 1).mean((2, 3))
    return F.linear(pooled, net.head.linear.weight[:, end], net.head.linear.bias)


@pytest.mark.parametrize("training", [False, True])
def test_a_network_equals_what_a_person_would_slice(training: bool, tmp_path: Path) -> None:
    spec = from_text(SLICED)
    net = project(spec, tmp_path).model.Model().train(training)
    scramble(net)
    x = torch.randn(4, 3, 8, 8)
    for at in assignments(spec.graph, 4):
        before = copy.deepcopy(net.state_dict())
        with torch.no_grad():
            answer = net(x, net.plan(at))
            after = copy.deepcopy(net.state_dict())
            net.load_state_dict(before)
            expected = by_hand(net, at, x, training)
        assert torch.allclose(answer, expected, atol=1e-5)
        for name, tensor in net.state_dict().items():
            if "num_batches" not in name:
                assert torch.allclose(tensor, after[name], atol=1e-6), name


def test_calibration_measures_the_runs_in_use(tmp_path: Path) -> None:
    """The statistics of the one batch that is seen: eval mode then does what train mode does."""
    made = project(from_text(SLICED), tmp_path)
    net = made.model.Model()
    scramble(net)
    x = torch.randn(16, 3, 8, 8)
    plan = made.calibrate.calibrate(net, net.plan("min"), [x])  # type: ignore[union-attr]
    with torch.no_grad():
        assert torch.allclose(net.eval()(x, plan), net.train()(x, net.plan("min")), atol=1e-2)
        assert torch.equal(net.eval().extract(plan, fold=False)(x), net(x, plan))


def stages_output(stage: str, folder: Path, x: Tensor) -> Tensor:
    """What a stage without weights makes of an image."""
    head = "linear(classes)" if "v =" in stage else "pool(avg); linear(classes)"
    text = f"supernet net {{ input image(12, 4, 4); classes 2; stage a {{ {stage} }}; head {{ {head} }} }}"
    net = project(from_text(text), folder).model.Model().eval()
    found: Tensor = net.a(x)
    return found


def test_operators_of_several_tensors_are_torchs(tmp_path: Path) -> None:
    x = torch.randn(2, 12, 4, 4)
    cases = {
        "shuffle(2)": channel_shuffle(x, 2),
        "shuffle(3)": channel_shuffle(x, 3),
        "(a, b, c) = split(3); concat(c, a, b)": torch.cat((x[:, 8:], x[:, :4], x[:, 4:8]), 1),
        "(a, b) = split(2); add(a, b, a)": 2 * x[:, :6] + x[:, 6:],
        "upsample(2)": x.repeat_interleave(2, 2).repeat_interleave(2, 3),
        "upsample(3, mode=bilinear)": F.interpolate(x, scale_factor=3, mode="bilinear", align_corners=False),
        "scale(here, pool(avg))": x * x.mean((2, 3), keepdim=True),
        "v = pool(avg); scale(v, sigmoid(from=v))": x.mean((2, 3)) * x.mean((2, 3)).sigmoid(),
    }
    for number, (stage, expected) in enumerate(cases.items()):
        assert torch.allclose(stages_output(stage, tmp_path / str(number), x), expected, atol=1e-6), stage
