"""What the code of networks of several tensors looks like: parts with several inputs and outputs, sizes in runs."""

from __future__ import annotations

from pathlib import Path

import torch

from specc.cost.report import cost
from specc.passes.specialise import specialise
from tests.helpers.checks import check, text_of
from tests.helpers.projects import files_of, from_text, project


def model_of(text: str) -> str:
    return files_of(from_text(text))["model.py"]


def test_a_part_may_give_one_half_of_a_split(tmp_path: Path) -> None:
    """The last statement of the stage gives two tensors, of which the head reads one."""
    stage = "stage a { conv(12, kernel=1, width=fixed); (l, r) = split(2) }"
    text = text_of(stage, head="conv(4, kernel=1, from=l); pool(avg); linear(classes)")
    check(text, tmp_path)
    assert "l, r = x.chunk(2, 1)\n        return l\n" in model_of(text)


def test_a_block_called_on_one_run_and_on_many_is_one_class() -> None:
    text = model_of(
        text_of("stage a { b(6); concat(here, stem); b(6) }", blocks="block b(out) { conv(out, kernel=3); norm }")
    )
    assert "def __init__(self, in_: Size, out: Size) -> None:" in text
    assert "self.conv = SegmentedConv2d(in_, out, 3, padding=1, bias=False)" in text
    assert "self.b1 = B(stem_width, a_width)" in text
    assert 'self.b2 = B((a_width, stem_width), choice("a.b2.conv.width"))' in text


def test_a_block_called_on_one_run_only_has_plain_layers() -> None:
    blocks = "block b(out) { conv(out, kernel=3); norm }\nblock c(out) { conv(out, kernel=3) }"
    text = model_of(text_of("stage a { b(6); b(4); concat(here, stem); c(6) }", blocks=blocks))
    assert "self.conv = Conv2d(in_, out, 3, padding=1, bias=False)" in text
    assert "self.b1 = B(stem_width, a_width)" in text
    assert "self.conv = SegmentedConv2d(in_, out, 3, padding=1, bias=False)" in text[text.index("class C(") :]


def test_a_stage_takes_only_what_it_uses() -> None:
    text = model_of(text_of("stage a { concat(here, conv(6, kernel=1)); norm; conv(4, kernel=1) }"))
    assert "self.norm = SegmentedBatchNorm2d((stem_width, a_width))" in text
    stage = text[text.index("class A(") :]
    assert stage[stage.index("def __init__") :].startswith("def __init__(self) -> None:")


def test_a_static_network_has_plain_layers_only() -> None:
    text = model_of(
        text_of("stage a { concat(here, conv(6, kernel=1)); norm; (l, r) = split(2); add(l, r) }", "norm batch")
    )
    assert "self.norm = nn.BatchNorm2d(14)" in text
    assert "l, r = x.chunk(2, 1)" in text
    assert "elastic" not in text


def test_a_stage_of_many_inputs(tmp_path: Path) -> None:
    """More than there are single letters for."""
    stages = "; ".join(f"stage s{i} {{ conv({4 + 2 * i}, kernel=1, from=stem) }}" for i in range(1, 9))
    joined = ", ".join(f"s{i}" for i in range(1, 9))
    check(text_of(f"{stages}; stage all {{ concat({joined}); norm; relu }}"), tmp_path)


def test_several_tensors_leave_and_enter_a_stage(tmp_path: Path) -> None:
    check(
        text_of(
            """stage a { p = conv(6, kernel=3); q = conv(8, kernel=3, stride=2); r = conv(4, kernel=3) }
            stage b {
                concat(upsample(2, from=q), p); conv(14, kernel=1)
                skippable { residual { conv(14, kernel=1); norm } }
            }
            stage c {
                conv(4, kernel=1)
                add(here, upsample(2, from=r), upsample(2, from=conv(4, kernel=1, from=q)))
            }"""
        ),
        tmp_path,
    )


def test_overwriting_keeps_what_is_read_later(tmp_path: Path) -> None:
    """The norm's output is read by its activation, which could overwrite it, and by the sum after that."""
    made = project(
        from_text(
            text_of(
                "stage a { n = norm; r = relu(from=n); s = relu(from=n); add(r, n, s); add(here, n) }", "norm batch"
            )
        ),
        tmp_path,
    )
    net = made.model.Model().eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        stem = net.stem(x)
        n = net.a.norm(stem) if hasattr(net.a, "norm") else net.a.n(stem)
        assert torch.allclose(net.a(stem), 2 * n.relu() + 2 * n)


def test_a_stage_of_several_tensors_can_be_asked_for(tmp_path: Path) -> None:
    """The end of stage a, which gives two tensors more, is read by nothing but the request."""
    text = text_of(
        """stage a { p = conv(6, kernel=3); q = conv(8, kernel=3); conv(4, kernel=3) }
        stage b { concat(p, q); norm; relu }"""
    )
    made = project(from_text(text), tmp_path)
    net = made.model.Model().eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        found = net(x, net.plan(outputs=("a", "b", "head")))
        stem = net.stem(x, net.plan().stem)
        p = net.a.p(stem)
        q = net.a.q(p)
        (end,) = (layer(q) for name, layer in net.a.named_children() if name not in ("p", "q"))
    assert torch.equal(found["a"], end)
    assert torch.equal(found["b"], torch.relu(net.b.norm(torch.cat((p, q), 1))))
    assert torch.equal(found["head"], net(x))


def test_some_choices_of_a_concatenation_may_be_bound(tmp_path: Path) -> None:
    """What is left of the network is elastic in the others, and allocates no more than it can use."""
    spec = from_text(text_of("stage a { concat(here, conv(6, kernel=1)); norm; relu; conv(4, kernel=1) }"))
    graph = specialise(spec.graph, {"a.conv1.width": 2})
    net = project(spec, tmp_path, graph).model.Model()
    at = {choice.name: choice.largest for choice in graph.choices}
    assert net.a.norm.num_features == 10
    assert sum(p.numel() for p in net.parameters()) == cost(graph, at).params_total == cost(graph, at).params
    assert cost(graph, at).macs == cost(spec.graph, {**at, "a.conv1.width": 2}).macs
