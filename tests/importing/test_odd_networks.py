"""Networks as nobody publishes them: each becomes the same network, or is refused with what helps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specc.imported import Imported, import_network
from specc.importing.predicts import statement
from specc.importing.sources import CannotImport
from tests.helpers import odd_networks

FILE = Path(odd_networks.__file__)


def imported(name: str, *shapes: tuple[int, ...], predicts: str = "") -> Imported:
    torch.manual_seed(0)
    return import_network(f"{FILE}:{name}", shapes or ((3, 8, 8),), predicts=predicts)


def refused(name: str, predicts: str = "") -> CannotImport:
    with pytest.raises(CannotImport) as caught:
        imported(name, predicts=predicts)
    assert caught.value.help
    return caught.value


def line_of(word: str) -> str:
    lines = FILE.read_text().splitlines()
    return f"{FILE.name}:{next(i for i, line in enumerate(lines, 1) if word in line)}"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("functional", []),
        ("shared_by_two_scales", ["weights that are used twice"]),
        ("called_twice", ["weights that are used twice"]),
        ("loop_over_blocks", []),
        ("c2f", []),
        ("mask_times_features", []),
        ("mean_under_a_mask", ["aten.div"]),
        ("buffers", ["aten.sub, aten.div"]),
        ("einsum", ["aten.einsum"]),
        ("in_place", []),
        ("in_place_of_a_part", None),
        ("in_place_behind_a_view", []),
        ("filled_piece_by_piece", None),
        ("own_function", []),
        ("checkpointed", []),
        ("lazy", []),
        ("in_half", []),
        ("in_bfloat16", []),
        ("in_training", []),
        ("dict_of_one", []),
    ],
)
def test_it_is_the_same_network(name: str, kept: list[str] | None) -> None:
    """Outputs, parameters, MACs and a step of training; `kept` are the operators of its parts without a word, where
    that is settled."""
    found = imported(name)
    assert found.proof.holds
    assert found.proof.trained is not None
    assert not found.plain
    if kept is not None:
        assert [part.operator for part in found.foreign] == kept
    else:
        assert found.foreign


def test_tied_weights_are_one() -> None:
    found = imported("tied", (6,))
    assert found.proof.holds
    assert found.proof.params == (6 * 4 + 4 * 5 + 5,) * 2


def test_what_no_gradient_reaches_is_told() -> None:
    found = imported("frozen")
    assert found.proof.holds
    assert set(found.frozen) == {f"one.{name}" for name in ("conv.weight", "norm.weight", "norm.bias")} | {
        "stem.weight",
        "stem.bias",
    }


def test_precision_is_told() -> None:
    assert "float16 became float32" in imported("in_half").notes[0]


def test_gradients_of_their_own_are_refused() -> None:
    assert "`StraightThrough` has a gradient of its own" in str(refused("own_gradient"))


def test_what_training_alone_does_is_refused_with_its_line() -> None:
    error = refused("random_in_training")
    assert error.place == line_of("if net.training else x")
    assert "training computes something else" in error.message


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("random_always", "torch.rand_like(x)))", "rand_like"),
        ("across_images", "x.mean(0, keepdim=True)", "aten.mean"),
        ("through_a_diagonal", "x.diagonal", "writes into a part of another tensor"),
    ],
)
def test_what_stays_no_part_is_refused_with_its_line(name: str, line: str, told: str) -> None:
    error = refused(name)
    assert error.place == line_of(line)
    assert told in error.message


@pytest.mark.parametrize(
    ("name", "predicts", "left_out"),
    [
        ("c2f", "classes 5", ""),
        ("ends_in_softmax", "classes 5", "softmax is left out, as training applies its own"),
        ("ends_in_log_softmax", "classes 5", "log_softmax is left out, as training applies its own"),
        ("ends_in_sigmoid", "tags 5", "sigmoid is left out, as training applies its own"),
        ("ends_in_one_value", "values 1", ""),
        ("a_class_each_pixel", "classes 4 each pixel", ""),
        ("a_softmax_each_pixel", "classes 4 each pixel", "softmax is left out"),
        ("a_better_image", "restores image(3)", ""),
        ("a_larger_image", "restores image(3)", ""),
    ],
)
def test_what_a_network_predicts(name: str, predicts: str, left_out: str) -> None:
    found = imported(name)
    assert found.proof.holds
    assert f"; {predicts}\n" in found.written.text
    assert statement(found.network.kind, found.compiled.graph.predicts.count) == predicts
    assert len(found.notes) == bool(left_out)
    assert left_out in "".join(found.notes)


def test_a_sigmoid_of_classes() -> None:
    found = imported("ends_in_sigmoid", predicts="classes")
    assert "sigmoid is left out, as training takes each for one of the classes" in found.notes[0]
    found = imported("ends_in_sigmoid", predicts="values")
    assert not found.notes
    assert "sigmoid" in found.written.text


@pytest.mark.parametrize(
    ("name", "predicts", "told"),
    [
        ("a_smaller_map", "", "a map of 4 channels and 4 x 4 for images of 8 x 8: no spec predicts that"),
        ("rows", "", r"of the sizes \[4, 64\] for each input"),
        ("a_number_each", "", "no tensor for each input"),
        ("ends_in_one_value", "classes", "`classes 10` is not"),
        ("a_class_each_pixel", "tags", "a map of 4 channels and 8 x 8 for images of 8 x 8: `tags 20` is not"),
    ],
)
def test_outputs_that_no_spec_predicts(name: str, predicts: str, told: str) -> None:
    with pytest.raises(CannotImport, match=told):
        imported(name, predicts=predicts)
