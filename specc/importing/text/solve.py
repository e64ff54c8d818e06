"""From a stack of instances to a block: which of its numbers are parameters, which follow from others, and under which
conditions a part is there.

A column that is the same in all instances is a number. Any other is, in this order: a parameter that is there already,
a multiple of what arrives (`in * 4`), a multiple of a parameter (`out / 4`), what arrives rounded to a multiple, what
arrives times a parameter of few values (`in * expand`) - or a parameter of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

from specc.importing.text.asking import operator_of, type_of
from specc.importing.text.naming import attribute, free_name
from specc.importing.text.stack import Stack, is_block
from specc.importing.text.terms import IN, Apply, Par, Term, Value, evaluated, names_in, plain, times
from specc.importing.text.tree import (
    MISSING,
    Argument,
    Body,
    Column,
    Let,
    Node,
    Operand,
    Residual,
    Step,
    When,
    nodes,
    operands,
)
from specc.ir.parameter import REQUIRED, Type, Words

FACTORS = tuple(Fraction(n) for n in range(2, 17)) + tuple(Fraction(1, n) for n in (*range(2, 17), 32, 64))
"""The multiples that are looked for."""
MULTIPLES = (8, 16, 4, 32)
WORD = Words(())
"""The type of a parameter that holds an operator's name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a block. `default` is REQUIRED where it has none."""

    name: str
    type: Type
    default: object = REQUIRED


Setting = tuple[str, tuple[tuple[str, Argument], ...]]
"""A norm: its operator, and all that its setting may say."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its parameters, with tensors before them, and its statements.

    type     the class of the module that it was
    home     the file of the library that has it, "" for one of its own
    setting  the norm that must be set where one of the library is called
    size     operations and layers of one of the library
    """

    type: str
    parameters: tuple[Parameter, ...]
    body: Body
    tensors: int = 0
    home: str = ""
    name: str = ""
    flags: int = 0
    setting: Setting | None = None
    size: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Known:
    """A parameter being found: its values in the instances. `origin` is the argument that it was found for."""

    name: str
    type: Type
    column: Column
    default: object = REQUIRED
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """An argument of a statement: what it is called there, its type, its column and what arrives there."""

    step: Step
    name: str
    type: Type
    column: Column
    arriving: Column


