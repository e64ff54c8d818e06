"""Conditions on choices as decision diagrams: equal conditions are the same node, so `keep or not keep` is simply true.

A node asks one choice and has one child for each of its options; 0 is false and 1 is true. Choices are asked in the
graph's order, equal nodes are shared and questions without consequence dropped, so every condition has one form.
No function recurses in Python: a condition over thousands of choices is as deep.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Final, TypeAlias

from specc.activity.entangled import TooManyOptions
from specc.ir.choice import Choice
from specc.ir.expr import FUNCTIONS, Apply, Expr, Option, Var, evaluate

FALSE: Final = 0
TRUE: Final = 1
TABLE_LIMIT: Final = 1_000_000
"""The most combinations of options over which a comparison of several choices is tried out."""

FEW_TERMS: Final = 32
"""Up to so many terms of a condition are checked for one that the others make superfluous."""

Node: TypeAlias = int
Literal: TypeAlias = tuple[int, tuple[int, ...]]
"""A choice, by its index, and the positions of the options it may stand at."""
Term: TypeAlias = tuple[Literal, ...]
"""A conjunction of literals, of different choices, in the graph's order."""
Work: TypeAlias = Generator[Any, Any, Any]


def run(work: Work) -> Any:
    """Runs a recursion whose calls are written `yield call(...)`, on a stack of its own."""
    stack, value = [work], None
    while stack:
        try:
            stack.append(stack[-1].send(value))
            value = None
        except StopIteration as end:
            stack.pop()
            value = end.value
    return value


