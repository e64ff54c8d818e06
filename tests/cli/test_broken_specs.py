"""Specs with words taken out, doubled, exchanged or put in: whatever they become, specc never falls over."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from specc import pipeline
from specc.diagnostics import SpecError
from specc.diagnostics.render import render_all
from specc.source import Source
from tests.helpers.commands import SMALL
from tests.helpers.folders import SPECS

TEXTS = (SMALL, *(path.read_text(encoding="utf-8") for path in sorted(SPECS.glob("*.specc"))))
WORDS = tuple(tuple(re.findall(r"\n|#[^\n]*|\w+(?:\.\w+)*|\.\.|[^\w\s]| +", text)) for text in TEXTS)
STRAY = (
    *"{}()[],;=+-*/<>.\"'#\\",
    *".. 0 -1 1000000 1/0 0.5 in here max min width norm when repeat skippable residual k yes flatten é".split(),
    *("choice k in 1..3", "from=stem", "bank=skip", "width=own", "import std.resnet", "stage s1 {", "let a = a"),
    *("conv(8, kernel=3)", "linear(3)", "pool(avg)", "depthwise(kernel={3,5})", "\x00"),
)
NUMBERS = (*"0 1 2 3 7 8 12 100 0.5 1.5 1/3 1..3 0..2 k in".split(), "{1, 2}", "{3, 5}", "{0.5, 1.0}")


@st.composite
def broken(draw: st.DrawFn) -> str:
    words = list(draw(st.sampled_from(WORDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(words) - 1))
        match draw(st.sampled_from(("number", "number", "name", "name", "drop", "double", "put", "exchange"))):
            case "number":
                places = [i for i, word in enumerate(words) if word[:1].isdigit()] or [at]
                words[draw(st.sampled_from(places))] = draw(st.sampled_from(NUMBERS))
            case "name":
                places = [i for i, word in enumerate(words) if word[:1].isalpha()] or [at]
                words[draw(st.sampled_from(places))] = words[draw(st.sampled_from(places))]
            case "drop":
                del words[at : at + draw(st.integers(1, 3))]
            case "double":
                words[at:at] = words[at : at + draw(st.integers(1, 12))]
            case "put":
                words[at:at] = [" ", draw(st.sampled_from(STRAY)), " "]
            case "exchange":
                words[at] = draw(st.sampled_from(STRAY))
        words = words or [" "]
    return "".join(words)


@settings(max_examples=100, deadline=None)
@given(broken())
@example("")
@example("supernet")
@example("supernet a { }")
def test_specs_are_fine_or_explained(text: str) -> None:
    try:
        compiled = pipeline.load(Source("broken.specc", text, "broken.specc"))
        if len(compiled.graph.ops) < 1000:
            pipeline.compile_project(compiled)
    except SpecError as error:
        assert render_all(error.diagnostics)