@dataclass(slots=True)
class Solving:
    """One block being solved."""

    stack: Stack
    blocks: Sequence[Block]
    known: list[Known] = field(default_factory=list)
    lets: list[Let] = field(default_factory=list)
    flags: int = 0
    terms: dict[int, Argument] = field(default_factory=dict)
    whens: dict[int, Term] = field(default_factory=dict)
    shortcuts: dict[int, Argument] = field(default_factory=dict)

    def taken(self) -> set[str]:
        own = {known.name for known in self.known} | {let.name for let in self.lets}
        return own | {block.name for block in self.blocks}

    def block(self, type: str) -> tuple[Block, list[tuple[tuple[str, Value], ...]]]:
        """The block, and the arguments of every instance."""
        slots = list(self.slots(self.stack.body))
        terms = self.terms
        self.find_output(slots)
        ranked = sorted(range(len(slots)), key=lambda i: slots[i].type != "channels")
        for number in ranked:
            terms[number] = self.solved(slots[number], slots)
        words = {id(step): self.word(step) for step in all_steps(self.stack.body) if isinstance(step.word, Column)}
        conditions = self.conditions(slots)
        for known in self.known:
            self.fill(known)
        order = iter([terms[number] for number in range(len(slots))])
        body: Body = (*self.lets, *self.rebuilt(self.stack.body, order, words, conditions))
        self.known.sort(
            key=lambda known: (known.default is not REQUIRED, known.name != "out", known.type != "channels")
        )
        parameters = tuple(Parameter(known.name, known.type, known.default) for known in self.known)
        rows = [
            tuple((known.name, cast(Value, known.column.values[i])) for known in self.known)
            for i in range(self.stack.count)
        ]
        return Block(type, parameters, body, self.stack.parameters, flags=self.flags), rows

    # --- arguments -----------------------------------------------------------------------------

    def slots(self, body: Body) -> list[Slot]:
        """All arguments in the order of the text."""
        found = []
        for step in all_steps(body):
            for name, value in step.args:
                assert isinstance(value, Column)
                found.append(Slot(step, name, self.type(step, name), value, cast(Column, step.arriving)))
        return found

    def type(self, step: Step, name: str) -> Type:
        if is_block(step.word):
            block = self.blocks[int(cast(str, step.word)[1:])]
            return next(p.type for p in block.parameters if p.name == name)
        word = step.word if isinstance(step.word, str) else cast(str, step.word.present[0])  # type: ignore[union-attr]
        return type_of(word, name)

    def find_output(self, slots: Sequence[Slot]) -> None:
        """The channels that leave are the parameter `out`, unless they are all one or a share of what arrives."""
        leaving, arriving = self.stack.leaving, self.stack.arriving
        if is_constant(leaving) or ((ratio := common_ratio(leaving, arriving)) not in (None, 1) and ratio in FACTORS):
            return
        if any(slot.type == "channels" and agree(slot.column, leaving) for slot in slots):
            self.known.append(Known("out", "channels", leaving))

    def solved(self, slot: Slot, slots: Sequence[Slot]) -> Argument:
        column = slot.column
        constant = is_constant(column)
        if constant and MISSING not in column.values:
            return cast(Value, column.present[0])
        for known in self.known:
            alike = slot.type == "channels" or known.origin == slot.name
            if known.type == slot.type and alike and agree(known.column, column):
                known.column = filled(known.column, column)
                return Par(known.name)
        if constant:
            return cast(Value, column.present[0])
        return self.of_module(slot) or self.formula(slot) or self.parameter(slot, slots)

    def of_module(self, slot: Slot) -> Term | None:
        """What is said of a kept module, whose operator says its numbers itself: its width is mostly one that there is,
        and what it costs mostly a multiple of one."""
        word = slot.step.word
        if not isinstance(word, str) or is_block(word) or not operator_of(word).foreign:
            return None
        sizes: list[tuple[Column, Term]] = [(k.column, Par(k.name)) for k in self.known if k.type == "channels"]
        for sizes_of, term in (*sizes, (slot.arriving, IN)):
            ratio = common_ratio(slot.column, sizes_of)
            if ratio == 1 or (ratio is not None and ratio.denominator == 1 and slot.name in ("params", "macs")):
                return cast(Term, times(term, ratio))
        return None

    def formula(self, slot: Slot) -> Term | None:
        """What a size follows from: what arrives, or a parameter."""
        if slot.type not in ("channels", "integer") or slot.name in ("kernel", "stride", "dilation", "padding", "size"):
            return None
        column, sizes = slot.column, [k for k in self.known if k.type == "channels"]
        enough = 2 if slot.type == "channels" or slot.name == "first" else 3
        if len(set(column.present)) < enough:
            return None
        ratio = common_ratio(column, slot.arriving)
        if ratio is not None and (ratio > 1 and ratio in FACTORS):
            return cast(Term, times(IN, ratio))
        for known in sizes:
            of_known = common_ratio(column, known.column)
            if of_known is not None and of_known in FACTORS:
                return cast(Term, times(Par(known.name), of_known))
        if ratio is not None and (ratio in FACTORS or ratio == 1):
            return cast(Term, times(IN, ratio))
        return self.rounded(column, slot.arriving) or self.at_the_start(slot) or self.expanded(slot)

    def at_the_start(self, slot: Slot) -> Term | None:
        """What follows from what arrives at the block, and is read further on: it has a name."""
        arriving = self.stack.arriving
        ratio = common_ratio(slot.column, arriving)
        exact = ratio is not None and (ratio == 1 or ratio in FACTORS)
        term = cast(Term, times(IN, ratio)) if exact and ratio else self.rounded(slot.column, arriving)
        if term is None or slot.arriving == arriving:
            return None
        for let in self.lets:
            if let.value == term:
                return Par(let.name)
        word = "before" if ratio == 1 else "squeeze" if ratio is None or ratio < 1 else "hidden"
        name = free_name(word, self.taken(), True)
        self.lets.append(Let(name, term))
        return Par(name)

    def rounded(self, column: Column, arriving: Column) -> Term | None:
        """A share of what arrives, brought to a multiple of 8, or to a whole number from 1."""
        for share in (4, 2, 8, 16):
            part = Apply("/", (IN, share))
            tried: list[Term] = [Apply("divisible", (part, multiple)) for multiple in MULTIPLES]
            tried += [Apply("max", (1, Apply("floor", (part,)))), Apply("round", (part,))]
            for term in tried:
                if holds(term, column, [{"in": value} for value in arriving.values]):
                    return term
        return None

    def expanded(self, slot: Slot) -> Term | None:
        """What arrives times a ratio that takes fewer values than the size itself."""
        ratios = [
            MISSING if size is MISSING or came is MISSING else plain(Fraction(cast(int, size), cast(int, came)))
            for size, came in zip(slot.column.values, slot.arriving.values, strict=True)
        ]
        present = [ratio for ratio in ratios if ratio is not MISSING]
        if slot.type != "channels" or any(Fraction(cast(int, r)).denominator > 2 for r in present):
            return None
        if len(set(present)) >= len(set(slot.column.present)):
            return None
        column = Column(tuple(ratios))
        if is_constant(column):
            return cast(Term, times(IN, cast(Fraction, present[0])))
        for known in self.known:
            if known.type == "number" and agree(known.column, column) and known.name.startswith("expand"):
                known.column = filled(known.column, column)
                return Apply("*", (IN, Par(known.name)))
        name = free_name("expand", self.taken(), True)
        self.known.append(Known(name, "number", column))
        return Apply("*", (IN, Par(name)))

    def parameter(self, slot: Slot, slots: Sequence[Slot]) -> Par:
        """A parameter of its own."""
        taken = self.taken()
        default: object = REQUIRED
        name = slot.name
        if not is_block(slot.step.word) and isinstance(slot.step.word, str):
            signature = operator_of(slot.step.word).signature
            default = next(p.default for p in signature.parameters if p.name == slot.name)
            if len(signature.parameters) == 1 and not operator_of(slot.step.word).layer:
                name = slot.step.word
        elif is_block(slot.step.word):
            inner = self.blocks[int(cast(str, slot.step.word)[1:])]
            default = next(p.default for p in inner.parameters if p.name == slot.name)
        if slot.type == "channels":
            free = sum(
                1 for s in slots if s.type == "channels" and not is_constant(s.column)
                and not any(k.type == "channels" and agree(k.column, s.column) for k in self.known)
            )  # fmt: skip
            own = attribute(slot.step.place)
            name = ("hidden" if name == "out" else name) if free == 1 or not own else own
            default = REQUIRED
        elif name in taken and attribute(slot.step.place):
            name = f"{attribute(slot.step.place)}_{name}"
        name = free_name(name, taken, True)
        self.known.append(
            Known(name, slot.type, slot.column, default if default in slot.column.present else REQUIRED, slot.name)
        )
        return Par(name)

    def word(self, step: Step) -> Term:
        """The operator that differs from instance to instance: a parameter that holds its name."""
        column = cast(Column, step.word)
        for known in self.known:
            if known.type == WORD and agree(known.column, column):
                known.column = filled(known.column, column)
                return Par(known.name)
        name = free_name("act", self.taken(), True)
        self.known.append(Known(name, WORD, column))
        return Par(name)

    def fill(self, known: Known) -> None:
        """What a parameter is where nothing reads it, and its default: the most frequent value, but of sizes."""
        counts = Counter(known.column.present)
        common, times_ = counts.most_common(1)[0]
        value = known.default if known.default in counts else common
        if known.type == "number" and MISSING in known.column.values and known.default is REQUIRED:
            value = known.default = 0
        known.column = Column(tuple(value if v is MISSING else v for v in known.column.values))
        counts = Counter(known.column.values)
        common, times_ = counts.most_common(1)[0]
        if known.default is REQUIRED and known.type != "channels" and 2 * times_ > self.stack.count:
            known.default = common
        elif known.default is not REQUIRED and known.default not in counts:
            known.default = REQUIRED

    # --- conditions ----------------------------------------------------------------------------

    def conditions(self, slots: Sequence[Slot]) -> dict[Column, Argument]:
        """A condition for each column of what is there."""
        found: dict[Column, Argument] = {}
        for known in self.known:
            if known.name == "stride":
                known.column = Column(tuple(1 if value is MISSING else value for value in known.column.values))
        for node in nodes(self.stack.body):
            if isinstance(node, Residual):
                self.add_condition(found, node.adds, node, "adds")
                if node.shortcut:
                    here = masked(cast(Column, node.shortcut_if), cast(Column, node.adds))
                    self.add_condition(found, here, node, "shortcut")
                    self.shortcuts[id(node)] = found[here]
            elif isinstance(node, When):
                self.widened(node, slots)
                self.add_condition(found, node.condition, node, "")
        return found

    def widened(self, node: When, slots: Sequence[Slot]) -> None:
        """Where a part that is there at times begins with a multiple of what arrives, the multiple is a parameter: 1
        says that the part isn't there, as in the blocks of the MobileNets."""
        column, first = cast(Column, node.condition), all_steps(node.body)[0]
        if is_constant(column) or any(known.name == "expand" for known in self.known):
            return
        for number, slot in enumerate(slots):
            ratio = common_ratio(slot.column, slot.arriving)
            if slot.step is first and slot.type == "channels" and self.terms[number] == times(IN, ratio or 1):
                if ratio is None or ratio <= 1:
                    return
                values = tuple(MISSING if value is MISSING else plain(ratio) for value in slot.column.values)
                self.known.append(Known("expand", "number", Column(values), plain(ratio)))
                self.terms[number] = Apply("*", (IN, Par("expand")))
                return

    def add_condition(self, found: dict[Column, Argument], condition: Argument, node: Node, what: str) -> None:
        column = cast(Column, condition)
        if column in found and isinstance(node, When) and IN.name in names_in(found[column]):
            self.named_condition(found, column, node)
        if column in found:
            return
        opposite = Column(tuple(v if v is MISSING else not v for v in column.values))
        if is_constant(column):
            found[column] = cast(bool, column.present[0])
        elif opposite in found:
            found[column] = Apply("not", (cast(Term, found[opposite]),))
        else:
            found[column] = (
                self.by_shape(column, node, what) or self.by_value(column, node) or self.flag(column, node, what)
            )

    def named_condition(self, found: dict[Column, Argument], column: Column, node: Node) -> None:
        """A condition on what arrives, which further on would speak of something else: a number says the same, or it is
        found where the block begins and has a name."""
        term = self.by_value(column, node)
        if term is None:
            equal = "==" in str(found[column])
            name = free_name("keeps_shape" if equal else "changes_shape", self.taken(), True)
            self.lets.append(Let(name, cast(Term, found[column])))
            term = Par(name)
            found[column] = term
        self.whens[id(node)] = term

    def by_shape(self, column: Column, node: Node, what: str) -> Term | None:
        """A sum where the shape stays, a projection where it changes."""
        if not isinstance(node, Residual):
            return self.by_stride(column)
        sizes = next((known for known in self.known if known.name == "out"), None)
        stride = next((known for known in self.known if known.name == "stride"), None)
        verb, joint = ("==", "and") if what == "adds" else ("!=", "or")
        tried: list[Term] = []
        same = None if sizes is None else Apply(verb, (IN, Par("out")))
        step = None if stride is None else Apply(verb, (Par("stride"), 1))
        if step is not None and same is not None:
            tried.append(Apply(joint, (step, same)))
        tried += [term for term in (same, step) if term is not None]
        arriving = filled(cast(Column, node.arriving), cast(Column, all_steps(node.body)[0].arriving))
        rows: list[dict[str, object]] = []
        for i in range(self.stack.count):
            row: dict[str, object] = {"in": arriving.values[i]}
            for known in (sizes, stride):
                if known is not None:
                    value = known.column.values[i]
                    row[known.name] = value
            rows.append(row)
        return next((term for term in tried if holds(term, column, rows)), None)

    def by_stride(self, column: Column) -> Term | None:
        """What is there where the size of the map changes."""
        term = Apply("!=", (Par("stride"), 1))
        strides = [known.column.values for known in self.known if known.name == "stride"]
        rows: list[dict[str, object]] = [{"stride": value} for values in strides for value in values]
        return term if rows and holds(term, column, rows) else None

    def by_value(self, column: Column, node: Node) -> Term | None:
        """A parameter that only this part reads, and whose value elsewhere says that it isn't there."""
        if not isinstance(node, When):
            return None
        for known in self.known:
            mask = tuple(value is not MISSING for value in known.column.values)
            if mask != column.values or known.type not in ("number", "channels") or known.name == "out":
                continue
            absent = 1 if known.name.startswith("expand") else 0
            if absent in known.column.present:
                continue
            known.column = Column(tuple(absent if v is MISSING else v for v in known.column.values))
            if known.type == "channels":
                known.type = "count"
            elif known.default is REQUIRED and not absent:
                known.default = 0
            return Apply("!=" if absent else ">", (Par(known.name), absent))
        return None

    def flag(self, column: Column, node: Node, what: str) -> Term:
        """A flag of its own, called after what it brings."""
        for known in self.known:
            if known.type == "flag" and agree(known.column, column):
                known.column = filled(known.column, column)
                return Par(known.name)
        name = what
        if isinstance(node, When):
            first = next(iter(all_steps(node.body)), None)
            own = "" if first is None else attribute(first.place)
            word = "" if first is None or not isinstance(first.word, str) else first.word
            if word and is_block(word):
                word = self.blocks[int(word[1:])].type.rsplit(".", 1)[-1].lower()
            name = f"has_{own or word or 'part'}"
        name = free_name(name, self.taken(), True)
        self.known.append(Known(name, "flag", column))
        self.flags += 1
        return Par(name)

    # --- the body ------------------------------------------------------------------------------

    def rebuilt(
        self, body: Body, terms: Iterator[Argument], words: dict[int, Term], conditions: dict[Column, Argument]
    ) -> Body:
        """The body with terms instead of columns."""

        def operand(each: Operand) -> Operand:
            return step(each) if isinstance(each, Step) else each

        def step(node: Step) -> Step:
            tensors, source = tuple(map(operand, node.tensors)), operand(node.source)
            args = tuple((name, next(terms)) for name, _ in node.args)
            word = words.get(id(node), node.word)
            return replace(node, word=word, tensors=tensors, source=source, args=args, arriving=0)

        def statement(node: Node) -> Node | None:
            match node:
                case Step():
                    return step(node)
                case Residual():
                    inside = all_of(node.body)
                    shortcut = all_of(node.shortcut)
                    when = self.shortcuts[id(node)] if node.shortcut else True
                    adds = conditions[cast(Column, node.adds)]
                    return Residual(inside, shortcut, adds, when)
                case When():
                    condition = self.whens.get(id(node), conditions[cast(Column, node.condition)])
                    return When(condition, all_of(node.body))
            raise TypeError(f"{type(node).__name__} is no statement of a stack")

        def all_of(inside: Body) -> Body:
            return tuple(made for made in map(statement, inside) if made is not None)

        return all_of(body)


