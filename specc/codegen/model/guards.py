"""Conditions in generated code: when a part is there, in terms of choices and of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from specc.codegen.model.needs import Need
from specc.codegen.model.outputs import WANTED, is_rest
from specc.codegen.model.render import size_text
from specc.ir.expr import Apply, Expr, Option, Var, evaluate, free
from specc.python.expressions import ATOM, Text
from specc.python.literals import inline, quoted

if TYPE_CHECKING:
    from specc.codegen.model.context import Class, Context


def choices_in(expr: Expr) -> list[str]:
    """The choices of an expression in the order in which it reads them."""
    if isinstance(expr, Apply):
        return list(dict.fromkeys(name for arg in expr.args for name in choices_in(arg)))
    return sorted(free(expr))


def present_text(context: Context, cls: Class, guards: Sequence[Expr]) -> str:
    """When something under several guards is there, as a condition over choices: `depth >= 2`, `exit.after("e4")`.

    A head or exit is wanted only where the network gets to it.
    """
    for guard in guards:
        if isinstance(guard, Var) and guard.choice.startswith(WANTED):
            outputs = guard.choice.removeprefix(WANTED).split("|")
            return " | ".join(f"wanted({quoted(output)})" for output in outputs)
    rests = [guard for guard in guards if is_rest(context.choices, guard)]
    texts = [
        bracketed(text_of(cls, guard)) if len(guards) > 1 else text_of(cls, guard)
        for guard in guards
        if guard not in rests
    ]
    if rests:
        exits = context.choices[choices_in(rests[0])[0]]
        at = frozenset(o for o in exits.options if all(evaluate(guard, {exits.name: o}) for guard in rests))
        name = text_of(cls, Var(exits.name))
        there = context.reach.get(id(cls.first), frozenset(exits.options))
        texts.insert(0, exits_text(at, [o for o in exits.options if o in there], name))
    return " & ".join(texts)


def exits_text(at: frozenset[Option], options: Sequence[Option], name: str) -> str:
    """The condition that a network ends at one of some exits: mostly at one behind another."""
    there = [o for o in options if o in at]
    if there == list(options)[-len(there) :] and len(there) < len(options):
        return f"{name}.after({inline(options[-len(there) - 1])})"
    return f"{name}.among({', '.join(map(inline, there))})"


def bracketed(text: str) -> str:
    return text if text.isidentifier() or (text.endswith(")") and " " not in text) else f"({text})"


def text_of(cls: Class, guard: Expr) -> str:
    """A guard over the choices that the class's parameters or local variables hold."""

    def known(expr: Expr) -> Text | None:
        if isinstance(expr, Var):
            if expr.choice in cls.choices:
                return cls.sizes.text(cls.choices[expr.choice][1]), ATOM
            return cls.sizes.text(Need("choice", (expr,), expr.choice)), ATOM
        return None

    return size_text(guard, known)[0]
