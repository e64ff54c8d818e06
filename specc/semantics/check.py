"""Names over the syntax tree: each is resolved, every call is given what it takes, no block calls itself.

All blocks are checked, called or not, so that a library block that nobody uses is still sound. What each name means is
kept (`semantics.meaning`), so that it is looked up here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache, lru_cache, partial

from specc.diagnostics import Findings
from specc.diagnostics.elsewhere import INPUTS, VALUES, operator_elsewhere
from specc.diagnostics.near import near
from specc.ir.parameter import REQUIRED, ListOf, Parameter, Signature, Type, Variants, Words
from specc.ops import find_norm, find_operator, norms, operators, outside_norms
from specc.outputs import output_kinds
from specc.plugins import BrokenPackage, brought
from specc.semantics.arithmetic import FUNCTION_ARITY, WRONG_TYPE
from specc.semantics.files import library_home
from specc.semantics.meaning import BlockCall, FileValue, Meaning, Meanings, Means, OperatorCall
from specc.semantics.names import (
    DUPLICATE_NAME,
    RECURSION,
    UNKNOWN_NAME,
    Names,
    no_operator,
    not_reserved,
    once,
    statements_of,
)
from specc.semantics.signature import EXTRA_ARGUMENT, MISSING_ARGUMENT, bind_arguments, tensor_in_parentheses
from specc.source import Span
from specc.syntax import ast

WIDTH_MODES = ("per_group", "uniform", "any", "fixed", "by")
WIDTH_WORDS = ("own", "follow", "fixed")
CONNECT_WORDS = ("dense", "triangular", "diagonal")
BANK_WORDS = ("shared", "skip", "width", "subnet")
SETTING_WORDS = frozenset(("in", "here", "norm", *WIDTH_WORDS, *CONNECT_WORDS, *BANK_WORDS))
OPERATOR_EXTRAS = ("width", "connect", "from")
INPUT_KINDS = ("image", "vector", "signal")


@lru_cache(maxsize=64)
def block_signature(block: ast.Block) -> Signature:
    """A block's parameters in the form that arguments are matched with."""
    parameters = (Parameter(p.name.name, "number", REQUIRED if p.default is None else None) for p in block.parameters)
    return Signature(block.name.name, tuple(parameters))


@lru_cache(maxsize=256)
def written_operator(name: str) -> Signature | None:
    """The signature behind an operator's name as a spec writes it: `norm` stands for the norm that is set.

    One of specc's own; `outside_operator` finds those that packages bring.
    """
    if name == "norm":
        return norm_signature()
    operator = operators().get(name)
    return None if operator is None or not operator.written else operator.signature


def outside_operator(name: str) -> Signature | None:
    """The signature behind the name of an operator that a package brings."""
    operator = None if name in operators() else find_operator(name)
    return None if operator is None or not operator.written else operator.signature


@cache
def norm_signature() -> Signature:
    """What `norm` may be given: the parameters of every norm. Lowering knows which norm is set."""
    return all_of(norms().values())


def all_of(kinds: Iterable[str]) -> Signature:
    """The parameters of several norms."""
    found = (operator for operator in map(find_operator, kinds) if operator is not None)
    parameters = {p.name: p for operator in found for p in operator.signature.parameters}
    return Signature("norm", tuple(parameters.values()))


def operator_names() -> tuple[str, ...]:
    """The operators that a spec may write, specc's own and those that packages bring, but for broken packages'."""
    own = (name for name in operators() if written_operator(name) is not None)
    return ("norm", *own, *filter(is_usable, brought("specc.operators")))


def is_usable(name: str) -> bool:
    """Whether a spec can write an operator that a package brings."""
    try:
        return outside_operator(name) is not None
    except BrokenPackage:
        return False


@cache
def known_words() -> frozenset[str]:
    """Words that have a meaning as a value: operators' modes, width and bank words, operators themselves."""

    def words(type_: Type) -> Iterable[str]:
        match type_:
            case Words(own):
                return own
            case ListOf(item):
                return words(item)
            case Variants(signatures):
                return [s.name for s in signatures]
        return ()

    found = {word for op in operators().values() for p in op.signature.parameters for word in words(p.type)}
    return frozenset((*found, *SETTING_WORDS, *operator_names()))


