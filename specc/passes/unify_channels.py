"""Channel unification: width groups that must agree become one, and every group that is left becomes a choice.

A sum or a select ties the sizes of its operands. Two groups that are tied merge; a group tied to a number is fixed; a
group tied to another expression follows it. What is left of them gets its width from the `width` setting it was made
under: an option of its own (per_group), or a function of the one shared choice (uniform, any).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice, Options, Range
from specc.ir.expr import Apply, Expr, Option, Var, apply, divisible, evaluate, free, round_half_up, substitute
from specc.ir.graph import Graph, Tie, WidthGroup, WidthRule
from specc.ir.rewrite import rewrite_graph, substitution

SIZES_DIFFER = Rule(
    "E501",
    "elastic-sizes-differ",
    "sizes that must agree differ at some option",
    "Both sides of a sum must have equal sizes in every sub-network, not only in the largest.\n"
    "Wrong:  residual { conv({32, 64}, kernel=3) }          where a fixed 64 arrives\n"
    "Right:  residual { conv(64, kernel=3) }",
)
RULES_DIFFER = Rule(
    "E502",
    "tied-width-rules",
    "channels that are tied together have different width settings",
    "The channels of a sum are one group and have one rule.\n"
    "Wrong:  stage a { width per_group 0.5..1.0; conv(64, kernel=3) }\n"
    "        stage b { width uniform {0.5, 1.0}; residual { conv(64, kernel=3) } }\n"
    "Right:  one `width` setting around both stages.",
)
INJECTIVE = ("add", "sub", "mul", "div")
TABLE_LIMIT = 4096


def unify_channels(graph: Graph, findings: Findings) -> Graph:
    """Resolves `widths` and `ties`; reports ties that no assignment, or not every one, can keep."""
    if not graph.widths and not graph.ties:
        return graph
    union = Union({g.variable: g for g in graph.widths}, findings)
    for tie in graph.ties:
        union.unify(tie.left, tie.right, tie)
    values, choices = union.sizes(graph)
    rewrite = substitution(values)
    unified = replace(rewrite_graph(graph, rewrite), widths=(), ties=(), choices=choices)
    options = {c.name: c.options for c in choices}
    for tie in union.later:
        check_equal(rewrite(union.resolve(tie.left)), rewrite(union.resolve(tie.right)), tie, options, findings)
    return unified


class Union:
    """Disjoint sets of width groups. A set is represented by its oldest group, or stands for an expression it
    follows."""

    def __init__(self, groups: dict[str, WidthGroup], findings: Findings) -> None:
        self.groups = groups
        self.findings = findings
        self.parent: dict[str, str] = {}
        self.bound: dict[str, Expr] = {}
        self.order = {variable: i for i, variable in enumerate(groups)}
        self.multiple = {variable: group.multiple for variable, group in groups.items()}
        self.later: list[Tie] = []

    def find(self, variable: str) -> str:
        while variable in self.parent:
            variable = self.parent[variable]
        return variable

    def resolve(self, expr: Expr) -> Expr:
        """The expression with every group replaced by its representative or by what it follows."""
        if isinstance(expr, Var):
            if expr.choice not in self.groups:
                return expr
            variable = self.find(expr.choice)
            return self.resolve(self.bound[variable]) if variable in self.bound else Var(variable)
        if isinstance(expr, Apply):
            values = {name: self.resolve(Var(name)) for name in free(expr) if name in self.groups}
            return substitute(expr, values) if values else expr
        return expr

    def unify(self, left: Expr, right: Expr, tie: Tie) -> None:
        a, b = self.resolve(left), self.resolve(right)
        if a == b:
            return
        if self.is_group(a) and self.is_group(b):
            self.merge(a.choice, b.choice, tie)  # type: ignore[union-attr]
        elif self.is_group(a) and not self.occurs(a, b):
            self.bound[a.choice] = b  # type: ignore[union-attr]
        elif self.is_group(b) and not self.occurs(b, a):
            self.bound[b.choice] = a  # type: ignore[union-attr]
        elif (pair := same_function(a, b)) is not None:
            self.unify(*pair, tie)
        else:
            self.later.append(tie)

    def is_group(self, expr: Expr) -> bool:
        return isinstance(expr, Var) and expr.choice in self.groups

    def occurs(self, group: Expr, expr: Expr) -> bool:
        return isinstance(group, Var) and group.choice in free(expr)

    def merge(self, a: str, b: str, tie: Tie) -> None:
        first, second = sorted((a, b), key=lambda v: self.order[v])
        if self.groups[first].rule is not self.groups[second].rule and not same_rule(
            self.groups[first].rule, self.groups[second].rule
        ):
            self.findings.report(
                RULES_DIFFER,
                tie.origin,
                f"{tie.what} have two width settings",
                secondary=[(g.rule.origin, "one of them") for g in (self.groups[first], self.groups[second]) if g.rule],
            )
        self.parent[second] = first
        self.multiple[first] = lcm(self.multiple[first], self.multiple[second])

    def sizes(self, graph: Graph) -> tuple[dict[str, Expr], tuple[Choice, ...]]:
        """What every group's variable becomes, and all choices: each stands where its first reader does."""
        roots = [v for v in self.groups if self.find(v) == v and v not in self.bound]
        widest: dict[str, int] = {}
        for variable in roots:
            group = self.groups[variable]
            if group.rule is not None and group.rule.kind == "any":
                widest[group.rule.choice] = max(widest.get(group.rule.choice, 1), group.maximum)
        values: dict[str, Expr] = {}
        made: list[Choice] = []
        for variable in roots:
            size, choice = self.size(self.groups[variable], self.multiple[variable], widest)
            values[variable] = size
            if choice is not None:
                made.append(choice)
        for variable in self.groups:
            if variable not in values:
                values[variable] = substitute(self.resolve(Var(variable)), values)
        rules = {g.rule.choice: g.rule for g in self.groups.values() if g.rule and g.rule.kind == "any"}
        kept = [with_any_options(c, rules, widest) for c in graph.choices]
        return values, (*(c for c in kept if c is not None), *made)

    def size(self, group: WidthGroup, multiple: int, widest: dict[str, int]) -> tuple[Expr, Choice | None]:
        """One group's active channels, and the choice it gets under `per_group`."""
        rule = group.rule
        assert rule is not None
        if rule.kind == "any" and len(any_options(rule, widest)) == 1:
            return group.maximum, None
        if rule.kind == "per_group":
            options = group_options(group.maximum, rule, multiple)
            if len(options) == 1:
                return group.maximum, None
            choice = Choice(f"{group.owner}.width", options, "width", group.origin)
            return Var(choice.name), choice
        if rule.kind == "uniform":
            unit = lcm(rule.round, multiple)
            size = apply("divisible", apply("mul", group.maximum, Var(rule.choice)), unit)
            if divisible(group.maximum, unit) != group.maximum:
                size = apply("if", apply("eq", Var(rule.choice), 1), group.maximum, size)
            return size, None
        share = apply("div", apply("mul", Var(rule.choice), group.maximum), widest[rule.choice])
        if multiple > 1:  # whole groups of a grouped convolution
            wholes = apply("max", 1, apply("round", apply("div", share, multiple)))
            return apply("mul", wholes, multiple), None
        return apply("max", 1, apply("round", share)), None


