"""A page to look at a search with: every evaluated point can be hovered, a click copies its assignment.

By keyboard, the arrows walk along the front and Enter copies. One file that needs no other and no network. It follows
the reader's light or dark setting.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from elastic.files.whole import write_text
from elastic.run.journal import key
from elastic.search.front import Point
from elastic.train.scores import ACCURACY


def write_page(
    path: Path, title: str, evaluated: Sequence[Point], front: Sequence[Point], costs: Sequence[str]
) -> None:
    """Writes the page. `front` is part of what was evaluated; the first of `costs` is the axis to begin with."""
    write_text(path, page(title, evaluated, front, costs))


def page(
    title: str, evaluated: Sequence[Point], front: Sequence[Point], costs: Sequence[str]
) -> str:
    """The page's text."""
    best = {key(point.at): point for point in sorted(front, key=lambda point: point.macs)}
    # As pareto.json and export.py number them, from 1.
    numbers = {name: number for number, name in enumerate(best, 1)}
    points = best | {key(point.at): point for point in evaluated} | best
    rows = [
        {
            **asdict(point),
            "at": dict(point.at),
            "metric": None,
            "front": name in best,
            "number": numbers.get(name),
        }
        for name, point in sorted(points.items(), key=lambda item: item[1].macs)
    ]
    are = "is" if len(rows) == 1 else "are"
    summary = f"{len(front):,} of {len(rows):,} evaluated sub-networks {are} Pareto-optimal"
    untrained = sum(not point.trained for point in best.values())
    if untrained:
        summary += f"; {untrained:,} of these {'is' if untrained == 1 else 'are'} not trained"
    # In a script element only "<" could end the data early.
    metric = evaluated[0].metric if evaluated else front[0].metric if front else ACCURACY
    data = json.dumps({"costs": [*costs], "metric": asdict(metric), "points": rows}).replace(
        "<", "\\u003c"
    )
    return PAGE.format(title=escape(title), summary=summary, style=STYLE, data=data, script=SCRIPT)


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}. Point at one, or walk along the front with the arrow keys; a click, or Enter, copies its assignment.</p>
<div class="bar">
<div id="axes" role="group" aria-label="cost on the horizontal axis"></div>
<div id="key" aria-hidden="true"><span class="ring"></span> on the front <span class="disc"></span> other</div>
</div>
<div id="chart" tabindex="0" role="group" aria-label="the points; arrow keys walk along the front"></div>
<h2>The front</h2>
<div class="wide"><table><thead></thead><tbody></tbody></table></div>
</main>
<div id="tip" role="status" hidden></div>
<div id="note" role="status"></div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""

