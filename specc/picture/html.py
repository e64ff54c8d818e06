"""A picture as one HTML page without scripts: the SVG, and tables of its stages for those who read rather than look."""

from __future__ import annotations

from collections.abc import Iterator

from specc.ir.extent import percent
from specc.picture.draw import safe
from specc.picture.svg import svg
from specc.picture.view import Picture

PAGE_STYLE = """\
body{margin:0;background:#fff;color:#14181d;font:14px/1.45 Inter,'Helvetica Neue',Arial,sans-serif}
svg{display:block;max-width:100%;height:auto;margin:0 auto}
main{width:fit-content;max-width:100%;margin:0 auto}
details{margin:8px 0 24px;padding:0 20px}
summary{cursor:pointer}
table{border-collapse:collapse;margin:8px 0}
td,th{padding:2px 14px 2px 0;text-align:left;border-bottom:1px solid #d5dbe1;font-variant-numeric:tabular-nums}
.n{text-align:right}
@media (prefers-color-scheme:dark){body{background:#12161c;color:#eef2f6}td,th{border-color:#414d5a}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded and nothing runs, whatever a spec is called."""


def html(picture: Picture) -> str:
    """The page."""
    name = safe(picture.name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{name}</title>\n<style>\n{PAGE_STYLE}</style>\n</head>\n<body>\n<main>\n{svg(picture)}"
        f"<details>\n<summary>The stages as a table</summary>\n{''.join(table(picture))}</details>\n"
        "</main>\n</body>\n</html>\n"
    )


def table(picture: Picture) -> Iterator[str]:
    yield "<table>\n<tr><th>stage</th><th>ends in</th><th>elastic</th>"
    yield '<th class="n">parameters</th><th class="n">MACs</th><th class="n">share</th></tr>\n'
    for lane in picture.lanes:
        cells = (lane.name, lane.shape, ", ".join(lane.notes))
        numbers = (f"{lane.params:,}", f"{lane.macs:,}", percent(lane.share))
        left = "".join(f"<td>{safe(cell)}</td>" for cell in cells)
        right = "".join(f'<td class="n">{safe(cell)}</td>' for cell in numbers)
        yield f"<tr>{left}{right}</tr>\n"
    yield "</table>\n"
