"""What is said about texts that do not parse: which rule, exactly where, in which words, with which help."""

from __future__ import annotations

import pytest

from tests.helpers.texts import wrong

# A text with its primary place between « and »; the rule; part of the message; part of the help.
CASES = [
    ("supernet s { stem { conv(3) «relu» } }", "missing-separator", "second statement", "`;` or a line break"),
    ("import std.mobilenet «relu»", "missing-separator", "second statement", "`;` or a line break"),
    ("supernet s { stem «{» conv(3)\n", "unclosed-bracket", "this `{` is never closed", "close it with `}`"),
    ("supernet s {\n  stage a «{»\n    relu\n  stage b { relu }\n}\n", "unclosed-bracket", "never closed", "`}`"),
    ("supernet s «{»\n  stage a {\n    relu\n  }\n", "unclosed-bracket", "never closed", "`}`"),
    ("supernet s { stem { conv«(»3 } }", "unclosed-bracket", "this `(` is never closed", "close it with `)`"),
    ("method m(a=«[»1, 2)", "unclosed-bracket", "this `[` is never closed", "close it with `]`"),
    ("let a = 1 «}»", "unopened-bracket", "`}` closes nothing", "remove it"),
    ("supernet s { stem { relu «)» } }", "unopened-bracket", "`)` closes nothing", "remove it"),
    ("supernet s { «conv»(3) }", "misplaced-statement", "stem, a stage, a head or a block", "stage { conv"),
    ("supernet s { «repeat» 3 { } }", "misplaced-statement", "stem, a stage, a head or a block", "stage { repeat"),
    ("«relu»", "misplaced-statement", "stem, a stage, a head or a block", ""),
    ("«stage» { }", "misplaced-statement", "in a supernet's braces", "supernet NAME"),
    ("«norm» batch", "misplaced-statement", "in a supernet's braces", "supernet NAME"),
    ("supernet s { stage { «stage» b { } } }", "misplaced-statement", "directly in a supernet's", "is a `}` missing"),
    ("supernet s { stage { «method» m } }", "misplaced-statement", "outside all braces", "is a `}` missing"),
    ("supernet s { «data» digits }", "misplaced-statement", "outside all braces", "is a `}` missing"),
    ("supernet s { stage { repaet «3» { } } }", "unexpected-token", "found `3`", "did you mean `repeat`?"),
    ("supernet s { stage { skipable «{» } } }", "unexpected-token", "found `{`", "did you mean `skippable`?"),
    ("supernet s { «stagee» a { } }", "unexpected-token", "found `stagee`", "did you mean `stage`?"),
    ("«supernt» s { }", "unexpected-token", "found `supernt`", "did you mean `supernet`?"),
    ("supernet s { stem { conv(64 «kernel»=3) } }", "unexpected-token", "expected an operator, `)` or `,`", ""),
    ("supernet s { stem { when a «=» 3 { } } }", "unexpected-token", "found `=`", "did you mean `==`?"),
    ("method m(step=10 «M»)", "unexpected-token", "found `M`", "right after the number: `10M`"),
    ("let a = 3 +«»", "unexpected-token", "expected a value, the file ends here", ""),
    ("let a =«» \nlet b = 3", "unexpected-token", "expected a value, the line ends here", ""),
    ("let a = (1«,» 2)", "unexpected-token", "expected `)`", "options are written `{3, 5}`"),
    ("let a = 8 /«/» 3", "unexpected-token", "expected a value", "`floor(a / b)`"),
    ("let a = 2 *«*» 3", "unexpected-token", "expected a value", "`a * a`"),
    ("supernet s { norm batch «/»/ as usual\n }", "unexpected-token", "found `/`", "comments begin with `#`"),
    ("supernet s { stage { relu«,» relu } }", "unexpected-token", "found `,`", "end with `;` or with their line"),
    ("supernet s { stage { relu «-»> relu } }", "unexpected-token", "found `-`", "end with `;` or with their line"),
    (
        "supernet s { stage { repeat «==» 2 { } } }",
        "unexpected-token",
        "expected a value, found `==`",
        "in braces",
    ),
    ("supernet s { stage { choice «3» } }", "unexpected-token", "expected a name, found `3`", ""),
    ("supernet s { stage { repeat 2 { }\n\n # b\n «else» { } } }", "unexpected-token", "found `else`", ""),
    (
        "supernet s { stage { relu «shortcut» { } } }",
        "missing-separator",
        "`shortcut` begins a second statement",
        "`;`",
    ),
    ("supernet s { stage a «=» { relu } }", "unexpected-token", "found `=`", "leave `=` out"),
    ("supernet my«-»net { }", "unexpected-token", "found `-`", "letters, digits and `_`"),
    ("supernet s { stage { if «in» == 3 { relu } } }", "unexpected-token", "found `in`", "`when condition { ... }`"),
    ("supernet s { stage { for «i» in 3 { relu } } }", "unexpected-token", "found `i`", "`repeat n as i { ... }`"),
    ("supernet s { stage { «nn.Conv2d»(3, 8) } }", "unexpected-token", "found `nn.Conv2d`", "`conv(out, kernel=3)`"),
    ("«from» std import mobilenet", "unexpected-token", "found `from`", "`import std.mobilenet`"),
    ("supernet s { stage a«:» relu }", "bad-character", "`:` means nothing", "braces around statements"),
    ("let a = 50«%»", "bad-character", "`%` means nothing", "0.5 for 50 percent"),
    ("train { epochs «3» }", "unexpected-token", "expected `=`", ""),
    ("supernet «{» }", "unexpected-token", "expected a name, found `{`", ""),
    ("supernet s«»", "unexpected-token", "expected `{`, the file ends here", ""),
    ("let a = {3«;» 5}", "unexpected-token", "expected `,` or `}`", ""),
    ("supernet «s1.keep» { }", "unexpected-token", "expected a name", ""),
    ("let a = «3x3»", "bad-number", "`3x3` is not a number", "square"),
    ("let a = «1.2.3»", "bad-number", "`1.2.3` is not a number", ""),
    ("let a = «.»5", "bad-character", "means nothing here", ""),
    ("let a = 3 «×» 4", "bad-character", "means nothing here", "write `*` instead"),
    ("let «é» = 4", "bad-character", "means nothing here", "letters a-z"),
    ("# hidden «\u202e» there", "bad-character", "hidden character U+202E", "remove it"),
    ('import «"abc»', "bad-string", "does not end on its line", 'end it with `"`'),
    ('import «"a\\qc"»', "bad-string", "unknown escape", "the escapes are"),
]