STYLE = """
:root {
  --page: #fff; --ink: #1f2937; --soft: #6b7280; --line: #e5e7eb; --dot: #8e99aa; --accent: #2563eb;
  --tint: #eff4ff; --card: #fff; --shadow: 0 4px 16px #0003;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151c; --ink: #e5e9f0; --soft: #98a2b3; --line: #2a313c; --dot: #687384;
    --accent: #7ab0ff; --tint: #1b2738; --card: #1c222c; --shadow: 0 4px 16px #000a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { color: var(--soft); margin: 0 0 1rem; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); cursor: pointer; }
button:hover { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.bar { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin-bottom: .5rem; }
#axes { display: flex; flex-wrap: wrap; gap: .4rem; margin-right: auto; }
#key { color: var(--soft); font-size: 13px; white-space: nowrap; }
.ring, .disc { display: inline-block; border-radius: 50%; width: 8px; height: 8px; background: var(--dot); }
.ring { width: 11px; height: 11px; border: 2px solid var(--accent); background: none; margin-bottom: -1px; }
.disc { margin-left: .6rem; }
#axes button { border-radius: 2rem; padding: .15rem .8rem; }
#axes [aria-pressed=true] { background: var(--tint); border-color: var(--accent); color: var(--accent); }
#chart { position: relative; touch-action: pan-y; cursor: crosshair; }
svg { display: block; width: 100%; }
svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); }
.dot { fill: var(--dot); }
.dot.idle { opacity: .45; }
.best.idle { stroke-dasharray: 3 2; }
.best { fill: var(--page); stroke: var(--accent); stroke-width: 2; }
.steps { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.here { fill: none; stroke: var(--ink); stroke-width: 2; }
#tip {
  position: fixed; z-index: 1; max-width: min(26rem, calc(100vw - 1.5rem)); padding: .5rem .7rem;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; box-shadow: var(--shadow);
  font-size: 13px; pointer-events: none; overflow-wrap: anywhere;
}
#tip b { font-size: 14px; margin-right: .5rem; }
#tip span { white-space: nowrap; margin-right: .5rem; }
#tip .number { color: var(--soft); }
#tip code {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 12; overflow: hidden;
  margin-top: .2rem; color: var(--soft);
}
code { font: 12px/1.45 ui-monospace, monospace; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
tbody tr:hover td { background: var(--tint); }
td:first-child { color: var(--soft); padding-left: 0; }
td:nth-child(3), th:nth-child(3) { text-align: left; width: 100%; min-width: 11rem; max-width: 0; }
td code { display: block; overflow: hidden; text-overflow: ellipsis; }
td button { border-radius: .35rem; padding: 0 .5rem; font-size: 13px; }
tr.here td { background: var(--tint); }
#note {
  position: fixed; left: 50%; bottom: 1.2rem; translate: -50% 0; padding: .35rem .9rem; border-radius: 2rem;
  background: var(--ink); color: var(--page); opacity: 0; transition: opacity .2s; pointer-events: none;
}
#note.shown { opacity: 1; }
@media (max-width: 40rem) { main { padding-top: 1rem; } }
"""

