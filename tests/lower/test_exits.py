"""Exits, heads by a choice and levels of labels: scopes, guards, outputs, and what the analyses count."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from specc.cost import cost
from specc.diagnostics import SpecError
from specc.ir.expr import Option, Var, apply, evaluate
from specc.ir.graph import Graph, Scope
from specc.passes.importance_view import importance_view
from specc.passes.specialise import specialise
from specc.pipeline import load
from specc.subnets.space import complete, enumerate_space, size
from tests.helpers.exits import BY_K, EXITS
from tests.helpers.networks import assignments, graph_of

# The same network up to each exit, written as a network of its own.
STEM = "supernet net { input image(3, 8, 8); classes 10; norm batch; stem { conv(8, kernel=3) };"
ONE = "stage s1 { conv(8, kernel=3); norm; relu"
REST = (
    "; residual { conv(8, kernel=3) } }; stage s2 { conv(16, kernel=3, stride=2); skippable { conv(16, kernel=3) } };"
)
END = "head { pool(avg); linear(classes) } }"
ALONE = {
    "e0": f"{STEM} head {{ norm; relu; pool(avg); linear(classes) }} }}",
    "e1": f"{STEM} {ONE} }}; {END}",
    "e2": f"{STEM} {ONE} {REST} {END}",
    "head": f"{STEM} {ONE} {REST} stage s3 {{ conv(16, kernel=3) }}; {END}",
}


def scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for item in scope.items:
        if isinstance(item, Scope):
            yield from scopes(item)


def test_an_exit_is_a_choice_and_what_follows_it_a_region() -> None:
    graph = graph_of(EXITS)
    choice = graph.choice_table()["exit"]
    assert (tuple(choice.options), choice.kind) == (("e0", "e1", "e2", "head"), "exit")
    found = {scope.output: scope for scope in scopes(graph.root) if scope.output}
    assert {name: (scope.kind, scope.path) for name, scope in found.items()} == {
        "e0": ("exit", "e0"),
        "e1": ("exit", "s1.e1"),
        "e2": ("exit", "e2"),
    }
    assert found["e1"].guard == apply("eq", Var("exit"), "e1")
    assert [(o.name, o.kind) for o in graph.outputs] == [
        ("head", "head"),
        ("e0", "exit"),
        ("e1", "exit"),
        ("e2", "exit"),
        ("s1", "features"),
        ("s2", "features"),
        ("s3", "features"),
    ]
    guards = {op.name: op.guard for op in graph.ops}
    for at, present in {
        "e0": {"stem.conv"},
        "e1": {"stem.conv", "s1.conv1"},
        "e2": {"stem.conv", "s1.conv1", "s1.conv2", "s2.conv1"},
        "head": {"stem.conv", "s1.conv1", "s1.conv2", "s2.conv1", "s3.conv"},
    }.items():
        values: dict[str, Option] = {"exit": at, "s2.keep": 0}
        convs = {name for name in guards if ".conv" in name and evaluate(guards[name], values)}
        assert convs == present
    assert guards["answer"] == 1


def test_every_exit_costs_what_the_network_up_to_it_costs() -> None:
    graph = graph_of(EXITS)
    for exit_, text in ALONE.items():
        alone = graph_of(text)
        for keep in (0, 1) if alone.choices else (0,):
            here = cost(graph, complete(graph, {"exit": exit_, "s2.keep": keep}))
            there = cost(alone, complete(alone, {"s2.keep": keep} if alone.choices else {}))
            assert (here.macs, here.params, here.peak_bytes) == (there.macs, there.params, there.peak_bytes)
            assert here.activations == there.activations
    classifiers = {"e0": 2 * 8 + 8 * 10 + 10, "e1": 8 * 10 + 10, "e2": 16 * 10 + 10}
    largest = cost(graph, complete(graph, {}))
    assert largest.params_total == largest.params + sum(classifiers.values())


def test_the_space_knows_what_an_exit_leaves_out() -> None:
    graph = graph_of(EXITS)
    found = enumerate_space(graph)
    assert found == [
        {"exit": "e0"},
        {"exit": "e1"},
        {"exit": "e2", "s2.keep": 0},
        {"exit": "e2", "s2.keep": 1},
        {"exit": "head", "s2.keep": 0},
        {"exit": "head", "s2.keep": 1},
    ]
    assert size(graph) == 6


@pytest.mark.parametrize("exit_", ALONE)
def test_a_bound_exit_is_the_network_up_to_it(exit_: str) -> None:
    static = specialise(graph_of(EXITS), {"exit": exit_, "s2.keep": 1})
    alone = graph_of(ALONE[exit_])
    alone = specialise(alone, {c.name: 1 for c in alone.choices})
    assert [op.kind for op in static.ops] == [op.kind for op in alone.ops]
    assert [o.kind for o in static.outputs if o.kind != "features"] == ["head" if exit_ == "head" else "exit"]
    assert static.prediction() == static.ops[-1].output
    assert cost(static, {}).params_total == cost(alone, {}).params_total


def test_a_head_for_every_option_reads_what_is_active_there() -> None:
    graph = graph_of(BY_K)
    assert [o.name for o in graph.outputs] == ["head1", "head2", "head3"]
    tensors = graph.tensor_table()
    for k in (1, 2, 3):
        assert tensors[f"head{k}.narrow"].features == 4 * k
        (norm,) = [op for op in graph.ops if op.name == f"head{k}.norm"]
        assert norm.bank.count == 1
        assert cost(graph, complete(graph, {"k": k})).params == 27 * 4 * k + 8 * k + (
            (4 * k + 1) * 10 if k < 3 else 13 * 20 + 210
        )
    assert size(graph) == 3
    assert [op.name for op in graph.ops if op.name.startswith("head3.linear")] == ["head3.linear1", "head3.linear2"]


def test_a_head_reads_all_of_what_does_not_depend_on_the_choice() -> None:
    graph = graph_of(
        BY_K.replace("conv(4 * k, kernel=3)", "conv(8, kernel=3); conv(4 * k, kernel=1); conv(8, kernel=1)")
    )
    assert not [op for op in graph.ops if op.kind == "narrow"]


def test_exits_and_heads_by_a_choice_stand_in_one_network() -> None:
    text = BY_K.replace("head by k", "exit early { pool(avg); linear(classes) }\n  head by k")
    graph = graph_of(text)
    assert [o.name for o in graph.outputs] == ["head1", "head2", "head3", "early"]
    assert size(graph) == 6
    for at in assignments(graph):
        static = specialise(graph, at)
        (answer,) = [o.name for o in static.outputs]
        assert answer == ("early" if at["exit"] == "early" else f"head{at['k']}")


def labelled(folder: Path, table: str, levels: str, classes: int = 4) -> Graph:
    (folder / "table.csv").write_text(table)
    (folder / "net.specc").write_text(
        f"supernet net {{ input image(3, 8, 8); classes {classes}; labels {{ fine = classes; {levels} }}\n"
        "stem { conv(4, kernel=3) }; exit e1 by level { pool(avg); linear(level.classes) }\n"
        "stage s1 { conv(4, kernel=3) }; head by level { pool(avg); linear(level.classes) } }\nmethod early_exit\n"
    )
    return load(folder / "net.specc").graph


def test_levels_of_a_table(tmp_path: Path) -> None:
    graph = labelled(
        tmp_path,
        'class, half, all\n2, "b", x\n0, a, x\n1, a, x   # classes in any order\n3, b, x\n',
        'half = 2 from "table.csv"; all = 1 from "table.csv"',
    )
    levels = [(level.name, level.classes, level.parents) for level in graph.labels]
    # Names are numbered as they come in the file.
    assert levels == [("fine", 4, None), ("half", 2, (1, 1, 0, 0)), ("all", 1, (0, 0, 0, 0))]
    assert [(o.name, o.level) for o in graph.outputs if o.kind != "features"] == [
        ("head_fine", "fine"),
        ("head_half", "half"),
        ("head_all", "all"),
        ("e1_fine", "fine"),
        ("e1_half", "half"),
        ("e1_all", "all"),
    ]


def test_classes_by_name_stand_in_the_datas_order(tmp_path: Path) -> None:
    graph = labelled(tmp_path, "class,half\nape,1\nbat,0\ncar,0\nden,1\n", 'half = 2 from "table.csv"')
    assert graph.labels[1].parents == (1, 0, 0, 1)
    assert graph.labels[1].names == ("ape", "bat", "car", "den")


def test_two_files_name_the_classes_in_one_order(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("class,all\nape,0\ncar,0\nbat,0\nden,0\n")
    levels = 'half = 2 from "table.csv"; all = 1 from "other.csv"'
    with pytest.raises(SpecError, match="class 1 is `bat` for `half`, and `car` for `all`"):
        labelled(tmp_path, "class,half\nape,1\nbat,0\ncar,0\nden,1\n", levels)


def test_levels_of_a_taxonomy_are_steps_above_the_leaves(tmp_path: Path) -> None:
    tree = "child,parent\n0,afghan\n1,afghan\nafghan,hound\n2,terrier\nterrier,dog\nhound,dog\n3,dog\n"
    levels = 'one = 3 from "table.csv"; two = 2 from "table.csv"; three = 1 from "table.csv"'
    graph = labelled(tmp_path, tree, levels)
    # Class 3 has one ancestor only and stays with it.
    assert [level.parents for level in graph.labels[1:]] == [(0, 0, 1, 2), (0, 0, 1, 1), (0, 0, 0, 0)]


def test_coarser_classifiers_are_no_part_of_the_answer(tmp_path: Path) -> None:
    graph = labelled(tmp_path, "class,half\n0,0\n1,0\n2,1\n3,1\n", 'half = 2 from "table.csv"')
    largest = cost(graph, complete(graph, {}))
    names = {row.name for row in largest.ops}
    assert "head_fine.linear" in names
    assert "head_half.linear" not in names
    assert largest.params == 2 * 108 + 36 + 20
    assert largest.params_total == largest.params + 10 + 20 + 10


def test_every_head_and_exit_is_a_last_node_of_the_importance_view() -> None:
    view = importance_view(graph_of(EXITS))
    assert [view.nodes[last] for last in view.lasts] == [
        "head.linear",
        "e0.linear",
        "s1.e1.linear",
        "e2.linear",
    ]
    assert {str(edge.guard) for edge in view.edges if "e1" in edge.name} == {"1"}
    assert len(importance_view(graph_of(BY_K)).lasts) == 3


def test_random_exits_of_random_depth_cost_what_they_run() -> None:
    rng = random.Random(4)
    for _ in range(5):
        widths = [rng.choice((4, 8)) for _ in range(5)]
        stages = [f"stage s{i} {{ conv({w}, kernel=3) }}" for i, w in enumerate(widths)]
        end = "{ pool(avg); linear(classes) }"
        places = sorted(rng.sample(range(5), 2))
        text = "".join(s + (f"; exit e{i} {end};" if i in places else ";") for i, s in enumerate(stages))
        start = "supernet net { input image(3, 8, 8); classes 10; stem { conv(4, kernel=1) };"
        graph = graph_of(f"{start} {text} head {end} }}")
        for i in places:
            alone = graph_of(f"{start} {'; '.join(stages[: i + 1])}; head {end} }}")
            assert cost(graph, {"exit": f"e{i}"}).macs == cost(alone, {}).macs
            assert cost(graph, {"exit": f"e{i}"}).params == cost(alone, {}).params


ROUNDS = """
supernet net {
  input image(3, 8, 8); classes 10; norm batch
  stem { conv(8, kernel=3) }
  stage s1 { repeat 2 { conv(8, kernel=3); repeat 2 { norm; exit e { pool(avg); linear(classes) } } } }
  stage s2 { repeat 2 { conv(8, kernel=1); exit late1_ { pool(avg); linear(classes) } } }
  stage s3 { repeat 2 { relu; exit v2 { pool(avg); linear(classes) } } }
  head { pool(avg); linear(classes) }
}
"""


def test_each_round_of_a_repeat_has_an_exit_called_after_it() -> None:
    graph = graph_of(ROUNDS)
    names = ("e1_1", "e1_2", "e2_1", "e2_2", "late1_1", "late1_2", "v2_1", "v2_2", "head")
    assert tuple(graph.choice_table()["exit"].options) == names
    conv, norm, pixel, answer = 8 * 8 * 9, 16, 8 * 8, 90
    params = {
        "e1_1": conv + norm,
        "e1_2": conv + 2 * norm,
        "e2_1": 2 * conv + 3 * norm,
        "e2_2": 2 * conv + 4 * norm,
        "late1_1": 2 * conv + 4 * norm + pixel,
        **dict.fromkeys(names[5:], 2 * conv + 4 * norm + 2 * pixel),
    }
    for name in names:
        assert cost(graph, {"exit": name}).params == 3 * 8 * 9 + params[name] + answer