class Diagrams:
    """The conditions over the choices of one graph. Grows as conditions are asked for; nodes are never removed."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = tuple(choices)
        self.options = [tuple(choice.options) for choice in choices]
        self.index = {choice.name: at for at, choice in enumerate(choices)}
        self._nodes: list[tuple[int, tuple[Node, ...]]] = [(len(choices), ()), (len(choices), ())]
        self._unique: dict[tuple[int, tuple[Node, ...]], Node] = {}
        self._results: dict[tuple[str, Node, Node], Node] = {}
        self._of_expr: dict[int, tuple[Expr, Node]] = {}
        self._terms: dict[Node, tuple[Term, ...]] = {}
        self._scopes: dict[int, tuple[Expr, frozenset[str]]] = {}

    def level(self, node: Node) -> int:
        """The index of the choice that a node asks; the number of choices for true and false."""
        return self._nodes[node][0]

    def children(self, node: Node) -> tuple[Node, ...]:
        return self._nodes[node][1]

    def make(self, level: int, children: Sequence[Node]) -> Node:
        """The node that asks a choice, or its only child where the answer does not matter."""
        if all(child == children[0] for child in children):
            return children[0]
        key = (level, tuple(children))
        node = self._unique.get(key)
        if node is None:
            node = self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return node

    def literal(self, choice: int, positions: Sequence[int]) -> Node:
        """The condition that a choice stands at one of some positions."""
        allowed = set(positions)
        return self.make(choice, [TRUE if at in allowed else FALSE for at in range(len(self.options[choice]))])

    def both(self, a: Node, b: Node) -> Node:
        if a in (TRUE, b) or b == FALSE:
            return b
        if b == TRUE or a == FALSE:
            return a
        result: Node = run(self._apply("and", a, b))
        return result

    def either(self, a: Node, b: Node) -> Node:
        if a in (FALSE, b) or b == TRUE:
            return b
        if b == FALSE or a == TRUE:
            return a
        result: Node = run(self._apply("or", a, b))
        return result

    def negate(self, a: Node) -> Node:
        if a <= TRUE:
            return TRUE - a
        result: Node = run(self._apply("differs", a, TRUE))
        return result

    def without(self, a: Node, b: Node) -> Node:
        """a and not b."""
        return self.both(a, self.negate(b))

    def implies(self, a: Node, b: Node) -> bool:
        return self.both(a, b) == a

    def _apply(self, name: str, a: Node, b: Node) -> Work:
        known = self._known(name, a, b)
        if known is None:
            level = min(self.level(a), self.level(b))
            children = []
            for left, right in zip(self.split(a, level), self.split(b, level), strict=True):
                child = self._known(name, left, right)
                children.append((yield self._apply(name, left, right)) if child is None else child)
            known = self._results[(name, a, b)] = self.make(level, children)
        return known

    def _known(self, name: str, a: Node, b: Node) -> Node | None:
        """What `_apply` gives, where that takes no work."""
        if name == "and":
            if a <= TRUE:
                return b if a else FALSE
            if b <= TRUE or a == b:
                return a if b else FALSE
        elif name == "or":
            if a <= TRUE:
                return TRUE if a else b
            if b <= TRUE or a == b:
                return TRUE if b == TRUE else a
        elif a <= TRUE:
            return TRUE - a
        return self._results.get((name, a, b))

    def split(self, node: Node, level: int) -> tuple[Node, ...]:
        """A node's children for the options of a choice: itself for all of them where it does not ask that choice."""
        return self.children(node) if self.level(node) == level else (node,) * len(self.options[level])

    def ignoring(self, node: Node, choice: int) -> Node:
        """Whether some option of `choice` makes the condition true."""
        result: Node = run(self._ignoring(node, choice, {}))
        return result

    def _ignoring(self, node: Node, choice: int, known: dict[Node, Node]) -> Work:
        if self.level(node) > choice:
            return node
        if node not in known:
            if self.level(node) == choice:
                known[node] = FALSE
                for child in self.children(node):
                    known[node] = self.either(known[node], child)
            else:
                children = []
                for child in self.children(node):
                    children.append((yield self._ignoring(child, choice, known)))
                known[node] = self.make(self.level(node), children)
        return known[node]

    def at(self, node: Node, full: Mapping[str, Option]) -> bool:
        """Whether the condition holds where every choice it asks has an option."""
        while node > TRUE:
            level, children = self._nodes[node]
            node = children[self.options[level].index(full[self.choices[level].name])]
        return node == TRUE

    def of(self, expr: Expr) -> Node:
        """The condition that an expression is true, that is, not 0."""
        if not isinstance(expr, (Var, Apply)):
            return TRUE if expr else FALSE
        known = self._of_expr.get(id(expr))
        if known is None:
            known = self._of_expr[id(expr)] = (expr, run(self._of(expr)))
        return known[1]

    def _of(self, expr: Expr) -> Work:
        if not isinstance(expr, (Var, Apply)):
            return TRUE if expr else FALSE
        match expr:
            case Apply("and", (a, b)):
                return self.both((yield self._of(a)), (yield self._of(b)))
            case Apply("or", (a, b)):
                return self.either((yield self._of(a)), (yield self._of(b)))
            case Apply("not", (a,)):
                return self.negate((yield self._of(a)))
            case Apply("if", (condition, a, b)):
                when = yield self._of(condition)
                then, other = (yield self._of(a)), (yield self._of(b))
                return self.either(self.both(when, then), self.without(other, when))
        return self._tried_out(expr)

    def _tried_out(self, expr: Expr) -> Node:
        match expr:
            case Apply(function, (Var(name), int() | Fraction() | str() as bound)):
                options, compare = self.options[self.index[name]], FUNCTIONS[function]
                return self.make(self.index[name], [TRUE if compare(o, bound) else FALSE for o in options])
        scope = sorted(self.index[name] for name in self.scope(expr))
        combinations = 1
        for choice in scope:
            combinations *= len(self.options[choice])
        if combinations > TABLE_LIMIT:
            message = f"a condition compares {len(scope)} choices, which have {combinations:,} combinations of options"
            raise TooManyOptions(message)
        names = [self.choices[choice].name for choice in scope]
        results: list[Node] = [
            TRUE if evaluate(expr, dict(zip(names, options, strict=True))) else FALSE
            for options in product(*(self.options[choice] for choice in scope))
        ]
        for choice in reversed(scope):
            n = len(self.options[choice])
            results = [self.make(choice, results[at : at + n]) for at in range(0, len(results), n)]
        return results[0]

    def scope(self, expr: Expr) -> frozenset[str]:
        """The names of the choices an expression reads; remembered, for shapes are built upon one another."""
        if isinstance(expr, Var):
            return frozenset((expr.choice,))
        if not isinstance(expr, Apply):
            return frozenset()
        known = self._scopes.get(id(expr))
        if known is None:
            known = (expr, run(self._scope(expr)))
        return known[1]

    def _scope(self, expr: Expr) -> Work:
        if isinstance(expr, Var):
            return frozenset((expr.choice,))
        if not isinstance(expr, Apply):
            return frozenset()
        if id(expr) not in self._scopes:
            found: frozenset[str] = frozenset()
            for arg in expr.args:
                found |= yield self._scope(arg)
            self._scopes[id(expr)] = (expr, found)
        return self._scopes[id(expr)][1]

    def terms(self, node: Node) -> tuple[Term, ...]:
        """The condition as an irredundant disjunction of conjunctions (Minato and Morreale, for many options)."""
        known = self._terms.get(node)
        if known is None:
            known = self._terms[node] = self._found_terms(node)
        return known

    def _found_terms(self, node: Node) -> tuple[Term, ...]:
        if node > TRUE and max(self.children(node)) == TRUE:  # one choice: where it stands
            level, children = self._nodes[node]
            return (((level, tuple(at for at, child in enumerate(children) if child)),),)
        terms: list[Term] = sorted(run(self._cover(node, node)))
        if len(terms) <= FEW_TERMS:  # widened literals may leave an earlier term without use
            for term in tuple(terms):
                others = [other for other in terms if other is not term]
                if self.disjunction(others) == node:
                    terms = others
        return tuple(terms)

    def _cover(self, lower: Node, upper: Node) -> Work:
        """Terms whose disjunction is implied by `lower` and implies `upper`."""
        if lower == FALSE:
            return []
        if upper == TRUE:
            return [()]
        level = min(self.level(lower), self.level(upper))
        lowers, uppers = list(self.split(lower, level)), self.split(upper, level)
        always = uppers[0]
        for child in uppers[1:]:
            always = self.both(always, child)
        found: list[Term] = []
        for position in range(len(lowers)):
            if lowers[position] in (FALSE, always):
                continue
            part = yield self._cover(self.without(lowers[position], always), uppers[position])
            if not part:
                continue
            covered = self.disjunction(part)
            fits = {child: self.implies(covered, child) for child in set(uppers)}
            where = tuple(at for at, child in enumerate(uppers) if fits[child])
            found.extend(((level, where), *term) for term in part)
            for at in where:
                lowers[at] = self.without(lowers[at], covered)
        rest = FALSE
        for child in lowers:
            rest = self.either(rest, child)
        return found + (yield self._cover(rest, always))

    def disjunction(self, terms: Sequence[Term]) -> Node:
        """The condition that one of some terms holds."""
        node = FALSE
        for term in terms:
            conjunction = TRUE
            for choice, positions in reversed(term):
                conjunction = self.both(self.literal(choice, positions), conjunction)
            node = self.either(node, conjunction)
        return node


def is_logical(expr: Expr) -> bool:
    """Whether an expression decides which of its parts are read at all."""
    return isinstance(expr, Apply) and expr.function in ("and", "or", "if", "not") and expr.function in FUNCTIONS
