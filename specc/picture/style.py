"""The look of a picture, light and dark: plain class rules, which every SVG reader knows, and one media query."""

from __future__ import annotations

from typing import Final

RULES: Final = (
    # selector, what is the same in light and dark, light, dark
    (".specc", "font-family:Inter,'Helvetica Neue',Arial,sans-serif", "", ""),
    (".bg", "", "fill:#ffffff", "fill:#12161c"),
    (".lane", "", "fill:#f4f6f8", "fill:#1a2028"),
    (".h1", "font-size:22px;font-weight:700", "fill:#14181d", "fill:#eef2f6"),
    (".h2", "font-size:15px;font-weight:700", "fill:#14181d", "fill:#eef2f6"),
    (".t", "font-size:11.5px", "fill:#48525d", "fill:#aeb9c5"),
    (".s", "font-size:10.5px", "fill:#5b6671", "fill:#98a4b1"),
    (".note", "font-size:11px;font-weight:600", "fill:#7a2fa3", "fill:#cf9bf0"),
    (".cell", "stroke-width:1", "fill:#ffffff;stroke:#c3ccd5", "fill:#222a34;stroke:#414d5a"),
    (".opt", "stroke-dasharray:5 3", "", ""),
    (".under", "stroke-width:1", "fill:#e6ebf0;stroke:#c3ccd5", "fill:#1c232c;stroke:#414d5a"),
    (".name", "font-size:11px;font-weight:600", "fill:#27303a", "fill:#dbe3eb"),
    (".kind", "font-size:10px", "fill:#6a7581", "fill:#8f9ba8"),
    (".many", "font-size:11.5px;font-weight:700", "fill:#b4470c", "fill:#ff9d5c"),
    (".chip", "stroke-width:1", "stroke:#8b98a6", "stroke:#5f6e7e"),
    (".conv", "", "fill:#dbe9f8", "fill:#25405e"),
    (".depthwise", "", "fill:#d9f0ea", "fill:#1d473f"),
    (".linear", "", "fill:#fbe9cf", "fill:#54401f"),
    (".attention", "", "fill:#f6dfe9", "fill:#542f41"),
    (".other", "", "fill:#eceff2", "fill:#323b46"),
    (".op text", "text-anchor:middle", "", ""),
    (".l", "font-size:11px;font-weight:600", "fill:#1b232b", "fill:#f0f4f8"),
    (".c", "font-size:10px", "fill:#1b232b", "fill:#e4eaf0"),
    (".e", "font-weight:700", "fill:#7a2fa3", "fill:#dcb4f7"),
    (".b", "font-weight:700", "", ""),
    (".op:hover .chip", "stroke-width:2", "stroke:#14181d", "stroke:#ffffff"),
    (".track", "", "fill:#e3e8ed", "fill:#303a45"),
    (".bar", "", "fill:#3d4a57", "fill:#c3ced9"),
    (".wire", "fill:none;stroke-width:1.3", "stroke:#7b8794", "stroke:#8592a0"),
    (".thin", "fill:none;stroke-width:1.3", "stroke:#b3bdc7", "stroke:#4c5865"),
    (".detour", "fill:none;stroke-width:1.5;stroke-dasharray:5 3.5", "stroke:#7a2fa3", "stroke:#b983dd"),
    (".taken", "stroke-width:2.6;stroke-dasharray:none", "", ""),
    (".dl", "font-size:10.5px;text-anchor:middle", "fill:#6d2a92", "fill:#cf9bf0"),
    (".gap", "", "fill:#f4f6f8", "fill:#1a2028"),
    (".best", "fill:none;stroke-width:3;stroke-linejoin:round", "stroke:#e8590c", "stroke:#ff8533"),
    (".on", "stroke-width:2.2", "stroke:#e8590c", "stroke:#ff8533"),
    (".head", "", "fill:#7b8794", "fill:#8592a0"),
    (".off", "opacity:.28", "", ""),
    (".dot", "stroke-width:.8", "stroke:#48525d", "stroke:#0d1116"),
    (".plus", "stroke-width:1.4;fill:none", "stroke:#27303a", "stroke:#dbe3eb"),
    (".h0", "", "fill:#f3f6fa", "fill:#1f2a36"),
    (".h1c", "", "fill:#d6e5f3", "fill:#21425f"),
    (".h2c", "", "fill:#a9cce8", "fill:#275f8e"),
    (".h3", "", "fill:#6faad8", "fill:#3383bd"),
    (".h4", "", "fill:#3b7fbd", "fill:#5aa9e0"),
    (".h5", "", "fill:#1c5a99", "fill:#a5d3f5"),
    (".over", "", "stroke:#ffffff", "stroke:#0b1220"),
    (".light", "", "fill:#ffffff", "fill:#0b1220"),
)
LEVELS: Final = ("h0", "h1c", "h2c", "h3", "h4", "h5")
"""The classes of the colour scale, lowest first; the last two carry light text."""


def css() -> str:
    """All rules, the dark ones under their media query."""
    light = "".join(f"{name}{{{join(both, day)}}}\n" for name, both, day, _ in RULES if both or day)
    dark = "".join(f"{name}{{{night}}}\n" for name, _, _, night in RULES if night)
    return f"{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n"


def join(*parts: str) -> str:
    return ";".join(part for part in parts if part)


def level_class(level: float) -> str:
    return LEVELS[min(len(LEVELS) - 1, int(level * len(LEVELS)))]


def text_class(level: float | None) -> str:
    """Text on the strongest colours is light (dark in the dark scheme, where these are the lightest)."""
    return " light" if level is not None and int(level * len(LEVELS)) >= 4 else ""
