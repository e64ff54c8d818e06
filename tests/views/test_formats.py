"""Pictures as text: well formed, alone, the same every time; nothing that a spec says becomes markup."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from specc.importance.rules import NO_PATH, refused
from specc.ir.graph import Graph
from specc.picture import FORMATS, Picture, build, picture
from specc.picture.blocks import blocks
from specc.picture.dot import quoted as dot_quoted
from specc.picture.draw import cut, path, safe
from specc.picture.mermaid import quoted as mermaid_quoted
from specc.picture.svg import listed
from tests.helpers.commands import specc as run
from tests.helpers.folders import ROOT, SPECS
from tests.helpers.pictures import graph, marks

SOME = ("digits", "knotty", "mobilenet_v2_tips", "resnet50_adn")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "]]></style><script>alert(1)</script>",
    "--><svg/onload=alert(1)>",
    '"]; n9["x',
    '"] click n1 "javascript:alert(1)"',
    "\\",
    '\\"',
    'a"; URL="javascript:alert(1)',
    "end\n  n1 --> n2",
    "\x00\x1b[31m\ud800\ufffe\u202e\u2028",
    "&lt;b&gt; &amp; #lt;",
    "%%{init: {}}%%",
    "`**bold**`",
)
CHOSEN = ("shape", "family", "kind")
"""Fields that hold words of our own."""


def shown(name: str) -> Picture:
    return build(graph(name), marks=marks(name))


def with_text(value: Any, text: str) -> Any:
    """A picture with every text in it replaced."""
    if is_dataclass(value) and not isinstance(value, type):
        changes = {f.name: with_text(getattr(value, f.name), text) for f in fields(value) if f.name not in CHOSEN}
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(with_text(item, text) for item in value)
    return text if isinstance(value, str) and value else value


def elements(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter())


def tag(element: ElementTree.Element) -> str:
    return element.tag.removeprefix("{http://www.w3.org/2000/svg}")


TAGS = {"svg", "style", "defs", "marker", "path", "rect", "g", "title", "text", "circle", "polygon"}
ATTRIBUTES = {
    *("class", "x", "y", "width", "height", "rx", "d", "points", "cx", "cy", "r", "viewBox", "id", "role"),
    "aria-label",
    *("refX", "refY", "markerWidth", "markerHeight", "markerUnits", "orient", "marker-end", "text-anchor"),
}


@pytest.mark.parametrize("name", SOME)
def test_svg_is_well_formed_and_alone(name: str) -> None:
    text = picture(shown(name), "svg")
    found = elements(text)
    assert {tag(element) for element in found} <= TAGS
    assert {attribute for element in found for attribute in element.attrib} <= ATTRIBUTES
    assert set(re.findall(r"url\([^)]*\)", text)) <= {"url(#arrow)"}
    assert re.findall(r"https?:", text) == ["http:"]  # the namespace
    classes = {word for element in found for word in element.get("class", "").split()}
    styled = set(re.findall(r"\.([a-z][a-z0-9]*)", (found[1].text or "")))
    assert classes - {"op", "specc"} <= styled


@pytest.mark.parametrize("name", SOME)
def test_html_loads_and_runs_nothing(name: str) -> None:
    text = picture(shown(name), "html")
    assert text.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<link|<img|<iframe|\bsrc=|\bhref=|\bon[a-z]+=|javascript:|@import", text)
    assert text.count("<svg ") == 1
    assert "prefers-color-scheme:dark" in text
    assert 'color-scheme" content="light dark' in text


@pytest.mark.parametrize("format", sorted(FORMATS))
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_never_becomes_markup(format: str, text: str) -> None:
    plain = picture(shown("knotty"), format)
    hostile = picture(with_text(shown("knotty"), text), format)
    hostile.encode("utf-8")
    assert all(c.isprintable() or c == "\n" for c in hostile)
    if format == "svg":
        same_elements(plain, hostile)
    elif format == "html":
        tags = [re.findall(r"<(/?[a-z]+)", page) for page in (plain, hostile)]
        assert [t for t in tags[0] if t != "text"][:20] == [t for t in tags[1] if t != "text"][:20]
        assert set(tags[0]) == set(tags[1])
        same_elements(*(page[page.index("<svg ") : page.index("</svg>") + 6] for page in (plain, hostile)))
    elif format == "mermaid":
        assert bare(hostile, r'"[^"]*"') == bare(plain, r'"[^"]*"')
        assert not re.search(r'"[^"]*[<`\\](?!br/>)', hostile)
    else:
        string = r'"(?:[^"\\]|\\.)*"'
        assert bare(hostile, string) == bare(plain, string)


def bare(text: str, string: str) -> list[str]:
    """The lines of a text without what stands between quotes."""
    return [re.sub(string, '""', line) for line in text.splitlines()]


def same_elements(plain: str, hostile: str) -> None:
    """The same elements with the same attributes, whatever the texts; `aria-label` alone is text itself."""
    found = [{(tag(e), *sorted(set(e.attrib) - {"text-anchor"})) for e in elements(text)} for text in (plain, hostile)]
    assert found[0] == found[1]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_read_as_they_are(text: str) -> None:
    clean = "".join(c if c.isprintable() else "\ufffd" for c in text)
    assert ElementTree.fromstring(f'<a b="{safe(text)}">{safe(text)}</a>').text == clean
    assert ElementTree.fromstring(f'<a b="{safe(text)}"/>').get("b") == clean
    numbers = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), mermaid_quoted(text))
    assert numbers == clean
    assert re.sub(r"\\(.)", r"\1", dot_quoted(text))[1:-1] == clean


def test_a_files_name_is_text_too(tmp_path: Path) -> None:
    spec = tmp_path / "<script>alert(1)<!--.specc"
    spec.write_text((SPECS / "digits.specc").read_text(encoding="utf-8"), encoding="utf-8")
    done = run("viz", spec)
    assert done.code == 0
    assert "<script" not in done.out
    assert "&lt;script&gt;alert(1)&lt;!--.specc:10" in done.out


def test_the_same_bytes_every_time() -> None:
    code = (
        "from specc.cli.main import main\n"
        f"for format in {sorted(FORMATS)}: main(['viz', 'specs/digits.specc', '--format', format])"
    )
    found = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.append(subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, env=env).stdout)
    assert found[0] == found[1]
    assert found[0].count(b"\n") > 500


def test_hovering_shows_figures() -> None:
    titles = [element.text or "" for element in elements(picture(shown("digits"), "svg")) if tag(element) == "title"]
    one = next(text for text in titles if text.startswith("s1.b2.depthwise"))
    assert one.splitlines() == [
        "s1.b2.depthwise · depthwise",
        "with s1.b2.norm2 · batch_norm",
        "with s1.b2.relu6_2 · relu6",
        "18–96 × 8 × 8 → 18–96 × 8 × 8",
        "1,056 parameters, 55,296 MACs (2.1 %)",
        "present if s1.depth ≥ 1",
        "channels by width",
        "std/mobilenet.specc:14",
        *one.splitlines()[-2:],
    ]
    assert one.splitlines()[-2].endswith("not important")


# --- blocks ---


def reachable(arrows: list[tuple[int, int]], end: int, without: set[int]) -> bool:
    """Whether a way leads from block 0 to a block around some others."""
    seen = {0}
    for source, target in sorted(arrows):
        if source in seen and target not in without:
            seen.add(target)
    return end in seen


@pytest.mark.parametrize("name", ["digits", "mobilenet_v2_tips", "resnet50_adn", "knotty"])
def test_all_optional_blocks_can_be_left_out_together(name: str) -> None:
    groups, arrows = blocks(build(graph(name)))
    all_blocks = [block for group in groups for block in group.blocks]
    optional = {block.number for block in all_blocks if block.optional}
    assert optional
    pairs = [(arrow.source, arrow.target) for arrow in arrows]
    assert reachable(pairs, all_blocks[-1].number, optional)
    kept = next(block.number for block in all_blocks if not block.optional and block.lines)
    assert not reachable(pairs, all_blocks[-1].number, {kept})


def test_mermaid_of_a_small_network() -> None:
    text = picture(build(graph("resnet50_adn")), "mermaid")
    assert text.startswith('flowchart TB\n  n0(["input"])\n  subgraph g0["stem: 64 × 56 × 56, 2.9 % of MACs"]\n')
    assert 'n4["b3 bottleneck<br/>1×1 64, 3×3 64, 1×1 256<br/>5.3 % of MACs"]:::may' in text
    assert '  n3 -. "unless keep" .-> n5\n' in text
    assert len(text) < 3000


def test_dot_of_a_small_network() -> None:
    text = picture(build(graph("resnet50_adn")), "dot")
    assert text.startswith('digraph "resnet50_adn" {\n')
    assert text.count("{") == text.count("}")
    assert 'n3 -> n5 [label="unless keep", style=dashed, constraint=false]' in text


# --- the command ---


def test_the_command_writes_files_by_their_ending(tmp_path: Path) -> None:
    starts = {".html": "<!DOCTYPE", ".svg": "<svg ", ".mmd": "flowchart", ".dot": "digraph", ".x": "<!DOCTYPE"}
    for ending, start in starts.items():
        done = run("viz", SPECS / "digits.specc", "-o", tmp_path / f"net{ending}")
        assert (done.code, done.out) == (0, "")
        assert (tmp_path / f"net{ending}").read_text(encoding="utf-8").startswith(start)
    assert run("viz", SPECS / "digits.specc", "--format", "svg").out.startswith("<svg ")
    assert run("viz", SPECS / "digits.specc", "--json", "--format", "dot").json["text"].startswith("digraph")


def test_the_commands_exit_codes(tmp_path: Path) -> None:
    spec = SPECS / "digits.specc"
    assert run("viz", spec, "-o", tmp_path / "no" / "net.svg").code == 1
    assert run("viz", spec, "--at", "width=3").code == 1
    assert run("viz", spec, "--format", "png").code == 2
    assert "s1.depth=0" in run("viz", spec, "--at", "min", "--format", "svg").out


def test_pictures_without_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SPECS / "digits.specc"
    assert "TAS" in run("viz", spec, "--format", "svg").out
    plain = run("viz", spec, "--format", "svg", "--plain")
    assert "TAS" not in plain.out
    assert "depthwise</text>" in plain.out

    def no_answer(graph: Graph, settings: object) -> None:
        raise refused(graph, NO_PATH, "no head of this network reads its input")

    monkeypatch.setattr("specc.importance.marks.marks_of", no_answer)
    done = run("viz", spec, "--format", "svg")
    assert (done.code, done.out) == (0, plain.out)
    assert done.err == "note: drawn without importance: no head of this network reads its input\n"
    empty = run("query", spec, "SELECT count(important), count(*) FROM ops", "--csv")
    assert empty.out.splitlines()[1] == "0,65"
    assert run("query", spec, "SELECT * FROM tas").code == 1


def test_short_texts_and_paths() -> None:
    assert listed(["width 1–2", "depth 0–2", "op a, b"], 60) == "width 1–2 · depth 0–2 · op a, b"
    assert listed(["width 1–2", "depth 0–2", "op a, b"], 24) == "width 1–2 · and 2 more"
    assert cut("inverted_residual", 40) == "inv…al"
    assert cut("short", 400) == "short"
    assert path([(0, 0), (10, 0), (10, 10)], "wire") == '<path d="M0 0L5 0Q10 0 10 5L10 10" class="wire"/>'
    assert path([(0, 0), (0, 0), (1, 0)], "wire").startswith('<path d="M0 0')
