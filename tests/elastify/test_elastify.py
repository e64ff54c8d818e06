"""`specc elastify`: against the specs that were made elastic by hand, hand-counted spaces, and PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from specc.assignments import largest, smallest
from specc.cost import cost
from specc.diagnostics import Findings
from specc.elastify import CannotTrain, NothingElastic, Request, WrongRequest, elastify, read_request
from specc.ir.graph import Graph
from specc.pipeline import compile_spec, load
from specc.source import Source
from specc.subnets.space import enumerate_space, size
from tests.helpers.commands import specc
from tests.helpers.comparing import scramble
from tests.helpers.folders import SPECS
from tests.helpers.networks import choices, spec
from tests.helpers.projects import from_text, project
from tests.helpers.random_specs import spec_text

ALL = "width per_group 0.5..1.0 round 8; skippable; kernel {3, 5}; resolution 160..224 step 32"


def costs_of(graph: Graph) -> list[tuple[int, int]]:
    return sorted((c.params, c.macs) for c in (cost(graph, at) for at in enumerate_space(graph)))


def made(
    stages: str, elastic: str, settings: str = "norm batch", rest: str = "", image: str = "image(3, 32, 32)"
) -> str:
    return elastify(Source("test.specc", spec(stages, settings, image, rest)), read_request(elastic)).source.text


# --- beside what was made elastic by hand -----------------------------------------------------------


@pytest.mark.parametrize(("plain", "by_hand"), [("resnet50", "resnet50_adn"), ("mobilenet_v2", "mobilenet_v2_adn")])
def test_adaptive_depth_is_the_papers(plain: str, by_hand: str) -> None:
    """The second half of each stage: the sub-networks of FACTS' rule, as in the specs written from the paper."""
    found = elastify(SPECS / f"{plain}.specc", read_request("skippable halves"), "adn", "skip").compiled.graph
    expected = load(SPECS / f"{by_hand}.specc").graph
    assert costs_of(found) == costs_of(expected)


def test_the_banks_of_adaptive_depth_are_the_papers() -> None:
    """25,583,144 parameters with both banks of the mandatory blocks (Table 2's super-net)."""
    found = elastify(SPECS / "resnet50.specc", read_request("skippable halves"), "adn", "skip").compiled.graph
    banks = {op.name: op.bank.count for op in found.ops if op.kind == "batch_norm"}
    expected = load(SPECS / "resnet50_adn.specc").graph
    assert banks == {op.name: op.bank.count for op in expected.ops if op.kind == "batch_norm"}


def test_tips_is_the_spec_by_hand() -> None:
    text = elastify(
        SPECS / "mobilenet_v2.specc", read_request("width per_group 0.4..1.0 round 8; skippable"), "tips"
    ).source.text
    expected = (SPECS / "mobilenet_v2_tips.specc").read_text()
    stages = text[text.index("  stem") : text.index("  head")]
    assert stages == expected[expected.index("  stem") : expected.index("  head")]


def test_resnet50_in_all_dimensions() -> None:
    found = elastify(SPECS / "resnet50.specc", read_request(ALL))
    kinds = [choice.kind for choice in found.compiled.graph.choices]
    assert kinds.count("skip") == 12  # (3 - 1) + (4 - 1) + (6 - 1) + (3 - 1)
    assert kinds.count("width") == 37  # stem, 4 stages, 2 in each of 16 blocks
    assert kinds.count("resolution") == 1
    assert choices(found.compiled.graph)["stem.conv.kernel"] == (3, 5, 7)
    assert any("3 has none of 3, 5 below it" in kept.why for kept in found.kept)


# --- skippable --------------------------------------------------------------------------------------

BASIC = "import std.resnet\n"


def test_a_repeat_whose_first_round_changes_the_shape_is_split() -> None:
    assert "basic(32); repeat 2 { skippable { basic(32) } }" in made(
        "stage s1 { repeat 3 { basic(32) } }", "skippable", rest=BASIC
    )