SCRIPT = """
"use strict";
const $ = (name) => document.querySelector(name);
const { costs, metric, points } = JSON.parse($("#data").textContent);
const KINDS = { macs: "MACs", params: "parameters", memory: "peak memory", latency: "latency" };
const kinds = Object.keys(KINDS).filter((kind) => points.some((p) => p[kind] != null));
let axis = costs[0], placed = [], chosen = null;

function amount(value, kind) {
  if (value == null) return "";
  if (kind === "latency") return value >= 1e-3 ? round(1e3 * value) + " ms" : round(1e6 * value) + " \\u00b5s";
  const unit = { 9: " G", 6: " M", 3: " k" }, power = [9, 6, 3].find((n) => value >= 10 ** n);
  return round(power ? value / 10 ** power : value) + (unit[power] || (kind === "memory" ? " " : ""))
    + (kind === "memory" ? "B" : "");
}
const round = (x) => String(+x.toPrecision(4));
// A higher place is a better one, whatever the metric.
const factor = (metric.share ? 100 : 1) * (metric.rising ? 1 : -1);
const height = (p) => factor * p.value;
const number = (x) => round(x) + (metric.unit && " " + metric.unit);
const told = (x) => (x == null ? "" : metric.share ? (100 * x).toFixed(2) + " %" : number(x));
const spelled = (p) => Object.entries(p.at).map(([name, option]) =>
  name + "=" + (option === true ? "yes" : option === false ? "no" : option)).join(", ") || "-";

function ticks(low, high, about) {
  if (low === high) [low, high] = [0.95 * low, 1.05 * high || 1];
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.8);
  const first = Math.floor(low / step + 1e-9), last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}
function logTicks(low, high) {
  const marks = [];
  for (let e = -9; e < 15; e++) for (const m of [1, 2, 5]) marks.push(m * 10 ** e);
  const first = marks.findLastIndex((m) => m <= low), last = marks.findIndex((m) => m >= high);
  return marks.slice(first, last + 1);
}
function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  return made;
}

function drawChart() {
  const width = $("#chart").clientWidth, height = Math.round(Math.min(520, Math.max(300, width * 0.58)));
  const left = 54, right = 14, top = 14, bottom = 46, narrow = width < 560;
  const shown = points.filter((p) => p[axis] != null);
  const cost = shown.map((p) => p[axis]).sort((a, b) => a - b), low = cost[0], high = cost.at(-1);
  // The best nine tenths decide the scale: a few failures would flatten everything else.
  const sorted = shown.map(height).sort((a, b) => a - b);
  const least = shown.filter((p) => p.front).reduce((m, p) => Math.min(m, height(p)), Infinity);
  const floor = Math.min(least, sorted[Math.floor(sorted.length / 10)]);
  const ys = ticks(floor, sorted.at(-1), 6).filter((v) => !metric.share || v <= 100);
  const log = low > 0 && high > 20 * low;
  const xs = log ? logTicks(low, high) : ticks(low, high, narrow ? 4 : 7);
  const scale = log ? Math.log10 : (v) => v;
  const x = (v) => left + (width - left - right) * (scale(v) - scale(xs[0])) / (scale(xs.at(-1)) - scale(xs[0]));
  const y = (v) => height - bottom - (height - top - bottom) * (v - ys[0]) / (ys.at(-1) - ys[0]);
  const svg = element("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(element("title", {}, `${metric.name} against ${KINDS[axis]}`));
  for (const v of ys) {
    svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }));
    const label = metric.share ? v + " %" : round(metric.rising ? v : -v);
    svg.append(element("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, label));
  }
  let free = 0;
  for (const v of xs) {
    svg.append(element("line", { class: "grid", x1: x(v), x2: x(v), y1: height - bottom, y2: height - bottom + 5 }));
    const text = amount(v, axis), half = 3.5 * text.length, at = Math.min(x(v), width - half);
    if (at - half < free) continue;
    svg.append(element("text", { x: at, y: height - bottom + 19, "text-anchor": "middle" }, text));
    free = at + half + 6;
  }
  placed = shown.map((p) => ({ p, x: x(p[axis]), y: y(height(p)) })).filter((d) => d.y <= height - bottom + 0.5);
  const middle = { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" };
  const below = shown.length - placed.length, lacking = points.length - shown.length;
  const notes = [log && "logarithmic", below && `${below} lie below`, lacking && `${lacking} not measured`];
  svg.append(element("text", middle, [`${metric.name} against ${KINDS[axis]}`, ...notes.filter(Boolean)].join(", ")));
  const circles = (front, name, r) => {
    for (const d of placed.filter((d) => d.p.front === front))
      svg.append(element("circle", { class: d.p.trained === false ? name + " idle" : name, cx: d.x, cy: d.y, r }));
  };
  circles(false, "dot", 3.5);
  let steps = "", best = -Infinity;
  for (const d of [...placed].sort((a, b) => a.p[axis] - b.p[axis] || height(b.p) - height(a.p))) {
    if (height(d.p) <= best) continue;
    steps += steps ? `H${d.x}V${d.y}` : `M${d.x} ${d.y}`;
    best = height(d.p);
  }
  svg.append(element("path", { class: "steps", d: `${steps}H${width - right}` }));
  circles(true, "best", 5);
  svg.append(element("circle", { class: "here", r: 8, visibility: "hidden" }));
  $("#chart").replaceChildren(svg);
  show(placed.find((d) => d.p === chosen) || null);
}

function point(event) {
  const box = $("#chart").getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  const distance = (d) => Math.hypot(d.x - x, d.y - y) - (d.p.front ? 4 : 0);
  const near = placed.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  show(near && distance(near) < 28 ? near : null);
}
function walk(event) {
  const front = placed.filter((d) => d.p.front).sort((a, b) => a.x - b.x || a.y - b.y);
  const here = front.findIndex((d) => d.p === chosen), last = front.length - 1;
  const to = { ArrowRight: Math.min(here + 1, last), ArrowLeft: here < 0 ? last : Math.max(here - 1, 0), Home: 0,
    End: last }[event.key];
  if (to !== undefined) show(front[to]);
  else if (event.key === "Escape") show(null);
  else if ((event.key === "Enter" || event.key === " ") && chosen) copy(chosen);
  else return;
  event.preventDefault();
}
function ring(d) {
  const ring = $("svg .here");
  ring.setAttribute("visibility", d ? "visible" : "hidden");
  if (!d) return;
  ring.setAttribute("cx", d.x);
  ring.setAttribute("cy", d.y);
}
function show(d) {
  chosen = d && d.p;
  ring(d);
  const tip = $("#tip");
  for (const row of document.querySelectorAll("tbody tr")) row.classList.toggle("here", !!d && row.point === d.p);
  tip.hidden = !d;
  if (!d) return;
  const bold = document.createElement("b"), code = document.createElement("code");
  bold.textContent = told(chosen.value);
  const test = chosen.test_value == null ? [] : ["test " + told(chosen.test_value)];
  const figures = kinds.filter((k) => chosen[k] != null)
    .map((k) => amount(chosen[k], k) + (k === "latency" ? "" : " " + KINDS[k]));
  code.textContent = spelled(chosen);
  if (chosen.trained === false) figures.push("not trained");
  const span = (textContent) => Object.assign(document.createElement("span"), { textContent });
  const first = chosen.front ? [Object.assign(span(chosen.number), { className: "number" }), " "] : [];
  // a figure and its unit stay on one line
  tip.replaceChildren(...first, bold, ...[...test, ...figures].flatMap((text) => [" ", span(text)]), code);
  const box = $("#chart").getBoundingClientRect(), x = box.left + d.x, y = box.top + d.y;
  tip.style.left = 0;
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = Math.max(8, Math.min(x + 14, document.documentElement.clientWidth - w - 12)) + "px";
  tip.style.top = Math.max(4, y + 16 + h > innerHeight ? y - h - 12 : y + 16) + "px";
}
async function copy(p) {
  const text = JSON.stringify(p.at);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // where the page lies on a disk, some browsers copy only what is selected
    const before = document.activeElement, shown = placed.find((d) => d.p === chosen);
    const area = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    area.select();
    document.execCommand("copy");
    area.remove();
    before.focus({ preventScroll: true });
    if (shown) show(shown);
  }
  $("#note").textContent = "assignment copied";
  $("#note").classList.add("shown");
  setTimeout(() => $("#note").classList.remove("shown"), 1400);
}

function fillTable() {
  const tested = points.some((p) => p.test_value != null) ? [(p) => told(p.test_value)] : [];
  const heads = ["", "", "sub-network", "validation", ...tested.map(() => "test"), ...kinds.map((k) => KINDS[k])];
  const row = document.createElement("tr");
  row.append(...heads.map((text) => Object.assign(document.createElement("th"), { textContent: text })));
  $("thead").append(row);
  for (const p of points.filter((p) => p.front)) {
    const line = document.createElement("tr"), code = document.createElement("code");
    const button = Object.assign(document.createElement("button"), { textContent: "copy", onclick: () => copy(p) });
    code.textContent = code.title = spelled(p);
    if (p.trained === false) code.textContent += " (not trained)";
    const figures = [told(p.value), ...tested.map((of) => of(p)), ...kinds.map((k) => amount(p[k], k))];
    for (const cell of [p.number, button, code, ...figures])
      line.appendChild(document.createElement("td")).append(cell);
    line.point = p;
    button.setAttribute("aria-label", "copy " + spelled(p));
    const mark = () => ring(placed.find((d) => d.p === p));
    for (const kind of ["mouseenter", "focusin"]) line.addEventListener(kind, mark);
    for (const kind of ["mouseleave", "focusout"]) line.addEventListener(kind, () => ring(null));
    $("tbody").append(line);
  }
}
function fillAxes() {
  $("#axes").replaceChildren(...kinds.map((kind) => {
    const button = Object.assign(document.createElement("button"), { textContent: KINDS[kind] });
    button.setAttribute("aria-pressed", kind === axis);
    button.onclick = () => { axis = kind; fillAxes(); drawChart(); };
    return button;
  }));
}

fillAxes();
fillTable();
drawChart();
new ResizeObserver(drawChart).observe($("#chart"));
$("#chart").addEventListener("pointermove", point);
$("#chart").addEventListener("pointerdown", point);
$("#chart").addEventListener("pointerleave", () => show(null));
$("#chart").addEventListener("keydown", walk);
$("#chart").addEventListener("blur", () => show(null));
$("#chart").addEventListener("click", () => chosen && copy(chosen));
"""
