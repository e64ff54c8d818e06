"""What lowering has made so far, and where it stands: operations, scopes and choices before they have names.

A thing is named after its kind, numbered where its scope has several of the kind (`conv`, or `conv1` and `conv2`), so
names are only known once a scope is complete. Until then choices and width groups go by variables such as `%c3`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, product
from math import prod
from typing import Literal, TypeAlias

from specc.diagnostics import Findings, Rule
from specc.frozen import frozen
from specc.ir.choice import Kind, Options
from specc.ir.expr import Apply, Expr, Option, Var, apply, both, evaluate, free, substitute
from specc.ir.graph import DENSE, Connection, CutApart, LabelLevel, ScopeKind, Segment, Tensor, Tie, WidthRule
from specc.ir.operator import Operator
from specc.ir.window import Window
from specc.semantics.model import Model
from specc.source import CallSite, Span
from specc.syntax import ast

NO_INPUT = Rule(
    "E311",
    "no-input",
    "an operator has no input tensor",
    "The supernet says what goes in before its first operator.\n"
    "Wrong:  supernet a { stem { conv(8, kernel=3) } ... }\n"
    "Right:  supernet a { input image(3, 32, 32); stem { conv(8, kernel=3) } ... }",
)
CHANNEL_MISMATCH = Rule(
    "E312",
    "channel-mismatch",
    "tensors that must agree have different channel counts",
    "The two sides of a sum, and the two ways around a skippable, have the same number of channels.\n"
    "Wrong:  residual { conv(64, kernel=3) }              where 32 channels arrive\n"
    "Right:  residual { conv(64, kernel=3) } shortcut { conv(64, kernel=1) }",
)
SIZE_MISMATCH = Rule(
    "E313",
    "size-mismatch",
    "tensors that must agree have different heights or widths",
    "Both sides of a sum have the same height and width; an identity shortcut keeps what arrives.\n"
    "Wrong:  residual { conv(64, kernel=3, stride=2) }\n"
    "Right:  residual { conv(64, kernel=3, stride=2) } shortcut { conv(64, kernel=1, stride=2) }",
)
TOO_LARGE = Rule(
    "E314",
    "network-too-large",
    "a network is too large: over 200,000 statements after expansion",
    "Repeats and block calls are written out: up to 200,000 statements in all, up to 100 braces inside each other,\n"
    "and up to 100 exits. What a network costs is counted exactly, up to 2^53 of a kind.\n"
    "Wrong:  repeat 100000 { repeat 100000 { relu } }\n"
    "Right:  repeat 100 { relu }",
)
Setting: TypeAlias = ast.NormSetting | ast.WidthSetting | ast.ConnectSetting
SETTLE_LIMIT = 4096
MOST_STATEMENTS = 200_000
DEEPEST_NESTING = 100


@frozen
class Value:
    """A number, a flag, a word, an expression or a pair of height and width. `follows` says that it came from `in` (or
    is the class count), so that a channel argument takes it as it is instead of making a width group."""

    x: Window | bool
    follows: bool = False

    @property
    def scalar(self) -> Expr | bool:
        """What it is, where no pair may stand."""
        assert not isinstance(self.x, tuple)
        return self.x


@dataclass(slots=True, eq=False)
class Named:
    """Something with a place in the spec's nesting. `base` is its kind's name, or its given name if `given`.

    `reserved` is a name of what the block leaves out here. The first version of specc numbered without those: `first`
    is the name that it gave.
    """

    scope: ScopeItem | None
    base: str
    given: bool = False
    name: str = ""
    first: str = ""
    reserved: bool = False

    @property
    def path(self) -> str:
        outer = self.scope.path if self.scope is not None else ""
        return f"{outer}.{self.name}" if outer and self.name else outer or self.name

    @property
    def first_path(self) -> str:
        """`path` under the names of the first version."""
        outer = self.scope.first_path if self.scope is not None else ""
        return f"{outer}.{self.first}" if outer and self.first else outer or self.first


@dataclass(slots=True, eq=False)
class ScopeItem(Named):
    """A scope being filled. Regions share their parent's path and names.

    output   the output that it computes, "" for none
    passed   how many exits stand before it
    is_rest  whether it is the region of what follows an exit in its parent
    """

    kind: ScopeKind = "block"
    origin: Span = field(kw_only=True)
    guard: Expr = 1
    block: str = ""
    args: tuple[tuple[str, Window], ...] = ()
    items: list[OpItem | ScopeItem] = field(default_factory=list)
    names: list[Named] = field(default_factory=list)
    full_path: str = ""
    full_first: str = ""
    output: str = ""
    site: CallSite | None = None
    passed: int = 0
    is_rest: bool = False

    @property
    def path(self) -> str:
        """Empty until `name_everything` has come by."""
        return self.full_path

    @property
    def first_path(self) -> str:
        return self.full_first


@frozen
class Prediction:
    """The output of a head or an exit: the name of its output, the label level (""; the finest), the condition under
    which a plain call returns it - None for a level that only who asks for it gets - and where it is written."""

    name: str
    kind: Literal["head", "exit"]
    tensor: Tensor
    level: str
    condition: Expr | None
    origin: Span


@dataclass(slots=True, eq=False)
class BankRequest:
    """A `bank=` argument, to be resolved when the stage, the widths and the method's list are known."""

    word: str
    origin: Span
    stage: ScopeItem | None
    rule: WidthRule | None