def all_steps(body: Body) -> list[Step]:
    """Every call, those in a tensor's place before the one that reads them."""
    found: list[Step] = []

    def look(step: Step) -> None:
        for operand in operands(step):
            if isinstance(operand, Step):
                look(operand)
        found.append(step)

    for node in nodes(body):
        if isinstance(node, Step):
            look(node)
    return found


def is_constant(column: Column) -> bool:
    present = column.present
    return all(value == present[0] and type(value) is type(present[0]) for value in present)


def agree(left: Column, right: Column) -> bool:
    """Whether two columns are equal wherever both have a value, and somewhere both have one."""
    pairs = [(a, b) for a, b in zip(left.values, right.values, strict=True) if a is not MISSING and b is not MISSING]
    return bool(pairs) and all(a == b for a, b in pairs)


def filled(left: Column, right: Column) -> Column:
    return Column(tuple(b if a is MISSING else a for a, b in zip(left.values, right.values, strict=True)))


def masked(column: Column, by: Column) -> Column:
    """A column with no value where another is false."""
    return Column(tuple(a if b else MISSING for a, b in zip(column.values, by.values, strict=True)))


def common_ratio(column: Column, other: Column) -> Fraction | None:
    """The one ratio of two columns; None where it differs, or is not known somewhere."""
    found: set[Fraction] = set()
    for size, base in zip(column.values, other.values, strict=True):
        if size is MISSING:
            continue
        if not isinstance(size, int) or not isinstance(base, int) or not base:
            return None
        found.add(Fraction(size, base))
    return found.pop() if len(found) == 1 else None


def holds(term: Term, column: Column, rows: Sequence[dict[str, object]]) -> bool:
    """Whether a term has a column's value in every instance that has one, and can be had in all of these."""
    reads = names_in(term)
    return all(
        value is MISSING or (evaluated(term, row) == value and not any(row[name] is MISSING for name in reads))
        for value, row in zip(column.values, rows, strict=True)
    )
