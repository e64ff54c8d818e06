"""Every command: what it prints, its JSON keys, its exit codes, standard input."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specc import __version__
from specc.cli.main import command_names
from specc.space import conditioned as ranges
from specc.space import window
from specc.space.elimination import TooEntangled
from tests.helpers.commands import SMALL, keys, specc
from tests.helpers.folders import SPECS

BROKEN = SMALL.replace("conv(16, kernel=3)", "convv(16, kernel=3)")
READING = ("check", "cost", "space", "sample", "plan")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.specc"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_help_lists_every_command() -> None:
    done = specc("--help")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in command_names())
    wanted = "check compile completion cost explain fmt new plan rules sample space"
    assert set(wanted.split()) <= set(command_names())


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_help(name: str) -> None:
    done = specc(name, "--help")
    assert done.code == 0
    assert f"usage: specc {name}" in done.out
    assert len(done.out.splitlines()) > 5


def test_no_command_and_a_wrong_command_are_wrong() -> None:
    assert specc().code == 2
    done = specc("chek", "x.specc")
    assert (done.code, done.out) == (2, "")
    assert "`check`" in done.err


def test_version() -> None:
    assert specc("--version").out == specc("-V").out == f"specc {__version__}\n"
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", __version__)


@pytest.mark.parametrize("name", READING)
def test_wrong_options_exit_2(name: str, small: Path) -> None:
    for words in (["--nonsense"], ["-p", "novalue"], ["-p", "a=1", "-p", "a=2"]):
        done = specc(name, small, *words)
        assert (done.code, done.out) == (2, ""), words
        assert "error:" in done.err
        assert "help:" in done.err or "twice" in done.err


@pytest.mark.parametrize("name", READING)
def test_standard_input(name: str, small: Path) -> None:
    from_stdin = specc(name, "-", "--json", stdin=SMALL)
    assert from_stdin.code == 0, from_stdin.err
    if name != "check":
        assert from_stdin.json == specc(name, small, "--json").json


@pytest.mark.parametrize("name", READING)
def test_a_broken_spec_exits_1_with_one_diagnostic(name: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.specc"
    path.write_text(BROKEN, encoding="utf-8")
    done = specc(name, path)
    assert (done.code, done.out) == (1, "")
    assert "broken.specc:11:5: error[" in done.err
    assert "unknown-name" in done.err
    assert "    ^^^^^\n" in done.err
    assert "help: did you mean `conv`" in done.err
    as_json = specc(name, path, "--json")
    assert as_json.code == 1
    assert as_json.err == ""
    (found,) = as_json.json["diagnostics"]
    assert (found["rule"], found["line"], found["column"]) == ("unknown-name", 11, 5)


@pytest.mark.parametrize("name", [*READING, "fmt"])
def test_unreadable_files_exit_1(name: str, tmp_path: Path) -> None:
    binary = tmp_path / "binary.specc"
    binary.write_bytes(b"supernet \xff\xfe {")
    for path in (tmp_path / "missing.specc", tmp_path, binary):
        done = specc(name, path)
        assert (done.code, done.out) == (1, ""), path
        assert path.name in done.err
    assert specc(name, "-", stdin=b"\xff").code == 1


def test_check_several(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.specc"
    broken.write_text(BROKEN, encoding="utf-8")
    done = specc("check", small, broken, "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert [row["ok"] for row in done.json["specs"]] == [True, False]
    assert len(done.json["diagnostics"]) == 1
    fine = specc("check", small)
    assert (fine.code, fine.out) == (0, "")
    assert "fine" in fine.err
    assert specc("check", small, "--quiet").err == ""
    assert specc("check", small, "--json").json == {
        "ok": True, "specs": [{"spec": str(small), "ok": True}], "diagnostics": [],
        "warnings": [],
    }  # fmt: skip


def test_cost_json(small: Path) -> None:
    value = specc("cost", small, "--json").json
    assert {"spec", "at", "params", "params_total", "macs", "activations", "peak_bytes", "ops"} <= set(value)
    assert value["spec"] == "small"
    assert {"name", "kind", "stage", "params", "macs", "out"} <= set(value["ops"][0])
    assert sum(op["macs"] for op in value["ops"]) == value["macs"]
    assert value["at"]["keep"] is True
    assert value["at"]["width"] == 1


def test_cost_at(small: Path, tmp_path: Path) -> None:
    largest, smallest = (specc("cost", small, "--at", at, "--json").json for at in ("max", "min"))
    assert smallest["macs"] < largest["macs"]
    assert smallest["at"]["width"] == 0.5
    assert smallest["at"]["keep"] is False
    named = specc("cost", small, "--at", "width=0.75,keep=no", "--json").json
    assert (named["at"]["width"], named["at"]["keep"], named["at"]["resolution"]) == (0.75, False, 12)
    path = tmp_path / "at.json"
    path.write_text(json.dumps({"width": 0.75, "keep": False}))
    assert specc("cost", small, "--at", path, "--json").json == named
    path.write_text(json.dumps(named))
    assert specc("cost", small, "--at", path, "--json").json == named
    drawn = [specc("cost", small, "--at", "random", "--seed", seed, "--json").json["at"] for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert any(at != drawn[0] for at in drawn)
    more = specc("cost", small, "--count", "with_norms", "--json").json
    assert more["macs"] > largest["macs"]


@pytest.mark.parametrize(
    ("at", "code", "said"),
    [
        ("widht=1", 1, "`width`"),
        ("width=0.3", 1, "0.5, 0.75, 1"),
        ("keep=maybe", 1, "no, yes"),
        ("width", 2, "names no option"),
        ("width=0.5,width=1", 2, "twice"),
        ("missing.json", 1, "cannot read"),
    ],
)
def test_wrong_assignments(small: Path, at: str, code: int, said: str) -> None:
    done = specc("cost", small, "--at", at)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"width": [1]}', '{"width": null}', '{"nothing": 1}', '{"width": 0.3}', "\x00"]
)
def test_wrong_assignment_files(small: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "at.json"
    path.write_text(text)
    done = specc("cost", small, "--at", path)
    assert (done.code, done.out) == (1, "")
    assert "error:" in done.err


def test_space_json(small: Path) -> None:
    value = specc("space", small, "--json").json
    assert set(value) == {"choices", "size", "warnings"}
    assert keys(value["choices"]) == {("name", "kind", "options")}
    table = {choice["name"]: choice for choice in value["choices"]}
    assert table["width"]["options"] == [0.5, 0.75, 1]
    assert table["keep"] == {"name": "keep", "kind": "skip", "options": [False, True]}
    assert table["resolution"]["options"] == [8, 12]
    # widths x resolutions x kernel x skip x depth
    assert int(value["size"]) == 3 * 2 * 2 * 2 * 3
    assert "72 sub-networks" in specc("space", small).out


def test_sample_json(small: Path) -> None:
    rows = specc("sample", small, "-n", 5, "--seed", 3, "--json").json
    assert keys(rows) == {("at", "macs", "params", "exact", "why")}
    assert {(row["exact"], row["why"]) for row in rows} == {(True, "")}
    assert len(rows) == 5
    assert rows == specc("sample", small, "-n", 5, "--seed", 3, "--json").json
    for row in rows:
        at = ",".join(f"{k}={str(v).lower()}" for k, v in row["at"].items())
        assert specc("cost", small, "--at", at, "--json").json["macs"] == row["macs"]


def test_sample_in_a_window(small: Path) -> None:
    largest, smallest = (specc("cost", small, "--at", at, "--json").json["macs"] for at in ("max", "min"))
    low, high = smallest + (largest - smallest) // 4, smallest + (largest - smallest) // 2
    rows = specc("sample", small, "-n", 6, "--macs", f"{low}..{high}", "--json").json
    assert len(rows) == 6
    assert all(low <= row["macs"] <= high for row in rows)
    assert specc("sample", small, "--macs", f"..{smallest}", "--json").json[0]["macs"] == smallest
    only = specc("sample", small, "-n", 2, "--macs", f"{smallest}..{smallest}", "--json")
    assert [row["macs"] for row in only.json] == [smallest] * 2
    assert only.err == ""
    assert specc("sample", small, "--macs", f"{largest / 1000}k..{largest / 1e6}M", "--json").json[0]["macs"] == largest
    impossible = specc("sample", small, "--macs", f"{largest + 1}..")
    assert (impossible.code, impossible.out) == (1, "")
    assert f"the nearest MACs are {largest:,}, the most there are" in impossible.err


def test_sampling_says_how_many_tries_were_of_use() -> None:
    done = specc("sample", SPECS / "mobilenet_v2_tips.specc", "-n", 200, "--macs", "100M..101M")
    said = re.fullmatch(r"note: too many sub-networks to list; (\d+)% of (\d+) tries were of use\n", done.err)
    assert said is not None
    share, tries = map(int, said.groups())
    assert 200 < tries < 280
    assert share > 70
    quiet = specc("sample", SPECS / "mobilenet_v2_tips.specc", "-n", 200, "--macs", "100M..101M", "--quiet")
    assert (quiet.out, quiet.err) == (done.out, "")


@pytest.mark.parametrize("words", [(), ("-q",), ("--json",), ("--json", "-q")], ids=" ".join)
def test_draws_that_are_not_uniform_say_so(
    small: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **settings: object) -> None:
        raise TooEntangled

    monkeypatch.setattr(window, "eliminate", refused)
    monkeypatch.setattr(window, "listing", lambda space: None)
    monkeypatch.setattr(window, "everywhere", refused)
    done = specc("sample", small, "-n", 3, "--macs", "1..", *words)
    assert done.code == 0
    assert "warning[W611] approximate-draws: the draws are approximate" in done.err
    if "--json" in words:
        assert all(not row["exact"] and "each was drawn independently" in row["why"] for row in done.json)
    strict = specc("sample", small, "-n", 3, "--macs", "1..", "--strict", *words)
    assert strict.code == 1
    assert "approximate-draws" in strict.err + strict.out


def test_a_choice_that_is_set_to_no_effect_is_told(tmp_path: Path) -> None:
    """One that nothing reads in this sub-network: it stands behind the exit."""
    path = tmp_path / "exits.specc"
    path.write_text(
        "supernet exits { input image(1, 8, 8); classes 10; stem { conv(8, kernel=3); relu }\n"
        "stage s1 { conv(8, kernel=3); exit e1 { pool(avg); linear(classes) } }\n"
        "stage s2 { repeat 1..3 { conv(8, kernel=3) } }\n"
        "head { pool(avg); linear(classes) } }\n"
    )
    done = specc("cost", path, "--at", "exit=e1,s2.depth=1", "-q")
    assert done.code == 0
    assert "nothing reads `s2.depth` in this sub-network" in done.err
    told = specc("cost", path, "--at", "exit=e1,s2.depth=1", "--json").json["warnings"]
    assert "option-without-effect" in [row["rule"] for row in told]
    assert "s2.depth" not in specc("cost", path, "--at", "exit=head,s2.depth=1", "-q").err


def test_fewer_draws_than_asked_for_are_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = window.draw_in_window

    def two(*args: Any, **settings: Any) -> Any:
        found = real(*args, **settings)
        return replace(found, assignments=found.assignments[:2], costs=tuple(c[:2] for c in found.costs))

    monkeypatch.setattr(window, "draw_in_window", two)
    done = specc("sample", small, "-n", 5, "--macs", "1..", "-q")
    assert done.code == 0
    assert "only 2 of 5 sub-networks were found" in done.err
    strict = specc("sample", small, "-n", 5, "--macs", "1..", "--strict")
    assert strict.code == 1
    assert "fewer-draws" in strict.err


def test_ranges_that_are_not_exact_are_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **settings: object) -> None:
        raise TooEntangled

    monkeypatch.setattr(ranges, "ranges_of", refused)
    done = specc("plan", small, "--json", "-q")
    assert done.json["exact"] is False
    assert [row["rule"] for row in done.json["warnings"]] == ["approximate-range"]
    assert "approximate-range" in specc("plan", small).err
    assert specc("plan", small, "--strict").code == 1


def test_many_draws_are_made_together() -> None:
    """Twenty thousand one by one would be another thing: these are uniform too."""
    rows = specc("sample", SPECS / "digits.specc", "-n", 30_000, "--json").json
    counts = Counter(str(row["at"]) for row in rows)
    assert len(counts) == 81
    assert max(counts.values()) < 1.25 * 30_000 / 81
    alone = specc("sample", SPECS / "digits.specc", "-n", 30_000, "--json", "--distribution", "independent").json
    assert len(Counter(str(row["at"]) for row in alone)) == 81


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-n", "0"], "-n must be a positive whole number"),
        (["-n", "1000001"], "-n is at most 1,000,000, not 1,000,001"),
        (["-n", "many"], "-n must be a positive whole number"),
        (["--macs", "60"], "`60` is not a range"),
        (["--macs", ".."], "`..` is not a range"),
        (["--macs", "2..1"], "the lower bound exceeds the upper bound"),
        (["--macs", "a..b"], "`a` is not a number"),
        (["--macs", "-5..10M"], "cannot be negative: -5"),
        (["--macs", "1e999999999.."], "`1e999999999` is not a number"),
        (["--params", f"..{'9' * 400}"], "a number has at most 40 characters"),
        (["--latency", f"{'9' * 400}s.."], "a number has at most 40 characters"),
        (["--params", "1k..-2"], "cannot be negative: -2"),
        (["--latency", "-1ms..2ms"], "cannot be negative: -1ms"),
        (["--latency", "1ms..2ms"], "--latency needs --latency-table"),
        (["--macs", "1..2", "--distribution", "independent"], "cannot be combined with a budget"),
    ],
)
def test_wrong_sample_options(small: Path, words: list[str], message: str) -> None:
    done = specc("sample", small, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_parameters(tmp_path: Path) -> None:
    path = tmp_path / "scaled.specc"
    path.write_text(
        SMALL.replace("  norm batch\n", "  norm batch\n  param scale = 1\n").replace("conv(16", "conv(16 * scale")
    )
    one, two = (specc("cost", path, "--json", *words).json["params"] for words in ([], ["-p", "scale=2"]))
    assert two > one
    wrong = specc("cost", path, "-p", "sclae=2")
    assert wrong.code == 1
    assert "scale" in wrong.err


def test_rules_and_explain() -> None:
    rules = specc("rules", "--json").json
    assert keys(rules) == {("code", "name", "summary")}
    for word in (rules[0]["code"], rules[0]["name"], rules[0]["code"].lower()):
        value = specc("explain", word, "--json").json
        assert tuple(value) == ("code", "name", "summary", "explanation")
        assert value["code"] == rules[0]["code"]
    assert rules[0]["name"] in specc("explain", rules[0]["code"]).out
    done = specc("explain", "unknown-nam")
    assert done.code == 1
    assert "unknown-name" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    done = specc("completion", shell)
    assert done.code == 0
    assert all(name in done.out for name in command_names())
    assert "--force" in done.out or "-l force" in done.out
    assert specc("completion", "tcsh").code == 2


def test_fmt(tmp_path: Path) -> None:
    path = tmp_path / "ugly.specc"
    ugly = SMALL.replace("\n    norm\n", ";   norm # kept\n", 1)
    path.write_text(ugly)
    assert specc("fmt", "--check", path).code == 1
    assert path.read_text() == ugly
    printed = specc("fmt", "-", stdin=ugly)
    assert printed.code == 0
    assert specc("fmt", path).code == 0
    assert path.read_text() == printed.out
    assert "# kept" in printed.out
    assert specc("fmt", "--check", path).code == 0
    assert specc("fmt", path, "--json").json == {"files": [{"file": str(path), "changed": False}]}
    assert [p.name for p in tmp_path.iterdir()] == ["ugly.specc"]


def test_fmt_leaves_a_file_that_does_not_parse(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.specc", tmp_path / "bad.specc"
    good.write_text(SMALL.replace("\n    norm\n", "; norm\n", 1))
    bad.write_text("supernet x {")
    before = good.read_text()
    assert specc("fmt", good, bad).code == 1
    assert good.read_text() == before


@pytest.mark.parametrize("template", ["mobilenet", "mlp", "resnet"])
def test_new(template: str, tmp_path: Path) -> None:
    path = tmp_path / "fresh.specc"
    done = specc("new", "fresh", "-o", path, "--template", template)
    assert done.code == 0
    assert specc("check", path).code == 0
    assert specc("fmt", "--check", path).code == 0
    assert "supernet fresh {" in path.read_text()
    assert int(specc("space", path, "--json").json["size"]) > 1
    again = specc("new", "fresh", "-o", path)
    assert again.code == 1
    assert "--force" in again.err
    assert specc("new", "fresh", "-o", path, "--force").code == 0
    assert specc("new", "fresh", "-o", "-").out == path.read_text()


@pytest.mark.parametrize("words", [["9lives"], ["a-b"], ["x", "--template", "none"], ["é"], [""]])
def test_new_refuses(words: list[str], tmp_path: Path) -> None:
    done = specc("new", *words, "-o", tmp_path / "x.specc")
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_plan_says_where_few_sub_networks_are_trained() -> None:
    assert specc("plan", SPECS / "digits_adn.specc", "--json").json["method"]["listed"] == 2
    assert "2 sub-networks in all, no other is trained" in specc("plan", SPECS / "digits_adn.specc").out
    assert "no other" not in specc("plan", SPECS / "digits_slimmable.specc").out


def test_plan_json(small: Path, tmp_path: Path) -> None:
    value = specc("plan", small, "--json").json
    assert value["spec"] == "small"
    assert value["size"] == "72"
    for name in ("params", "macs", "weight_bytes", "peak_bytes"):
        assert value[name]["min"] <= value[name]["max"], name
    assert value["method"]["name"] == "us_net"
    assert value["method"]["subnets_per_step"] == 4
    assert value["method"]["listed"] is None
    assert {row["change"] for row in value["files"]} == {"new"}
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out).code == 0
    after = specc("plan", small, "-o", out, "--json").json
    assert {row["change"] for row in after["files"]} == {"same"}
    text = specc("plan", small).out
    assert "72 sub-networks" in text
    assert "us_net" in text


def test_what_cannot_be_written_is_no_bug(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = specc("compile", small, "-o", tmp_path / "file" / "out")
    assert done.code == 1
    assert "cannot write" in done.err
    assert specc("new", "x", "-o", tmp_path / "none" / "x.specc").code == 1


def test_a_link_to_a_spec_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.specc").write_text(SMALL.replace("kernel=3", "kernel  =  3"))
    (tmp_path / "link.specc").symlink_to("real.specc")
    assert specc("fmt", tmp_path / "link.specc").code == 0
    assert (tmp_path / "link.specc").is_symlink()
    assert "kernel=3" in (tmp_path / "real.specc").read_text()
