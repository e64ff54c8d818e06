"""`specc importance --adjacency`: any graph by sparse solves, which our closed forms are held against."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from specc.cost.report import stages_of
from specc.importance import adjacency, importance
from specc.importance.adjacency import graph_of
from specc.importance.chain import directed, undirected
from specc.importance.given import degrees_of, paths_of
from specc.importance.report import edge_macs
from specc.importance.rules import Settings
from specc.importance.solve import matrices, stationary
from specc.ir.expr import evaluate
from specc.ir.graph import Graph
from specc.passes.importance_view import View, importance_view
from specc.pipeline import load
from specc.schemas.adjacency import AdjacencyFile
from specc.schemas.importance import Importance
from tests.helpers import importance as reference
from tests.helpers.commands import Done, specc
from tests.helpers.folders import ROOT, SPECS
from tests.helpers.solving import solved
from tests.helpers.views import Case, cases

BOTH = pytest.mark.parametrize("is_directed", [False, True], ids=["undirected", "directed"])
CHAIN: dict[str, Any] = {"nodes": ["x", "y"], "edges": [{"source": "x", "target": "y"}]}


def asked(path: Path, *words: str) -> Done:
    return specc("importance", "--adjacency", path, *words, "--json")


def written(folder: Path, content: object, name: str = "net.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def described(view: View, holds: Any, macs: Any, stages: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A view and its sampled sub-networks as the file has them; `holds` says of a guard in which it does."""
    edges = [
        {"source": view.nodes[edge.source], "target": view.nodes[edge.target], "name": edge.name, "kind": edge.kind}
        | {"stage": stages[edge.ops[0]] if stages else "", "macs": count, "droppable": edge.droppable}
        for edge, count in zip(view.edges, macs, strict=True)
    ]
    present = [holds(edge) for edge in view.edges]
    return {
        "nodes": [*view.nodes],
        "edges": edges,
        "inputs": [view.nodes[node] for node in view.firsts],
        "outputs": [view.nodes[node] for node in view.lasts],
        "subnets": [
            [edge.name for edge, row in zip(view.edges, present, strict=True) if row[k]] for k in range(len(present[0]))
        ],
    }


@BOTH
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=cases())
def test_the_closed_forms_are_what_a_sparse_solve_gives(is_directed: bool, case: Case) -> None:
    drawn = case.drawn()
    held = described(case.view, lambda edge: [bool(evaluate(edge.guard, at)) for at in drawn.at], case.macs)
    graph = graph_of(AdjacencyFile.model_validate(held), "net")
    blocks = matrices(graph, is_directed)
    for block, at in zip(blocks, drawn.at, strict=True):
        np.testing.assert_array_equal(block.toarray(), reference.adjacency(case.view, at, is_directed))
    chain = stationary(blocks, case.coupling, case.damping)
    tas, paths = solved(case, case.joined(drawn), is_directed)
    np.testing.assert_allclose(chain.tas, tas, rtol=1e-11)
    closed = (directed if is_directed else undirected)(case.joined(drawn), case.coupling, case.damping)
    assert chain.damping_share == pytest.approx(closed.damping_share, rel=1e-12)
    found = paths_of(graph, degrees_of(blocks, is_directed), chain.tas)
    assert found.lengths == paths.lengths
    for length in found.lengths:
        assert found.path(length) == paths.path(length)


def spec_as_graph(graph: Graph, subnets: Any) -> dict[str, Any]:
    """A spec's importance view, with the sub-networks that were sampled of it."""
    view = importance_view(graph)
    usual = {choice.name: choice.largest for choice in graph.choices}
    held = described(
        view,
        lambda edge: [bool(evaluate(edge.guard, usual | dict(at))) for at in subnets],
        edge_macs(graph, view),
        dict(stages_of(graph)),
    )
    return held | {"name": graph.name}


