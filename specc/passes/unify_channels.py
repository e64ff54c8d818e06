"""Channel unification: width groups that must agree become one, and every group that is left becomes a choice.

A sum or a select ties the sizes of its operands. Two groups that are tied merge; a group tied to a number is fixed; a
group tied to an expression of another, such as `in / 4`, follows it, and both keep their setting: the other's widths
are multiples of so much that this one's are those of its own. What is left of them gets its width from the `width`
setting it was made under: an option of its own (per_group), or a function of the one shared choice (uniform, any).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice, Options, Range
from specc.ir.expr import Apply, Expr, Option, Var, apply, divisible, evaluate, free, round_half_up, substitute
from specc.ir.graph import Graph, Tie, WidthGroup, WidthRule
from specc.ir.rewrite import Rewrite, rewrite_graph, substitution
from specc.ir.values import ValueTable
from specc.ir.whole import factor_beside, needed_multiple
from specc.source import Span

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
    "Right:  one `width` setting around both stages.\n"
    "The same holds where one side is an expression of other channels, as in `conv(in / 4, kernel=1)`.",
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
    if not findings:
        table = ValueTable(options)
        for variable in union.bound:
            union.check_follower(variable, rewrite, table)
    reported: set[tuple[Span, Span, Span]] = set()
    for tie in union.later:
        places = tie.origin, tie.left_origin, tie.right_origin
        left, right = rewrite(union.resolve(tie.left)), rewrite(union.resolve(tie.right))
        if places not in reported and not check_equal(left, right, tie, options, findings):
            reported.add(places)
    return unified


class Union:
    """Disjoint sets of width groups. A set is represented by its oldest group, or stands for an expression it
    follows."""

    def __init__(self, groups: dict[str, WidthGroup], findings: Findings) -> None:
        self.groups = groups
        self.findings = findings
        self.parent: dict[str, str] = {}
        self.bound: dict[str, Expr] = {}
        self.binding: dict[str, Tie] = {}
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
            self.follow(a.choice, b, tie)  # type: ignore[union-attr]
        elif self.is_group(b) and not self.occurs(b, a):
            self.follow(b.choice, a, tie)  # type: ignore[union-attr]
        elif (pair := same_function(a, b)) is not None:
            self.unify(*pair, tie)
        else:
            self.later.append(tie)

    def is_group(self, expr: Expr) -> bool:
        return isinstance(expr, Var) and expr.choice in self.groups

    def occurs(self, group: Expr, expr: Expr) -> bool:
        return isinstance(group, Var) and group.choice in free(expr)

    def follow(self, variable: str, expr: Expr, tie: Tie) -> None:
        """Sets a group to an expression of other channels. All have one width setting, or the expression is fixed."""
        rule = self.groups[variable].rule
        others = [self.groups[name].rule if name in self.groups else None for name in sorted(free(expr))]
        if any(not same_rule(rule, other) for other in others):
            self.report_rules(tie, (rule, *others))
        self.bound[variable] = expr
        self.binding[variable] = tie

    def report_rules(self, tie: Tie, rules: Iterable[WidthRule | None]) -> None:
        known = [rule for rule in rules if rule is not None]
        message = "two width settings" if len(known) > 1 else "a width setting, and are elastic by themselves"
        places = [(origin, "one of them") for origin in dict.fromkeys(rule.origin for rule in known)]
        self.findings.report(RULES_DIFFER, tie.origin, f"{tie.what} have {message}", secondary=places)

    def merge(self, a: str, b: str, tie: Tie) -> None:
        first, second = sorted((a, b), key=lambda v: self.order[v])
        rules = self.groups[first].rule, self.groups[second].rule
        if rules[0] is not rules[1] and not same_rule(*rules):
            self.report_rules(tie, rules)
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
        self.keep_multiples(graph)
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
            choice = Choice(f"{group.owner}.width{group.part}", options, "width", group.origin)
            return Var(choice.name), choice
        if rule.kind == "uniform":
            return uniform_size(group.maximum, rule, lcm(rule.round, multiple)), None
        return any_size(group.maximum, rule, multiple, widest[rule.choice]), None

    def keep_multiples(self, graph: Graph) -> None:
        """Groups that others follow get multiples so that those, a quarter or six times as wide, have theirs."""
        table = ValueTable({choice.name: choice.options for choice in graph.choices})
        for variable in self.bound:
            expr = self.resolve(Var(variable))
            for name in free(expr):
                factor = factor_beside(expr, name) if name in self.groups else None
                values = None if factor is None or not free(factor).isdisjoint(self.groups) else table.of(factor)
                if values is not None:
                    needed = needed_multiple(values.options, self.unit(variable))
                    self.multiple[name] = lcm(self.multiple[name], needed)

    def unit(self, variable: str) -> int:
        """What a group's widths are multiples of."""
        rule = self.groups[variable].rule
        return lcm(1 if rule is None else rule.round, self.multiple[variable])

    def check_follower(self, variable: str, rewrite: Rewrite, table: ValueTable) -> None:
        """Reports a group that follows an expression to widths that its setting does not have."""
        group, unit = self.groups[variable], self.unit(variable)
        size = rewrite(self.resolve(Var(variable)))
        rule, tie = group.rule, self.binding[variable]
        if rule is None or not free(size):
            return
        least = 0 if rule.kind == "any" else rule.ratios[0] * group.maximum

        def fits(value: Option) -> bool:
            whole = isinstance(value, int) and (value % unit == 0 or value == group.maximum)
            return whole and 10 * value >= 9 * least  # type: ignore[operator]

        found = table.of(size)
        if found is None or all(map(fits, found.options)):
            return
        at = table.witness(size, lambda value: not fits(value))
        if at is None:
            return
        value = evaluate(size, at)
        number = float(value) if isinstance(value, Fraction) else value
        where = ", ".join(f"{name}={value}" for name, value in at.items())
        asked = f"multiples of {unit}" if isinstance(value, int) and value % unit else f"at least {float(least):g}"
        self.findings.report(
            SIZES_DIFFER,
            tie.origin,
            f"{tie.what} have one width, which would be {number} at {where}: the `width` setting keeps {asked}",
            secondary=[(group.origin, "this width is tied to an expression of others"), (rule.origin, "the setting")],
            help="let both follow the same channels: `let c = in` before the braces, and `conv(c, ..)` at their end",
        )