@dataclass(slots=True, eq=False)
class OpItem(Named):
    """An operation being built. Tensors still go by provisional names."""

    operator: Operator = field(kw_only=True)
    params: object = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    guard: Expr = 1
    origin: Span = field(kw_only=True)
    connection: Connection = DENSE
    bank: BankRequest | None = None


@dataclass(slots=True, eq=False)
class ChoiceItem:
    """A choice, by its variable until its owner has a name. `leaf` is the part of its name after the owner's path."""

    variable: str
    owner: Named | None
    leaf: str
    options: Options
    kind: Kind
    origin: Span
    serial: int

    @property
    def name(self) -> str:
        outer = self.owner.path if self.owner is not None else ""
        return ".".join(part for part in (outer, self.leaf) if part)

    @property
    def first_name(self) -> str:
        """Its name in the first version."""
        outer = self.owner.first_path if self.owner is not None else ""
        return ".".join(part for part in (outer, self.leaf) if part)


@dataclass(slots=True, eq=False)
class GroupItem:
    """A width group: channels that one operator chose. `rule` is the width setting it was made under, `part` the number
    of a part of what was cut apart."""

    variable: str
    owner: OpItem
    maximum: int
    multiple: int
    rule: WidthRule
    origin: Span
    serial: int
    part: str = ""


@dataclass(slots=True, eq=False)
class Settings:
    """The scoped settings in force. Replaced, never changed, so that leaving a brace restores them."""

    norm: ast.NormSetting | None = None
    norm_env: object = None
    width: WidthRule | None = None
    connect: Connection = DENSE
    connect_origin: Span | None = None


@dataclass(slots=True, eq=False)
class Branching:
    """The branches being lowered.

    count    how many there are; `active` is how many a sub-network keeps, None where the width setting says that
    begun    whether a convolution has given each branch channels of its own; `joined` whether one has summed them
    joining  the call whose convolution sums the branches, where there is one
    common   the tensors that all branches share: what comes in, and what is made of it before they part
    """

    count: int
    active: Expr | None
    joining: ast.CallExpr | None
    common: set[str] = field(default_factory=set)
    begun: bool = False
    joined: bool = False

    def own_channels(self, maximum: int) -> int:
        """The channels of one branch, `in` inside the braces."""
        return maximum // self.count if self.begun else maximum


class TooLarge(Exception):
    """Ends lowering at once; the diagnostic is reported already."""


class CallFindings(Findings):
    """Findings of which each says by which calls lowering came to its place."""

    def __init__(self, findings: Findings, builder: Builder) -> None:
        self.diagnostics, self.warnings, self.places = findings.diagnostics, findings.warnings, findings.places
        self.builder = builder

    def report(
        self, rule: Rule, span: Span, message: str, *, secondary: Iterable[tuple[Span, str]] = (), help: str = ""
    ) -> None:
        super().report(rule, self.builder.reached(span), message, secondary=secondary, help=help)