def test_a_repeat_of_two_becomes_no_repeat_of_one() -> None:
    text = made("stage s1 { repeat 2 { basic(32) } }", "skippable", rest=BASIC)
    assert "stage s1 { basic(32); skippable { basic(32) } }" in text


def test_indices_of_a_split_repeat_go_on() -> None:
    stages = "stage s1 { repeat 3 as i { mb_conv(32, drop_path=(1 + i) / 10, kernel=3 + 2 * i) } }"
    before = from_text(spec(stages, rest="import std.efficientnet\n")).graph
    text = made(stages, "skippable", rest="import std.efficientnet\n")
    after = from_text(text).graph
    assert "repeat 2 as i" in text
    drops = [
        getattr(op.params, "rate", None) for graph in (before, after) for op in graph.ops if op.kind == "drop_path"
    ]
    assert drops[: len(drops) // 2] == drops[len(drops) // 2 :]
    assert cost(after, largest(after)).macs == cost(before, largest(before)).macs


def test_rounds_counted_by_a_param_are_split() -> None:
    text = made("param n = 4; stage s1 { repeat n { basic(32) } }", "skippable", rest=BASIC)
    assert "basic(32); repeat n - 1 { skippable { basic(32) } }" in text
    assert size(load(Source("t.specc", text), {"n": "6"}).graph) == 2**5


def test_rounds_that_a_choice_counts_stay() -> None:
    """`repeat n` is elastic already: neither word may turn the choice into a number."""
    stages = "choice n in 1..3; stage s1 { basic(16); repeat n { basic(16) } }"
    for words in ("skippable", "skippable halves"):
        found = elastify(Source("t", spec(stages, rest=BASIC)), read_request(f"{words}; width uniform {{0.5, 1.0}}"))
        assert choices(found.compiled.graph)["n"] == (1, 2, 3)
        assert "repeat n {" in found.source.text


def test_halves_of_rounds_that_a_param_counts_follow_it() -> None:
    text = made("param n = 4; stage s1 { repeat n { basic(16) } }", "skippable halves", rest=BASIC)
    assert "repeat 2 { basic(16) }; skippable { repeat n - 2 { basic(16) } }" in text
    assert len(load(Source("t", text), {"n": "7"}).graph.ops) > len(from_text(text).graph.ops)


def test_blocks_in_a_static_when_are_found() -> None:
    stages = "param big = yes; stage s1 { when big { basic(16); basic(16) } else { basic(32) } }"
    text = made(stages, "skippable", rest=BASIC)
    assert size(from_text(text).graph) == 4


def test_banks_by_sub_network_keep_their_method() -> None:
    """`bank=subnet` means nothing without the method that lists the sub-networks."""
    settings = "norm batch(bank=subnet); width uniform {0.5, 1.0} round 8"
    rest = BASIC + "method independent(subnets=[max, at(width=0.5)])"
    source = Source("t", spec("stage s1 { conv(16, kernel=5); norm }", settings, rest=rest))
    with pytest.raises(NothingElastic) as error:
        elastify(source, read_request("width per_group 0.5..1.0"))
    assert "has a width setting already" in error.value.kept[0].why
    assert choices(elastify(source, read_request("kernel {3}")).compiled.graph)["s1.conv.kernel"] == (3, 5)


def test_residuals_of_the_stage_itself() -> None:
    text = made("stage s1 { conv(16, kernel=3); residual { conv(16, kernel=3); norm } }", "skippable")
    assert "skippable { residual {" in text


def test_a_block_that_changes_the_shape_is_searched_inside() -> None:
    block = "block level(out) { conv(out, kernel=3, stride=2); norm; repeat 2 { basic(out) } }\n" + BASIC
    text = made("stage s1 { level(32) }; stage s2 { level(64) }", "skippable", rest=block)
    assert "repeat 2 { skippable { basic(out) } }" in text
    assert size(from_text(text).graph) == 16


def test_what_has_no_way_around_it_is_said() -> None:
    found = elastify(SPECS / "mobilenet_v1.specc", read_request("skippable"))
    (note,) = [kept for kept in found.kept if kept.is_warning]
    assert "8 of them have no residual connection" in note.why
    assert not elastify(SPECS / "vit_b_32.specc", read_request("skippable")).kept


def test_names_of_results_stay() -> None:
    found = elastify(
        Source("t", spec("stage s1 { a = basic(16); b = basic(16); add(a, b) }", rest=BASIC)),
        Request("width uniform {0.5, 1.0}", "blocks"),
    )
    assert any("names its result" in kept.why for kept in found.kept)


def test_comments_stay() -> None:
    text = made("# what refines\nstage s1 { # of three\n repeat 3 { basic(32) } # rounds\n }", "skippable", rest=BASIC)
    assert all(comment in text for comment in ("# what refines", "# of three", "# rounds"))


# --- kernels, widths, resolutions -------------------------------------------------------------------


def test_kernels_are_made_elastic_where_they_are_written() -> None:
    blocks = "block a(k=5) { b(k) }\nblock b(kernel) { conv(16, kernel=kernel); norm }\n"
    text = made(
        "stage s1 { a; a(7); conv(16, kernel=5, padding=2); conv(16, kernel=4, padding=0) }",
        "kernel {3, 5}",
        rest=blocks,
    )
    assert "a(k={3, 5}); a({3, 5, 7})" in text
    assert "conv(16, kernel=5, padding=2); conv(16, kernel=4, padding=0)" in text


def test_a_width_that_is_set_stays() -> None:
    with pytest.raises(NothingElastic) as error:
        elastify(SPECS / "digits.specc", read_request("width per_group 0.5..1.0"))
    assert "has a width setting already" in error.value.kept[0].why


def test_widths_that_cannot_be_narrower_are_listed() -> None:
    found = elastify(
        Source("t", spec("stage s1 { conv(12, kernel=3); norm }")), read_request("width per_group 0.9..1.0 round 8")
    )
    assert [kept.place for kept in found.kept] == ["t:6:10", "t:7:14"]


def test_a_resolution_ends_at_the_networks_own() -> None:
    with pytest.raises(WrongRequest, match="the largest resolution is 192, and the network's images are of 224"):
        elastify(SPECS / "resnet18.specc", read_request("resolution 128..192 step 32"))


def test_a_resolution_that_tokens_depend_on_is_undone() -> None:
    found = elastify(SPECS / "vit_b_32.specc", read_request("skippable; resolution"))
    assert [kept.why for kept in found.kept] == ["how many tokens arrive depends on the resolution"]
    assert "image(3, 224, 224)" in found.source.text


# --- for every spec ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["adn", "us_net", "ofa", "tips", "pss", "mutualnet"])
def test_each_method_gets_what_it_needs(method: str, tmp_path: Path) -> None:
    done = specc("elastify", SPECS / "resnet18.specc", "--method", method, "-o", tmp_path / "net.specc", "--strict")
    assert done.code == 0, done.err
    assert load(tmp_path / "net.specc").model.method.name == method


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(s, marks=pytest.mark.slow) for s in range(3, 300))])
def test_random_networks_stay_what_they_are_at_their_largest(seed: int) -> None:
    """`elastify` compares names, weights and costs itself: nothing here may raise but what it promises."""
    source = Source("random.specc", spec_text(seed))
    if compile_spec(source, {}, Findings()) is None:
        return
    try:
        found = elastify(source, read_request("width per_group 0.5..1.0 round 2; skippable; kernel {1, 3}; resolution"))
    except NothingElastic:
        return
    assert size(found.compiled.graph) >= size(load(source).graph)


