"""Tables: rows of CSV files and scikit-learn's, as inputs and targets; what is refused, with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data
from specc.runtime.data.loading import Loading
from specc.runtime.data.targets import Kind
from specc.runtime.run.distributed import World

HOUSES = """rooms; area;heating;price; kind
3;71.5;gas;210;flat
4;110;oil;340;house

2;48;gas;150;flat
5;160;wood;510;house
3;80;gas;260;flat
4;102;oil;310;house
2;55;"gas";170;flat
6;190;wood;620;house
"""


def read(folder: Path, text: str, task: Any, target: str, **more: Any) -> Data:
    (folder / "houses.csv").write_text(text, encoding="utf-8")
    settings = {"name": "table", "path": str(folder / "houses.csv"), "validation": 0.0, "seed": 0, "target": target}
    return load_data({**settings, "test": 0.25, **more}, task)


def rows_of(data: Data) -> dict[tuple[float, ...], Any]:
    """Every row's numbers and its target."""
    found = {}
    for part in (data.train, data.test):
        targets = part.labels or [tuple(row.tolist()) for row in part.targets[:]]
        for row, target in zip(part.arrays[0][:].tolist(), targets, strict=True):
            found[tuple(row)] = target
    return found


def test_columns_are_numbers_and_words_a_number_each(tmp_path: Path) -> None:
    """By hand: rooms, area, heating as gas, oil, wood, and the two kinds of houses."""
    data = read(tmp_path, HOUSES, Kind("values", 1), "price")
    found = rows_of(data)
    assert len(found) == 8
    assert found[3, 71.5, 1, 0, 0, 1, 0] == (210,)
    assert found[5, 160, 0, 0, 1, 0, 1] == (510,)
    assert (len(data.train), len(data.test)) == (6, 2)
    assert data.names == ("price",)


def test_inputs_and_values_are_normalised_by_the_training_rows(tmp_path: Path) -> None:
    data = read(tmp_path, HOUSES, Kind("values", 2), "price, area")
    loading = Loading(data, (6,), World(0, 1, torch.device("cpu")))
    ((inputs, targets),) = loading.evaluation(data.train)
    rows, answers = data.train.arrays[0][:].numpy(), np.asarray(data.train.targets[:])
    for found, given in ((inputs, rows), (targets, answers)):
        std = given.std(axis=0)
        expected = (given - given.mean(axis=0)) / np.where(std > 1e-6, std, 1)
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-5)
    ((test, _),) = loading.evaluation(data.test)
    std = rows.std(axis=0)
    expected = (data.test.arrays[0][:].numpy() - rows.mean(axis=0)) / np.where(std > 1e-6, std, 1)
    np.testing.assert_allclose(np.asarray(test), expected, atol=1e-5)


def test_classes_are_words_or_numbers_in_their_order(tmp_path: Path) -> None:
    data = read(tmp_path, HOUSES, Kind("classes", 2), "kind")
    assert data.names == ("flat", "house")
    assert rows_of(data)[5, 160, 0, 0, 1, 510] == 1
    assert read(tmp_path, HOUSES, Kind("classes", 2), "").names == ("flat", "house")  # the last column
    numbers = read(tmp_path, HOUSES, Kind("classes", 5), "rooms")
    assert numbers.names == ("2", "3", "4", "5", "6")
    ten = read(tmp_path, "x,y\n" + "".join(f"{i},{i % 11}\n" for i in range(44)), Kind("classes", 11), "y")
    assert ten.names == tuple(map(str, range(11)))


def test_tags_are_columns_of_zeros_and_ones(tmp_path: Path) -> None:
    data = read(tmp_path, "x,a,b\n1,0,1\n2,1,1\n3,0,0\n4,1,0\n", Kind("tags", 2), "a,b")
    assert rows_of(data) == {(1,): (0, 1), (2,): (1, 1), (3,): (0, 0), (4,): (1, 0)}


REFUSED: dict[str, tuple[str, Any, str, str]] = {
    "no such column": (HOUSES, Kind("values", 1), "prize", "there is no column 'prize'; the columns are rooms, area"),
    "a missing number": ("x,y\n1,2\n\n,3\n4,5\n", Kind("values", 1), "y", "line 4 has no number in the column 'x'"),
    "a word as a value": (HOUSES, Kind("values", 1), "kind", "line 2 has 'flat' in the column 'kind', where a number"),
    "a short line": ("x,y\n1,2\n3\n", Kind("values", 1), "y", "line 3 has 1 cells, and there are 2 columns"),
    "no names": ("1,2\n3,4\n", Kind("values", 1), "", "its first line holds numbers; it should name the columns"),
    "nothing": ("", Kind("values", 1), "", "it is empty"),
    "no rows": ("x,y\n", Kind("values", 1), "", "there are no rows below the names"),
    "a name twice": ("x,x\n1,2\n", Kind("values", 1), "", "two columns are called 'x'"),
    "one column": ("x\n1\n2\n", Kind("values", 1), "", "there are no columns besides the target"),
    "other numbers of targets": (HOUSES, Kind("values", 3), "price", "predicts 3 values, and `target` names 1 column"),
    "classes too many": (HOUSES, Kind("classes", 2), "heating", r"'heating' has 3 classes \(gas, oil, wood\), and"),
    "a missing class": ("x,y\n1,a\n2,\n", Kind("classes", 2), "y", "row 2 has no class in the column 'y'"),
    "masks": (
        HOUSES,
        Kind("pixels", 2),
        "kind",
        "a table has classes, values or tags, and the network predicts pixels",
    ),
    "half a tag": ("x,y\n1,0\n2,3\n", Kind("tags", 1), "y", r"target 1 is \[3.0\]; a tag is 0 or 1"),
    "one row": ("x,y\n1,0\n", Kind("values", 1), "y", "a table of 1 rows has none left for training or for testing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tables_that_cannot_be_used_are_refused(name: str, tmp_path: Path) -> None:
    text, task, target, message = REFUSED[name]
    with pytest.raises(SystemExit, match=message):
        read(tmp_path, text, task, target)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = {"name": "table", "path": str(tmp_path / "no.csv"), "validation": 0.0, "seed": 0}
    with pytest.raises(
        SystemExit, match=r"table: there is no file .*no\.csv; name your CSV file with --data-path FILE"
    ):
        load_data(settings, Kind("values", 1))


@pytest.mark.parametrize(
    ("name", "task", "rows", "numbers"),
    [
        ("iris", Kind("classes", 3), 150, 4),
        ("wine", Kind("classes", 3), 178, 13),
        ("breast_cancer", Kind("classes", 2), 569, 30),
        ("diabetes", Kind("values", 1), 442, 10),
    ],
)
def test_the_tables_of_scikit_learn(name: str, task: Any, rows: int, numbers: int) -> None:
    data = load_data({"name": name, "path": "", "validation": 0.2, "seed": 0, "test": 0.2}, task)
    assert sum(map(len, data.parts)) == rows
    assert data.train.arrays[0].shape[1] == len(data.mean) == numbers
    loading = Loading(data, (numbers,), World(0, 1, torch.device("cpu")))
    ((inputs, _),) = loading.evaluation(data.train)
    assert isinstance(inputs, torch.Tensor)
    torch.testing.assert_close(inputs.mean(dim=0), torch.zeros(numbers), atol=1e-4, rtol=0)
    with pytest.raises(SystemExit, match=f"{name} has a .* for each row, and the network predicts tags"):
        load_data({"name": name, "path": "", "validation": 0.2, "seed": 0}, Kind("tags", 3))