def uniform_size(maximum: int, rule: WidthRule, unit: int) -> Expr:
    """The multiple of `unit` next to a share of a width, which rounding never lifts above the whole of it."""
    size = apply("divisible", apply("mul", maximum, Var(rule.choice)), unit)
    if any(divisible(maximum * ratio, unit) > maximum for ratio in rule.ratios):
        size = apply("min", size, maximum)
    if divisible(maximum, unit) < maximum:
        size = apply("if", apply("eq", Var(rule.choice), 1), maximum, size)
    return size


def any_size(maximum: int, rule: WidthRule, multiple: int, widest: int) -> Expr:
    """The whole number, or the multiple, next to the share n / N of a width; n of the widest group's N are active."""
    share = apply("div", apply("mul", Var(rule.choice), maximum), widest)
    if multiple == 1:
        return apply("max", 1, apply("round", share))
    wholes = apply("max", 1, apply("round", apply("div", share, multiple)))
    size = apply("mul", wholes, multiple)
    if maximum % multiple:
        size = apply("if", apply("eq", Var(rule.choice), widest), maximum, apply("min", size, maximum))
    return size


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


def check_equal(a: Expr, b: Expr, tie: Tie, options: dict[str, Options], findings: Findings) -> bool:
    """Whether two sizes are equal at every option of what they read; reported where they are not."""
    names = sorted(free(a) | free(b))
    count = 1
    for name in names:
        count *= len(options[name])
    differs: dict[str, Option] | None = {}
    if a == b:
        return True
    if count <= TABLE_LIMIT:
        differs = None
        for combination in product(*(tuple(options[n]) for n in names)):
            values = dict(zip(names, combination, strict=True))
            if evaluate(a, values) != evaluate(b, values):
                differs = values
                break
    if differs is None:
        return True
    where = ", ".join(f"{name}={value}" for name, value in differs.items())
    if differs and all(name.rpartition(".")[2] == "resolution" for name in names):
        help = "leave out the resolutions at which a stride does not divide the size"
    else:
        help = "let both follow the same choice, or fix one with `width=fixed` so that the sum fixes the other"
    findings.report(
        SIZES_DIFFER,
        tie.origin,
        f"{tie.what} have sizes that are not always equal"
        + (f": {evaluate(a, differs)} and {evaluate(b, differs)} at {where}" if differs else ""),
        secondary=[(tie.left_origin, "one side"), (tie.right_origin, "the other side")],
        help=help,
    )
    return False
