"""Files of strangers, damaged or made up: a line each, never a traceback, and nothing of them is believed."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.portable.files.documents import read_json
from specc.runtime.deploy.choosing import read_points
from specc.runtime.files.whole import load_tensors, save_tensors
from specc.runtime.search.front import from_json
from specc.runtime.train.checkpoint import PARTS, check_checkpoint, few
from tests.helpers.documents import check_file
from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project
from tests.helpers.tiny import TinySpace

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=1; batch_size=256; optimizer=adamw; calibrate=64; ema=0.9 }
search { calibrate=64 }
"""
STRANGE: tuple[Any, ...] = (
    None,
    7,
    -1,
    True,
    1.5,
    math.nan,
    "text",
    b"x",
    [],
    [1],
    {},
    {"a": 1},
    {1: 2},
    torch.zeros(2),
)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    folder = write_project(tmp_path_factory.mktemp("damaged"), SPEC, "method pss(budgets=[macs(step=10k)])")
    with Scripts(folder) as found:
        assert found("train.py").code == 0
        assert found("search.py").code == 0
        assert found("export.py", "--bundle").code == 0
        yield found


@pytest.fixture
def saved(scripts: Scripts) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(scripts.folder / "runs" / "checkpoint.pt", weights_only=True)
    return found


def test_what_scripts_write_is_what_the_schemas_say(scripts: Scripts) -> None:
    assert scripts("export.py", "--at", "min", "--formats", "source").code == 0
    runs = scripts.folder / "runs"
    for name in ("metrics.jsonl", "constraints.json", "pareto.json", "search.jsonl"):
        check_file(runs / name)
    check_file(runs / "anytime" / "index.json")
    check_file(runs / "export" / "subnet.json")


def resumed(scripts: Scripts, path: Path, epochs: int = 1) -> Any:
    return scripts("train.py", "--resume", str(path), "--epochs", str(epochs))


def test_a_checkpoint_that_is_cut_off_or_scribbled_in_is_refused(scripts: Scripts, tmp_path: Path) -> None:
    whole = (scripts.folder / "runs" / "checkpoint.pt").read_bytes()
    file = tmp_path / "checkpoint.pt"
    rng = random.Random(0)
    for length in (0, 1, 3, 100, len(whole) // 2, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(6))):
        file.write_bytes(whole[:length])
        reason = resumed(scripts, file).reason
        assert reason.startswith(f"{file} is no checkpoint of train.py: ")
        assert len(reason) < 400
    for content in (b"PK\x03\x04", b"\x80\x02.", b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00lstR.", b"[" * 1000):
        file.write_bytes(content)
        assert "is no checkpoint of train.py" in scripts("search.py", "--checkpoint", str(file)).reason
    for _ in range(20):  # a changed byte gives tensors of other numbers, or a line
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        ended = scripts("export.py", "--checkpoint", str(file), "--at", "nothing")
        assert not ended.raised, ended.raised


@pytest.mark.parametrize("part", sorted({*PARTS, "format"} - {"name"}))
def test_a_part_of_a_wrong_type_is_refused_by_name(
    scripts: Scripts, saved: dict[str, Any], tmp_path: Path, part: str
) -> None:
    """Whatever it is: with a value that fits by chance the run goes on, with any other it ends in a line."""
    file = tmp_path / "checkpoint.pt"
    refused = 0
    for value in (*STRANGE, {"net": saved["net"]}, [{}] * 3):
        torch.save(saved | {part: value}, file)
        ended = resumed(scripts, file)
        assert not ended.raised, (part, value, ended.raised)
        refused += ended.code != 0
        if ended.code:
            assert 20 < len(ended.reason) < 500, ended.reason
    assert refused >= (8 if part not in ("memory", "random", "batch") else 0)


def test_parts_of_parts_of_a_wrong_type_are_refused(scripts: Scripts, saved: dict[str, Any], tmp_path: Path) -> None:
    """One value in the depth of a checkpoint is replaced."""
    file = tmp_path / "checkpoint.pt"
    rng = random.Random(1)
    places = [*places_of({name: value for name, value in saved.items() if name not in ("net", "average")})]
    places += [("net", next(iter(saved["net"]))), ("average", "updates"), ("average", "net")]
    cases = [(rng.choice(places), rng.choice(STRANGE)) for _ in range(40)]
    cases += [(("images", "validation"), 1.5), (("optimizer", "param_groups", 0, "params"), 7)]
    cases += [(("data", "test"), [1]), (("settings", "no_decay"), 7), (("recipe", "optimizer"), {"name": "adamw"})]
    for place, value in cases:
        changed = copy.deepcopy(saved)
        parent: Any = changed
        for name in place[:-1]:
            parent = parent[name]
        parent[place[-1]] = value
        torch.save(changed, file)
        ended = resumed(scripts, file, 2)
        assert not ended.raised, (place, value, ended.raised)


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*path, name)
        yield from places_of(item, (*path, name))


def test_a_checkpoint_lacks_nothing_and_is_no_later_format(saved: dict[str, Any]) -> None:
    assert check_checkpoint(saved)["format"] == 2
    for name in ("recipe", "epoch", "optimizer", "data"):
        with pytest.raises(ValueError, match=f"it lacks {name}"):
            check_checkpoint({key: value for key, value in saved.items() if key != name})
    with pytest.raises(ValueError, match="it is of format 3, this project reads 2"):
        check_checkpoint(saved | {"format": 3})
    with pytest.raises(ValueError, match="`net` is a dict, and no tensors by name"):
        check_checkpoint(saved | {"net": {"a": torch.zeros(2, device="meta")}})
    with pytest.raises(ValueError, match="`net` is a dict"):
        check_checkpoint(saved | {"net": {"a": torch.zeros(2).to_sparse()}})
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


FRONTS = (
    "",
    "[" * 100_000,
    '{"a":' * 100_000,
    "[]",
    "7",
    "null",
    '"points"',
    '{"points": 7}',
    '{"points": {"at": 1}}',
    '{"points": "text"}',
    '{"points": [7]}',
    '{"points": [{"at": 7, "macs": 1, "params": 1}]}',
    '{"points": [{"at": {"width": [8]}, "macs": 1, "params": 1}]}',
    '{"points": [{"at": {"width": {}}, "macs": 1, "params": 1}]}',
    "\xff\xfe",
)
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1",
    "1.5",
    "null",
    "true",
    '"7"',
    "[1]",
    "1" + "0" * 5000,
    "1" + "0" * 30,
)


@pytest.mark.parametrize("text", FRONTS, ids=range(len(FRONTS)))
def test_what_is_no_front_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pareto.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(SystemExit) as ended:
        read_points(file, TinySpace())
    assert len(str(ended.value)) < 400


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize("name", ["macs", "accuracy", "latency"])
def test_a_front_with_numbers_that_are_none_is_refused(tmp_path: Path, name: str, number: str) -> None:
    known = {"macs": "20", "params": "9", "accuracy": "0.5", "latency": "0.001"} | {name: number}
    row = ", ".join(f'"{key}": {value}' for key, value in known.items())
    text = f'{{"points": [{{"at": {{"width": 8}}, {row}}}]}}'
    (tmp_path / "pareto.json").write_text(text)
    fits = {("accuracy", "null"), ("latency", "null"), ("latency", "1.5")}
    if (name, number) in fits:
        assert read_points(tmp_path / "pareto.json", TinySpace())
        return
    with pytest.raises(SystemExit, match="is corrupt or belongs to a different network"):
        read_points(tmp_path / "pareto.json", TinySpace())
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


def test_strict_json_reads_what_json_is_and_nothing_else() -> None:
    assert read_json('{"a": [1, 2.5, null, true, "x"], "b": 1e300}') == {"a": [1, 2.5, None, True, "x"], "b": 1e300}
    for text in ("NaN", "[Infinity]", "1e999", "[" * 100_000, "{'a': 1}", b"\xff\xff", "1" * 10_000):
        with pytest.raises(ValueError, match=r"."):
            read_json(text)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"7",
        b"null",
        b"{",
        b'{"a": 7}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 1e400]}}',
        b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [true, 2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": "ab", "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [99999999999999999999], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [0, 9223372036854775807, 4], "data_offsets": [0, 0]}}',
        b'{"__metadata__": 7}',
        b'{"__metadata__": {"a": 7}}',
    ],
)
def test_a_header_that_is_made_up_is_refused(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match=r"weights\.safetensors is corrupt, or not a safetensors file"):
        load_tensors(file)


