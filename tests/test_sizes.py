"""Sizes from the spec to the last slice: small networks, put together from width settings, expressions and operators.

What is accepted is run in torch at its largest, its smallest and random sub-networks: sizes are ints and within what is
allocated, the sliced, extracted and fused networks agree, and torch counts what the compiler does. What is refused says
at which option, or which settings meet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from specc.cost.report import cost
from specc.diagnostics import Findings
from specc.pipeline import Compiled, compile_spec
from specc.runtime.verify import macs, size
from specc.source import Source
from tests.helpers.comparing import relative, scramble
from tests.helpers.projects import assignments, image_shape, plain, project

FEW: Final = 24
MANY: Final = 600
PARTS: Final = 12

SETTINGS: Final[Mapping[str, str]] = {
    "none": "",
    "uniform": "width uniform {0.25, 0.5, 1.0} round 8",
    "uniform, close": "width uniform 0.5..1.0 step 0.125",
    "per group": "width per_group 0.5..1.0 round 8",
    "per group, free": "width per_group 0.75..1.0",
    "per group, shares": "width per_group {1.0, 0.25, 0.7}",
    "any": "width any 0.25..1.0",
    "by": "choice k in {4, 1, 2}; width by k",
}
STEMS: Final = (4, 16, 24)
WIDTHS: Final = (
    "6",
    "20",
    "in * 1.5",
    "in * 0.5",
    "in / 4",
    "in + in / 2",
    "in / 2 + in / 4 + in / 4",
    "max(4, in * {1, 0.5})",
    "min(in, 8)",
    "in * {2, 1}",
    "in * {2, 1, 1.5} + 4",
    "16 * {1.5, 1, 2}",
    "divisible(in / 3, 4)",
    "floor(in * 0.4) + 1",
    "in / {1, 2}",
    "40 - in",
    "in * 2, width=own",
    "in / 2, width=own",
    "in * 2, width=fixed",
    "{24, 8}, width=follow",
)
"""What stands as a channel count; `in` is what arrives."""
BODIES: Final = (
    "conv(W, kernel={5, 3}); norm; relu",
    "conv(W, kernel=1); norm; relu; depthwise(kernel={3, 1}); conv(12, kernel=1)",
    "conv(W, kernel=1); relu; conv(16, kernel=3, groups=2); norm",
    "norm group(groups=2); conv(W, kernel=1); norm; relu",
    "norm layer; conv(W, kernel=1); norm; relu; conv(in * {1, 0.5}, kernel=1)",
    "residual { conv(W, kernel=1); norm; relu; conv(in / 2, kernel=1) } shortcut { conv(8, kernel=1) }",
    "let c = in; residual { conv(W, kernel=1); norm; relu; conv(c, kernel=1) }",
    "a = conv(W, kernel=1); b = conv(6, kernel=3, from=stem); concat(a, b); norm; conv(W, kernel=1)",
    "a = conv(W, kernel=1); concat(here, stem); norm; conv(in / 2, kernel=3)",
    "conv(W, kernel=1); squeeze_excite(max(1, floor(in / 4)), act=relu); conv(8, kernel=1)",
    "conv(W, kernel=1); squeeze_excite(in * {0.5, 0.25}); norm",
    "repeat {2, 0, 1} { conv(in, kernel=3); norm; relu }; conv(W, kernel=3)",
    "conv(W, kernel=1); skippable { residual { conv(in * {3, 1}, kernel=1); relu; conv(in, kernel=1); norm } }",
    "conv(W, kernel=1); conv(16, kernel=1, connect=diagonal(2)); norm",
    "residual { conv(in, kernel=3, connect=triangular(2)); norm; relu }; conv(W, kernel=1)",
    "conv(W, kernel=1); pool(avg, size=2); flatten; linear(in * 0.5); relu",
    "conv(W, kernel=2, padding=0); conv(8, kernel=2, dilation=2); norm",
    "conv(W, kernel=1); pad_channels(48); norm; upsample(2); conv(8, kernel={5, 3}, stride=2)",
    "branches 2 sum { conv(6, kernel=1); relu; conv(8, kernel=1) }; conv(W, kernel=1)",
    "inverted_residual(16, expand={2, 1.5}); inverted_residual(20, expand={3, 2}); conv(W, kernel=1)",
    "basic(in / 2); basic(in / 2, stride=2); conv(W, kernel=1)",
    "concat(here, dense_layer(4)); transition(in / 2); conv(W, kernel=1)",
    "conv(W, kernel=1); pool(avg); linear(16); linear(24, connect=diagonal(2)); relu",
)
"""What stands in a stage, with a W for the channel count."""
CAUSES: Final = frozenset(
    (
        *("bad-size", "bad-size-at-option", "larger-than-largest"),
        *("elastic-sizes-differ", "tied-width-rules", "two-width-rules", "triangular-widths"),
        *("channel-mismatch", "changes-shape", "groups-do-not-divide", "blocks-do-not-divide", "bad-slices"),
        *("needs-one-run", "runs-differ"),
    )
)
"""Why such a network may be refused."""


IMPORTS: Final = "".join(
    f"import std.{name}\n" for name in ("squeeze_excite", "mobilenet", "resnet", "densenet", "vit")
)


def network(setting: str, stem: str, body: str, head: str) -> str:
    return (
        f"{IMPORTS}supernet small {{\n  input image(3, 6, 6); classes 4\n  norm batch\n  {setting}\n"
        f"  stem {{ {stem} }}\n  stage s {{ {body} }}\n  head {{ {head} }}\n}}\n"
    )


def networks() -> Iterator[tuple[str, str]]:
    """Every combination, in an order that mixes them, each with its name."""
    found = list(product(SETTINGS, STEMS, WIDTHS, BODIES))
    random.Random(10).shuffle(found)
    for setting, stem, width, body in found:
        head = "linear(classes)" if "flatten" in body or "pool(avg);" in body else "pool(avg); linear(classes)"
        written = body.replace("W", width, 1).replace("W", "20")
        text = network(SETTINGS[setting], f"conv({stem}, kernel=3); norm; relu", written, head)
        yield f"{setting} {stem} {width} {body}", text


TOKENS: Final = (
    ("width uniform {0.25, 0.5, 1.0} round 8", "encoder(heads=4, mlp=in * 1.5)"),
    ("width per_group 0.5..1.0 round 8", "connect diagonal(4); encoder(heads=4, mlp=24)"),
    ("width any 0.25..1.0", "encoder(heads=4, mlp=max(4, in * {2, 1}))"),
    ("width per_group {1.0, 0.3}", "residual { norm; linear(in, connect=triangular(2)); gelu }; linear(20)"),
    ("choice k in {4, 1, 2}; width by k", "attention(heads=4); linear(24, connect=diagonal(4)); gelu"),
)
"""Transformers: a setting and what stands in the stage, where 16 features arrive."""
U: Final = "width uniform {0.25, 0.5, 1.0} round 8"
RAN_OTHERWISE: Final = (
    # rounding lifted narrow layers above their own size
    (U, "conv(6, kernel=3); norm; conv(4, kernel=1)"),
    (U, "branches 2 concat { conv(6, kernel=1) }"),
    (U, "squeeze_excite(4); conv(16, kernel=1)"),
    (U, "concat(here, dense_layer(4)); transition(16)"),
    # fractions in generated code
    (U, "conv(in * 0.5, kernel=1); norm"),
    (U, "conv(max(4, in * {0.5, 1}), kernel=1); norm"),
    ("", "conv(64 * {1.0, 0.25, 0.5}, kernel=1); pool(avg, size=1); flatten; linear(32 * {1.5, 2})"),
    ("", "norm group(groups=4); inverted_residual(16, expand={2, 4})"),
    ("", "conv(in * {1, 2}, kernel=1); relu; conv(16, kernel=1, groups=4)"),
    ("choice k in {2, 1}", "conv(8 * k, kernel=1); conv(16, kernel=1, groups=2)"),
    ("choice k in 1..2", "conv(8 * k, kernel=1); conv(16, kernel=1, connect=diagonal(2))"),
    # the last option of a set was taken for the largest
    ("", "conv(16, kernel={7, 5, 3}); repeat {3, 1} { conv(16, kernel=3); norm; relu }"),
    ("", "squeeze_excite(in / 4 * {1, 0.5})"),
    # blocks that were cut apart
    ("width per_group 0.75..1.0", "residual { conv(16, kernel=3, connect=triangular(4)); norm; relu }"),
    ("width any 0.5..1.0", "residual { conv(16, kernel=3, connect=triangular(4)); norm; relu }"),
    ("width per_group {0.25, 1.0, 0.7}", "residual { conv(16, kernel=3, connect=triangular(4)); norm; relu }"),
    ("width per_group 0.5..1.0", "pool(avg, size=1); flatten; linear(32, connect=diagonal(4)); relu"),
    # a sum in the place of a number that is multiplied: its brackets were lost
    ("choice k in {4, 1, 2}; width by k", "conv(in + in / 2, kernel=1); pool(avg, size=2); flatten; linear(in * 0.5)"),
    # a ratio of more than four digits
    ("", "conv(20000 * {0.12345, 1}, kernel=1); norm; conv(8, kernel=1)"),
    # blocks of a flattened map
    ("width per_group 0.5..1.0", "flatten; linear(32, connect=diagonal(4)); relu"),
    # a part of a run that is a quotient
    (
        "width per_group 0.5..1.0 round 8",
        "b = conv(12, kernel=1, width=fixed); a = conv(in / 2, kernel=1, from=stem); concat(b, a); norm; conv(9, 1)",
    ),
    # a dozen widths, and half of their sum
    (
        "width per_group 0.5..1.0 round 8",
        "; ".join(f"a{i} = conv(16, kernel=1, from=stem)" for i in range(12))
        + f"\nconcat({', '.join(f'a{i}' for i in range(12))}); conv(in + in / 2, kernel=1); norm",
    ),
)
"""What was accepted and did not run, or was counted otherwise than torch counts."""


def compiled(text: str) -> tuple[Compiled | None, set[str]]:
    findings = Findings()
    found = compile_spec(Source("test.specc", text), {}, findings)
    return found, {d.rule.name for d in findings.diagnostics}


@cache
def accepted(count: int) -> list[str]:
    """The first so many that are accepted."""
    texts = (text for _, text in networks() if compiled(text)[0] is not None)
    return list(islice(texts, count))


def check(text: str, folder: Path, random_ones: int) -> None:
    """Sizes, parameters, MACs and answers of the largest, the smallest and some random sub-networks."""
    spec, _ = compiled(text)
    assert spec is not None
    graph = spec.graph
    made = project(spec, folder)
    net = made.model.Model().eval()
    scramble(net)
    drawn = assignments(graph, random_ones)
    costs = [cost(graph, at) for at in drawn]
    assert sum(p.numel() for p in net.parameters()) == costs[0].params_total
    for at, expected in zip(drawn, costs, strict=True):
        x = torch.randn(1, *image_shape(graph, at), generator=torch.Generator().manual_seed(1))
        assert costs[1 if graph.choices else 0].macs <= expected.macs <= costs[0].macs, at
        assert costs[1 if graph.choices else 0].params <= expected.params <= costs[0].params, at
        if not graph.choices:
            assert macs(net, [x]) == expected.macs
            continue
        plan = net.plan(plain(graph, at))
        assert_ints(plan)
        extracted = net.extract(plan, fold=False)
        with torch.no_grad():
            assert (macs(extracted, [x]), size(extracted)) == (expected.macs, expected.params), at
            assert relative(extracted(x), net(x, plan)) <= 1e-5, at
            assert relative(net.fused(plan)(x), net(x, plan)) <= 1e-4, at


def assert_ints(part: Any) -> None:
    """No number in a plan but ints, and none that is no size."""
    for name in getattr(part, "__slots__", ()):
        value = getattr(part, name)
        if name in ("chosen", "resolution", "outputs", "prediction", "wanted", "_memory"):
            continue
        if hasattr(value, "values") and not isinstance(value, dict):
            assert all(type(n) is int and n >= 0 for n in numbers(value.values()) if n is not None), (name, value)
        else:
            assert_ints(value)


def numbers(values: Any) -> Iterator[Any]:
    """What stands in nested tuples."""
    for value in values:
        if isinstance(value, tuple):
            yield from numbers(value)
        else:
            yield value


@pytest.mark.parametrize("place", range(FEW))
def test_what_is_accepted_runs_at_every_size(place: int, tmp_path: Path) -> None:
    check(accepted(FEW)[place], tmp_path, 2)


@pytest.mark.parametrize(("setting", "body"), RAN_OTHERWISE)
def test_what_did_not_run_runs_at_every_size(setting: str, body: str, tmp_path: Path) -> None:
    head = "linear(classes)" if "flatten" in body else "pool(avg); linear(classes)"
    check(network(setting, "conv(16, kernel=3)", body, head), tmp_path, 2)


@pytest.mark.parametrize(("setting", "body"), TOKENS)
def test_transformers_run_at_every_size(setting: str, body: str, tmp_path: Path) -> None:
    head = "norm; take(mean); linear(classes, connect=dense)"
    text = network(setting, "patch_embed(2, dim=16)", body, head).replace("norm batch", "norm layer")
    check(text, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_many_that_are_accepted_run_at_every_size(part: int, tmp_path: Path) -> None:
    for place, text in enumerate(accepted(MANY)[FEW + part :: PARTS]):
        check(text, tmp_path / str(place), 4)


def test_what_is_refused_is_refused_for_its_sizes() -> None:
    for name, text in islice(networks(), 150):
        rules = compiled(text)[1]
        assert rules <= CAUSES, (name, rules)