def check_names(names: Names, findings: Findings) -> Meanings:
    """Reports unknown names, wrong arguments and recursion in every file; what each name means."""
    meanings: dict[ast.Name, Meaning] = {}
    for index, scope in enumerate(names.files):
        checker = Checker(names, index, findings, meanings)
        for value in scope.values:  # each sees those before it; imported ones were seen in their own file
            if value not in scope.imported:
                checker.expression(value.options if isinstance(value, ast.ChoiceStatement) else value.value)
            if not isinstance(value, ast.ChoiceStatement):
                checker.values[value.name.name] = FileValue(value)
        for block in scope.own_blocks:
            checker.block(block)
        if index == 0:
            checker.supernet(names.supernet.body, names.stages)
    check_recursion(names, meanings, findings)
    return meanings


def named_tensors(body: ast.Body) -> set[str]:
    """The names that calls in a body, and in the braces in it, give to tensors."""
    calls = (s for s in statements_of(body) if isinstance(s, ast.CallStatement))
    return {target.name for statement in calls for target in statement.targets}


class Checker:
    """One file's walk: what its blocks and values see, and where to report.

    `values` are those of the file, `tensors` the names that the block or supernet around gives to tensors; `inside`, in
    the methods, has the names of other things that it defines up to there.
    """

    def __init__(self, names: Names, file: int, findings: Findings, meanings: dict[ast.Name, Meaning]) -> None:
        self.scope = names.files[file]
        self.choices = frozenset(names.choices)
        self.option_words = names.option_words
        self.findings = findings
        self.meanings = meanings
        self.values: dict[str, FileValue] = {}
        self.tensors: set[str] = set()
        self.in_block = True

    def block(self, block: ast.Block) -> None:
        inside: set[str] = set()
        self.tensors = set()
        for parameter in block.parameters:
            if parameter.default is not None:
                self.expression(parameter.default, inside)
            inside.add(parameter.name.name)
        self.tensors = named_tensors(block.body)
        self.body(block.body, inside)

    def supernet(self, body: ast.Body, stages: Mapping[ast.Stage, str]) -> None:
        inputs: set[str] = set()
        first: dict[str, ast.Stage] = {}
        for statement in body.statements:
            if isinstance(statement, ast.InputStatement):
                name = "input" if statement.name is None else statement.name.name
                if name in inputs:
                    span, help = (statement.name or statement).span, "name each: `input left image(..)`"
                    self.findings.report(DUPLICATE_NAME, span, f"there is an input `{name}` already", help=help)
                inputs.add(name)
            elif isinstance(statement, ast.Stage):
                name = stages[statement]
                if name in first:
                    span, there = (statement.name or statement).span, [(first[name].span, "it is here")]
                    self.findings.report(DUPLICATE_NAME, span, f"there is a `{name}` already", secondary=there)
                first.setdefault(name, statement)
        self.tensors = {*named_tensors(body), "input", *inputs, *first}
        self.in_block = False
        self.body(body, set())

    def body(self, body: ast.Body, outside: Set[str]) -> None:
        inside = outside
        lets: dict[str, Span] = {}
        for statement in body.statements:
            match statement:
                case ast.LetStatement():
                    once(statement.name, lets, self.findings)
                    no_operator(statement.name, self.findings)
                    self.expression(statement.value, inside)
                    inside = inside | {statement.name.name}
                case ast.ParamStatement():
                    self.expression(statement.value, inside)
                    inside = inside | {statement.name.name}
                case ast.PredictsStatement():
                    self.predicted(statement, inside)
                    inside = inside | {statement.word.name}
                case ast.CallStatement():
                    for target in statement.targets:
                        not_reserved(target, self.findings)
                    self.call(statement.call, inside)
                case ast.NormSetting():
                    self.norm_setting(statement, inside)
                case ast.WidthSetting():
                    self.one_of(statement.mode, WIDTH_MODES, "width mode", f"the modes are: {', '.join(WIDTH_MODES)}")
                    for part in (statement.options, statement.round):
                        if part is not None:
                            self.expression(part, inside)
                case ast.ChoiceStatement():
                    self.expression(statement.options, inside)
                    if self.in_block:
                        once(statement.name, lets, self.findings)
                        no_operator(statement.name, self.findings)
                        inside = inside | {statement.name.name}
                case ast.Repeat():
                    self.expression(statement.count, inside)
                    index = set() if statement.index is None else {statement.index.name}
                    self.body(statement.body, inside | index)
                case ast.Residual():
                    for condition in (statement.condition, statement.shortcut_condition):
                        if condition is not None:
                            self.expression(condition, inside)
                    self.body(statement.body, inside)
                    if statement.shortcut is not None:
                        self.body(statement.shortcut, inside)
                case ast.When():
                    self.expression(statement.condition, inside)
                    self.body(statement.body, inside)
                    if statement.otherwise is not None:
                        self.body(statement.otherwise, inside)
                case ast.ConnectSetting():
                    self.arguments(statement.connection.args, inside)
                case ast.Branches():
                    for part in (statement.count, statement.by):
                        if part is not None:
                            self.expression(part, inside)
                    self.body(statement.body, inside)
                case ast.LabelsStatement():
                    for _, count, _ in statement.levels:
                        self.expression(count, inside)
                case ast.Stage() | ast.Exit():
                    self.body(statement.body, self.classifier(statement, inside))
                case ast.Skippable():
                    self.body(statement.body, inside)
                    if self.in_block and statement.name is not None:
                        inside = inside | {statement.name.name}
                case ast.InputStatement():
                    kind = statement.shape.name
                    known = "inputs are `image(channels, height, width)`, `vector(n)` and `signal(channels, length)`"
                    self.one_of(kind, INPUT_KINDS, "input", INPUTS.get(kind.name, known))
                    for arg in statement.shape.args:
                        self.expression(arg.value, inside)
                        if arg.name is not None and arg.name.name != "resolution":
                            message = f"an input has no `{arg.name.name}`"
                            self.findings.report(UNKNOWN_NAME, arg.name.span, message, help="it may have `resolution=`")

    def one_of(self, name: ast.Name, words: tuple[str, ...], what: str, otherwise: str) -> None:
        """Reports a word that is none of a few."""
        if name.name not in words:
            help = near(name.name, words) or otherwise
            self.findings.report(UNKNOWN_NAME, name.span, f"there is no {what} `{name.name}`", help=help)

    def norm_setting(self, setting: ast.NormSetting, inside: Set[str]) -> None:
        kind = setting.norm.name
        found = find_operator(find_norm(kind.name) or "")
        if found is None:
            self.unknown(kind.name, kind.span, "norm", (*norms(), *outside_norms()))
        else:
            bind_arguments(found.signature, setting.norm.args, setting.span, self.findings)
        self.arguments(setting.norm.args, inside)

    def classifier(self, statement: ast.Stage | ast.Exit, inside: Set[str]) -> Set[str]:
        """The names in the braces of a stage, head or exit. What it stands `by` has one option, or level, there."""
        by = statement.by if isinstance(statement, ast.Stage) else (statement.by,)
        names = [name for name in by if name is not None]
        found = {"level.classes"} if any(name.name == "level" for name in names) else set()
        choice = next((name for name in names if name.name != "level"), None)
        if choice is None or not isinstance(statement, ast.Stage) or statement.kind != "head":
            return inside | found
        if choice.name not in self.choices:
            help = near(choice.name, (*self.choices, "level"))
            help = help or "a head is made by a declared choice: `choice k in 1..4`"
            self.findings.report(UNKNOWN_NAME, choice.span, f"there is no choice `{choice.name}`", help=help)
        return inside | found | {choice.name}

    def call(self, call: ast.CallExpr, inside: Set[str]) -> None:
        """Checks a call, and keeps what its name means."""
        name, args = call.name, call.args
        meaning = self.called(call, inside)
        if meaning is not None:
            self.meanings[name] = meaning
        elif name.name in self.tensors:
            message = f"`{name.name}` is a tensor; expected an operator or a block"
            self.findings.report(WRONG_TYPE, name.span, message)
        elif name.name in self.choices:
            message = f"`{name.name}` is a choice; expected an operator or a block"
            self.findings.report(WRONG_TYPE, name.span, message, help=by_when(name.name))
        else:
            self.unknown(name.name, name.span, "operator or block", (*operator_names(), *self.scope.blocks))
        if isinstance(meaning, OperatorCall):
            args = meaning.args
            if meaning.source is not None:
                self.tensor(meaning.source.value, inside)
            args = tuple(arg for arg in args if not self.word(meaning.signature, meaning.bound, arg, inside))
            if meaning.takes_tensors:
                for arg in args:
                    if arg.name is None:
                        self.tensor(arg.value, inside)
                args = tuple(arg for arg in args if arg.name is not None)
        self.arguments(args, inside, tensors=not isinstance(meaning, OperatorCall))

    def called(self, call: ast.CallExpr, inside: Set[str]) -> Meaning | None:
        """What a call is of: an operator, what a name in a block holds, a block, an operator that a package brings."""
        name = call.name.name
        signature = written_operator(name)
        if signature is None and (held := self.held(name, inside)) is not None:
            return held
        if signature is None and (block := self.scope.blocks.get(name)) is not None:
            bound = bind_arguments(block_signature(block), call.args, call.span, self.findings, also=("from",))
            return BlockCall(block, bound)
        if signature is None and name not in self.tensors and name not in self.choices:
            signature = outside_operator(name)
        if signature is None:
            return None
        known = {*signature.names, *OPERATOR_EXTRAS}
        if name == "norm" and any(arg.name is not None and arg.name.name not in known for arg in call.args):
            signature = all_of((*norms().values(), *outside_norms().values()))
        stands = partial(self.stands_for_tensor, signature, inside)
        source = tensor_in_parentheses(signature, call.args, stands)
        args = call.args if source is None else call.args[1:]
        bound = bind_arguments(signature, args, call.span, self.findings, also=OPERATOR_EXTRAS)
        return OperatorCall(name, signature, bound, args, source)

    def stands_for_tensor(self, signature: Signature, inside: Set[str], value: ast.Expression) -> bool:
        """Whether a value in an operator's parentheses is a tensor. Of an operator with parameters a parameter of the
        block around it may be either, which is known where the block is called."""
        match value:
            case ast.CallExpr():
                return self.is_operation(value.name, inside)
            case ast.Name("here"):
                return True
            case ast.Name(name) if not signature.parameters:
                return name not in FUNCTION_ARITY
            case ast.Name(name):
                words = {w for p in signature.parameters if isinstance(p.type, Words) for w in p.type.words}
                operation = not self.is_given(name, inside) and self.is_operation(value, inside)
                return name in self.tensors - inside or (operation and name not in words)
        return False

    def held(self, name: str, inside: Set[str]) -> Meaning | None:
        """What a name means that holds a value: one in the block or supernet around, or else one of the file."""
        if name in inside:
            return Means.LOCAL
        return None if name in self.tensors else self.values.get(name)

    def tensor(self, value: ast.Expression, inside: Set[str]) -> None:
        """What stands where a tensor must: a name of one, `here`, a call, or a call without arguments."""
        if isinstance(value, ast.CallExpr) and value.name.name not in FUNCTION_ARITY:
            self.call(value, inside)
        elif not isinstance(value, ast.Name):
            self.expression(value, inside)
        elif value.name == "here":
            self.meanings[value] = Means.TENSOR
        elif (held := self.held(value.name, inside)) is not None:
            self.meanings[value] = held
        elif value.name in self.tensors:
            self.meanings[value] = Means.TENSOR
        elif self.is_operation(value, inside):
            self.call(ast.CallExpr(value, (), value.span), inside)
        else:
            self.unknown(value.name, value.span, "tensor", ("here", *self.tensors))

    def word(self, signature: Signature, bound: Mapping[str, ast.Arg], arg: ast.Arg, inside: Set[str]) -> bool:
        """Whether a name stands for one of a few words. Reports one that is none of them, nor a value."""
        for parameter in signature.parameters:
            value = arg.value
            if bound.get(parameter.name) is not arg or not isinstance(parameter.type, Words):
                continue
            words = parameter.type.words
            if isinstance(value, ast.Name) and value.name in words:
                self.meanings[value] = self.valued(value.name, inside)
                return True
            if isinstance(value, ast.Name) and not self.is_given(value.name, inside):
                message = f"`{parameter.name}` of `{signature.name}` is one of {', '.join(words)}"
                help = near(value.name, words) or VALUES.get(value.name, "")
                self.findings.report(WRONG_TYPE, value.span, message, help=help)
                return True
        return False

    def arguments(self, args: tuple[ast.Arg, ...], inside: Set[str], tensors: bool = False) -> None:
        """What is given to a call. With `tensors`, as to a block, a name that stands for a tensor is meant as one."""
        for arg in args:
            named = arg.name is not None and arg.name.name == "connect"
            if arg.name is not None and arg.name.name == "from":
                self.tensor(arg.value, inside)
            elif named and isinstance(arg.value, ast.CallExpr) and arg.value.name.name in CONNECT_WORDS:
                self.arguments(arg.value.args, inside)  # triangular(6)
            elif tensors and isinstance(arg.value, ast.Name) and arg.value.name in self.tensors - inside:
                self.meanings[arg.value] = Means.TENSOR
            else:
                self.expression(arg.value, inside)

    def expression(self, value: ast.Expression, inside: Set[str] = frozenset()) -> None:
        match value:
            case ast.Name():
                self.name(value, inside)
            case ast.Unary():
                self.expression(value.operand, inside)
            case ast.Binary():
                self.expression(value.left, inside)
                self.expression(value.right, inside)
            case ast.RangeExpr():
                for part in (value.low, value.high, value.step):
                    if part is not None:
                        self.expression(part, inside)
            case ast.ListExpr():
                for item in value.items:
                    self.expression(item, inside)
            case ast.SetExpr():
                for item in value.items:
                    if isinstance(
                        item, ast.Name
                    ):  # in `choice op in {conv3, conv5}` it may be a word of the spec's own
                        self.meanings[item] = self.valued(item.name, inside)
                    else:
                        self.expression(item, inside)
            case ast.CallExpr() if self.is_operation(value.name, inside):
                self.call(value, inside)
            case ast.CallExpr():
                self.function(value)
                self.arguments(value.args, inside)

    def name(self, name: ast.Name, inside: Set[str]) -> None:
        """A name where a value is expected."""
        word = name.name
        meaning = self.meanings[name] = self.valued(word, inside)
        if meaning is not Means.WORD or word in self.option_words or word in SETTING_WORDS:
            return
        kind = None if self.in_block else next((kind for kind in output_kinds() if kind.word == word), None)
        if kind is not None:
            help = f"say how many there are, before the stem: `{kind.example}`"
            self.findings.report(UNKNOWN_NAME, name.span, f"{kind.counted} is not known here", help=help)
        elif word not in operators() and word not in known_words() and find_operator(word) is None:
            candidates = {*(inside - self.tensors), *self.values, *self.choices, *self.option_words}
            candidates |= set() if self.in_block else {"classes"}
            self.unknown(name.name, name.span, "value", candidates)

    def predicted(self, statement: ast.PredictsStatement, inside: Set[str]) -> None:
        """What heads predict: a number, or `image(3)`."""
        if isinstance(statement.value, ast.CallExpr) and statement.word.name == "restores":
            self.arguments(statement.value.args, inside)
        else:
            self.expression(statement.value, inside)

    def valued(self, name: str, inside: Set[str]) -> Meaning:
        """What a name means where a value is expected; a word where it is nothing else."""
        if name == "in":
            return Means.INCOMING
        if name in inside:
            return Means.LOCAL
        if name in self.values:
            return self.values[name]
        if name in self.choices:
            return Means.CHOICE
        return Means.TENSOR if name in self.tensors or name == "here" else Means.WORD

    def is_operation(self, name: ast.Name, inside: Set[str]) -> bool:
        """Whether a name stands for a call that gives a tensor: of an operator, a block, or a name that holds one."""
        word = name.name
        if word in FUNCTION_ARITY:
            return False
        own = written_operator(word) is not None or word in self.scope.blocks or self.is_given(word, inside)
        return own or (word not in self.choices and outside_operator(word) is not None)

    def is_given(self, name: str, inside: Set[str]) -> bool:
        """Whether the spec gives a name to a value or a tensor, choices apart."""
        return name in inside or name in self.tensors or name in self.values

    def function(self, call: ast.CallExpr) -> None:
        name = call.name.name
        if name not in FUNCTION_ARITY:
            self.unknown(name, call.name.span, "function", FUNCTION_ARITY)
            return
        needed = FUNCTION_ARITY[name]
        for arg in call.args:
            if arg.name is not None:
                self.findings.report(EXTRA_ARGUMENT, arg.name.span, f"`{name}` takes unnamed arguments only")
        if len(call.args) < (needed or 2):
            self.findings.report(MISSING_ARGUMENT, call.span, f"`{name}` needs {needed or 'at least 2'} arguments")
        elif needed and len(call.args) > needed:
            self.findings.report(EXTRA_ARGUMENT, call.args[needed].span, f"`{name}` takes {needed} arguments")

    def unknown(self, name: str, span: Span, what: str, candidates: Iterable[str]) -> None:
        if self.findings.many:
            self.findings.report(UNKNOWN_NAME, span, f"there is no {what} `{name}` here")
            return
        listed = sorted(candidates)
        home = library_home(name) if what == "operator or block" else ""
        imports = f"it is in the library: `import std.{home}`" if home else ""
        elsewhere = operator_elsewhere(name)
        if what == "value":
            elsewhere = VALUES.get(name) or elsewhere
        elif what == "tensor":
            elsewhere = near(name, listed) or "a tensor is named where it is made: `a = conv(64, kernel=3)`"
        known = f"known here: {', '.join(listed)}" if 0 < len(listed) <= 12 else ""
        if what == "operator or block" and not known:
            blocks = [block for block in listed if block in self.scope.blocks]
            here = f"the blocks here are {', '.join(blocks)}; " if 0 < len(blocks) <= 12 else ""
            known = f"{here}`specc explain operators` lists what there is"
        help = imports or elsewhere or near(name, listed) or known
        self.findings.report(UNKNOWN_NAME, span, f"there is no {what} `{name}` here", help=help)


