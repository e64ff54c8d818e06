"""The numbers of a class: which become parameters of its `__init__`, and how all others are written in terms of them.

A class stands for several blocks, so every number is a vector with a value for each instance, None where an instance
lacks what it belongs to. A number is written as the block's definition writes it (`in_ * expand`), if that gives the
graph's value at every instance; else as a known number or a sum, difference, product or quotient of known ones; else
it becomes a parameter. Values are expressions over choices, and so are what the generated code hands on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from specc.codegen.model.definitions import ENTERING, Definition, Unknown, evaluate, names_read
from specc.codegen.model.merge import Merged
from specc.codegen.model.needs import (
    Need,
    Parameter,
    Vector,
    agrees,
    at_largest,
    first_of,
    is_constant,
    is_elastic,
    total,
)
from specc.codegen.model.render import SIZES
from specc.codegen.names import fresh, identifier
from specc.ir.expr import Apply, Expr, Option, Var
from specc.ir.graph import Tensor
from specc.ir.whole import factors
from specc.ops.writing import Value, channel_values
from specc.python.expressions import ATOM, PYTHON, Text, call, constant, infix, joined, prefix, product
from specc.python.literals import in_brackets, inline
from specc.semantics.arithmetic import OPERATIONS
from specc.syntax import ast

DEFAULTS: Final[Mapping[str, str]] = {"banks": "1", "bank": "0", "condition": "True"}
"""Of parameters that a definition does not have: one norm bank, and that one."""
ARITHMETIC: Final = ("add", "sub", "mul", "div")


@dataclass(slots=True, eq=False)
class BlockSizes:
    """The numbers of a class that stands for blocks, exits or heads. `elastic` says whether the network has choices."""

    merged: Merged
    definition: Definition | None
    tensors: Mapping[str, Tensor]
    largest: Mapping[str, Option]
    taken: set[str]
    elastic: bool
    arguments: dict[str, Vector] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    locals: list[tuple[str, str]] = field(default_factory=list)
    known: list[tuple[str, Vector, Text]] = field(default_factory=list)
    uses: Counter[tuple[str, Vector]] = field(default_factory=Counter)
    needs: list[Need] = field(default_factory=list)
    counting: bool = True
    entering: Vector | None = None
    arriving: list[tuple[str, Vector]] = field(default_factory=list)
    leaving: Vector | None = None
    reserved: dict[str, str] = field(default_factory=dict)
    rounding: bool = False
    adding: bool = False
    in_condition: bool = False
    in_sizes: bool = False
    grown: dict[str, Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = self.merged.parts
        for name in self.definition.parameters if self.definition is not None else ():
            tables = [dict(part.scope.args) for part in parts]
            if all(name in table for table in tables):
                self.arguments[name] = tuple(table[name] for table in tables)
        if all(part.inputs for part in parts):
            self.entering = channel_values([self.tensors[part.inputs[0]] for part in parts])
        if all(len(part.outputs) == 1 for part in parts):
            self.leaving = channel_values([self.tensors[part.outputs[0]] for part in parts])

    def prepare(self, needs: Sequence[Need]) -> None:
        """Spells all numbers twice: once to see what is used more than once, once more with names for that."""
        self.needs = [need for need in needs if any(value is not None for value in need.values)]
        self.grown = self.elastic_arguments()
        taken = set(self.taken)
        for need in self.needs:
            self.spell(need)
        self.parameters, self.locals, self.known, self.taken, self.reserved = {}, [], [], taken, {}
        self.counting = False
        for need in self.needs:
            self.spell(need)

    def elastic_arguments(self) -> dict[str, Vector]:
        """Arguments that the spec gives as numbers and the graph has as sizes over choices, as these sizes."""
        found: dict[str, set[Vector]] = {}
        for need in self.needs:
            name = need.template.name if isinstance(need.template, ast.Name) else ""
            if name in self.arguments and None not in need.values and is_elastic(need.values):
                if not agrees(self.arguments[name], need.values) and self.peak(need.values) == self.arguments[name]:
                    found.setdefault(name, set()).add(need.values)
        return {name: vectors.pop() for name, vectors in found.items() if len(vectors) == 1}

    def text(self, need: Need) -> str:
        return self.spell(need)[0]

    def spell(self, need: Need) -> Text:
        """A number as Python text; what is missing for it becomes a parameter."""
        values = need.values
        if self.counting:
            self.uses[need.role, values] += 1
        template = need.template
        if isinstance(template, (ast.Number, ast.Flag)) and is_constant(values):
            return inline(first_of(values)), ATOM
        if isinstance(template, ast.Name) and is_constant(values) and first_of(values) == template.name:
            return inline(template.name), ATOM  # a word, not a parameter's name
        literal = need.role != "channels" or self.merged.parts[0].scope.kind == "round"
        if template is None and literal and is_constant(values) and not need.half:
            return inline(first_of(values)), ATOM
        if isinstance(template, ast.ListExpr) and not need.half:
            return self.pair(need, template)
        written = self.by_template(need) if template is not None else None
        if written is not None:
            return written
        if need.half:
            kernel_need = Need("kernel", need.half, "kernel", need.half_template, need.inward)
            kernel = self.spell(kernel_need)
            pair = isinstance(first_of(need.half), tuple)
            if kernel[0].isdigit() or (pair and is_constant(need.half) and not kernel[0].isidentifier()):
                return inline(first_of(values)), ATOM
            if pair and isinstance(need.half_template, ast.ListExpr):
                return in_brackets([halved(text) for text in self.pair_texts(kernel_need, need.half_template)]), ATOM
            if pair:
                return f"tuple(side // 2 for side in {kernel[0]})", ATOM
            return infix("//", kernel, constant(2))
        return self.lookup(need.role, values) or self.composed(need) or self.parameter(need)

    def pair(self, need: Need, template: ast.ListExpr) -> Text:
        """A height and a width, each as the definition writes it: `(kernel, 1)`."""
        if is_constant(need.values):
            return inline(first_of(need.values)), ATOM
        return in_brackets([text for text, _ in self.pair_texts(need, template)]), ATOM

    def pair_texts(self, need: Need, template: ast.ListExpr) -> list[Text]:
        rows = [
            None if value is None else value if isinstance(value, tuple) else (value, value) for value in need.values
        ]
        columns = [tuple(None if row is None else row[at] for row in rows) for at in range(2)]
        return [
            self.spell(replace(need, values=column, template=item))
            for column, item in zip(columns, template.items, strict=True)
        ]

    def lookup(self, role: str, values: Vector) -> Text | None:
        for known_role, vector, text in self.known:
            if known_role == role and agrees(vector, values):
                return text
        if role == "channels" and self.entering is not None and agrees(self.entering, values):
            return self.incoming()
        for name, vector in self.arriving if role == "channels" else ():
            if agrees(vector, values):
                return self.add(role, vector, name, "")
        return None

    def enter_by(self, names: Sequence[str]) -> None:
        """Says what the channels of several inputs are called."""
        for i, name in enumerate(names):
            vector = channel_values([self.tensors[part.inputs[i]] for part in self.merged.parts])
            if not is_constant(vector):
                self.arriving.append((name, vector))
        self.entering = None

    def incoming(self) -> Text:
        """The channels that come in: the parameter `in_`."""
        assert self.entering is not None
        for _, vector, text in self.known:
            if vector is self.entering:
                return text
        return self.add("channels", self.entering, "in_", "")

    def add(self, role: str, values: Vector, name: str, default: str) -> Text:
        unique = fresh(identifier(name), self.taken)
        self.parameters[unique] = Parameter(unique, role, values, default)
        text = unique, ATOM
        self.known.append((role, values, text))
        return text

    # --- as the definition writes it ---

    def by_template(self, need: Need) -> Text | None:
        """The number as the definition writes it, where that gives the value of every instance."""
        template, definition = need.template, self.definition
        assert template is not None
        if definition is None:
            return None
        if isinstance(template, ast.Name) and template.name in self.arguments:
            vector = self.arguments[template.name]
            if agrees(vector, need.values):
                return self.argument(template.name, need.role)
            return self.lookup(need.role, need.values)
        values = self.evaluated(template, need.inward)
        growing = self.grown and (values is None or not agrees(values, need.values))
        if growing:
            values = self.evaluated(template, need.inward, self.grown)
        if any(
            isinstance(v, Fraction)
            for name in names_read(template, definition.lets)
            for v in self.arguments.get(name, ())
        ):
            return self.lookup(need.role, need.values)  # `in_ * 4.5` would be no int
        if values is None or not agrees(values, need.values):
            return None
        found = self.lookup(need.role, values)
        if found is not None:
            return found
        self.in_sizes = bool(growing)
        text = self.ast_text(template, need)
        self.in_sizes = False
        if text is None:
            return None
        return self.named(need, values, text)

    def named(self, need: Need, values: Vector, text: Text) -> Text:
        """A composed number, under a name of its own where it is used more than once."""
        count = sum(n for (role, vector), n in self.uses.items() if role == need.role and agrees(values, vector))
        if self.counting or text[0].isidentifier() or count < 2 or need.role != "channels":
            return text
        name = fresh(identifier(need.fallback), self.taken)
        self.locals.append((name, text[0]))
        self.known.append((need.role, values, (name, ATOM)))
        return name, ATOM

    def evaluated(
        self, node: ast.Expression, inward: Vector, instead: Mapping[str, Vector] = MappingProxyType({})
    ) -> Vector | None:
        """An expression of the definition at every instance, None where it cannot be evaluated. `instead` has other
        values for some arguments."""
        assert self.definition is not None
        found: list[Value | None] = []
        inward = self.completed(inward)
        for i in range(len(self.merged.parts)):
            values: dict[str, Expr] = {}
            for name, vector in self.arguments.items():
                argument = instead.get(name, vector)[i]
                if argument is not None and not isinstance(argument, tuple):
                    values[name] = argument
            arriving = total(inward[i]) if inward else None
            if arriving is None and inward:
                arriving = None
            entering = None if self.entering is None else total(self.entering[i])
            if entering is not None:
                values[ENTERING] = entering
            if arriving is not None:
                values["in"] = arriving
            elif "in" in set(names_read(node, self.definition.lets)):
                found.append(None)
                continue
            try:
                found.append(evaluate(node, values, self.definition.lets))
            except Unknown:
                return None
        return tuple(found) if any(v is not None for v in found) else None

    def completed(self, inward: Vector) -> Vector:
        """The channels that arrive somewhere, at the instances that lack the place as well, if they are known."""
        if not inward or None not in inward:
            return inward
        vectors = [vector for role, vector, _ in self.known if role == "channels"]
        for vector in (*vectors, *([self.entering] if self.entering is not None else [])):
            if agrees(vector, inward):
                return vector
        return inward

    def peak(self, values: Vector) -> Vector:
        return tuple(at_largest(total(value), self.largest) for value in values)

    def argument(self, name: str, role: str) -> Text:
        """One of the definition's parameters as a parameter of the class; in a condition the channels that it became,
        where these are elastic and the spec gives a number."""
        vector = self.arguments[name]
        if self.in_condition and role != "function" and not is_elastic(vector):
            ends = self.leaving is not None and self.peak(self.leaving) == vector  # in the end it is what comes out
            for known_role, other, text in self.known:
                if known_role != "channels" or not is_elastic(other) or self.peak(other) != vector:
                    continue
                leaves = ends and self.leaving is not None and agrees(self.leaving, other)
                if leaves or (not ends and text[0] == name):
                    return text
        held = self.reserved.get(name)
        if held is not None and held in self.parameters:
            return held, ATOM
        text = self.add(role, vector, name, self.default(name, role))
        self.reserved[name] = text[0]
        return text

    def default(self, name: str, role: str) -> str:
        """The default that the definition gives, where it is a plain number, flag or word."""
        assert self.definition is not None
        node = self.definition.parameters[name]
        if isinstance(node, ast.Number):
            return inline(node.value)
        if isinstance(node, ast.Flag):
            return repr(node.value)
        return node.name if isinstance(node, ast.Name) and role == "function" else ""

    def ast_text(self, node: ast.Expression, need: Need) -> Text | None:
        """An expression of the definition as Python text over the class's parameters; None where it is too much."""
        assert self.definition is not None
        match node:
            case ast.Number():
                value = node.value
                return constant(value)
            case ast.Flag():
                return repr(node.value), ATOM
            case ast.Name("in"):
                return self.spell(Need("channels", need.inward, "in_"))
            case ast.Name(name) if self.in_sizes and name in self.grown:
                vector = self.grown[name]
                return self.lookup("channels", vector) or self.add("channels", vector, name, "")
            case ast.Name(name) if name in self.arguments:
                return self.argument(name, role_of(self.arguments[name]))
            case ast.Name(name) if name in self.definition.lets:
                entered = replace(need, inward=self.entering or ())
                return self.ast_text(self.definition.lets[name], entered)
            case ast.Binary("/" | "*") if not self.rounding and (below := divisors(node)):
                above = [self.ast_text(n, need) for n in factors_of(node)]
                under = [self.ast_text(n, need) for n in below]
                if None in above or None in under:
                    return None
                return infix("//", *(product([t for t in texts if t is not None]) for texts in (above, under)))
            case ast.Binary():
                left, right = self.ast_text(node.left, need), self.ast_text(node.right, need)
                if left is None or right is None:
                    return None
                return self.binary(OPERATIONS[node.operator], left, right)
            case ast.Unary("not", operand):
                inner = self.ast_text(operand, need)
                return None if inner is None else prefix("not", inner)
            case ast.CallExpr():
                return self.call_text(node, need)
        return None

    def binary(self, function: str, left: Text, right: Text) -> Text | None:
        return None if function == "div" and not self.elastic else infix(PYTHON[function], left, right)

    def call_text(self, node: ast.CallExpr, need: Need) -> Text | None:
        name = node.name.name
        if name == "floor" and isinstance(node.args[0].value, ast.Binary) and node.args[0].value.operator == "/":
            quotient = node.args[0].value
            both = [self.ast_text(n, need) for n in (quotient.left, quotient.right)]
            if both[0] is None or both[1] is None:
                return None
            return infix("//", both[0], both[1])
        before, self.rounding = self.rounding, name in ("divisible", "round", "floor", "ceil")
        args = [self.ast_text(arg.value, need) for arg in node.args]
        self.rounding = before
        if any(arg is None for arg in args) or (not self.elastic and name not in ("min", "max")):
            return None
        function = SIZES.get(name, name) if self.elastic else name
        return call(function, [arg for arg in args if arg is not None])

    # --- without a template ---

    def composed(self, need: Need) -> Text | None:
        """A sum, difference, product or quotient of known numbers."""
        if need.difference is not None:
            return infix("-", *map(self.spell, need.difference))
        text = self.any_known(need.values) or self.express(need.role, need.values, True)
        if text is None and is_elastic(need.values):
            self.adding = True
            text = self.express(need.role, need.values, True)
            self.adding = False
        if text is None or text[0].isidentifier():
            return text
        return self.named(need, need.values, text)

    def express(self, role: str, values: Vector, top: bool = False) -> Text | None:
        if not top:
            known = self.lookup(role, values) or self.any_known(values) or self.lookup("extra", values)
            if known is not None:
                return known
            if is_constant(values):
                value = first_of(values)
                return (inline(value), ATOM) if isinstance(value, tuple) else constant(value)  # type: ignore[arg-type]
        first = first_of(values)
        if self.adding and not top and isinstance(first, int) and not is_elastic(values) and None not in values:
            return self.lookup("extra", values) or self.add("extra", values, "group", "")
        if isinstance(first, tuple) or not isinstance(first, Apply):
            return None
        divided = self.divided(role, values) if top else None
        if divided is not None:
            return divided
        given = [v for v in values if v is not None]
        function = first.function
        if any(not isinstance(v, Apply) or v.function != function or len(v.args) != len(first.args) for v in given):
            return None
        columns = [tuple(None if v is None else v.args[i] for v in values) for i in range(len(first.args))]  # type: ignore[union-attr]
        if function == "floor" and all(
            isinstance(c, Apply) and c.function == "div" for c in columns[0] if c is not None
        ):
            pair = [tuple(None if c is None else c.args[i] for c in columns[0]) for i in range(2)]  # type: ignore[union-attr]
            both = [self.express(role, column) for column in pair]
            if both[0] is None or both[1] is None:
                return None
            return infix("//", both[0], both[1])
        if function not in ARITHMETIC:
            return None
        texts = [text for text in (self.express(role, column) for column in columns) if text is not None]
        if len(texts) < 2:
            return None
        if function == "mul" and texts[1][0].isdigit():
            texts.reverse()
        return self.binary(function, texts[0], texts[1])

    def divided(self, role: str, values: Vector) -> Text | None:
        """A product with divisors as one division, which leaves no rest where the whole is a channel count."""
        rows = [None if value is None or isinstance(value, tuple) else factors(value) for value in values]
        given = [row for row in rows if row is not None]
        above, below = given[0]
        if not below or any(len(a) != len(above) or len(b) != len(below) for a, b in given):
            return None
        top: list[Vector] = [tuple(None if r is None else r[0][i] for r in rows) for i in range(len(above))]
        bottom: list[Vector] = [tuple(None if r is None else r[1][i] for r in rows) for i in range(len(below))]
        for column in list(bottom):  # 4 * (width / 4) is the width
            if column in top:
                top.remove(column)
                bottom.remove(column)
        texts = [self.express(role, column) for column in (*top, *bottom)]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts) or not top:
            return None
        whole = product(known[: len(top)])
        return infix("//", whole, product(known[len(top) :])) if bottom else whole

    def any_known(self, values: Vector) -> Text | None:
        """Choices are known by any role: `expand` is a number among channels, too."""
        for name, vector in self.arguments.items():
            elastic = is_elastic(vector) and not all(isinstance(v, Apply) for v in vector)
            if agrees(vector, values) and (elastic or (not is_constant(values) and not is_elastic(values))):
                return self.argument(name, role_of(vector))
        return None

    def parameter(self, need: Need) -> Text:
        """The number as a parameter, with values for all instances if another number of the class tells them."""
        values = need.values
        for other in self.needs:
            template = other.template
            if (
                other.role == need.role == "channels"
                and isinstance(template, ast.Name)
                and template.name in self.arguments
            ):
                vector = self.arguments[template.name]
                if agrees(vector, values) and agrees(vector, other.values):
                    return self.argument(template.name, need.role)
        for other in self.needs:
            if None in values and other.role == need.role and None not in other.values and agrees(other.values, values):
                values = other.values
        if None in values:
            values = tuple(first_of(values) if value is None else value for value in values)
        name = (
            "out"
            if need.role == "channels" and self.leaving is not None and agrees(self.leaving, values)
            else need.fallback
        )
        if isinstance(need.template, ast.Name) and need.template.name in self.arguments:
            inner = self.leaving is not None and not agrees(self.leaving, values)
            ends = inner and self.leaving is not None and self.peak(self.leaving) == self.arguments[need.template.name]
            name = "hidden" if ends else need.template.name  # its name is that of what comes out
        elif self.definition is not None and need.role != "channels":
            for known, vector in self.arguments.items():
                if agrees(
                    tuple(at_largest(v, self.largest) for v in values),
                    tuple(at_largest(v, self.largest) for v in vector),
                ):
                    if known == need.role:
                        name = known
        return self.add(need.role, values, name, DEFAULTS.get(need.role, "") if need.role != "choice" else "")

    def flag(self, conditions: Sequence[tuple[ast.Expression, bool]], mask: Sequence[bool], name: str) -> Text:
        """The condition under which only some instances have something, as the definition has it; else a parameter."""
        need = Need("flag", (), name, None, self.entering or ())
        texts: list[Text] = []
        held = [True] * len(mask)
        for node, positive in conditions:
            values = self.evaluated_at_largest(node)
            if values is None:
                continue
            if all(bool(v) is positive for v in values):
                continue
            self.in_condition = True
            text = self.ast_text(node, need)
            self.in_condition = False
            if text is None:
                continue
            texts.append(text if positive else prefix("not", text))
            held = [h and bool(v) is positive for h, v in zip(held, values, strict=True)]
        if texts and held == list(mask) and self.holds_as_written([node for node, _ in conditions], mask, conditions):
            return joined("and", texts)
        return self.add("flag", tuple(bool(m) for m in mask), name, "")

    def holds_as_written(
        self, nodes: Sequence[ast.Expression], mask: Sequence[bool], conditions: Sequence[tuple[ast.Expression, bool]]
    ) -> bool:
        """Whether conditions hold where they should in the code as well: there sizes are compared as they are written,
        and in the spec at the largest network."""
        assert self.definition is not None
        elastic = {name for name, vector in self.arguments.items() if any(isinstance(v, (Var, Apply)) for v in vector)}
        if any(needs_a_plan(node, elastic | {"in"}, self.definition.lets) for node in nodes):
            return False
        names: dict[Value, int] = {}
        for i, there in enumerate(mask):
            values: dict[str, Expr] = {}
            for name, vector in self.arguments.items():
                argument = vector[i]
                if self.leaving is not None and self.peak(self.leaving) == vector:
                    argument = total(self.leaving[i])
                if argument is not None and not isinstance(argument, tuple):
                    values[name] = argument
            if self.entering is not None:
                arriving = total(self.entering[i])
                if arriving is not None:
                    values["in"] = values[ENTERING] = arriving
            marked = {
                name: -1 - names.setdefault(value, len(names)) if isinstance(value, (Var, Apply)) else value
                for name, value in values.items()
            }
            held = True
            for node, positive in conditions:
                try:
                    held = held and bool(evaluate(node, marked, self.definition.lets)) is positive
                except Unknown:
                    continue
            if held is not there:
                return False
        return True

    def evaluated_at_largest(self, node: ast.Expression) -> list[Expr] | None:
        """A condition at every instance: sizes in conditions are the largest network's."""
        assert self.definition is not None
        found: list[Expr] = []
        for i in range(len(self.merged.parts)):
            values: dict[str, Expr] = {}
            for name, vector in self.arguments.items():
                argument = at_largest(vector[i], self.largest)
                if argument is not None and not isinstance(argument, tuple):
                    values[name] = argument
            if self.entering is not None:
                arriving = at_largest(total(self.entering[i]), self.largest)
                assert arriving is not None
                assert not isinstance(arriving, tuple)
                values["in"] = values[ENTERING] = arriving
            try:
                found.append(evaluate(node, values, self.definition.lets))
            except Unknown:
                return None
        return None if any(isinstance(v, (Var, Apply, str)) for v in found) else found

    def ordered(self) -> tuple[Parameter, ...]:
        """Parameters in the order of the definition, what comes in first; those with defaults last."""
        names = list(self.definition.parameters) if self.definition is not None else [n for n, _ in self.arriving]

        def place(parameter: Parameter) -> tuple[bool, int]:
            if parameter.name == "in_":
                return False, -1
            return bool(parameter.default), names.index(parameter.name) if parameter.name in names else len(names)

        return tuple(sorted(self.parameters.values(), key=place))


