"""Tables: files of comma-separated values, whose rows are examples, and scikit-learn's built-in ones."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from elastic.data.images import Images, Parts, Targets, split
from elastic.data.targets import Wanted, targets_of

MISSING: Final = ("", "na", "n/a", "nan", "null", "none", "?")
"""What people write where a number is missing."""

MOST_WORDS: Final = 50
"""Different words of a column at most, which becomes as many numbers."""

BUILT_IN: Final[Mapping[str, str]] = {
    "iris": "classes",
    "wine": "classes",
    "breast_cancer": "classes",
    "diabetes": "values",
}
"""scikit-learn's tables, and what they have for each row."""


def table(path: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """The rows of a CSV file, whose first line names the columns; `target` names what is to be predicted, or several
    columns with commas between; the last column where it is "". A share `test` of the rows is held out.

    A column of words becomes a number, 0 or 1, for each of its words. Numbers are normalised. Exits, with the line,
    where a number is missing or no such column is there.
    """
    if not path.is_file():
        missing = "no file is named" if path.is_dir() else f"there is no file {path}"
        raise SystemExit(f"table: {missing}; name your CSV file with --data-path FILE")
    try:
        columns, rows = read_rows(path)
        wanted = targets_named(str(settings.get("target", "")), columns, task)
        places = [columns.index(name) for name in wanted]
        others = [i for i in range(len(columns)) if i not in places]
        if not others:
            raise ValueError("there are no columns besides the target")
        inputs = torch.cat([numbers_of(rows, i, columns[i]) for i in others], dim=1)
        given = [[row[i] for i in places] for _, row in rows]
        names: tuple[str, ...] = wanted
        targets: Targets
        if task.kind == "classes":
            targets, names = classes_of([cells[0] for cells in given], wanted[0], task.count)
        else:
            answers = torch.cat([column_of(rows, i, columns[i]) for i in places], dim=1)
            targets = targets_of(answers, "table's", task)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from None
    return cut(targets, inputs, settings, names)


def built_in(path: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """A table of scikit-learn's: iris, wine, breast_cancer or diabetes. Exits where scikit-learn is missing."""
    name = str(settings["name"]).lower().replace("-", "_")
    try:
        from sklearn import datasets  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise SystemExit(
            f"the data set `{name}` is part of scikit-learn: pip install scikit-learn"
        ) from None
    if task.kind != BUILT_IN[name]:
        what = "a class" if BUILT_IN[name] == "classes" else "a value"
        raise SystemExit(f"{name} has {what} for each row, and the network predicts {task.kind}")
    load = getattr(datasets, f"load_{name}")
    bunch = load(scaled=False) if name == "diabetes" else load()
    inputs = torch.from_numpy(np.asarray(bunch.data, np.float32))
    if BUILT_IN[name] == "classes":
        names = tuple(map(str, bunch.target_names))
        return cut(tuple(map(int, bunch.target)), inputs, settings, names)
    try:
        targets = targets_of(np.asarray(bunch.target, np.float32), "training", task)
    except ValueError as error:
        raise SystemExit(f"{name}: {error}") from None
    return cut(targets, inputs, settings, ())


def cut(
    targets: Targets, inputs: Tensor, settings: Mapping[str, Any], names: tuple[str, ...]
) -> Parts:
    """Training and test rows."""
    rows = Images(targets, (inputs,))
    train, test = split(rows, float(settings.get("test", 0.2)), int(settings["seed"]))
    if not len(test) or not len(train):
        raise SystemExit(f"a table of {len(rows)} rows has none left for training or for testing")
    return Parts(train, test, names, standardised=True)


Row = tuple[int, list[str]]
"""A line's number in the file, and its cells."""


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """The names of the columns, and all rows that are not blank. Raises ValueError, with the line."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = "".join(islice(file, 1))
        file.seek(0)
        between = max(",;\t", key=head.count)
        reader = csv.reader(file, delimiter=between, skipinitialspace=True)
        columns = [cell.strip() for cell in next(reader, [])]
        if not any(columns):
            raise ValueError(
                "it is empty; a line of column names, and a line for each row, are wanted"
            )
        if all(is_number(cell) for cell in columns):
            raise ValueError("its first line holds numbers; it should name the columns")
        if twice := next((name for i, name in enumerate(columns) if name in columns[:i]), None):
            raise ValueError(f"two columns are called {twice!r}")
        rows: list[Row] = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise ValueError(
                    f"line {reader.line_num} has {len(cells)} cells, and there are {len(columns)} columns"
                )
            rows.append((reader.line_num, [cell.strip() for cell in cells]))
    if not rows:
        raise ValueError("there are no rows below the names of the columns")
    return columns, rows


def targets_named(text: str, columns: Sequence[str], task: Wanted) -> tuple[str, ...]:
    """The columns that are to be predicted. Raises ValueError where there are none such, or another number of them."""
    names = (
        (text,)
        if text in columns
        else tuple(name.strip() for name in text.split(",") if name.strip())
    )
    names = names or (columns[-1],)
    for name in names:
        if name not in columns:
            raise ValueError(f"there is no column {name!r}; the columns are {', '.join(columns)}")
    wanted = 1 if task.kind == "classes" else task.count
    if task.kind not in ("classes", "values", "tags"):
        raise ValueError(
            f"a table has classes, values or tags, and the network predicts {task.kind}"
        )
    if len(names) != wanted:
        raise ValueError(
            f"the network predicts {wanted} {task.kind if task.kind != 'classes' else 'class'}, and `target` names "
            f"{len(names)} column{'s' * (len(names) > 1)}: {', '.join(names)}"
        )
    return names


def numbers_of(rows: Sequence[Row], place: int, name: str) -> Tensor:
    """A column as an input: (N, 1), or (N, words) where it holds words."""
    words = sorted({row[place] for _, row in rows if not is_number(row[place])} - {*MISSING})
    words = [word for word in words if word.lower() not in MISSING]
    if not words:
        return column_of(rows, place, name)
    if len(words) > MOST_WORDS:
        raise ValueError(
            f"column {name!r} holds {len(words)} different words; leave it out, or make numbers of it"
        )
    known = {word: i for i, word in enumerate(sorted({row[place] for _, row in rows}))}
    made = torch.zeros(len(rows), len(known))
    for i, (_, row) in enumerate(rows):
        made[i, known[row[place]]] = 1
    return made


def column_of(rows: Sequence[Row], place: int, name: str) -> Tensor:
    """A column of numbers (N, 1). Raises ValueError, with the line of one that is none."""
    found = []
    for line, row in rows:
        if not is_number(row[place]):
            what = "no number" if row[place].lower() in MISSING else f"{row[place]!r}"
            raise ValueError(
                f"line {line} has {what} in the column {name!r}, where a number is wanted"
            )
        found.append(float(row[place]))
    return torch.tensor(found, dtype=torch.float64).float()[:, None]


def is_number(cell: str) -> bool:
    """Whether it is a finite number."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def classes_of(
    cells: Sequence[str], name: str, count: int
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Class numbers, and the names of the classes: the words in their order, numbers by size."""
    if empty := [i for i, cell in enumerate(cells) if cell.lower() in MISSING]:
        raise ValueError(f"row {empty[0] + 1} has no class in the column {name!r}")
    found = sorted(
        {*cells}, key=lambda cell: (0, float(cell), cell) if is_number(cell) else (1, 0.0, cell)
    )
    if count and len(found) > count:
        few = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise ValueError(
            f"column {name!r} has {len(found)} classes ({few}), and the network {count}"
        )
    known = {cell: i for i, cell in enumerate(found)}
    return tuple(known[cell] for cell in cells), tuple(found)