def test_trained_weights_give_the_same_outputs(tmp_path: Path) -> None:
    """The state of the plain network loads into the elastic one, whose largest sub-network answers the same."""
    text = spec("stage s1 { repeat 2 { basic(32) }; conv(32, kernel=5); norm }", rest=BASIC, inputs="image(3, 16, 16)")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = project(from_text(text), tmp_path / "a").model.Model().eval()
    found = elastify(
        Source("test.specc", text),
        read_request("width per_group 0.5..1.0 round 8; skippable; kernel {3, 5}; resolution"),
    )
    elastic = project(found.compiled, tmp_path / "b").model.Model().eval()
    scramble(plain)
    elastic.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(plain(x), elastic(x))
    assert elastic(x, elastic.plan(smallest(found.compiled.graph))).shape == (2, 10)


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("skippible", "did you mean `skippable`?"),
        ("skippable; skippable", "is given twice"),
        ("", "nothing is asked"),
        ("kernel {2, 4}", "is not a set of odd kernel sizes"),
        ("kernel 3", "is not a set of odd kernel sizes"),
        ("width fixed", "makes no width elastic"),
        ("width", "is no width setting"),
        ("width per_group 0.5..1.0 }", "is no width setting"),
        ("resolution 128", "is no range of sizes"),
        ("skippable quarters", "is not known"),
        ("resolution 128..192", "the largest resolution is 192"),
    ],
)
def test_wishes_that_cannot_be_read(words: str, message: str) -> None:
    done = specc("elastify", SPECS / "resnet18.specc", "--elastic", words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_nothing_elastic_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.specc"
    done = specc("elastify", SPECS / "lenet3c1l_us.specc", "--elastic", "skippable", "-o", out)
    assert done.code == 1
    assert "the spec would have no choice" in done.err
    assert not out.exists()


def test_a_method_that_needs_more_says_what(tmp_path: Path) -> None:
    done = specc("elastify", SPECS / "vit_b_32.specc", "--method", "mutualnet", "-o", tmp_path / "out.specc")
    assert done.code == 1
    assert "several resolutions" in done.err
    assert "how many tokens arrive" in done.err
    with pytest.raises(CannotTrain):
        elastify(SPECS / "resnet18.specc", read_request("width per_group 0.5..1.0"), "adn")


def test_a_method_that_prepares_nothing_takes_words() -> None:
    assert "add --elastic WHAT" in specc("elastify", SPECS / "resnet18.specc", "--method", "early_exit").err
    assert "did you mean `us_net`" in specc("elastify", SPECS / "resnet18.specc", "--method", "usnet").err
    done = specc("elastify", SPECS / "resnet18.specc", "--method", "us_net(subnets=2)", "--elastic", "skippable")
    assert "method us_net(subnets=2)" in done.out


def test_files_are_kept_and_paths_hold(tmp_path: Path) -> None:
    (tmp_path / "blocks.specc").write_text("block two(out) { residual { conv(out, kernel=3); norm } }\n")
    net = tmp_path / "net.specc"
    net.write_text(spec("stage s1 { two(16) }", rest='import "blocks.specc"'))
    (tmp_path / "sub").mkdir()
    assert (
        "would not find it" in specc("elastify", net, "--elastic", "skippable", "-o", tmp_path / "sub" / "x.specc").err
    )
    assert specc("elastify", net, "--elastic", "skippable", "-o", tmp_path / "x.specc").code == 0
    assert "x.specc exists" in specc("elastify", net, "--elastic", "skippable", "-o", tmp_path / "x.specc").err
    assert size(load(tmp_path / "x.specc").graph) == 2


def test_standard_input_and_json() -> None:
    done = specc("elastify", "-", "--elastic", "skippable", "--json", stdin=spec("stage s1 { basic(16) }", rest=BASIC))
    value = json.loads(done.out)
    assert value["size"] == "2"
    assert value["elastic"] == ["skippable: 1 place"]
    assert value["text"] == done.json["text"]