def by_when(choice: str) -> str:
    """How a choice among operators is written."""
    return f"write `when {choice} == a {{ a }} else {{ b }}`, with the operators of its options for a and b"


def check_recursion(names: Names, meanings: Meanings, findings: Findings) -> None:
    """Follows the calls of every block; a call that leads back to an open one is reported, with the way it takes."""
    done: set[ast.Block] = set()

    def visit(block: ast.Block) -> None:
        """Goes down the calls without recursion: a chain of blocks may be longer than Python's stack."""
        path = [block]
        ahead = [calls_of(block.body, meanings)]
        while path:
            found = next(ahead[-1], None)
            if found is None:
                done.add(path.pop())
                ahead.pop()
                continue
            call, target = found
            if target in path:
                way = [b.name.name for b in path[path.index(target) :]]
                findings.report(
                    RECURSION,
                    call.span,
                    f"`{target.name.name}` calls itself: {' -> '.join([*way, target.name.name])}",
                    secondary=[(target.name.span, "the block is defined here")],
                    help="`repeat n { ... }` writes a body out n times",
                )
            elif target not in done:
                path.append(target)
                ahead.append(calls_of(target.body, meanings))

    for scope in names.files:
        for block in scope.own_blocks:
            if block not in done:
                visit(block)


def calls_of(body: ast.Body, meanings: Meanings) -> Iterator[tuple[ast.Expression, ast.Block]]:
    """The block calls in a body, those in arguments included, with the blocks that they mean."""
    for statement in statements_of(body):
        for call in nested_calls(statement.call) if isinstance(statement, ast.CallStatement) else ():
            meaning = meanings.get(call.name if isinstance(call, ast.CallExpr) else call)
            if isinstance(meaning, BlockCall):
                yield call, meaning.block


def nested_calls(call: ast.CallExpr) -> Iterator[ast.CallExpr | ast.Name]:
    """A call, and the calls and bare names among its arguments."""
    yield call
    for arg in call.args:
        if isinstance(arg.value, ast.CallExpr):
            yield from nested_calls(arg.value)
        elif isinstance(arg.value, ast.Name):
            yield arg.value
