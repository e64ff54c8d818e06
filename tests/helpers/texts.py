"""Texts to try the syntax with: parsed, drawn at random, laid out untidily."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from specc.diagnostics import Diagnostic, Findings
from specc.source import Source
from specc.syntax.ast import Body, SpecFile, Statement, Supernet
from specc.syntax.parse import parse

GAP, END = "\x00", "\x01"
"""In a drawn text: where blanks, line breaks and comments may stand inside brackets, and where a statement ends."""

NAMES = ("x", "out", "s1", "width", "norm", "stage", "in", "max", "step", "round", "kernel", "shortcut", "by", "a_b9")
PLAIN_NAMES = ("x", "out", "s1", "conv", "relu", "a_b9")
NUMBERS = ("0", "1", "64", "0.25", "1e-4", "10M", "1ms", "2.50")


def parsed(text: str) -> SpecFile:
    """The tree of a text that must parse."""
    findings = Findings()
    tree = parse(Source("test.specc", text), findings)
    assert tree is not None, [
        (d.rule.name, d.primary.message, d.primary.span.start, text) for d in findings.diagnostics
    ]
    return tree


def wrong(text: str) -> tuple[Diagnostic, ...]:
    """The diagnostics of a text that must not parse."""
    findings = Findings()
    assert parse(Source("test.specc", text), findings) is None
    assert findings
    return tuple(findings.diagnostics)


def statements(body: str) -> tuple[Statement, ...]:
    """The statements of a stage's body."""
    supernet = parsed(f"supernet s {{ stage {{\n{body}\n}} }}").items[0]
    assert isinstance(supernet, Supernet)
    inner = supernet.body.statements[0].body  # type: ignore[union-attr]
    assert isinstance(inner, Body)
    return inner.statements


# --- drawn texts -----------------------------------------------------------------------------------


def joined(separator: str, least: int, most: int, items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=least, max_size=most).map(separator.join)


names = st.sampled_from(NAMES)
plain_names = st.sampled_from(PLAIN_NAMES)
leaves = st.one_of(
    st.sampled_from(NUMBERS),
    names,
    st.sampled_from(("s1.keep", "s3.b2.kernel", "yes", "no", '"text"', r'"a\"\\\n#{"')),
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "and", "or"))
    grouped = inner.map(lambda value: f"({GAP}{value}{GAP})")
    argument = st.one_of(inner, st.tuples(names, inner).map(lambda pair: f"{pair[0]}{GAP}={GAP}{pair[1]}"))
    arguments = joined(f"{GAP},{GAP}", 0, 3, argument)
    several = joined(f"{GAP},{GAP}", 1, 3, inner)
    return st.one_of(
        st.tuples(grouped, signs, grouped).map(" ".join),
        st.tuples(leaves, st.sampled_from("+-*/"), leaves).map(" ".join).map(lambda value: f"({value})"),
        grouped.map(lambda value: f"-{value}"),
        grouped.map(lambda value: f"({GAP}not {value})"),
        st.tuples(plain_names, arguments).map(lambda pair: f"{pair[0]}({GAP}{pair[1]}{GAP})"),
        several.map(lambda values: f"{{{GAP}{values}{GAP}}}"),
        several.map(lambda values: f"[{GAP}{values}{GAP}]"),
        st.tuples(grouped, grouped).map(lambda pair: f"({pair[0]}..{pair[1]} step 2)"),
    )


values = st.recursive(leaves, compound, max_leaves=6)
calls = st.one_of(
    plain_names,
    joined(f"{GAP},{GAP}", 1, 3, values).map(lambda inside: f"conv({GAP}{inside}{GAP})"),
    st.tuples(names, values).map(lambda pair: f"conv(3,{GAP}{pair[0]}={pair[1]})"),
)
simple = st.one_of(
    calls,
    st.sampled_from(("norm", "norm(bank=shared)", "norm batch(bank=skip)", "width uniform 0.25..1 step 0.5 round 8")),
    st.sampled_from(("width fixed", "width by k", "connect triangular(6)", "width any {1, 2}", "norm layer")),
    st.tuples(names, calls).map(" = ".join),
    calls.map(lambda call: f"(l{GAP},{GAP} r) = {call}"),
    st.tuples(plain_names, values).map(lambda pair: f"let {pair[0]} = {pair[1]}"),
    st.tuples(plain_names, values).map(lambda pair: f"choice {pair[0]} in {pair[1]}"),
)