class Builder:
    """Mutable, local to one lowering."""

    def __init__(self, model: Model, findings: Findings) -> None:
        self.model = model
        self.calls: tuple[CallSite, ...] = ()
        self.findings: Findings = CallFindings(findings, self)
        self.file_values: dict[ast.LetStatement | ast.ParamStatement, Value] = {}
        self.root = ScopeItem(None, "", kind="network", origin=model.names.supernet.span)
        self.scope = self.root
        self.stage: ScopeItem | None = None
        self.prefix = ""
        self.guard: Expr = 1
        self.settings = Settings()
        self.here: Tensor | None = None
        self.branches: Branching | None = None
        self.scattered: Span | None = None
        self.ops: list[OpItem] = []
        self.tensors: list[Tensor] = []
        self.choices: list[ChoiceItem] = []
        self.groups: dict[str, GroupItem] = {}
        self.ties: list[Tie] = []
        self.cuts: list[CutApart] = []
        self.skippables: dict[int, list[ChoiceItem]] = {}
        self.passed: list[Expr] = []
        self.predictions: list[Prediction] = []
        self.exits: dict[str, Span] = {}
        self.within: tuple[int, ...] = ()  # the rounds of the repeats around, from 1, the outermost first
        self.levels: tuple[LabelLevel, ...] = ()
        self.levelled = False
        self.peak: dict[str, Option] = {}
        self.peaks: dict[Expr, Option] = {}
        self.options: dict[str, Options] = {}
        self.ahead: dict[str, ast.ChoiceStatement] = {}
        self.rounds: set[str] = set()
        self.slices: set[str] = set()
        self.broken: set[str] = set()
        self.settings_made: dict[int, Setting] = {}
        self.settings_read: set[int] = set()
        self.written = 0
        self.depth = 0
        self.serial = 0

    def enter(self, span: Span, statements: int) -> None:
        """Counts a body that is about to be written out. Raises TooLarge where there is no end to them."""
        self.written += 1 + statements
        self.depth += 1
        if self.written > MOST_STATEMENTS or self.depth > DEEPEST_NESTING:
            deep = self.depth > DEEPEST_NESTING
            message = (
                f"calls and braces nest more than {DEEPEST_NESTING} deep here"
                if deep
                else f"more than {MOST_STATEMENTS:,} statements are written out by now"
            )
            self.findings.report(TOO_LARGE, span, message)
            raise TooLarge

    def read_setting(self, origin: Span | None) -> None:
        """Notes that an operator does as the setting at a place says."""
        self.settings_read.add(id(origin))

    def reached(self, span: Span) -> Span:
        """A place with the calls that lead there; those that it stands in itself, as an argument does, don't."""
        if not self.calls or span.calls:
            return span
        calls = tuple(site for site in self.calls if not site.span.holds(span))
        return Span(span.source, span.start, span.end, calls) if calls else span

    # --- tensors and scopes ---

    def incoming(self, span: Span) -> Tensor:
        """The tensor that the next operator reads."""
        if self.here is None:
            if self.scattered is not None:
                message, help = "several tensors come from there: which of them arrives here?", "write `from=name`"
                self.findings.report(NO_INPUT, span, message, secondary=[(self.scattered, "there")], help=help)
            else:
                help = "put `input image(3, 224, 224)` first"
                self.findings.report(NO_INPUT, span, "nothing arrives here", help=help)
            self.here = self.guess(span)
        return self.here

    def guess(self, span: Span) -> Tensor:
        """A tensor that stands for one that could not be found; what reads it reports nothing more."""
        self.broken.add("%none")
        return Tensor("%none", (), (1, 1), span)

    def scatter(self, span: Span) -> None:
        """Says that several tensors come from a place, so that none is the incoming one."""
        self.here, self.scattered = None, span

    def new_tensor(self, channels: tuple[Segment, ...], space: tuple[Expr, ...], origin: Span) -> Tensor:
        self.serial += 1
        tensor = Tensor(f"%t{self.serial}", channels, space, origin)
        self.tensors.append(tensor)
        return tensor

    def naming_scope(self) -> ScopeItem:
        """The innermost scope that has names of its own."""
        scope = self.scope
        while scope.kind == "region":
            assert scope.scope is not None
            scope = scope.scope
        return scope

    @contextmanager
    def inside(
        self, kind: ScopeKind, base: str, origin: Span, *, given: bool = False, guard: Expr = 1, output: str = ""
    ) -> Iterator[ScopeItem]:
        """A scope around what is lowered in it; settings changed inside end with it."""
        names = self.naming_scope()
        scope = ScopeItem(self.scope if kind == "region" else names, base, given, kind=kind, origin=origin, guard=guard)
        scope.output, scope.passed = output, len(self.passed)
        if kind != "region":
            names.names.append(scope)
        self.room(origin).items.append(scope)
        kept = self.scope, self.settings, self.guard, self.prefix
        self.scope, self.guard = scope, both(self.guard, guard)
        if kind != "region":
            self.prefix = ""
        try:
            yield scope
        finally:
            self.scope, self.settings, self.guard, self.prefix = kept
            for guard in self.passed[scope.passed :]:
                self.guard = both(self.guard, guard)

    def room(self, origin: Span) -> ScopeItem:
        """Where the next item of the present scope goes: into the region of what follows the exits in it, if any."""
        scope = self.scope
        while scope.passed < len(self.passed):
            last = scope.items[-1] if scope.items else None
            if not (isinstance(last, ScopeItem) and last.is_rest):
                guard: Expr = 1
                for passed in self.passed[scope.passed :]:
                    guard = both(guard, passed)
                last = ScopeItem(scope, "", kind="region", origin=origin, guard=guard)
                last.passed, last.is_rest = len(self.passed), True
                scope.items.append(last)
            scope = last
        return scope

    # --- choices ---

    def new_choice(self, owner: Named | None, leaf: str, options: Options, kind: Kind, origin: Span) -> str:
        """Makes a choice and returns its variable: its name, where that is known already."""
        self.serial += 1
        if owner is self.root and leaf and leaf not in self.options and leaf not in self.model.names.choices:
            return self.add_choice(ChoiceItem(leaf, None, leaf, options, kind, self.reached(origin), self.serial))
        return self.add_choice(
            ChoiceItem(f"%c{self.serial}", owner, leaf, options, kind, self.reached(origin), self.serial)
        )

    def numbered_choice(self, base: str, options: Options, kind: Kind, origin: Span) -> str:
        """A choice named after its scope, such as `s1.keep`; numbered where the scope has several."""
        scope = self.naming_scope()
        name = Named(scope, base)
        scope.names.append(name)
        return self.new_choice(name, "", options, kind, origin)

    def add_choice(self, choice: ChoiceItem) -> str:
        self.choices.append(choice)
        self.options[choice.variable] = choice.options
        self.peak[choice.variable] = choice.options[-1]
        return choice.variable

    # --- values at the largest sub-network ---

    def maximum(self, expr: Expr) -> int:
        """The value where every choice is at its last option, rounded down if it is no integer."""
        if isinstance(expr, int):
            return expr
        value = self.peak_value(expr)
        return value if isinstance(value, int) else int(value) if not isinstance(value, str) else 1

    def peak_value(self, expr: Expr) -> Option:
        if not isinstance(expr, (Var, Apply)):
            return expr
        known = self.peaks.get(expr)
        if known is None:
            missing = [name for name in free(expr) if name not in self.peak]
            values = {**self.peak, **dict.fromkeys(missing, 1)} if missing else self.peak
            known = self.peaks[expr] = evaluate(expr, values)
        return known

    def at_peak_widths(self, expr: Expr) -> Expr:
        """The expression with every width group at its maximum, as conditions see it."""
        widths = {name: self.groups[name].maximum for name in free(expr) if name in self.groups}
        return substitute(expr, dict(widths)) if widths else expr

    def folded(self, expr: Expr) -> Expr:
        """The expression, or the number it always is where no assignment changes it."""
        if not isinstance(expr, (Var, Apply)):
            return expr
        names = sorted(free(expr))
        if any(name not in self.options for name in names):
            return expr
        tables = [tuple(self.options[name]) for name in names]
        if prod(len(table) for table in tables) > SETTLE_LIMIT:
            return expr
        # What changes does so between the first options and the last, as a rule.
        ends = (tuple(table[place] for table in tables) for place in (0, -1))
        first = None
        for values in chain(ends, product(*tables)):
            value = evaluate(expr, dict(zip(names, values, strict=True)))
            first = value if first is None else first
            if value != first:
                return expr
        return first if first is not None else expr

    # --- agreement of shapes ---

    def tie(self, left: Tensor, right: Tensor, what: str, origin: Span) -> bool:
        """Demands equal shapes. What already differs at the largest sub-network is reported at once; returns False
        then."""
        if left.name in self.broken or right.name in self.broken:
            return False
        if not self.tie_space(left, right, what, origin):
            return False
        both_places = [(left.origin, self.describe(left)), (right.origin, self.describe(right))]
        if self.maximum(left.features) != self.maximum(right.features):
            projection = "conv(out, kernel=1)" if len(left.space) == 2 else "linear(out)"
            self.findings.report(
                CHANNEL_MISMATCH,
                origin,
                f"{what} have {self.maximum(left.features)} and {self.maximum(right.features)} channels",
                secondary=both_places,
                help=f"give both the same number of channels, or project one: `shortcut {{ {projection} }}`",
            )
            return False
        if left.channels != right.channels:
            places = left.origin, right.origin, self.reached(origin)
            meeting = (left.name, right.name) if left.name and right.name else ()
            self.ties.append(Tie(left.features, right.features, *places, what, meeting))
        return True

    def tie_space(self, left: Tensor, right: Tensor, what: str, origin: Span) -> bool:
        """Demands equal heights and widths; returns False where they differ at the largest sub-network already."""
        if left.name in self.broken or right.name in self.broken:
            return False
        same_rank = len(left.space) == len(right.space)
        if same_rank and all(self.maximum(a) == self.maximum(b) for a, b in zip(left.space, right.space, strict=True)):
            self.add_ties(list(zip(left.space, right.space, strict=True)), left, right, what, origin)
            return True
        self.findings.report(
            SIZE_MISMATCH,
            origin,
            f"{what} differ in height and width",
            secondary=[(left.origin, self.describe(left)), (right.origin, self.describe(right))],
            help="a stride inside needs a shortcut with the same stride: "
            "`residual { } shortcut { conv(.., stride=2) }`",
        )
        return False

    def cut_apart(self, size: Expr, places: tuple[int, ...], origin: Span) -> tuple[Expr, ...] | None:
        """The sizes of the parts of an elastic run, so many channels each in the largest network; None where it was cut
        otherwise before. A width group becomes several; of any other size each part has its share."""
        known = next((cut for cut in self.cuts if cut.size == size), None)
        if known is not None:
            return known.pieces if tuple(map(self.maximum, known.pieces)) == places else None
        group = self.groups.get(size.choice) if isinstance(size, Var) else None
        if group is None:
            pieces = tuple(apply("mul", size, Fraction(place, sum(places))) for place in places)
        elif any(place % group.multiple for place in places):
            return None
        else:
            for number, place in enumerate(places, start=1):
                name = f"{group.part}_{number}".lstrip("_")
                part = replace(group, variable=f"{group.variable}.{number}", maximum=place, part=name)
                self.groups[part.variable] = part
                self.peak[part.variable] = place
            pieces = tuple(Var(f"{group.variable}.{number}") for number in range(1, len(places) + 1))
        self.cuts.append(CutApart(size, pieces, self.reached(origin)))
        return pieces

    def add_ties(self, pairs: list[tuple[Expr, Expr]], left: Tensor, right: Tensor, what: str, origin: Span) -> None:
        for a, b in pairs:
            if a != b:
                self.ties.append(Tie(a, b, left.origin, right.origin, self.reached(origin), what))

    def describe(self, tensor: Tensor) -> str:
        size, channels = " x ".join(str(self.maximum(s)) for s in tensor.space), self.maximum(tensor.features)
        if len(tensor.space) == 1:
            return f"this has {size} tokens of {channels} channels"
        return f"this has {channels} channels" + (f" of {size}" if size else "")

    def add_op(self, op: OpItem) -> Tensor:
        """Puts an operation where lowering stands; its first output becomes the incoming tensor."""
        self.ops.append(op)
        self.room(op.origin).items.append(op)
        self.here = op.outputs[0]
        return self.here
