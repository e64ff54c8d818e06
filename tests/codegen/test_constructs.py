"""Small networks that use what the paper networks do not: each against torch's counter and its own extracted twins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specc.cost.report import cost
from specc.passes.specialise import specialise
from tests.helpers.comparing import assert_plain, counted, relative, scramble
from tests.helpers.formatting import formatted
from tests.helpers.projects import assignments, from_text, image_shape, plain, project

STAGES = {
    "elastic kernel": "stage s { conv(8, kernel={3, 5, 7}); norm; relu; depthwise(kernel={3, 5}); norm }",
    "elastic kernel, dilated": "stage s { conv(8, kernel={1, 3, 5}, dilation=2, stride=2); norm; relu }",
    "kernels of a height and a width": "width per_group 0.5..1.0 round 2\n"
    "  stage s { oblong(8, [{3, 5}, 1]); norm; relu; oblong(8, [1, 7]); oblong(8, 3, stride=[2, 1])\n"
    "    depthwise(kernel=[{1, 3}, {3, 5}], dilation=[1, 2]); tall(8, {1, 3}); tall(8, 3) }",
    "pairs beside the kernel": "stage s { conv(8, kernel=[2, 4], padding=[0, 1], stride=[1, 3], dilation=[2, 1])\n"
    "    pool(avg, [1, 2], count_padding=no); maxpool([3, 1], stride=1, dilation=[2, 1]); conv(8, kernel={1, 3}) }",
    "maps of other sizes": "width per_group 0.5..1.0 round 2\n  stage s { conv(8, kernel=1); pixel_shuffle(2); norm\n"
    "    conv_transpose(8, kernel=[2, 3], stride=[2, 1]); norm; relu; pad(bottom=1, right=2, mode=reflect)\n"
    "    space_to_depth(1); upsample(size=[9, 12], mode=bilinear, align_corners=yes)\n"
    "    space_to_depth(3)\n"
    "    concat(conv(8, kernel=1), conv(4, kernel=1)); conv_transpose(12, kernel=3, groups=3, bias=yes); norm\n"
    "    conv(in * 2, kernel=3, groups=in) }",
    "a padding that is said": "stage s { conv(8, kernel={1, 3}, padding=0); norm; relu; pool(avg, size=2) }",
    "elastic expansion": "choice e in {2, 4}\n  stage s { part(8, e); part(8, e) }",
    "own expansion each": "stage s { part(8, {2, 3}); part(8, {2, 3}) }",
    "width per group": "width per_group 0.5..1.0 round 2\n  stage s { part(8, 2); conv(12, kernel=3); norm; hswish }",
    "any width": "width any 0.25..1.0\n  stage s { conv(20, kernel=3); norm; silu; conv(7, kernel=1) }",
    "groups of any width": "width any 0.25..1.0\n  stage s { conv(16, kernel=3, groups=4); norm; conv(24, kernel=1) }",
    "groups": "width per_group 0.5..1.0 round 4\n  stage s { conv(16, kernel=3, groups=4, bias=yes); norm; gelu }",
    "banks by width": "width uniform {0.5, 1.0} round 2\n  norm batch(bank=width)\n"
    "  stage s { conv(8, kernel=3); norm; relu }",
    "many banks": "width uniform 0.05..1.0 step 0.05\n  norm batch(bank=width)\n"
    "  stage s { conv(40, kernel=3); norm; relu }",
    "banks by skip": "norm batch(bank=skip)\n  stage s { part(8, 2); skippable { part(8, 2); part(8, 2) } }",
    "alternatives": "choice op in {three, five, pool}\n  stage s { when op == three { conv(8, kernel=3); norm }"
    " else { when op == five { conv(8, kernel=5) } else { pool(max, 3, stride=1) } }; relu }",
    "unlike alternatives": "choice wide in {0, 1}\n"
    "  stage s { when wide == 1 { conv(8, kernel=3); relu }; conv(8, kernel=1) }",
    "widening": "width per_group 0.5..1.0 round 2\n  stage s { pad_channels(12); conv(12, kernel=1); norm }",
    "shortcuts": "stage s { residual { conv(8, kernel=3); norm } shortcut { conv(8, kernel=1); norm }; relu\n"
    "    residual { conv(16, kernel=3, stride=2); relu6 } shortcut { pool(avg, 2); pad_channels(16) }; sigmoid }",
    "nested skips": "stage s { skippable outer { part(8, 2); skippable inner { part(8, 2) }; part(8, 2) } }",
    "depth and width": "width uniform {0.5, 1.0} round 2\n"
    "  stage s { repeat 1..3 { part(8, 3); conv(8, kernel=3); tanh } }",
    "pools": "stage s { pool(avg, 3, stride=2); pool(max, size=3); conv(8, kernel=3, dilation=2)\n"
    "    dropout(0.1); hsigmoid }",
    "activation first": "stage s { repeat 2 { residual { norm; relu; conv(8, kernel=3) } } }",
    "an empty stage": "stage e { }\n  stage s { conv(8, kernel=3) }",
    "named tensors": "stage s { a = conv(8, kernel=3); b = conv(8, kernel=5, from=stem); norm; relu\n"
    "    residual { relu(from=a); conv(8, kernel=1) }; residual { conv(8, kernel=3, from=b) } }",
    "a tensor carried through rounds": "stage s { h = conv(8, kernel=3); repeat 1..3 { conv(8, kernel=1)\n"
    "    residual { h = relu(from=h) } }; residual { tanh(from=h) } }",
    "a tensor from before": "stage s { part(8, 2) }\n  stage t { part(8, 3); residual { silu(from=stem) } }",
    "tensors of a block": "stage s { a = conv(8, kernel=3); skippable { mixed(a) } }",
    "a name on both sides": "choice op in {one, two}\n  stage s { when op == one { a = conv(8, kernel=3) }"
    " else { a = conv(8, kernel=5); relu }; residual { tanh(from=a) } }",
    "a kernel that may be none": "width per_group 0.5..1.0 round 2\n  stage s { either(8, {0, 3}); either(8, 5)\n"
    "    either(8, 3, 3, stride=2); either(8, {0, 3}, 3) }",
    "skipped activation": "stage s { conv(8, kernel=3); norm; skippable { relu }; conv(8, kernel=1) }",
}
HEADS = {
    "pooled": "pool(avg); linear(classes)",
    "flattened": "flatten; linear(24); norm(bank=shared); relu; linear(classes)",
}


def text(stage: str, head: str = HEADS["pooled"]) -> str:
    body = "\n  ".join(part.strip() for part in stage.split("\n"))
    lines = (
        "block part(out, expand) {\n  residual {\n    conv(in * expand, kernel=1)\n    norm\n    relu6\n"
        "    conv(out, kernel=3)\n    norm\n  }\n}\n"
        "block oblong(out, kernel, stride=1) {\n  conv(out, kernel=kernel, stride=stride)\n}\n"
        "block tall(out, k) {\n  conv(out, kernel=[k, 1])\n  conv(out, kernel=[1, k], bias=yes)\n}\n"
        "block either(out, start=0, middle=0, stride=1) {\n  when start > 0 {\n    when middle > 0 {\n"
        "      depthwise(kernel=max(start, 1))\n    } else {\n"
        "      depthwise(kernel=max(start, 1), stride=stride)\n    }\n    norm\n  }\n"
        "  when middle > 0 {\n    depthwise(kernel=middle, stride=stride)\n  }\n  conv(out, kernel=1)\n}\n"
        "block mixed(other) {\n  residual {\n    conv(8, kernel=1, from=other)\n  }\n}\n"
        f"supernet small {{\n  input image(3, 10, 10)\n  classes 4\n  norm batch\n  {body}\n  head {{ {head} }}\n}}\n"
    )
    stem = "stem { conv(8, kernel=3); norm(bank=shared); relu }"
    return lines.replace("  stage s", f"  {stem}\n  stage s").replace("; ", "\n")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("stage", STAGES)
def test_construct(stage: str, head: str, tmp_path: Path) -> None:
    spec = from_text(text(STAGES[stage], HEADS[head]))
    graph = spec.graph
    made = project(spec, tmp_path / "elastic")
    with torch.device("meta"):
        meta = made.model.Model().eval()
    net = made.model.Model().eval()
    scramble(net)
    x = torch.randn(3, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    for number, at in enumerate(assignments(graph, 4)):
        report = cost(graph, at)
        assert sum(p.numel() for p in net.parameters()) == report.params_total
        plan = net.plan(plain(graph, at)) if graph.choices else None
        assert counted(meta, image_shape(graph, at), plan) == report.macs
        if plan is None:
            continue
        static = project(spec, tmp_path / str(number), specialise(graph, at))
        assert_plain((static.folder / "model.py").read_text())
        twin = static.model.Model().eval()
        extracted = net.extract(plan, fold=False)
        twin.load_state_dict(extracted.state_dict())
        assert sum(p.numel() for p in twin.parameters()) == report.params
        with torch.no_grad():
            sliced = net(x, plan)
            for other, bar in ((twin, 1e-5), (extracted, 1e-5), (net.extract(plan), 1e-4)):
                assert relative(other(x), sliced) <= bar, at
            for share in (False, True):
                assert relative(net.fused(plan, share=share)(x), sliced) <= 1e-4, at
        net.train()
        net(x, plan).logsumexp(1).mean().backward()  # in-place operations leave autograd what it needs
        net.eval()
    assert formatted(tmp_path) == ""


TWO_INPUTS = """
supernet two {
  input left image(1, 8, 8);  input right image(3, resolution=8..12 step 4);  classes 4
  norm batch;  width uniform {0.5, 1.0} round 2
  stem { a = conv(8, kernel=3, from=left); norm; relu; pool(avg)
         conv(8, kernel=3, from=right); norm; relu; residual { conv(8, kernel=1) }; pool(avg)
         linear(8); residual { a = pool(avg, from=a); linear(8) } }
  head { linear(classes) }
}
"""


def test_a_network_of_two_inputs_takes_both(tmp_path: Path) -> None:
    made = project(from_text(TWO_INPUTS), tmp_path)
    net = made.model.Model().eval()
    left, right = torch.randn(2, 1, 8, 8), torch.randn(2, 3, 12, 12)
    for at in ("max", "min"):
        plan = net.plan(at)
        sliced = net(left, right, plan)
        assert sliced.shape == (2, 4)
        smaller = torch.nn.functional.interpolate(right, (8, 8), mode="bilinear", align_corners=False, antialias=True)
        for fold in (False, True):
            whole = made.extract.extract(net, plan, fold)(left, right if at == "max" else smaller)
            assert relative(sliced, whole) < 1e-5