def braces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return joined(END, 0, 3, inner).map(lambda body: f"{{{END}{body}{END}}}")


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = braces(inner)
    test = values.map(lambda value: f"({GAP}{value}{GAP})")
    return st.one_of(
        st.tuples(test, body).map(lambda p: f"repeat {p[0]} as i {p[1]}"),
        body.map(lambda b: f"repeat 1..3 {b}"),
        body.map(lambda b: f"skippable {b}"),
        body.map(lambda b: f"skippable keep {b}"),
        body.map(lambda b: f"residual {b}"),
        st.tuples(test, body, body).map(lambda p: f"residual(when{p[0]}) {p[1]}{GAP} shortcut {p[2]}"),
        st.tuples(body, test, body).map(lambda p: f"residual {p[0]}{GAP} shortcut when {p[1]} {p[2]}"),
        st.tuples(test, body).map(lambda p: f"when {p[0]} {p[1]}"),
        st.tuples(body, test, body, body).map(lambda p: f"when x {p[0]}{GAP} else when {p[1]} {p[2]}{GAP} else {p[3]}"),
        body.map(lambda b: f"branches 8 by k sum {b}"),
        body.map(lambda b: f"exit e1 {b}"),
    )


inner_statements = st.recursive(simple, nested, max_leaves=6)
stages = braces(inner_statements).map(lambda body: f"stage s1 {body}")
settings = joined(END, 0, 3, st.tuples(names, values).map("=".join)).map(lambda inside: f"train {{{END}{inside}{END}}}")
items = st.one_of(
    st.sampled_from(("import std.mobilenet", 'import "a/b.specc"', "data digits", "param p = 1.5", "choice k in 1..6")),
    st.tuples(values, braces(inner_statements)).map(
        lambda pair: f"block b({GAP}x,{GAP} y{GAP}={GAP}{pair[0]}{GAP}) {pair[1]}"
    ),
    joined(END, 0, 3, stages).map(lambda inside: f"supernet s {{{END}input image(1){END}{inside}{END}}}"),
    settings,
    calls.map(lambda call: f"method {call}"),
)
spec_texts = joined(END, 0, 4, items)


def laid_out(text: str, seed: int) -> str:
    """A drawn text with blanks, line breaks, separators and comments at random, as many styles as seeds."""
    random = Random(seed)
    untidy, comments = random.choice((0.1, 0.5, 0.9)), random.choice((0.0, 0.2, 0.6))
    pieces = []
    for character in text:
        if character == GAP:
            pieces.append(gap(random, untidy, comments))
        elif character == END:
            pieces.append(end(random, untidy, comments))
        else:
            pieces.append(character)
    return "".join(pieces)


def gap(random: Random, untidy: float, comments: float) -> str:
    if random.random() > untidy:
        return ""
    if random.random() < comments:
        return random.choice(("", "\n  ")) + comment(random) + random.choice(("\n", "\n\n", "\n# again\n"))
    return random.choice((" ", "\n", "\n    ", "  "))


def end(random: Random, untidy: float, comments: float) -> str:
    if random.random() < comments:
        return random.choice(("", " ; ", "\n", "\n\n\n")) + comment(random) + random.choice(("\n", "\n\n", "\n;\n"))
    if random.random() < untidy:
        return random.choice((" ;\n", "\n\n\n", "\n", ";\n\n ", ";;"))
    return random.choice(("; ", "\n"))


def comment(random: Random) -> str:
    return random.choice(("# a", "#b ", "  # c #", "#", '# "quoted" { ( ')) + str(random.randrange(100))
