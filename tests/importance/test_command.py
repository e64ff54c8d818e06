"""`specc importance`: its JSON, tables and chart, and what it says of settings that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics import SpecError
from specc.importance import Settings, importance
from specc.pipeline import load
from tests.helpers.commands import specc
from tests.helpers.folders import SPECS
from tests.helpers.networks import network, spec

SMALL = SPECS / "digits.specc"
TIPS = SPECS / "mobilenet_v2_tips.specc"


def test_json_has_the_keys_of_the_design() -> None:
    found = specc("importance", TIPS, "--json").json
    assert set(found) >= {"tensors", "ops", "paths", "best", "subnets", "coupling", "damping"}
    assert (found["subnets"], found["coupling"], found["damping"]) == (8, 1.0, 1e-5)
    assert len(found["tensors"]) == 55
    assert set(found["tensors"][0]) >= {"name", "tas"}
    keys = {"name", "kind", "stage", "source", "target", "present", "important", "score"}
    assert all(set(op) >= keys and len(op["present"]) == 8 for op in found["ops"])
    assert all(set(path) >= {"nodes", "tps", "mean_tas"} for path in found["paths"])
    assert [path["nodes"] for path in found["paths"]] == [*range(35, 56, 2)]
    assert set(found["best"]) >= {"nodes", "tps", "ops"}
    assert found["best"]["nodes"] == len(found["best"]["ops"]) + 1 == 35


@pytest.mark.parametrize("more", [(), ("--directed",), ("--expected",), ("--seed", 5)], ids=str)
def test_the_same_spec_gives_the_same_bytes(more: tuple[object, ...]) -> None:
    first, second = (specc("importance", TIPS, "--json", *more) for _ in range(2))
    assert first.code == 0
    assert first.out == second.out


def test_seeds_sample_differently() -> None:
    present = {
        str([op["present"] for op in specc("importance", TIPS, "--json", "--seed", s).json["ops"]]) for s in range(3)
    }
    assert len(present) == 3


def test_the_tables_say_what_matters() -> None:
    done = specc("importance", TIPS)
    assert (done.code, done.err) == (0, "")
    assert "s4.b3.add#2" in done.out
    assert "34 of 64 operations are important" in done.out
    assert "35 of 55 feature maps" in done.out
    done = specc("importance", TIPS, "--top", 3)
    assert done.out.count("  important\n") == 3
    assert len(specc("importance", TIPS, "--top", 3, "--json").json["ops"]) == 3


def test_the_chart_has_a_bar_for_every_feature_map() -> None:
    lines = specc("importance", SMALL, "--chart").out.splitlines()
    assert sum("█" in line for line in lines) == 23
    assert sum(line.startswith("* ") and "█" in line for line in lines) == 13


def test_expected_has_probabilities_in_the_place_of_samples() -> None:
    ops = specc("importance", TIPS, "--expected", "--json").json["ops"]
    assert all(op["present"] == [] for op in ops)
    assert {round(op["probability"], 6) for op in ops} == {1.0, round(128 / 255, 6)}


def test_a_high_damping_share_is_said() -> None:
    done = specc("importance", TIPS, "--damping", "0.01")
    assert done.code == 0
    assert "the damping makes 33" in done.err
    (warning,) = specc("importance", TIPS, "--damping", "0.01", "--quiet", "--json").json["warnings"]
    assert warning["rule"] == "damping-hides-the-graph"
    assert specc("importance", TIPS, "--quiet").err == ""


def test_the_method_decides_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "net.specc"
    text = spec(
        "stage s1 { skippable { conv(16, kernel=3) } }",
        rest="method tips(boost=1, analysis=importance(subnets=3, coupling=0.5))",
    )
    path.write_text(text, encoding="utf-8")
    found = specc("importance", path, "--json").json
    assert (found["subnets"], found["coupling"], found["damping"]) == (3, 0.5, 1e-5)
    assert specc("importance", path, "--json", "--subnets", 5).json["subnets"] == 5


WRONG = [
    (("--subnets", 0), "E711", "0 sub-networks"),
    (("--subnets", -3), "E711", "-3"),
    (("--coupling", 0), "E712", "outside (0, 1]"),
    (("--coupling", "1.5"), "E712", "1.5"),
    (("--coupling", "nan"), "E712", "nan"),
    (("--damping", 1), "E713", "outside [0, 1)"),
    (("--damping=-1e-5",), "E713", "-1e-05"),
    (("--directed", "--damping", 0), "E714", "needs a damping above 0"),
    (("--subnets", 10**9), "E719", "20,000,000 states"),
    (("--nodes", 36), "E715", "35, 37, 39"),
    (("--nodes", 0), "E715", "35, 37, 39"),
]


@pytest.mark.parametrize(("words", "code", "says"), WRONG, ids=str)
def test_wrong_settings(words: tuple[object, ...], code: str, says: str) -> None:
    done = specc("importance", TIPS, *words)
    assert (done.code, done.out) == (1, "")
    assert code in done.err
    assert says in done.err
    assert "help:" in done.err


def test_undamped_is_fine_where_edges_go_both_ways() -> None:
    assert specc("importance", TIPS, "--damping", 0, "--json").json["damping_share"] == 0


def test_wrong_command_lines() -> None:
    for words in (["--expected", "--directed"], ["--chart", "--json"], ["--top", 0], ["--subnets", "x"]):
        assert specc("importance", TIPS, *words).code == 2


def refusal(stages: str, settings: Settings) -> tuple[str, str]:
    with pytest.raises(SpecError) as refused:
        importance(network(stages), settings)
    first = refused.value.diagnostics[0]
    return first.rule.name, first.help


def test_too_few_to_keep_every_operation_once() -> None:
    whens = "when m == 1 { conv(16, kernel=1); relu }; when m == 2 { conv(16, kernel=3) }"
    stages = f"choice m in {{1, 2, 3}}; stage s1 {{ {whens} }}"
    assert refusal(stages, Settings(subnets=1)) == ("too-few-subnets-to-cover", "it takes at least 2")
    assert refusal(stages, Settings(subnets=1, expected=True))[0] == "too-few-subnets-to-cover"
    assert importance(network(stages), Settings(subnets=2)).best.tps > 0


def test_all_kept_by_one_sub_network() -> None:
    """T = 1 keeps every operation once only as the whole network, and finds it without trying 2^40 times."""
    found = importance(load(SPECS / "mlp80_tips.specc").graph, Settings(subnets=1))
    assert all(op.present == (1,) for op in found.ops)


def test_too_entangled_for_probabilities() -> None:
    inner = "; ".join(["skippable { conv(16, kernel=3) }"] * 13)
    assert refusal(f"stage s1 {{ skippable {{ {inner} }} }}", Settings(expected=True))[0] == "expected-not-known"
    graph = network("stage s1 { skippable { conv(16, kernel=3) } }")
    with pytest.raises(SpecError, match="expected-not-known"):
        importance(graph, Settings(expected=True, directed=True))


def test_too_many_states() -> None:
    assert refusal("stage s1 { relu }", Settings(subnets=10**9))[0] == "too-many-states"


def test_no_path_to_a_head() -> None:
    graph = load(TIPS).graph
    headless = graph.with_(outputs=tuple(output for output in graph.outputs if output.kind == "features"))
    with pytest.raises(SpecError, match="no-path"):
        importance(headless)


ALL = """
supernet net {
  input image(1, 8, 8); classes 10; width per_group 0.5..1.0 round 4
  stem { conv(16, kernel=3) }
  stage s1 { residual { conv(32, kernel=3); conv(16, kernel=1) } }
  head { pool(avg); linear(classes) }
}
"""


def test_it_is_said_where_all_operations_are_important_and_what_that_means(tmp_path: Path) -> None:
    path = tmp_path / "net.specc"
    path.write_text(ALL, encoding="utf-8")
    done = specc("importance", path)
    assert "all operations are important: no sub-network may drop any" in done.out
    assert "2 of 2 width groups are important: `method tips` could favour none, and needs boost=1" in done.out
    assert specc("importance", path, "--json").json["all_important"] is True
    done = specc("importance", TIPS)
    assert "all operations are important" not in done.out
    assert "14 of 24 width groups are important\n" in done.out
    assert specc("importance", TIPS, "--json").json["all_important"] is False


def test_the_spec_decides_nodes_seed_and_direction_and_flags_overrule_it(tmp_path: Path) -> None:
    path = tmp_path / "net.specc"
    text = ALL.replace("residual", "skippable { residual").replace("kernel=1) }", "kernel=1) } }")
    path.write_text(f"{text}method tips(analysis=importance(nodes=5, seed=4, directed=yes))\n", encoding="utf-8")
    found = specc("importance", path, "--json").json
    assert (found["best"]["nodes"], found["nodes"], found["seed"], found["directed"]) == (5, 5, 4, True)
    assert specc("importance", path, "--json", "--no-directed").json["directed"] is False
    found = specc("importance", path, "--json", "--seed", 0, "--nodes", 6, "--no-directed", "--expected").json
    assert (found["best"]["nodes"], found["seed"], found["expected"]) == (6, 0, True)
