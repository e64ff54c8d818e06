"""Sizes of a finished graph: whole at every option, in a form that stays whole, and largest in the largest network."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest

from specc.diagnostics import Findings
from specc.diagnostics.diagnostic import Diagnostic
from specc.ir.choice import Options
from specc.ir.expr import Apply, Expr, Var, apply, evaluate
from specc.ir.graph import Graph
from specc.ir.values import ValueTable
from specc.ir.whole import stays_whole, whole_form
from specc.passes.check_sizes import numbers_of
from specc.pipeline import compile_spec
from specc.source import Source
from tests.helpers.networks import assignments, choices, graph_of, network, reported, size_at, spec

UNIFORM = "norm batch; width uniform {0.25, 0.5, 1.0} round 8"
PER_GROUP = "norm batch; width per_group 0.5..1.0 round 16"


def fractions(expr: Expr) -> Iterator[Fraction]:
    if isinstance(expr, Fraction):
        yield expr
    if isinstance(expr, Apply):
        for arg in expr.args:
            yield from fractions(arg)


def diagnostic(text: str) -> Diagnostic:
    """The one diagnostic of a spec."""
    findings = Findings()
    compile_spec(Source("test.specc", text), {}, findings)
    (found,) = findings.diagnostics
    return found


def largest_is_largest(graph: Graph) -> bool:
    """Every channel count is at its largest where every choice is: by trying all assignments."""
    largest = {choice.name: choice.largest for choice in graph.choices}
    sizes = [s.size for tensor in graph.tensors for s in tensor.channels]
    most = [evaluate(size, largest) for size in sizes]
    return all(evaluate(size, at) <= top for at in assignments(graph) for size, top in zip(sizes, most, strict=True))  # type: ignore[operator]


# --- rounding ---


@pytest.mark.parametrize(
    ("stem", "stage", "op"),
    [
        ("conv(4, kernel=3)", "relu", "stem.conv"),
        ("conv(16, kernel=3)", "conv(6, kernel=3)", "s1.conv"),
        ("conv(16, kernel=3)", "branches 2 concat { conv(6, kernel=1) }", "s1.conv"),
        ("conv(16, kernel=3)", "scale(here, gate(4))", "s1.b1.linear1"),
        ("conv(17, kernel=3)", "conv(9, kernel=3, groups=1)", "s1.conv"),
        ("conv(16, kernel=3)", "concat(here, conv(4, kernel=1)); conv(12, kernel=1)", "s1.conv1"),
    ],
)
def test_rounding_lifts_no_width_above_its_own(stem: str, stage: str, op: str) -> None:
    block = "block gate(n) { pool(avg); linear(n); relu; linear(16, width=own); sigmoid }\n"
    graph = graph_of(block + spec(f"stage s1 {{ {stage} }}", UNIFORM).replace("conv(16, kernel=3)", stem, 1))
    widths = [size_at(graph, op, {"width": w})[0] for w in (Fraction(1, 4), Fraction(1, 2), 1)]
    assert widths == sorted(widths)
    assert largest_is_largest(graph)


def test_a_narrow_layer_has_its_share_where_that_is_a_multiple() -> None:
    graph = network("stage s1 { conv(20, kernel=3) }", UNIFORM)
    # 5 rounds to 8; 10 to 8, below 0.9 x 10, so 16; the whole is what is written.
    assert [size_at(graph, "s1.conv", {"width": w})[0] for w in choices(graph)["width"]] == [8, 16, 20]


# --- whole numbers ---


@pytest.mark.parametrize(
    "width",
    [
        *("in * 0.5", "in * 1.5", "in / 4", "in + in / 2", "in - in / 4", "in / 2 + in / 4 + in / 4"),
        *("max(4, in * {0.5, 1})", "min(in / 2, 24)", "in * {0.5, 1} + in / 2", "64 * {0.25, 0.5, 1.0}"),
        *("16 * {1, 1.5, 2}", "in * {1, 2} / 2", "(in + 8) * 0.5", "1.5 * (in / 2 + 4)"),
    ],
)
def test_what_is_whole_at_every_option_stays_whole(width: str) -> None:
    graph = network(f"stage s1 {{ conv({width}, kernel=1, width=follow); norm; conv(in * 1.0, kernel=1) }}", UNIFORM)
    whole = frozenset(c.name for c in graph.choices if all(isinstance(o, int) for o in c.options))
    for at in assignments(graph):
        assert all(type(evaluate(number, at)) is int for number in numbers_of(graph))
    for expr in numbers_of(graph):
        above, below = expr.args if isinstance(expr, Apply) and expr.function == "div" else (expr, 1)
        assert stays_whole(above, whole)
        assert stays_whole(below, whole)


@pytest.mark.parametrize(
    ("width", "rule", "message"),
    [
        ("in * 1.3", "bad-size", "is 41.6"),
        ("in / 16", "bad-size-at-option", "0.5 at width=0.25"),
        ("in * {0.3, 1}", "bad-size-at-option", "2.4 at s1.conv.out=0.3, width=0.25"),
        ("in - 8", "bad-size-at-option", "0 at width=0.25"),
    ],
)
def test_what_is_not_names_the_option(width: str, rule: str, message: str) -> None:
    found = diagnostic(spec(f"stage s1 {{ conv({width}, kernel=1) }}", UNIFORM).replace("conv(16,", "conv(32,", 1))
    assert found.rule.name == rule
    assert message in found.primary.message


def test_whole_forms_are_equal_by_brute_force() -> None:
    """Random expressions: where every value is whole, the form that stays whole has the same values."""
    rng = random.Random(7)
    options: dict[str, Options] = {"a": (2, 4, 8), "b": (Fraction(1, 2), 1, Fraction(3, 2)), "c": (1, 2)}
    whole, table, kept = frozenset("ac"), ValueTable(options), 0

    def drawn(depth: int) -> Expr:
        if depth == 0:
            return rng.choice((Var("a"), Var("b"), Var("c"), 2, 4, 8, Fraction(1, 2), Fraction(3, 4)))
        function = rng.choice(("add", "sub", "mul", "div", "mul", "max", "min"))
        left, right = drawn(depth - 1), drawn(rng.randrange(depth))
        return apply(function, left, 2 if function == "div" and right == 0 else right)

    for _ in range(4000):
        try:
            expr = drawn(rng.randrange(1, 4))
        except ZeroDivisionError:
            continue
        found = table.of(expr)
        assert found is not None
        rows = [dict(zip(options, row, strict=True)) for row in product(*options.values())]
        if not all(isinstance(value, int) for value in found.options):
            continue
        kept += 1
        form = whole_form(expr, whole)
        values = [evaluate(expr, at) for at in rows]
        assert [evaluate(form, at) for at in rows] == values
        assert frozenset(values) <= found.options
        assert not found.exact or frozenset(values) == found.options
    assert kept > 300


def test_sums_of_many_widths_are_judged_without_trying_all() -> None:
    body = "; ".join(f"a{i} = conv(16, kernel=1, from=stem)" for i in range(12))
    names = ", ".join(f"a{i}" for i in range(12))
    settings = "norm batch; width per_group 0.25..1.0 round 2"
    graph = network(f"stage s1 {{ {body}; concat({names}); conv(in / 2, kernel=1) }}", settings)
    assert size_at(graph, "s1.conv", {c.name: c.largest for c in graph.choices})[0] == 96
    odd = settings.replace(" round 2", "")
    assert reported(spec(f"stage s1 {{ {body}; concat({names}); conv(in / 2, kernel=1) }}", odd)) == [
        "bad-size-at-option"
    ]


def test_a_size_that_rounds_what_too_many_choices_give_is_refused_at_once() -> None:
    body = "; ".join(f"a{i} = conv(16, kernel=1, from=stem)" for i in range(12))
    names = ", ".join(f"a{i}" for i in range(12))
    text = spec(f"stage s1 {{ {body}; concat({names}); conv(divisible(in / 3, 8), kernel=1) }}", PER_GROUP)
    assert reported(text.replace("round 16", "round 4")) == ["space-too-entangled"]


def test_options_are_fractions_that_a_float_can_say() -> None:
    assert len(choices(network("stage s1 { conv(20000 * {0.12345, 1}, kernel=1) }"))) == 1
    assert reported(spec("stage s1 { conv(16 * {0.123456789, 1}, kernel=1) }")) == ["beyond-limits"]


# --- the largest network ---


@pytest.mark.parametrize(
    ("stage", "choice", "options"),
    [
        ("conv(16, kernel={7, 5, 3})", "s1.conv.kernel", (3, 5, 7)),
        ("repeat {3, 1} { conv(16, kernel=3) }", "s1.depth", (1, 3)),
        ("choice k in {2, 1}; conv(8 * k, kernel=1)", "k", (1, 2)),
        ("conv(in * {1, 0.5}, kernel=1)", "s1.conv.out", (Fraction(1, 2), 1)),
        ("choice wide in {yes, no}; when wide { conv(16, kernel=3) }", "wide", (0, 1)),
        ("choice op in {deep, flat}; when op == deep { conv(16, kernel=3) }", "op", ("deep", "flat")),
        ("conv({32, 16, 24}, kernel=1)", "s1.conv.out", (16, 24, 32)),
    ],
)
def test_numbers_and_flags_are_ordered_by_value_and_words_as_written(
    stage: str, choice: str, options: tuple[object, ...]
) -> None:
    assert choices(network(f"stage s1 {{ {stage} }}"))[choice] == options


def test_resolutions_are_ordered_by_value() -> None:
    graph = network("stage s1 { relu }", inputs="image(3, resolution={16, 8, 12})")
    assert choices(graph)["resolution"] == (8, 12, 16)


@pytest.mark.parametrize(
    ("stage", "help"),
    [
        ("conv(in / {1, 2, 4}, kernel=1)", "`.. * {0.25, 0.5, 1}` instead of `.. / {1, 2, 4}`"),
        ("conv(in / {8, 4}, kernel=1)", "`.. / 4 * {0.5, 1}` instead of `.. / {4, 8}`"),
        ("choice k in 1..3; conv(16, kernel=9 - 2 * k)", "turn the expression around"),
        ("choice k in 1..3; conv(8 * k, kernel=9 - 2 * k)", "turn the expression around"),
        ("choice k in {1, 2}; conv(24 - 8 * k, kernel=1)", "turn the expression around"),
    ],
)
def test_what_falls_while_its_choice_grows_is_refused_with_a_way_to_write_it(stage: str, help: str) -> None:
    found = diagnostic(spec(f"stage s1 {{ {stage} }}"))
    assert found.rule.name == "larger-than-largest"
    assert help in found.help


def test_heads_that_fall_are_refused() -> None:
    text = spec("stage s1 { attention(heads=8 / {1, 2}) }", "norm layer")
    text = text.replace("conv(16, kernel=3); norm; relu", "patch_embed(8, dim=16)").replace("pool(avg)", "take(mean)")
    assert reported(text) == ["larger-than-largest"]


def test_a_width_that_falls_with_another_is_refused() -> None:
    assert reported(spec("stage s1 { conv(48 - in, kernel=1) }", UNIFORM)) == ["larger-than-largest"]


def test_elastic_kernels_are_odd_at_every_option_of_an_expression() -> None:
    assert reported(spec("stage s1 { choice k in 1..3; conv(16, kernel=k + 2) }")) == ["elastic-even-kernel"]
    assert reported(spec("stage s1 { choice k in 1..3; conv(16, kernel=2 * k + 1) }")) == []


def test_a_choice_may_be_read_before_it_is_declared() -> None:
    """Sizes are those of its last option, as where it stands before."""
    late = network(
        "stage s1 { conv(8 * k, kernel=n); repeat n { conv(8, kernel=1) }; choice k in {2, 1, 3} }\n"
        "  choice n in {3, 1}"
    )
    early = network(
        "choice n in {3, 1}\n  stage s1 { choice k in {2, 1, 3}; conv(8 * k, kernel=n)\n"
        "  repeat n { conv(8, kernel=1) } }"
    )
    for graph in (late, early):
        conv = next(op for op in graph.ops if op.name == "s1.conv1")
        assert (conv.params.full_out, conv.params.full_kernel) == (24, 3)  # type: ignore[attr-defined]
        assert sum(op.kind == "conv" for op in graph.ops) == 5


# --- settings that meet through an expression ---


def test_two_settings_that_meet_through_a_quotient_are_two() -> None:
    plain = "stage s1 { width per_group 0.25..1.0 round 16; residual { conv(96, kernel=1); relu; conv(24, kernel=1) } }"
    text = spec(plain, "norm batch; width per_group 0.5..1.0 round 8").replace("conv(16,", "conv(24,", 1)
    assert reported(text) == ["tied-width-rules"]
    assert reported(text.replace("conv(24, kernel=1)", "conv(in / 4, kernel=1)")) == ["tied-width-rules"]
    assert reported(text.replace("conv(24, kernel=1)", "conv(divisible(in / 4, 8), kernel=1)")) == ["tied-width-rules"]


def test_a_width_that_others_follow_keeps_their_multiples() -> None:
    stage = "stage s1 { residual { conv(in * 4, kernel=1, width=own); relu; conv(in / 4, kernel=1) } }"
    graph = graph_of(spec(stage, PER_GROUP).replace("conv(16,", "conv(96,", 1))
    (name,) = choices(graph)
    assert choices(graph)[name] == (192, 256, 320, 384)
    assert [size_at(graph, "stem.conv", {name: w})[0] for w in choices(graph)[name]] == [48, 64, 80, 96]


def test_so_do_uniform_and_any_widths() -> None:
    stage = "stage s1 { residual { conv(in * 4, kernel=1, width=own); relu; conv(in / 4, kernel=1) } }"
    for setting in ("width uniform {0.3, 0.5, 1.0} round 8", "width any 0.3..1.0"):
        graph = graph_of(spec(stage, f"norm batch; {setting}").replace("conv(16,", "conv(96,", 1))
        unit = 8 if "uniform" in setting else 1
        for at in assignments(graph):
            inner, outer = size_at(graph, "s1.conv1", at)[0], size_at(graph, "stem.conv", at)[0]
            assert isinstance(outer, int)
            assert inner == 4 * outer
            assert outer % unit == 0


def test_a_followed_expression_that_leaves_the_settings_widths_is_refused() -> None:
    stage = "stage s1 { residual { conv(64, kernel=1); relu; conv(floor(in / 6) + 6, kernel=1) } }"
    assert reported(spec(stage, PER_GROUP)) == ["elastic-sizes-differ"]


def test_a_width_that_is_elastic_by_itself_does_not_overrule_a_setting() -> None:
    stage = "stage s1 { residual { conv({8, 16}, kernel=1, width=follow) } }"
    assert reported(spec(stage, "norm batch; width per_group 0.5..1.0 round 8")) == ["tied-width-rules"]


def test_a_width_of_its_own_is_not_elastic_by_itself_too() -> None:
    stage = "stage s1 { conv(in * {2, 4}, kernel=1, width=own) }"
    assert reported(spec(stage, "norm batch; width per_group 0.5..1.0 round 8")) == ["two-width-rules"]


def test_the_width_that_arrived_may_be_kept_by_name() -> None:
    stage = "stage s1 { let c = in; residual { conv(64, kernel=1); relu; conv(c, kernel=1) } }"
    graph = network(stage, "norm batch; width per_group 0.5..1.0 round 8")
    assert choices(graph) == {"stem.conv.width": (8, 16), "s1.conv1.width": (32, 40, 48, 56, 64)}


# --- even kernels ---


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        ("conv(16, kernel=4, stride=4)", ["even-kernel-needs-padding"]),
        ("conv(16, 2)", ["even-kernel-needs-padding"]),
        ("depthwise(kernel=2)", ["even-kernel-needs-padding"]),
        ("conv(16, kernel=4, dilation=3)", ["even-kernel-needs-padding"]),
        ("conv(16, kernel=4, stride=4, padding=0)", []),
        ("conv(16, kernel=2, dilation=2)", []),
        ("maxpool(2)", []),
    ],
)
def test_an_even_kernel_says_its_padding(statement: str, rules: list[str]) -> None:
    assert reported(spec(f"stage s1 {{ {statement} }}")) == rules
