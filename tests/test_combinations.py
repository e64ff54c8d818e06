"""Every elastic dimension with every construct: what makes sense is a network whose sliced and bound forms agree and
whose cost is torch's own count; what does not is reported, by the rule that says why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.cost.report import cost
from specc.ir.expr import Option
from specc.passes.specialise import specialise
from specc.pipeline import Compiled
from specc.runtime.verify import macs, size
from tests.helpers.comparing import assert_plain, relative, scramble
from tests.helpers.networks import reported
from tests.helpers.projects import assignments, from_text, image_shape, plain, project

RANDOM = 2

ELASTIC: Mapping[str, str] = {
    "nothing": "input image(3, 8, 8); norm batch",
    "width per group": "input image(3, 8, 8); norm batch; width per_group 0.5..1.0 round 4",
    "width uniform": "input image(3, 8, 8); norm batch(bank=width); width uniform {0.5, 1.0} round 4",
    "width any": "input image(3, 8, 8); norm batch; width any 0.25..1.0",
    "width by": "input image(3, 8, 8); choice k in 1..4; norm batch(bank=k); width by k",
    "resolution": "input image(3, resolution={6, 8, 12}); norm batch",
}
"""What a network may be elastic in as a whole."""

STAGES: Mapping[str, str] = {
    "skippable": "skippable { residual { conv(32, kernel=3); norm; relu; conv(16, kernel=1); norm } }",
    "skip-aware norms": "norm batch(bank=skip); conv(16, kernel=3); norm; skippable { conv(16, kernel=3); norm; relu }",
    "depth": "repeat 1..3 { conv(16, kernel=3); norm; relu }",
    "kernel": "conv(24, kernel={3, 5}); norm; relu; depthwise(kernel={3, 5, 7}); norm",
    "expansion": "residual { conv(in * {2, 3}, kernel=1); norm; relu; conv(16, kernel=3) }",
    "residual or not": "choice adds in {no, yes}; choice short in {no, yes}\n"
    "residual(when adds) { conv(16, kernel=3); norm } shortcut when short { conv(16, kernel=1) }; relu",
    "groups": "conv(16, kernel=3, groups=4); norm; relu; conv(32, kernel=3, groups=4)",
    "operator": "choice op in {dense, deep, none}; when op == dense { conv(16, kernel=3); norm }\n"
    "else when op == deep { depthwise(kernel=3) } else { maxpool(3, stride=1) }",
    "squeeze-excite": "conv(32, kernel=1); relu; squeeze_excite(divisible(in / 4, 4)); conv(16, kernel=1)",
    "stochastic depth": "residual { conv(16, kernel=3); norm; drop_path(0.5) }",
    "joined maps": "a = conv(16, kernel=1); b = conv(8, kernel=3, from=stem); concat(a, b); norm; relu\n"
    "conv(16, kernel=3)",
    "split and shuffled": "conv(32, kernel=1, width=fixed); (l, r) = split(2)\n"
    "conv(16, kernel=3, width=fixed, from=r); concat(l, here); shuffle(2); conv(16, kernel=1)",
    "two sizes": "low = conv(16, kernel=3, stride=2); conv(16, kernel=3, from=stem); pool(avg, 2)\n"
    "residual { relu(from=low) }",
    "branches": "branches 4 concat { conv(4, kernel=1); norm; relu; conv(4, kernel=3) }",
    "summed branches": "branches 4 sum { conv(4, kernel=1); norm; relu; conv(4, kernel=3); conv(16, kernel=1) }",
    "branches by a choice": "choice n in {2, 4}\n"
    "branches 4 by n sum { conv(4, kernel=1); norm; relu; conv(16, kernel=1) }",
    "exits and sub-paths": "skippable { residual { conv(16, kernel=3); norm } }\n"
    "exit early { pool(avg); linear(classes) }; skippable { residual { conv(16, kernel=3); norm } }",
    "blocks": "norm; relu; conv(32, kernel=1, connect=triangular(4)); conv(16, kernel=1, connect=diagonal(4))",
    "triangular": "conv(24, kernel=3, connect=triangular); norm; relu",
    "exit": "conv(16, kernel=3); norm; relu; exit early { pool(avg); linear(classes) }; conv(32, kernel=3); norm; relu",
}
"""What may stand in a stage. 16 channels arrive."""

TOKENS: Mapping[str, str] = {
    "skippable": "repeat 2 { encoder(heads=4, mlp=32) }; skippable { encoder(heads=4, mlp=32) }",
    "skip-aware norms": "norm layer(bank=skip); encoder(heads=4, mlp=32); skippable { encoder(heads=4, mlp=32) }",
    "depth": "repeat 1..3 { encoder(heads=4, mlp=32) }",
    "stochastic depth": "encoder(heads=4, mlp=32, drop_path=0.5)",
    "expansion": "encoder(heads=4, mlp=in * {2, 3})",
    "operator": "choice op in {few, many}; when op == few { attention(2) } else { attention(8) }",
    "exit": "encoder(heads=4, mlp=32); exit early { norm; take(class_token); linear(classes) }\n"
    "encoder(heads=4, mlp=32)",
}
"""What may stand in a stage of a transformer. Five tokens of 16 features arrive."""

HEADS: Mapping[str, str] = {
    "pooled": "head { pool(avg); linear(classes) }",
    "flattened": "head { flatten; linear(24); norm(bank=shared); relu; linear(classes) }",
    "by k": "head by k { norm(bank=shared); relu; pool(avg); linear(classes) }",
}
ANY_HEAD = "head { pool(avg); linear(classes, connect=dense) }"
CONVS = "conv(16, kernel=3); norm; relu"

WIDTHS_FOR_CHANNELS = "triangular-widths"
REFUSED: Mapping[tuple[str, str], str] = {
    **{(elastic, "triangular"): WIDTHS_FOR_CHANNELS for elastic in ELASTIC if elastic != "width any"},
    **{(e, "blocks"): WIDTHS_FOR_CHANNELS for e in ("width per group", "width uniform", "width any")},
    **{("resolution", f"tokens: {stage}"): "position-elastic-tokens" for stage in TOKENS},
    ("width by", "tokens: operator"): "bad-size-at-option",
    ("resolution", "head: flattened"): "flatten-elastic-size",
}
"""What makes no sense, and the rule that says so."""


def supernet(elastic: str, stem: str, stage: str, head: str) -> str:
    inside = stage.replace("; ", "\n    ").replace("\n", "\n    ")
    return (
        "import std.squeeze_excite\nimport std.vit\n"
        f"supernet small {{\n  {elastic}; classes 4\n  stem {{ {stem} }}\n"
        f"  stage s {{\n    {inside}\n  }}\n  {head}\n}}\n"
    )


def check(written: str, folder: Path) -> None:
    """Parameters, MACs, and the answers of the sliced network and of its bound copies at several sub-networks."""
    spec = from_text(written)
    graph = spec.graph
    net = project(spec, folder / "elastic").model.Model().eval()
    scramble(net)
    drawn = assignments(graph, RANDOM)
    assert sum(p.numel() for p in net.parameters()) == cost(graph, drawn[0]).params_total
    for at in drawn:
        shape, expected = image_shape(graph, at), cost(graph, at)
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
        if not graph.choices:
            assert macs(net, [x]) == expected.macs
            continue
        plan = net.plan(plain(graph, at))
        extracted = net.extract(plan, fold=False)
        with torch.no_grad():
            assert (macs(extracted, [x]), size(extracted)) == (expected.macs, expected.params), at
            assert relative(extracted(x), net(x, plan)) <= 1e-5, at
    if graph.choices:
        check_static(spec, net, drawn[-1], folder)
    net.train()
    net(torch.randn(3, *image_shape(graph, drawn[0]))).logsumexp(1).mean().backward()


def check_static(spec: Compiled, net: Any, at: Mapping[str, Option], folder: Path) -> None:
    """The copy with folded norms, and the network that the compiler makes of a bound graph."""
    graph, plan = spec.graph, net.plan(plain(spec.graph, at))
    made = project(spec, folder / "static", specialise(graph, at))
    if all(op.connection.kind == "dense" for op in graph.ops):
        assert_plain((made.folder / "model.py").read_text())
    twin = made.model.Model().eval()
    twin.load_state_dict(net.extract(plan, fold=False).state_dict())
    x = torch.randn(3, *image_shape(graph, at), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        sliced = net(x, plan)
        assert relative(twin(x), sliced) <= 1e-5
        assert relative(net.extract(plan)(x), sliced) <= 1e-4


def settle(written: str, rule: str | None, folder: Path) -> None:
    if rule is None:
        check(written, folder)
    else:
        assert set(reported(written)) == {rule}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("elastic", ELASTIC)
def test_maps(elastic: str, stage: str, tmp_path: Path) -> None:
    written = supernet(
        ELASTIC[elastic], f"{CONVS.replace('norm', 'norm(bank=shared)')}", STAGES[stage], HEADS["pooled"]
    )
    settle(written, REFUSED.get((elastic, stage)), tmp_path)


@pytest.mark.parametrize("stage", TOKENS)
@pytest.mark.parametrize("elastic", ELASTIC)
def test_tokens(elastic: str, stage: str, tmp_path: Path) -> None:
    setting = ELASTIC[elastic].replace("norm batch", "norm layer")
    stem, head = (
        "patch_embed(4, dim=16); class_token; position",
        "head { norm(bank=shared); take(class_token); linear(classes) }",
    )
    settle(supernet(setting, stem, TOKENS[stage], head), REFUSED.get((elastic, f"tokens: {stage}")), tmp_path)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("elastic", ELASTIC)
def test_heads(elastic: str, head: str, tmp_path: Path) -> None:
    choice = "" if elastic == "width by" or head != "by k" else "choice k in 1..2; "
    setting = choice + ELASTIC[elastic]
    settle(supernet(setting, CONVS, CONVS, HEADS[head]), REFUSED.get((elastic, f"head: {head}")), tmp_path)


# --- methods and what they train ----------------------------------------------------------------------

SKIP = "conv(16, kernel=3); norm; skippable { residual { conv(16, kernel=3); norm } }"
NETWORKS: Mapping[str, tuple[str, str, str]] = {
    "static": ("input image(3, 8, 8); norm batch", CONVS, "pooled"),
    "widths": ("input image(3, 8, 8); norm batch; width uniform {0.5, 1.0} round 4", CONVS, "pooled"),
    "widths and resolution": (
        "input image(3, resolution={6, 8}); norm batch; width uniform {0.5, 1.0} round 4",
        CONVS,
        "pooled",
    ),
    "widths and sub-paths": ("input image(3, 8, 8); norm batch; width per_group 0.5..1.0 round 4", SKIP, "pooled"),
    "widths and skip-aware norms": (
        "input image(3, 8, 8); norm batch; width per_group 0.5..1.0 round 4",
        f"norm batch(bank=skip); {SKIP}",
        "pooled",
    ),
    "widths within sub-paths": (
        "input image(3, 8, 8); norm batch; width per_group 0.5..1.0 round 4",
        SKIP.replace("residual {", "residual { conv(32, kernel=1); norm; relu;"),
        "pooled",
    ),
    "sub-paths": ("input image(3, 8, 8); norm batch", f"norm batch(bank=skip); {SKIP}", "pooled"),
    "kernels": ("input image(3, 8, 8); norm batch", STAGES["kernel"], "pooled"),
    "any width": ("input image(3, 8, 8); norm batch; width any 0.25..1.0; connect triangular", CONVS, "any"),
    "any width, dense": ("input image(3, 8, 8); norm batch; width any 0.25..1.0", CONVS, "pooled"),
    "exits": ("input image(3, 8, 8); norm batch", STAGES["exit"], "pooled"),
    "exits and sub-paths": ("input image(3, 8, 8); norm batch", f"{SKIP}\n{STAGES['exit']}", "pooled"),
    "nested": (
        "input image(3, 8, 8); norm batch; choice k in 1..4",
        STAGES["branches"].replace("4 c", "4 by k c"),
        "by k",
    ),
    "slices": ("input image(3, 8, 8); norm batch; choice k in 1..4; width by k", STAGES["blocks"], "by k"),
}
"""Small networks: their settings, stage and head."""

METHODS = (
    *("us_net", "independent(subnets=[max, min])", "mutualnet", "adn", "pss(budgets=[macs(step=100k)])", "tips"),
    *("ofa", "awn", "early_exit", "inclusive", "inclusive_sparse"),
)


def but(*trained: str, rules: str) -> dict[str, frozenset[str]]:
    """The same rules for all networks but those."""
    return {name: frozenset(rules.split()) for name in NETWORKS if name not in trained}


STATIC_TOO = {"static": frozenset(("nothing-elastic",))}
WIDTHS = ("widths", "widths and resolution", "any width", "any width, dense")
UNTRAINED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "us_net": STATIC_TOO,
    "independent": {},
    "mutualnet": {
        **but("widths and resolution", rules="no-elastic-resolution"),
        "static": frozenset(("no-elastic-resolution", "nothing-elastic")),
    },
    "adn": {
        **but("sub-paths", rules="no-skippables"),
        **dict.fromkeys(
            ("widths and sub-paths", "widths and skip-aware norms", "widths within sub-paths", "exits and sub-paths"),
            frozenset(("untrained-choice",)),
        ),
    },
    "pss": STATIC_TOO,
    "tips": {
        **but("widths within sub-paths", rules="nothing-favoured"),
        **dict.fromkeys(WIDTHS, frozenset(("one-width-for-all",))),
        **STATIC_TOO,
    },
    "ofa": {**but("sub-paths", "kernels", rules="never-released"), **STATIC_TOO},
    "awn": {**but("any width", rules="no-any-width"), "any width, dense": frozenset(("not-triangular",))},
    "early_exit": but("exits", rules="no-exits"),
    "inclusive": but("nested", "slices", rules="not-nested"),
    "inclusive_sparse": but("nested", "slices", rules="not-nested later-slice"),
}
"""What a method can't train, and the rules that say why."""


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_methods(method: str, network: str) -> None:
    setting, stage, head = NETWORKS[network]
    written = supernet(setting, CONVS.replace("norm", "norm(bank=shared)"), stage, {**HEADS, "any": ANY_HEAD}[head])
    rules = UNTRAINED[method.partition("(")[0]].get(network, frozenset())
    assert set(reported(f"{written}method {method}\n")) == rules
