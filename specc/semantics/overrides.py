"""`-p name=value`: what replaces the default of a `param`, read as the spec would read it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from specc.diagnostics import Findings, Rule
from specc.diagnostics.near import near
from specc.ops import operators
from specc.portable.run import numerals
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import known_words
from specc.semantics.names import UNKNOWN_NAME, Names
from specc.source import Source, Span
from specc.syntax import ast
from specc.syntax.characters import BAD_NUMBER

UNKNOWN_PARAM = Rule(
    "E241",
    "unknown-param",
    "-p sets a param that the spec does not have",
    "`-p name=value` overrides a `param` statement of the spec.\n"
    "Wrong:  specc check net.specc -p widht_mult=1.4\n"
    "Right:  specc check net.specc -p width_mult=1.4",
)


ARITHMETIC = ("+", "-", "*", "/")


def read_overrides(
    defaults: Mapping[str, ast.ParamStatement], texts: Mapping[str, str], names: Names, findings: Findings
) -> dict[str, object]:
    """The values of `-p name=value`, by name. Reports values that are no value, and params that the spec lacks."""
    found: dict[str, object] = {}
    for name, text in texts.items():
        source = Source("command line", f"-p {name}={text}")
        statement = defaults.get(name)
        if statement is None:
            help = near(name, defaults) or (f"its params are: {', '.join(defaults)}" if defaults else "it has none")
            message = f"this spec has no param `{name}`"
            findings.report(UNKNOWN_PARAM, Span(source, 3, 3 + len(name)), message, help=help)
            continue
        span = Span(source, 4 + len(name), len(source.text))
        try:
            found[name] = numerals.read(text)
        except ValueError as error:
            findings.report(BAD_NUMBER, span, str(error))
            continue
        if wanted := misfit(statement.value, found[name]):
            places = [(statement.span, "its default is given here")]
            message = f"`{name}` must be {wanted}, got `{text}`"
            findings.report(
                WRONG_TYPE, span, message, secondary=places, help=f"the default is `{statement.value.span.text}`"
            )
        elif isinstance(word := found[name], str) and word not in words(names):
            message = f"there is no value `{word}` for `{name}`"
            findings.report(UNKNOWN_NAME, span, message, help=near(word, words(names)))
    return found


def misfit(default: ast.Expression, value: object) -> str:
    """What the value should be instead, by the default that it replaces; "" where it fits, as a name's may."""
    if isinstance(default, ast.Flag):
        return "" if isinstance(value, bool) else "yes or no"
    computed = isinstance(default, ast.Binary) and default.operator in ARITHMETIC
    if computed or isinstance(default, ast.Number) or (isinstance(default, ast.Unary) and default.operator == "-"):
        return "" if isinstance(value, (int, Fraction)) and not isinstance(value, bool) else "a number"
    return ""


def words(names: Names) -> frozenset[str]:
    """The words that a value may be: operators, their modes, and the options of choices."""
    return frozenset((*known_words(), *operators(), *names.option_words, *names.choices))
