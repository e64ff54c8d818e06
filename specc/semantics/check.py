"""Names over the syntax tree: each is resolved, every call is given what it takes, no block calls itself.

All blocks are checked, called or not, so that a library block that nobody uses is still sound. What the names of calls
mean is kept (`semantics.meaning`), so that it is looked up here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache, partial

from specc.diagnostics import Findings
from specc.diagnostics.elsewhere import INPUTS, VALUES, operator_elsewhere
from specc.diagnostics.near import near
from specc.ir.parameter import REQUIRED, ListOf, Parameter, Signature, Type, Variants, Words
from specc.ops import find_norm, find_operator, norms, operators, outside_norms
from specc.plugins import BrokenPackage, brought
from specc.semantics.arithmetic import FUNCTION_ARITY, WRONG_TYPE
from specc.semantics.files import library_home
from specc.semantics.meaning import BlockCall, HeldWord, Meaning, Meanings, OperatorCall
from specc.semantics.names import RECURSION, UNKNOWN_NAME, Names, no_operator, not_reserved, once, statements_of
from specc.semantics.signature import EXTRA_ARGUMENT, MISSING_ARGUMENT, bind_arguments, tensor_in_parentheses
from specc.source import Span
from specc.syntax import ast

WIDTH_MODES = ("per_group", "uniform", "any", "fixed", "by")
WIDTH_WORDS = ("own", "follow", "fixed")
CONNECT_WORDS = ("dense", "triangular", "diagonal")
BANK_WORDS = ("shared", "skip", "width", "subnet")
SETTING_WORDS = frozenset(("in", "here", "norm", *WIDTH_WORDS, *CONNECT_WORDS, *BANK_WORDS))
OPERATOR_EXTRAS = ("width", "connect", "from")
INPUT_KINDS = ("image", "vector")


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
    """Reports unknown names, wrong arguments and recursion in every file; what the names of calls mean."""
    meanings: dict[ast.Name, Meaning] = {}
    for index, scope in enumerate(names.files):
        checker = Checker(names, index, findings, meanings)
        values = {v.name.name for v in scope.values}
        for block, home in scope.blocks.values():
            if home == index:
                checker.block(block, values)
        for value in scope.values:
            checker.expression(value.options if isinstance(value, ast.ChoiceStatement) else value.value, values)
        if index == 0:
            inside = values | {
                s.name.name
                for s in names.supernet.body.statements
                if isinstance(s, (ast.LetStatement, ast.ParamStatement))
            }
            inside.add("classes")
            checker.tensors = outer_tensors(names.supernet.body) - inside
            checker.body(names.supernet.body, inside | checker.tensors)
    check_recursion(names, findings)
    return meanings


def named_tensors(body: ast.Body) -> set[str]:
    """The names that calls in a body, and in the braces in it, give to tensors."""
    calls = (s for s in statements_of(body) if isinstance(s, ast.CallStatement))
    return {target.name for statement in calls for target in statement.targets}


def outer_tensors(body: ast.Body) -> set[str]:
    """The tensors with a name in a supernet: inputs, the ends of stages, and what calls are named."""
    found = named_tensors(body) | {"input"}
    stages = [s for s in body.statements if isinstance(s, ast.Stage)]
    numbered = [s for s in stages if s.kind == "stage"]
    found.update(s.name.name for s in stages if s.name is not None)
    found.update(s.kind if s.kind != "stage" else f"s{1 + numbered.index(s)}" for s in stages if s.name is None)
    found.update(s.name.name for s in body.statements if isinstance(s, ast.InputStatement) and s.name is not None)
    return found


class Checker:
    """One file's walk: what its blocks and values see, and where to report."""

    def __init__(self, names: Names, file: int, findings: Findings, meanings: dict[ast.Name, Meaning]) -> None:
        self.scope = names.files[file]
        self.choices = frozenset(names.choices)
        self.option_words = names.option_words
        self.findings = findings
        self.meanings = meanings
        self.tensors: set[str] = set()
        self.in_block = False

    def block(self, block: ast.Block, values: set[str]) -> None:
        inside = set(values)
        for parameter in block.parameters:
            if parameter.default is not None:
                self.expression(parameter.default, inside)
            inside.add(parameter.name.name)
        self.tensors = named_tensors(block.body) - inside
        self.in_block = True
        self.body(block.body, inside | self.tensors)
        self.in_block = False

    def body(self, body: ast.Body, outside: set[str]) -> None:
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
                case ast.ClassesStatement():
                    self.expression(statement.value, inside)
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
                    by = statement.by if isinstance(statement, ast.Stage) else (statement.by,)
                    levels = {"level.classes"} if any(b is not None and b.name == "level" for b in by) else set()
                    self.body(statement.body, inside | levels)
                case ast.Skippable():
                    self.body(statement.body, inside)
                    if self.in_block and statement.name is not None:
                        inside = inside | {statement.name.name}
                case ast.InputStatement():
                    kind = statement.shape.name
                    known = "inputs are `image(channels, height, width)` and `vector(features)`"
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

    def norm_setting(self, setting: ast.NormSetting, inside: set[str]) -> None:
        kind = setting.norm.name
        found = find_operator(find_norm(kind.name) or "")
        if found is None:
            self.unknown(kind.name, kind.span, "norm", (*norms(), *outside_norms()))
        else:
            bind_arguments(found.signature, setting.norm.args, setting.span, self.findings)
        self.arguments(setting.norm.args, inside)

    def call(self, call: ast.CallExpr, inside: set[str]) -> None:
        """Checks a call, and keeps what its name means."""
        name, args = call.name, call.args
        meaning = self.meaning(call, inside)
        if meaning is not None:
            self.meanings[name] = meaning
        elif name.name in inside:
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
        self.arguments(args, inside)

    def meaning(self, call: ast.CallExpr, inside: set[str]) -> Meaning | None:
        """What a call is of: an operator, what a name in a block holds, a block, an operator that a package brings."""
        name = call.name.name
        signature = written_operator(name)
        if signature is None and name in inside and name not in self.tensors:
            return HeldWord()
        if signature is None and name in self.scope.blocks:
            block, home = self.scope.blocks[name]
            bound = bind_arguments(block_signature(block), call.args, call.span, self.findings, also=("from",))
            return BlockCall(block, home, bound)
        if signature is None and name not in inside and name not in self.choices:
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

    def stands_for_tensor(self, signature: Signature, inside: set[str], value: ast.Expression) -> bool:
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
                operation = name not in inside and self.is_operation(value, inside)
                return name in self.tensors or (operation and name not in words)
        return False

    def tensor(self, value: ast.Expression, inside: set[str]) -> None:
        """What stands where a tensor must: a name of one, `here`, a call, or a call without arguments."""
        if isinstance(value, ast.CallExpr) and value.name.name not in FUNCTION_ARITY:
            self.call(value, inside)
        elif not isinstance(value, ast.Name) or value.name == "here":
            self.expression(value, inside)
        elif value.name in inside:
            if value.name not in self.tensors:
                self.meanings[value] = HeldWord()
        elif self.is_operation(value, inside):
            self.call(ast.CallExpr(value, (), value.span), inside)
        else:
            self.unknown(value.name, value.span, "tensor", ("here", *self.tensors))

    def word(self, signature: Signature, bound: Mapping[str, ast.Arg], arg: ast.Arg, inside: set[str]) -> bool:
        """Whether a name stands for one of a few words. Reports one that is none of them, nor a value."""
        for parameter in signature.parameters:
            value = arg.value
            if bound.get(parameter.name) is not arg or not isinstance(parameter.type, Words):
                continue
            words = parameter.type.words
            if isinstance(value, ast.Name) and value.name in words:
                return True
            if isinstance(value, ast.Name) and value.name not in inside:
                message = f"`{parameter.name}` of `{signature.name}` is one of {', '.join(words)}"
                help = near(value.name, words) or VALUES.get(value.name, "")
                self.findings.report(WRONG_TYPE, value.span, message, help=help)
                return True
        return False

    def arguments(self, args: tuple[ast.Arg, ...], inside: set[str]) -> None:
        for arg in args:
            named = arg.name is not None and arg.name.name == "connect"
            if arg.name is not None and arg.name.name == "from":
                self.tensor(arg.value, inside)
            elif named and isinstance(arg.value, ast.CallExpr) and arg.value.name.name in CONNECT_WORDS:
                self.arguments(arg.value.args, inside)  # triangular(6)
            else:
                self.expression(arg.value, inside)

    def expression(self, value: ast.Expression, inside: set[str]) -> None:
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
                    # In `choice op in {conv3, conv5}` the options are words of the spec's own.
                    if not isinstance(item, ast.Name):
                        self.expression(item, inside)
            case ast.CallExpr() if self.is_operation(value.name, inside):
                self.call(value, inside)
            case ast.CallExpr():
                self.function(value)
                self.arguments(value.args, inside)

    def name(self, name: ast.Name, inside: set[str]) -> None:
        word = name.name
        if word in inside or word in self.choices or word in self.option_words or word in SETTING_WORDS:
            return
        if word not in operators() and word not in known_words() and find_operator(word) is None:
            self.unknown(name.name, name.span, "value", {*(inside - self.tensors), *self.choices, *self.option_words})

    def is_operation(self, name: ast.Name, inside: set[str]) -> bool:
        """Whether a name stands for a call that gives a tensor: of an operator, a block, or a name that holds one."""
        word = name.name
        if word in FUNCTION_ARITY:
            return False
        own = written_operator(word) is not None or word in self.scope.blocks or word in inside
        return own or (word not in self.choices and outside_operator(word) is not None)

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
    return f"write `when {choice} == a {{ a }} else {{ b }}`, with the operators of its options in the place of a and b"


