"""Projects read with plain code, specc with pydantic: both take the same documents and refuse the same."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter

from specc.methods.ofa import step_shrinking
from specc.methods.tips import step_importance
from specc.portable.files.documents import read_json
from specc.runtime.deploy import bundle
from specc.runtime.run import journal, progress
from specc.runtime.search import front
from specc.runtime.train import sorting, subnets
from specc.schemas.catalogue import SCHEMAS, schema
from specc.schemas.reading import read
from specc.space import latency_table

POINT = {"at": {"width": 0.5, "keep": True, "k": 3, "op": "conv3"}, "macs": 20, "params": 9}
MEASURED = {"accuracy": 0.9, "latency": 0.001, "latency_p90": 0.002, "test_accuracy": 1, "memory": 4096}
OF = {"network": "net", "fingerprint": "0123", "weights": "4567", "dataset": "digits"}
FRONT = {
    "format": "specc front 1",
    **OF,
    "cost": "macs",
    "costs": ["macs", "latency"],
    "hypervolume": 0.7,
    "points": [POINT, POINT | MEASURED | {"trained": False}],
}
METRIC = {"key": "mae", "name": "mean absolute error", "share": False, "rising": False, "unit": ""}
ERRORS = FRONT | {"metric": METRIC, "points": [POINT | {"value": 21.5, "test_value": -3}]}
KEPT = POINT | {"kind": "latency", "target": 0.002, "cost": 0.0019, "score": -1.5, "accuracy": 0.5}
CONSTRAINTS = {"format": "specc constraints 1", **OF, "subnets": [KEPT, KEPT | {"test_accuracy": 0.25}]}
TABLE = {
    "format": "specc latency 1",
    "network": "net",
    "device": "cpu",
    "processor": "EPYC",
    "threads": 1,
    "batch_size": 2,
    "form": "fused",
    "largest": {"macs": 20, "params": 9},
    "choices": {"width": [0.5, 1.0], "keep": [False, True], "op": ["a", "b"]},
    "blocks": [{"name": "stem", "choices": ["width"], "seconds": [0, 0.5]}],
}
INDEX = {
    "network": "net",
    "fingerprint": "0123",
    "space": "89ab",
    "choices": ["width", "many"],
    "columns": ["options", "macs", "accuracy", "trained", "outputs"],
    "subnets": [["0-", 20, 0.9, False, ["head"]], [["0", 70, None, "-"], 20, None, True]],
    "latency": {"cpu": [1, 2.5]},
    "classes": ["a", "b"],
    "files": {"weights.safetensors": "0123"},
    "checksum": "4567",
}
GROUP = {"choice": "s1.conv.width", "important": True, "score": 0.02, "layers": ["s1.conv"]}
IMPORTANCE = {
    "network": "net",
    "subnets": 8,
    "coupling": 1.0,
    "damping": 1e-05,
    "damping_share": 0.001,
    "directed": False,
    "expected": False,
    "nodes": None,
    "seed": 0,
    "groups": [GROUP],
    "sub_paths": [GROUP | {"choice": "s1.keep", "important": False}],
    "ops": [{"name": "s1.conv", "kind": "conv", "important": True, "score": 0.02}],
    "tensors": [{"name": "image", "tas": 0.5}],
}
SHRINKING = {
    "network": "net",
    "always": ["resolution"],
    "stages": [{"phase": "kernel", "share": 0.5, "subnets": 1, "drawn": {"s1.kernel": 3}}],
    "channels": [{"rows": ["s1.conv1"], "columns": ["s1.conv2"], "judges": ["s1.conv2"], "sorted": {"1": 16}}],
}

CHANNELS = {
    "network": "n",
    "channels": [
        {"rows": ["stem.conv", "stem.norm"], "columns": ["s1.conv"], "judges": ["s1.conv"]},
        {"rows": [], "columns": ["a"], "judges": ["a"], "scores": [0.25]},
    ],
}


@dataclass(frozen=True, slots=True)
class Reader:
    """A plain reader, the schemas of the documents that it reads, and documents that it takes."""

    plain: Callable[[str], object]
    schemas: tuple[str, ...]
    documents: tuple[Any, ...]


READERS = {
    "fronts": Reader(
        front.from_json,
        ("pareto.json", "constraints.json"),
        (FRONT, ERRORS, {"points": [POINT]}, {"points": []}, CONSTRAINTS, {"subnets": [KEPT]}),
    ),
    "journals": Reader(
        lambda text: journal.LINE(read_json(text)),
        ("search.jsonl",),
        ({"of": "0123", "at": {"width": 0.5}, "accuracy": 0.5, "broken": 3}, {"of": "", "at": {}}),
    ),
    "metrics": Reader(
        lambda text: progress.LINE(read_json(text)),
        ("metrics.jsonl",),
        ({"epoch": 0, "loss": 1.5, "accuracy/max": 1}, {"epoch": 7}),
    ),
    "bundles": Reader(
        lambda text: bundle.check_shape(read_json(text)),
        ("index.json",),
        (
            INDEX,
            INDEX | {"metric": METRIC},
            {name: INDEX[name] for name in ("network", "space", "choices", "columns", "subnets", "latency")},
        ),
    ),
    "latency tables": Reader(
        lambda text: latency_table.table_of(read_json(text)),
        ("latency.json",),
        (TABLE, {name: TABLE[name] for name in ("network", "device", "threads", "batch_size", "choices", "blocks")}),
    ),
    "importance": Reader(
        lambda text: step_importance.IMPORTANCE(read_json(text)),
        ("importance.json",),
        (IMPORTANCE, {name: IMPORTANCE[name] for name in ("network", "groups", "sub_paths", "ops", "tensors")}),
    ),
    "shrinking": Reader(
        lambda text: step_shrinking.SHRINKING(read_json(text)),
        ("shrinking.json",),
        (SHRINKING, SHRINKING | {"stages": [], "channels": []}),
    ),
    "channels": Reader(
        lambda text: sorting.CHANNELS(read_json(text)),
        ("channels.json",),
        (CHANNELS, CHANNELS | {"channels": []}),
    ),
    "assignments": Reader(
        lambda text: subnets.assignment_in(read_json(text)),
        ("at.json",),
        ({"width": 0.5, "keep": True}, {"at": {"width": 1}, "macs": 20, "ops": [{}]}, {"at": 3}, {}),
    ),
}
STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        7,
        0.0,
        0.5,
        -0.5,
        1.5,
        2.0,
        1e300,
        2**62,
        2**63,
        2**70,
        10**400,
        math.nan,
        math.inf,
    ),
    *("", "text", "macs", "specc front 2", "specc constraints 2", "specc latency 2"),
    *([], [1], ["a"], [None], [True], [[]], [0, 0.5, 1], {}, {"a": 1}, {"a": None}, {"a": []}, {"a": [1, 2]}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document, itself included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def changed(document: Any) -> Iterator[Any]:
    """The document, and what it becomes where one value is another, is missing, or where there is one more."""
    yield document
    for path in places(document):
        here = at(document, path)
        others = [*STRANGE]
        if isinstance(here, dict):
            others += [here | {"more": 1}, here | {"more": "text"}]
            others += [{key: value for key, value in here.items() if key != name} for name in here]
        if isinstance(here, list):
            others += [[*here, *here], here[1:], [*here, None]]
        for value in others:
            yield replaced(document, path, value)


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy in which a value is another."""
    if not path:
        return value
    found = copy.deepcopy(document)
    at(found, path[:-1])[path[-1]] = value
    return found


