"""Widths: own, follow and fixed; per group, uniform and any; what a sum ties together."""

from __future__ import annotations

from fractions import Fraction

from tests.helpers.networks import choices, graph_of, network, reported, size_at, spec

PER_GROUP = "norm batch; width per_group 0.5..1.0 round 8"


def test_a_plain_number_is_a_group_of_its_own() -> None:
    graph = network("stage s1 { conv(32, kernel=3) }", PER_GROUP)
    assert choices(graph) == {"stem.conv.width": (8, 16), "s1.conv.width": (16, 24, 32)}


def test_a_sum_ties_its_two_sides_into_one_group() -> None:
    graph = network("stage s1 { residual { conv(16, kernel=3) } }", PER_GROUP)
    assert choices(graph) == {"stem.conv.width": (8, 16)}
    assert size_at(graph, "s1.conv", {"stem.conv.width": 8}) == (8, 32, 32)


def test_a_chain_of_residuals_is_one_group() -> None:
    graph = network("stage s1 { conv(32, kernel=3); repeat 3 { residual { conv(32, kernel=3) } } }", PER_GROUP)
    assert list(choices(graph)) == ["stem.conv.width", "s1.conv1.width"]


def test_a_skippable_ties_what_goes_in_to_what_comes_out() -> None:
    graph = network("stage s1 { conv(32, kernel=3); skippable { conv(32, kernel=3) } }", PER_GROUP)
    assert [c for c in choices(graph) if c.endswith("width")] == ["stem.conv.width", "s1.conv1.width"]


def test_an_expression_of_in_follows_and_adds_no_choice() -> None:
    graph = network("stage s1 { conv(in * 6, kernel=1) }", PER_GROUP)
    assert choices(graph) == {"stem.conv.width": (8, 16)}
    assert size_at(graph, "s1.conv", {"stem.conv.width": 8}) == (48, 32, 32)


def test_an_expression_of_in_may_have_a_width_of_its_own() -> None:
    graph = network("stage s1 { conv(in * 2, kernel=1, width=own) }", PER_GROUP)
    assert choices(graph)["s1.conv.width"] == (16, 24, 32)


def test_fixed_stays_at_its_maximum_and_fixes_what_it_is_added_to() -> None:
    graph = network("stage s1 { residual { conv(16, kernel=3, width=fixed) } }", PER_GROUP)
    assert choices(graph) == {}


def test_the_class_count_is_never_elastic() -> None:
    assert network("stage s1 { conv(32, kernel=3) }", PER_GROUP).tensor_table()["head.linear"].features == 10


def test_uniform_scales_every_group_by_one_ratio() -> None:
    graph = network("stage s1 { conv(30, kernel=3) }", "norm batch; width uniform {0.35, 0.5, 1.0} round 8")
    assert choices(graph) == {"width": (Fraction(7, 20), Fraction(1, 2), 1)}
    sizes = [size_at(graph, "s1.conv", {"width": w})[0] for w in choices(graph)["width"]]
    # 10.5 rounds to 8, below 0.9 x 10.5, so 16; 15 to 16; the largest is what is written, 30.
    assert sizes == [16, 16, 30]


def test_any_counts_channels_of_the_widest_group() -> None:
    graph = network("stage s1 { conv(45, kernel=3) }", "norm batch; width any 0.25..1.0")
    assert choices(graph)["width"] == tuple(range(11, 46))
    # floor(n * 16 / 45 + 1/2), halves upwards.
    assert [size_at(graph, "stem.conv", {"width": n})[0] for n in (11, 27, 45)] == [4, 10, 16]


def test_a_set_as_a_width_is_a_choice_of_its_own() -> None:
    graph = network("stage s1 { conv({16, 24, 32}, kernel=3) }")
    assert choices(graph) == {"s1.conv.out": (16, 24, 32)}


def test_a_set_as_a_width_under_a_width_setting_is_two_rules() -> None:
    assert reported(spec("stage s1 { conv({16, 32}, kernel=3) }", PER_GROUP)) == ["two-width-rules"]


def test_settings_end_with_their_braces() -> None:
    graph = network(
        "stage s1 { width per_group 0.5..1.0 round 8; conv(32, kernel=3) }\n stage s2 { conv(64, kernel=3) }"
    )
    assert list(choices(graph)) == ["s1.conv.width"]


def test_settings_reach_into_blocks() -> None:
    text = "block wide(n) { conv(n, kernel=3) }\n" + spec("stage s1 { wide(32) }", PER_GROUP)
    assert "s1.b1.conv.width" in choices(graph_of(text))


def test_groups_keep_whole_groups() -> None:
    graph = network("stage s1 { conv(48, kernel=1); conv(48, kernel=3, groups=4) }", PER_GROUP)
    assert choices(graph)["s1.conv1.width"] == (24, 48)
    assert size_at(graph, "s1.conv2", {"stem.conv.width": 16, "s1.conv1.width": 24})[0] == 24


def test_sizes_that_differ_at_some_option_are_reported() -> None:
    assert reported(spec("stage s1 { conv(64, kernel=3); residual { conv({32, 64}, kernel=3) } }")) == [
        "elastic-sizes-differ"
    ]


def test_a_size_must_be_whole_at_every_option() -> None:
    settings = "norm batch; width per_group 0.5..1.0"
    assert reported(spec("stage s1 { conv(in / 2, kernel=1) }", settings)) == ["bad-size-at-option"]
    assert reported(spec("stage s1 { conv(floor(in / 2), kernel=1) }", settings)) == []


def test_flatten_multiplies_segments() -> None:
    text = spec("stage s1 { maxpool(8) }", PER_GROUP).replace("pool(avg);", "flatten;")
    graph = graph_of(text)
    (segment,) = graph.tensor_table()["head.flatten"].channels
    assert segment.spread == 16
    assert size_at(graph, "head.flatten", {"stem.conv.width": 8}) == (128,)


def test_any_width_keeps_whole_groups() -> None:
    graph = network("stage s1 { conv(16, kernel=3, groups=4) }", "norm batch; width any 0.25..1.0")
    sizes = [size_at(graph, "stem.conv", {"width": n})[0] for n in choices(graph)["width"]]
    assert set(sizes) == {4, 8, 12, 16}
    assert [size_at(graph, "s1.conv", {"width": n})[0] for n in choices(graph)["width"]] == sizes


def test_a_group_must_be_whole_at_every_option() -> None:
    settings = "norm batch; width per_group 0.5..1.0 round 2"
    stage = "stage s1 { conv(in * 2, kernel=1); conv(32, kernel=3, groups=4) }"
    assert reported(spec(stage, settings)) == ["bad-size-at-option"]