@pytest.mark.parametrize("spec", ["digits", "digits_tips", "mobilenet_v2_tips", "resnet34_tips", "vit_b_32_adn"])
@pytest.mark.parametrize("words", [(), ("--directed", "--coupling", "0.3"), ("--damping", "1e-4")], ids=" ".join)
def test_a_spec_and_its_graph_have_the_same_answer(spec: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = SPECS / f"{spec}.specc"
    of_spec = specc("importance", path, "--seed", "3", "--no-expected", *words, "--json").json
    graph = load(path).graph
    sampled = importance(graph, Settings(subnets=of_spec["subnets"], seed=3)).subnets
    file = written(tmp_path, spec_as_graph(graph, sampled))
    done = asked(file, *words)
    assert done.code == 0, done.err
    found = done.json
    assert close(found | {"seed": 3}, of_spec | {"warnings": []})
    Importance.model_validate(found)


def close(found: Any, wanted: Any) -> bool:
    """Whether two JSON values are the same, their numbers to eleven digits."""
    if isinstance(wanted, dict):
        assert [*found] == [*wanted]
        return all(close(found[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    same = found == pytest.approx(wanted, rel=1e-11) if isinstance(wanted, float) else found == wanted
    assert same, (found, wanted)
    return True


def dense(blocks: list[NDArray[np.float64]], coupling: float, damping: float) -> NDArray[np.float64]:
    """TAS by the whole matrix."""
    size, subnets = len(blocks[0]), len(blocks)
    h: NDArray[np.float64] = np.zeros((subnets * size, subnets * size))
    h += np.kron(np.ones((subnets, subnets)) - np.eye(subnets), coupling * np.eye(size))
    for k, block in enumerate(blocks):
        h[k * size : (k + 1) * size, k * size : (k + 1) * size] += block
    h *= 1 - damping
    h += damping
    return reference.dense_tas(h, size)


@st.composite
def weighted(draw: st.DrawFn) -> list[NDArray[np.float64]]:
    """Up to four matrices of weights, with cycles and loops."""
    size, subnets = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    weights = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0, 3.0])
    return [
        np.array([[draw(weights) for _ in range(size)] for _ in range(size)], dtype=np.float64) for _ in range(subnets)
    ]


@BOTH
@settings(max_examples=60, deadline=None, derandomize=True)
@given(blocks=weighted(), coupling=st.floats(0.05, 1), damping=st.sampled_from([1e-6, 1e-3, 0.5]))
def test_weights_and_cycles(
    is_directed: bool, blocks: list[NDArray[np.float64]], coupling: float, damping: float
) -> None:
    size = len(blocks[0])
    edges = [
        {"source": str(s), "target": str(t), "name": f"{s}-{t}-{k}", "weight": block[s, t]}
        for k, block in enumerate(blocks)
        for s, t in zip(*np.nonzero(block), strict=True)
    ]
    subnets = [[e["name"] for e in edges if e["name"].endswith(f"-{k}")] for k in range(len(blocks))]
    file = {"nodes": [str(n) for n in range(size)], "edges": edges, "subnets": subnets}
    graph = graph_of(AdjacencyFile.model_validate(file), "net")
    chain = stationary(matrices(graph, is_directed), coupling, damping)
    ends = np.zeros((size, size))
    ends[0, 0] = ends[-1, -1] = 1
    full = [np.maximum(block, ends) for block in blocks]
    wanted = dense(full if is_directed else [np.maximum(b, b.T) for b in full], coupling, damping)
    np.testing.assert_allclose(chain.tas, wanted, rtol=1e-8)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(blocks=weighted())
def test_a_matrix_is_read_as_the_same_graph_in_json(blocks: list[NDArray[np.float64]]) -> None:
    import tempfile

    size = len(blocks[0])
    for block in blocks:
        block[0, 0] = block[-1, -1] = 0  # which are 1 in any case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.npz"
        sparse.save_npz(path, sparse.vstack([sparse.csr_array(block) for block in blocks]).tocsr())
        for word in ("--no-directed", "--directed"):
            done = asked(path, word)
            assert done.code == 0, done.err
            ends = np.zeros((size, size))
            ends[0, 0] = ends[-1, -1] = 1
            full = [np.maximum(block, ends) for block in blocks]
            wanted = dense(full if word == "--directed" else [np.maximum(b, b.T) for b in full], 1, 1e-5)
            np.testing.assert_allclose([row["tas"] for row in done.json["tensors"]], wanted, rtol=1e-9)
            assert done.json["subnets"] == len(blocks)
            rows = {row["name"]: row["present"] for row in done.json["ops"]}
            for name, present in rows.items():
                s, t = (int(end) - 1 for end in name.split("->"))
                assert present == [int(block[s, t] > 0) for block in blocks]


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_every_form_of_a_matrix_is_read(form: str, tmp_path: Path) -> None:
    matrix = sparse.csr_array(np.eye(4, k=1)).asformat(form)
    path = tmp_path / "chain.npz"
    sparse.save_npz(path, matrix)
    found = asked(path).json
    assert (found["spec"], found["best"]["ops"]) == ("chain", ["1->2", "2->3", "3->4"])
    both = tmp_path / "both.npz"
    sparse.save_npz(both, sparse.csr_array(np.eye(4, k=1) + np.eye(4, k=-1)))
    assert asked(both, "--directed").json["paths"] == []
    again = asked(both).json
    assert (again["ops"], again["tensors"], again["paths"]) == (found["ops"], found["tensors"], found["paths"])


def test_a_ring_needs_no_damping(tmp_path: Path) -> None:
    """Every node is as likely as the others, but for the ends, which also stay: 1/d of it each way."""
    nodes = ["a", "b", "c", "d"]
    edges = [{"source": s, "target": t} for s, t in zip(nodes, nodes[1:] + nodes[:1], strict=True)]
    path = written(tmp_path, {"nodes": nodes, "edges": edges})
    found = asked(path, "--directed", "--damping", "0").json
    assert [row["tas"] for row in found["tensors"]] == pytest.approx([2 / 6, 1 / 6, 1 / 6, 2 / 6])
    assert (found["paths"], found["best"]) == ([], {"nodes": 0, "tps": 0.0, "ops": []})
    assert not any(row["important"] for row in found["ops"])
    assert "there are no paths: edges make a cycle" in specc("importance", "--adjacency", path).out
    assert asked(path, "--damping", "0").json["tensors"][0]["tas"] == pytest.approx(3 / 10)


def test_one_graph_marks_the_best_path_alone(tmp_path: Path) -> None:
    """Of one graph nothing is known of what may be left out; of several, what all have is important."""
    nodes, pairs = ["x", "a", "b", "y"], [("x", "a"), ("a", "b"), ("b", "y"), ("x", "b"), ("a", "y")]
    edges: list[dict[str, Any]] = [{"source": s, "target": t, "macs": 7 * (s == "a")} for s, t in pairs]
    one = {"nodes": nodes, "edges": edges}

    def important(content: Any, *words: str) -> list[str]:
        return [row["name"] for row in asked(written(tmp_path, content), *words).json["ops"] if row["important"]]

    assert important(one) == ["b->y", "x->b"]
    assert important(one, "--nodes", "4") == ["x->a", "a->b", "b->y"]
    all_names = [f"{s}->{t}" for s, t in pairs]
    two = one | {"subnets": [all_names, all_names[:3]]}
    assert important(two) == ["x->a", "a->b", "b->y", "x->b"]
    edges[0] |= {"droppable": True, "name": "first"}
    assert important(one | {"subnets": [["first", *all_names[1:]], ["first", *all_names[1:3]]]}) == all_names[1:4]


WRONG: list[tuple[Any, str]] = [
    ({"nodes": ["x", "y"]}, "`edges` is missing"),
    (CHAIN | {"nodes": []}, "`nodes`: "),
    (CHAIN | {"more": 1}, "`more` is no key of it"),
    (CHAIN | {"nodes": ["x", "x"]}, "the node `x` is given twice"),
    (CHAIN | {"nodes": ["x", 1]}, "`nodes[1]`: input should be a valid string, and is 1"),
    (CHAIN | {"edges": [{"source": "x", "target": "z"}]}, "the edge `x->z` names a node `z`, which is not there"),
    (CHAIN | {"edges": CHAIN["edges"] * 2}, "the edge `x->y` is given twice"),
    (CHAIN | {"edges": [CHAIN["edges"][0] | {"weight": -1}]}, "`edges[0].weight`: "),
    (CHAIN | {"edges": [CHAIN["edges"][0] | {"weight": True}]}, "`edges[0].weight`: "),
    (CHAIN | {"edges": [{"source": "x"}]}, "`edges[0].target` is missing"),
    (CHAIN | {"inputs": ["in"]}, "`inputs` names a node `in`"),
    (CHAIN | {"subnets": []}, "`subnets`: "),
    (CHAIN | {"subnets": [["x->y"], ["y->x"]]}, "sub-network 2 names an edge `y->x`"),
    (CHAIN | {"subnets": [["x->y", "x->y"]]}, "the edge of sub-network 1 `x->y` is given twice"),
    ([], "the document: "),
]


@pytest.mark.parametrize(("content", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_with_a_file_is_said(content: Any, message: str, tmp_path: Path) -> None:
    done = asked(written(tmp_path, content))
    assert done.code == 1
    (told,) = done.json["diagnostics"]
    assert told["rule"] == "wrong-adjacency"
    assert message in told["message"]


@pytest.mark.parametrize("text", ['{"nodes": [NaN]}', "{", '{"a": 1e999}', "[" * 100_000, "\xff"])
def test_text_that_is_no_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(text, encoding="latin-1")
    assert "it is no JSON" in asked(path).json["diagnostics"][0]["message"]


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def csr(**changes: Any) -> dict[str, Any]:
    """What a .npz file of scipy.sparse holds: the chain of three nodes."""
    data, indices, indptr = np.ones(2), np.array([1, 2]), np.array([0, 1, 2, 2])
    return {"format": b"csr", "shape": (3, 3), "data": data, "indices": indices, "indptr": indptr} | changes


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (csr(shape=(3, 4)), "3 x 4, which is not square"),
        (csr(shape=(2, 3), indptr=np.array([0, 1, 2])), "2 x 3, which is not square"),
        (
            {"format": b"coo", "shape": (10**6, 10**6), "data": [1.0], "row": [0], "col": [1]},
            "more than 500,000 states",
        ),
        (csr(data=np.array([1.0, -1])), "the weight in row 2, column 3 is -1"),
        (csr(data=np.array([1.0, np.nan])), "is nan"),
        (csr(data=np.array([1.0, np.inf])), "is inf"),
        (csr(data=np.array([1j, 1])), "its weights are of type complex128"),
        (csr(data=np.array([None, {}], dtype=object)), "holds no matrix of scipy.sparse"),
        (csr(indices=np.array([1, 10**8])), "holds no matrix of scipy.sparse"),
        (csr(indptr=np.array([0, 1, 2, 10**8])), "holds no matrix of scipy.sparse"),
        (csr(format=b"xyz"), "holds no matrix of scipy.sparse"),
        ({"a": np.ones(3)}, "holds no matrix of scipy.sparse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_matrix_is_said(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    done = asked(npz(tmp_path / "net.npz", **arrays))
    assert done.code == 1, done.err
    assert message in done.json["diagnostics"][0]["message"]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    bomb = np.array([Bomb(), 1], dtype=object)
    done = asked(npz(tmp_path / "net.npz", **csr(data=bomb)))
    assert done.code == 1
    assert not (tmp_path / "exploded").exists()


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjacency, "MOST_BYTES", 10**6)
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", bytes(10**6 + 1))
    assert "bytes, more than" in asked(path).json["diagnostics"][0]["message"]
    path.write_bytes(b"PK\3\4 and then nothing")
    assert "holds no matrix of scipy.sparse" in asked(path).json["diagnostics"][0]["message"]


def test_what_cannot_be_asked_together(tmp_path: Path) -> None:
    path = written(tmp_path, CHAIN)
    for words in (["-p", "a=1"], ["--subnets", 2], ["--seed", 1], ["--expected"], [SPECS / "digits.specc"]):
        done = specc("importance", "--adjacency", path, *words)
        assert (done.code, done.out) == (2, ""), words
    assert specc("importance").code == 2
    assert "cannot read" in specc("importance", "--adjacency", tmp_path / "none.json").err
    for words, rule in (
        (["--damping", "2"], "damping-out-of-range"),
        (["--coupling", "0"], "coupling-out-of-range"),
        (["--nodes", "3"], "no-path-of-length"),
        (["--directed", "--damping", "0"], "no-stationary-distribution"),
        (["--directed", "--damping", "1e-300"], "no-stationary-distribution"),
    ):
        done = asked(path, *words)
        assert (done.code, done.json["diagnostics"][0]["rule"]) == (1, rule)


def test_damping_that_hides_the_graph_is_warned_of(tmp_path: Path) -> None:
    told = asked(written(tmp_path, CHAIN), "--damping", "0.5").json["warnings"]
    assert [row["rule"] for row in told] == ["damping-hides-the-graph"]
    assert asked(written(tmp_path, CHAIN), "--damping", "0.5", "--strict").code == 1


def test_the_example_of_the_reference(tmp_path: Path) -> None:
    text = (ROOT / "grammar" / "REFERENCE.md").read_text(encoding="utf-8")
    begin = text.index('    {"nodes": ["image"')
    path = tmp_path / "net.json"
    path.write_text(text[begin : text.index("\n\n", begin)])
    found = asked(path).json
    assert found["best"]["ops"] == ["add", "linear"]
    assert [row["name"] for row in found["ops"] if row["important"]] == ["add", "linear"]


def test_as_text(tmp_path: Path) -> None:
    path = written(tmp_path, CHAIN | {"subnets": [["x->y"], []]})
    done = specc("importance", "--adjacency", path)
    assert done.code == 0
    assert "x->y       edge             1/2     0  0.50000  important" in done.out
    assert f"undirected; {path}: 2 sub-networks; coupling 1, damping 1e-05" in done.out
    assert "* on the best path: 2 feature maps" in specc("importance", "--adjacency", path, "--chart").out
