"""A picture in the formats there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from specc.picture.dot import dot
from specc.picture.html import html
from specc.picture.mermaid import mermaid
from specc.picture.svg import svg
from specc.picture.view import Picture

FORMATS: Final[Mapping[str, Callable[[Picture], str]]] = {"html": html, "svg": svg, "mermaid": mermaid, "dot": dot}


def picture(drawn: Picture, format: str) -> str:
    """The text of a picture. Raises KeyError for a format that `FORMATS` does not have."""
    return FORMATS[format](drawn)