@pytest.mark.parametrize(("marked", "rule", "message", "help"), CASES, ids=[case[0][:40] for case in CASES])
def test_one_diagnostic_at_the_right_place(marked: str, rule: str, message: str, help: str) -> None:
    start = marked.index("«")
    end = marked.index("»") - 1
    (diagnostic,) = wrong(marked.replace("«", "").replace("»", ""))
    assert diagnostic.rule.name == rule
    assert (diagnostic.primary.span.start, diagnostic.primary.span.end) == (start, end)
    assert message in diagnostic.primary.message
    assert help in diagnostic.help


def test_an_unclosed_brace_names_its_end_too() -> None:
    (diagnostic,) = wrong("supernet s {\n  stem { relu }\n")
    (label,) = diagnostic.secondary
    assert label.message == "the file ends here"
    assert label.span.source.position(label.span.start)[0] == 2
    (diagnostic,) = wrong("supernet s {\n  stem { conv(3\n  }\n}\n")
    (label,) = diagnostic.secondary
    assert label.message == "`}` is here instead"
    assert label.span.source.position(label.span.start)[0] == 3


def test_several_bad_characters_are_all_reported_up_to_a_bound() -> None:
    assert len(wrong("let a = ‘b’")) == 2
    assert len(wrong("let a = " + "× " * 1000)) == 10


def test_bad_characters_and_brackets_that_do_not_match_are_reported_together() -> None:
    assert [d.rule.name for d in wrong("supernet s { stage { conv(3 × 4 } }")] == ["bad-character", "unclosed-bracket"]
    assert [d.rule.name for d in wrong("supernet s { stage { conv(3 × 4)")] == ["bad-character", "unclosed-bracket"]
    assert [d.rule.name for d in wrong('supernet s { stage { conv("3) } }')] == ["bad-string"]