def check_recursion(names: Names, findings: Findings) -> None:
    """Follows the calls of every block; a call that leads back to an open one is reported, with the way it takes."""
    done: set[int] = set()

    def visit(block: ast.Block, home: int) -> None:
        """Goes down the calls without recursion: a chain of blocks may be longer than Python's stack."""
        path = [block]
        ahead = [iter(calls_of(block.body, names, home))]
        while path:
            found = next(ahead[-1], None)
            if found is None:
                done.add(id(path.pop()))
                ahead.pop()
                continue
            call, target = found
            if target[0] in path:
                way = [b.name.name for b in path[path.index(target[0]) :]]
                findings.report(
                    RECURSION,
                    call.span,
                    f"`{target[0].name.name}` calls itself: {' -> '.join([*way, target[0].name.name])}",
                    secondary=[(target[0].name.span, "the block is defined here")],
                    help="`repeat n { ... }` writes a body out n times",
                )
            elif id(target[0]) not in done:
                path.append(target[0])
                ahead.append(iter(calls_of(target[0].body, names, target[1])))

    for index, scope in enumerate(names.files):
        for block, home in scope.blocks.values():
            if home == index and id(block) not in done:
                visit(block, home)


def calls_of(body: ast.Body, names: Names, home: int) -> Iterable[tuple[ast.CallExpr, tuple[ast.Block, int]]]:
    """The block calls in a body, those in arguments included, with the blocks that they mean in their file."""
    for statement in statements_of(body):
        for call in nested_calls(statement.call) if isinstance(statement, ast.CallStatement) else ():
            if call.name.name in names.files[home].blocks:
                yield call, names.files[home].blocks[call.name.name]


def nested_calls(call: ast.CallExpr) -> Iterable[ast.CallExpr]:
    """A call and the calls among its arguments."""
    yield call
    for arg in call.args:
        if isinstance(arg.value, ast.CallExpr):
            yield from nested_calls(arg.value)