def needs_a_plan(node: ast.Expression, elastic: Set[str], lets: Mapping[str, ast.Expression]) -> bool:
    """Whether a condition orders what is elastic in some instance, or asks whether it is 0: while the network is made,
    a size over choices has no answer to that."""
    match node:
        case ast.Binary(operator="<" | "<=" | ">" | ">="):
            return not elastic.isdisjoint(names_read(node, lets))
        case ast.Binary(operator="and" | "or"):
            return needs_a_plan(node.left, elastic, lets) or needs_a_plan(node.right, elastic, lets)
        case ast.Unary():
            return needs_a_plan(node.operand, elastic, lets)
        case ast.Name(name) if name in lets:
            return needs_a_plan(lets[name], elastic, lets)
        case ast.Name(name):
            return name in elastic
    return False


def halved(text: Text) -> str:
    """Half of a number, rounded down."""
    return str(int(text[0]) // 2) if text[0].isdigit() else infix("//", text, constant(2))[0]


def factors_of(node: ast.Expression) -> list[ast.Expression]:
    """What is above the line of a product with divisors."""
    if isinstance(node, ast.Binary) and node.operator == "*":
        return [*factors_of(node.left), *factors_of(node.right)]
    return factors_of(node.left) if isinstance(node, ast.Binary) and node.operator == "/" else [node]


def divisors(node: ast.Expression) -> list[ast.Expression]:
    """What is below the line."""
    if isinstance(node, ast.Binary) and node.operator == "*":
        return [*divisors(node.left), *divisors(node.right)]
    return [*divisors(node.left), node.right] if isinstance(node, ast.Binary) and node.operator == "/" else []


def role_of(values: Vector) -> str:
    """The role of an argument that an expression reads."""
    return "flag" if all(isinstance(v, bool) for v in values) else "argument"
