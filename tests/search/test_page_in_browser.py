"""pareto.html in a browser without a window: what hovering, walking and copying do."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from specc.runtime.search.front import Point, admit
from specc.runtime.search.page import page

BROWSERS = [path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path][:1]
"""The first that is installed; where there is none, nothing can be seen."""


@pytest.fixture(params=BROWSERS, ids=["browser"] * len(BROWSERS))
def browser(request: pytest.FixtureRequest) -> str:
    return str(request.param)


PROBE = """
<script>
"use strict";
const found = { errors: [], copied: [], selected: [] };
window.addEventListener("error", (event) => found.errors.push(event.message));
// a script that no user has touched may not copy: only whether it would copy the right text can be seen
document.execCommand = (kind) => found.selected.push(kind === "copy" && document.activeElement.value);
const chart = document.querySelector("#chart"), tip = document.querySelector("#tip");
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const dot = (i) => chart.querySelectorAll("circle.best")[i].getBoundingClientRect();
const at = (box, kind) => chart.dispatchEvent(new PointerEvent(kind, { bubbles: true,
  clientX: box.left + box.width / 2 + 3, clientY: box.top + box.height / 2 - 2 }));
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
async function probe() {
  found.hiddenFirst = tip.hidden;
  found.circles = [chart.querySelectorAll("circle.best").length, chart.querySelectorAll("circle.dot").length];
  found.rows = document.querySelectorAll("tbody tr").length;
  at(dot(0), "pointermove");
  found.hovered = tip.textContent;
  const box = tip.getBoundingClientRect();
  found.inside = box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
  found.marked = document.querySelectorAll("tbody tr.here").length;
  Object.defineProperty(navigator, "clipboard", { configurable: true,
    value: { writeText: async (text) => { found.copied.push(text); } } });
  at(dot(0), "click");
  await wait(20);
  found.note = document.querySelector("#note").textContent;
  document.querySelector("tbody tr:last-child button").click();
  await wait(20);
  at(dot(0), "pointerleave");
  found.hiddenAgain = tip.hidden;
  chart.focus();
  found.focused = document.activeElement === chart;
  press("Home");
  found.first = tip.textContent;
  press("ArrowRight");
  found.second = tip.textContent;
  press("Enter");
  await wait(20);
  Object.defineProperty(navigator, "clipboard", { value: undefined });
  press("End");
  drawChart();  // as where the window changes its size
  press("Enter");
  await wait(20);
  found.stays = document.activeElement === chart && !tip.hidden;
  press("Escape");
  found.escaped = tip.hidden;
  const axes = [...document.querySelectorAll("#axes button")];
  found.axes = axes.map((button) => button.textContent);
  axes.at(-1).click();
  found.titles = [...chart.querySelectorAll("svg > title")].map((title) => title.textContent);
  found.resources = performance.getEntriesByType("resource").length;
  found.cut = document.querySelector(".wide").scrollWidth > document.querySelector(".wide").clientWidth;
  found.wide = document.documentElement.scrollWidth > innerWidth;
  const out = Object.assign(document.createElement("pre"), { id: "found", textContent: JSON.stringify(found) });
  document.body.append(out);
}
probe();
</script>
"""


def opened(browser: str, folder: Path, text: str, width: int = 1000) -> dict[str, Any]:
    """What the probe found in the page."""
    path = folder / "page.html"
    path.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    command = [browser, *flags, f"--user-data-dir={folder / 'user'}", f"--window-size={width},900", path.as_uri()]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    match = re.search(r'<pre id="found">(.*?)</pre>', dump, re.DOTALL)
    assert match, dump[-2000:]
    found: dict[str, Any] = json.loads(unescape(match[1]))
    assert found["errors"] == []
    assert found["resources"] == 0
    return found


def points(count: int) -> tuple[list[Point], list[Point]]:
    """Points of three objectives, and their front."""
    rng, made, front = random.Random(0), list[Point](), list[Point]()
    for number in range(count):
        size = rng.random()
        accuracy, latency = 0.5 + 0.3 * size**0.4 - 0.05 * rng.random(), 1e-3 * (1 + size + rng.random())
        at = {"width": 8 * number, "keep": bool(number % 2), **dict.fromkeys(map(str, range(40)), 0.125)}
        point = Point(at, int(1e6 * (1 + 99 * size)), 500, accuracy, latency, memory=4096)
        made.append(point)
        front = admit(front, point, ["macs", "latency"])
    return made, sorted(front, key=lambda point: point.macs)


@pytest.mark.parametrize(("count", "width"), [(500, 1000), (40, 500)])
def test_hovering_walking_and_copying(browser: str, tmp_path: Path, count: int, width: int) -> None:
    made, front = points(count)
    found = opened(browser, tmp_path, page("toy", made, front, ["macs", "latency"]), width)
    assert [found[name] for name in ("hiddenFirst", "hiddenAgain", "escaped")] == [True] * 3
    assert found["circles"][0] == found["rows"] == len(front)
    assert 0 < found["circles"][1] <= count - len(front)
    assert f"width={front[0].at['width']}, keep={'yes' if front[0].at['keep'] else 'no'}" in found["hovered"]
    assert f"{100 * front[0].value:.2f} %" in found["hovered"]
    assert found["inside"]
    assert found["marked"] == 1
    assert found["note"] == "assignment copied"
    assert [found[name] for name in ("focused", "stays")] == [True] * 2
    assert found["first"] == found["hovered"] != found["second"]
    # a click, the last row's button, and Enter on the second: an assignment that export.py's users can take
    assert [json.loads(text) for text in found["copied"]] == [dict(front[i].at) for i in (0, -1, 1)]
    # where there is no clipboard to write to, the browser copies what is selected
    assert [json.loads(text) for text in found["selected"]] == [dict(front[-1].at)]
    assert found["axes"] == ["MACs", "parameters", "peak memory", "latency"]
    assert found["titles"] == ["accuracy against latency"]
    assert not found["wide"]
    assert found["hovered"].startswith("1 ")
    # all of the table is seen where there is room for it
    assert found["cut"] == (width < 600)


def test_one_point_and_hostile_names(browser: str, tmp_path: Path) -> None:
    evil = {"</script><script>found.errors.push('ran')</script>": "<img src=x onerror=found.errors.push('ran')>"}
    point = Point({**evil, "a\"b'&amp;\u2028": True}, 7, 5, 0.5)
    found = opened(browser, tmp_path, page("<b>{x}</b> & 'q' \"d\"", [point], [point], ["macs"]))
    assert found["circles"] == [1, 0]
    assert found["inside"]
    assert [json.loads(text) for text in found["copied"]] == [dict(point.at)] * 3
    assert all(name in found["hovered"] for name in point.at)
