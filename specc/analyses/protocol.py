"""What an analysis is to those who ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from specc.ir.graph import Graph
from specc.ir.parameter import Call

Answer: TypeAlias = Mapping[str, Any]
"""Plain data: numbers, texts, lists and mappings of such, as JSON can hold."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis of a finished graph. `answer(graph, request)` takes the arguments of the request, all given."""

    name: str
    answer: Callable[[Graph, Call], Answer]
