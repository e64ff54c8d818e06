"""pareto.html: one file, whole data, nothing that a name could break out of."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from specc.runtime.search.front import Point
from specc.runtime.search.page import SCRIPT, page, write_page

SMALL = Point({"width": 0.5, "keep": False}, 10_000, 500, 0.8, memory=4096)
LARGE = Point({"width": 1, "keep": True}, 40_000, 900, 0.9, memory=8192)
MIDDLE = Point({"width": 1, "keep": False}, 30_000, 900, 0.7, memory=8192)


class Reader(HTMLParser):
    """Collects tags, attributes and the text of each element."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        name = self.open[-1] if self.open else ""
        self.texts[name] = self.texts.get(name, "") + data


def read(text: str) -> tuple[Reader, dict[str, Any]]:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    content: dict[str, Any] = json.loads(data)
    return reader, content


def test_the_page_holds_every_point_and_needs_nothing_else(tmp_path: Path) -> None:
    finished = LARGE.with_(latency=0.002, latency_p90=0.003, test_value=0.88)
    write_page(tmp_path / "pareto.html", "toy: accuracy", [LARGE, MIDDLE, SMALL], [SMALL, finished], ["params", "macs"])
    reader, data = read((tmp_path / "pareto.html").read_text(encoding="utf-8"))
    assert data["costs"] == ["params", "macs"]
    points = data["points"]
    assert [(p["macs"], p["front"]) for p in points] == [(10_000, True), (30_000, False), (40_000, True)]
    assert [p["number"] for p in points] == [1, None, 2]
    assert points[2]["test_value"] == 0.88
    assert points[2]["at"] == {"width": 1, "keep": True}
    assert points[1]["latency"] is None
    assert "2 of 3 evaluated sub-networks" in reader.texts["p"]
    assert not any({"src", "href"} & set(attributes) for _, attributes in reader.tags)
    addresses = re.findall(r"\w+://[^\s\"'<)]*", SCRIPT + reader.texts["style"])
    assert addresses == ["http://www.w3.org/2000/svg"]  # a namespace, which nobody fetches
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|\bimport\b", SCRIPT + reader.texts["style"])
    assert "prefers-color-scheme: dark" in reader.texts["style"]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in reader.tags


@pytest.mark.parametrize("evil", ["</script><script>alert(1)</script>", "<!--", "a & b < c", "{x}", '"', "é\u2028"])
def test_no_name_becomes_markup(evil: str) -> None:
    point = Point({evil: evil}, 1, 1, 0.5)
    reader, data = read(page(f"{evil}: accuracy", [point], [point], ["macs"]))
    assert data["points"][0]["at"] == {evil: evil}
    assert reader.texts["h1"] == f"{evil}: accuracy"
    assert [tag for tag, _ in reader.tags].count("script") == 2