def same_rule(a: WidthRule | None, b: WidthRule | None) -> bool:
    if a is None or b is None:
        return False
    return (a.kind, a.ratios, a.stepless, a.round, a.choice) == (b.kind, b.ratios, b.stepless, b.round, b.choice)


def same_function(a: Expr, b: Expr) -> tuple[Expr, Expr] | None:
    """`x` and `y` of 6 * x and 6 * y: equal exactly when these are."""
    if not (isinstance(a, Apply) and isinstance(b, Apply) and a.function == b.function and a.function in INJECTIVE):
        return None
    for kept, open_ in ((0, 1), (1, 0)):
        fixed = a.args[kept]
        if (
            fixed == b.args[kept]
            and isinstance(fixed, (int, Fraction))
            and not (a.function in ("mul", "div") and fixed == 0)
        ):
            return a.args[open_], b.args[open_]
    return None


def group_options(maximum: int, rule: WidthRule, multiple: int) -> Options:
    """The widths a group may have, the largest its own maximum."""
    unit = lcm(rule.round, multiple)
    if rule.stepless:
        least = min(divisible(rule.ratios[0] * maximum, unit), maximum)
        if (maximum - least) % unit == 0:
            return Range(least, maximum, unit)
        return tuple(sorted({*range(least, maximum, unit), maximum}))
    return tuple(sorted({min(divisible(ratio * maximum, unit), maximum) for ratio in rule.ratios} | {maximum}))


def with_any_options(choice: Choice, rules: dict[str, WidthRule], widest: dict[str, int]) -> Choice | None:
    """The choice of a `width any` setting gets its options: the active channels of the widest group."""
    rule = rules.get(choice.name)
    if rule is None:
        return choice
    options = any_options(rule, widest)
    return replace(choice, options=options) if len(options) > 1 else None


def any_options(rule: WidthRule, widest: dict[str, int]) -> Range:
    """How many channels of the widest group may be active."""
    most = widest.get(rule.choice, 1)
    return Range(max(1, round_half_up(rule.ratios[0] * most)), most)


def check_equal(a: Expr, b: Expr, tie: Tie, options: dict[str, Options], findings: Findings) -> None:
    """Compares two sizes at every option of what they read."""
    names = sorted(free(a) | free(b))
    count = 1
    for name in names:
        count *= len(options[name])
    differs: dict[str, Option] | None = {}
    if a == b:
        return
    if count <= TABLE_LIMIT:
        differs = None
        for combination in product(*(tuple(options[n]) for n in names)):
            values = dict(zip(names, combination, strict=True))
            if evaluate(a, values) != evaluate(b, values):
                differs = values
                break
    if differs is None:
        return
    where = ", ".join(f"{name}={value}" for name, value in differs.items())
    findings.report(
        SIZES_DIFFER,
        tie.origin,
        f"{tie.what} have sizes that are not always equal"
        + (f": {evaluate(a, differs)} and {evaluate(b, differs)} at {where}" if differs else ""),
        secondary=[(tie.left_origin, "one side"), (tie.right_origin, "the other side")],
        help="let both follow the same choice, or fix one with `width=fixed` so that the sum fixes the other",
    )