def test_lengths_of_headers_are_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_tensors(file, {"a": torch.arange(3)})
    whole = file.read_bytes()
    for length in (0, 1, 2**20, 2**62, 2**64 - 1):
        file.write_bytes(length.to_bytes(8, "little") + whole[8:])
        with pytest.raises(ValueError, match="corrupt"):
            load_tensors(file)


def test_fronts_and_bundles_are_those_of_their_weights(scripts: Scripts, tmp_path: Path) -> None:
    """A folder that is trained in anew keeps its old front; nothing of it is told of the new weights."""
    runs = tmp_path / "runs"
    shutil.copytree(scripts.folder / "runs", runs)
    flags = ("--output-dir", str(runs))
    assert scripts("export.py", "--pareto", "1", *flags).code == 0
    assert scripts("train.py", "--seed", "5", *flags).code == 0
    front = runs / "pareto.json"
    before = {path: path.stat().st_mtime_ns for path in (runs / "pareto" / "1").iterdir()}
    for asked in ((), ("--pareto", "all"), ("--bundle",), ("--at", "1"), ("--max-macs", "1e9")):
        reason = scripts("export.py", *asked, *flags).reason
        assert reason.startswith(f"{front} belongs to different weights than the checkpoint: run search.py again")
    assert {path: path.stat().st_mtime_ns for path in (runs / "pareto" / "1").iterdir()} == before
    assert scripts("export.py", "--at", "max", *flags).code == 0
    assert scripts("export.py", "--pareto", "1", "--front", f"{runs}/constraints.json", *flags).code == 0
    content = json.loads(front.read_text())
    front.write_text(json.dumps({"points": content["points"]}))
    ended = scripts("export.py", "--pareto", "1", *flags)
    assert ended.code == 0, ended.raised or ended.err
    assert "does not name its weights: its accuracies may belong to others" in ended.err
    front.write_text(json.dumps(content | {"fingerprint": "0" * 16}))
    assert "belongs to a different network than the checkpoint" in scripts("export.py", "--pareto", "1", *flags).reason
    assert scripts("search.py", *flags).code == 0
    assert scripts("export.py", "--pareto", "1", *flags).code == 0