def taken(reader: Callable[..., object], *args: object) -> str:
    """Nothing where a document is taken, else why not."""
    try:
        reader(*args)
    except ValueError as error:
        return str(error) or "refused"
    return ""


def models(name: str) -> list[type[BaseModel]]:
    """The models of the documents that a reader takes."""
    found = [schema(document) for document in READERS[name].schemas]
    return [one.models[0] for one in found if one is not None]


def by_models(name: str, text: str) -> str:
    reasons = [taken(read, model, text) for model in models(name)]
    return "" if "" in reasons else "; ".join(reasons)


@pytest.mark.parametrize("name", READERS)
def test_both_take_and_refuse_the_same(name: str) -> None:
    """And whatever they take is what the JSON Schema says."""
    reader = READERS[name]
    validators = [Draft202012Validator(TypeAdapter(model).json_schema()) for model in models(name)]
    counts = {True: 0, False: 0}
    for document in reader.documents:
        assert not by_models(name, json.dumps(document)), document
        for other in changed(document):
            text = json.dumps(other)
            plain, model = taken(reader.plain, text), by_models(name, text)
            assert bool(plain) == bool(model), (text, plain, model)
            assert plain or any(validator.is_valid(other) for validator in validators), text
            counts[bool(plain)] += 1
            assert len(plain) < 400
    assert counts[False] >= 10
    assert counts[True] >= 10


def test_every_file_that_is_read_is_tried() -> None:
    """Nothing reads answers.json; ir.json is part of its project; specc alone reads graphs, and `at` of subnet.json."""
    files = {found.name for found in SCHEMAS if ".json" in found.name}
    read_by_both = {name for reader in READERS.values() for name in reader.schemas}
    assert files - read_by_both == {"adjacency.json", "answers.json", "ir.json", "subnet.json"}


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"points": [NaN]}', '{"a": 1e999}', "1" * 5000])
def test_what_is_no_json_is_refused_by_both(text: str) -> None:
    for name, reader in READERS.items():
        assert taken(reader.plain, text)
        assert "it is no JSON" in by_models(name, text)


WRONG: tuple[tuple[Any, str, str], ...] = (
    (
        {"points": [POINT | {"macs": "many"}]},
        "'points[0].macs' is no whole number of at least 0: \"many\"",
        '`points[0].macs`: input should be a valid integer, and is "many"',
    ),
    ({"points": [POINT | {"more": 1}]}, "'points[0].more' is no key of it", "`points[0].more` is no key of it"),
    ({"points": [{"macs": 1}]}, "'points[0].at' is missing", "`points[0].at` is missing"),
    (
        {"points": [POINT | {"at": {"k": None}}]},
        "'points[0].at.k' is no option: null",
        "`points[0].at.k` is of a wrong kind: null",
    ),
    (
        {"points": [], "format": "2"},
        "'format' is not specc front 1: \"2\"",
        "`format`: input should be 'specc front 1'",
    ),
    ([], "the document is no object: []", "the document: input should be a valid dictionary"),
)


@pytest.mark.parametrize(("document", "plain", "model"), WRONG, ids=[plain for _, plain, _ in WRONG])
def test_what_is_wrong_is_said_with_its_place(document: Any, plain: str, model: str) -> None:
    text = json.dumps(document)
    assert taken(front.from_json, text) == plain
    assert by_models("fronts", text).startswith(model)
