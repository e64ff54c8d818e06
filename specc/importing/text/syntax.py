"""The tree of the language: statements become syntax; tensors, blocks and stages get names, norms a setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from specc.importing.network import Network
from specc.importing.text.asking import arguments, channels, is_layer, is_norm, norm_word, operator_of, type_of
from specc.importing.text.draft import text_of
from specc.importing.text.inline import called, used
from specc.importing.text.naming import attribute, free_name, legal, snake
from specc.importing.text.sections import Section
from specc.importing.text.solve import Block, Setting
from specc.importing.text.stack import is_block
from specc.importing.text.terms import SPAN, Apply, Par, evaluated, expression
from specc.importing.text.tree import (
    HERE,
    Argument,
    Body,
    Here,
    Let,
    Node,
    Operand,
    Ref,
    Repeat,
    Residual,
    Step,
    When,
)
from specc.ir.parameter import REQUIRED
from specc.outputs import output_kind
from specc.outputs.protocol import OutputKind
from specc.semantics.files import library_blocks
from specc.syntax import ast


def spec_text(network: Network, parts: Sequence[Section], blocks: Sequence[Block]) -> str:
    """The text of a network's sections and of the blocks that they call."""
    counts = used([part.body for part in parts], list(blocks))
    writing = Writing(blocks, block_names(blocks, counts))
    supernet = writing.supernet(network, parts)
    own = [n for n in range(len(blocks)) if counts[f"@{n}"] and not blocks[n].home]
    written = [writing.block(number) for number in reversed(own)]
    homes = sorted({blocks[n].home for n in range(len(blocks)) if counts[f"@{n}"] and blocks[n].home})
    imports = [ast.Import(name(f"std.{home}"), None, SPAN) for home in homes]
    return text_of([*imports, *reversed(written), supernet], begins_line)


def block_names(blocks: Sequence[Block], counts: Counter[str]) -> dict[str, str]:
    """A name for each block that is called, unique and none that an imported file has."""
    homes = {block.home for number, block in enumerate(blocks) if block.home and counts[f"@{number}"]}
    taken = {block for block, home in library_blocks().items() if home in homes}
    taken |= {parameter.name for block in blocks for parameter in block.parameters}
    taken |= {node.name for block in blocks for node in block.body if isinstance(node, Let)}
    names: dict[str, str] = {}
    for number, block in enumerate(blocks):
        if counts[f"@{number}"]:
            names[f"@{number}"] = block.name if block.home else free_name(block.name or "part", taken)
            taken.add(names[f"@{number}"])
    return names


def begins_line(node: ast.Statement) -> bool:
    """Whether a statement is a layer, a call of a block or one with braces."""
    if not isinstance(node, ast.CallStatement):
        return not isinstance(node, (ast.PredictsStatement, ast.NormSetting))
    word = node.call.name.name
    if node.targets or any(arg.name is not None and arg.name.name == "from" for arg in node.call.args):
        return True
    if word == "norm":
        return False
    try:
        operator = operator_of(word)
    except ValueError:
        return bool(node.call.args) or "_" in word
    tensors = bool(operator.signature.parameters) and operator.signature.parameters[0].type == "tensors"
    return is_layer(word) or tensors


SIDES = ("left", "right")


def name(text: str) -> ast.Name:
    return ast.Name(text, SPAN)


@dataclass(slots=True)
class Writing:
    """The tree being written.

    names     of the blocks, by their keys
    settings  the norms that are set where a block is called
    """

    blocks: Sequence[Block]
    names: dict[str, str]
    settings: dict[str, set[Setting | None]] = field(default_factory=dict)

    # --- the supernet --------------------------------------------------------------------------

    def supernet(self, network: Network, parts: Sequence[Section]) -> ast.Supernet:
        tensors = {each.name: self.input_name(network, each.name) for each in network.inputs}
        statements: list[ast.Statement] = []
        for each in network.inputs:
            sizes = tuple(ast.Arg(None, expression(size), SPAN) for size in each.shape)
            named = name(tensors[each.name]) if len(network.inputs) > 1 else None
            statements.append(ast.InputStatement(named, ast.CallExpr(name(each.kind), sizes, SPAN), SPAN))
        predicted = output_kind(network.kind)
        count = channels(network.shapes[network.output])
        statements.append(predicts(predicted, count))
        setting = common_setting(network)
        if setting is not None:
            statements.append(norm_setting(setting))
        taken = {*self.names.values(), *tensors.values()}
        stages = self.stage_names(parts, taken)
        frame = Frame(dict(tensors.items()), {*taken, *stages})
        for part, stage in zip(parts, stages, strict=True):
            body = part.body if part.kind != "head" else with_count(part.body, predicted.word, count, self.blocks)
            written = self.body(body, frame, setting, top=True)
            statements.append(ast.Stage(part.kind, name(stage) if part.kind == "stage" else None, (), written, SPAN))
        own = free_name(legal(network.name) or "network", set())
        return ast.Supernet(name(own), ast.Body(tuple(statements), SPAN), SPAN)

    def input_name(self, network: Network, value: str) -> str:
        if len(network.inputs) == 1:
            return "input"
        number = [each.name for each in network.inputs].index(value)
        return free_name(legal(value) or f"input{number + 1}", {*self.names.values()})

    def stage_names(self, parts: Sequence[Section], taken: set[str]) -> list[str]:
        """`s1`, `s2`, ... where modules have no names."""
        made: list[str] = []
        used_names = {"stem", "head", *taken}
        number = 0
        for part in parts:
            number += part.kind == "stage"
            if part.kind != "stage":
                made.append(part.kind)
                continue
            made.append(free_name(part.name or f"s{number}", {*used_names, *made}))
        return made

    # --- blocks --------------------------------------------------------------------------------

    def block(self, number: int) -> ast.Block:
        block, key = self.blocks[number], f"@{number}"
        settings = self.settings.get(key, set())
        setting = next(iter(settings)) if len(settings) == 1 else None
        words = {parameter.name for parameter in block.parameters}
        frame = Frame({}, {*words, *self.names.values()})
        tensors = [frame.parameter(i, block.tensors) for i in range(block.tensors)]
        body = self.body(block.body, frame, setting, top=True)
        parameters = [ast.BlockParameter(name(each), None, SPAN) for each in tensors]
        for parameter in block.parameters:
            default = None if parameter.default is REQUIRED else expression(parameter.default)
            parameters.append(ast.BlockParameter(name(parameter.name), default, SPAN))
        return ast.Block(name(self.names[key]), tuple(parameters), body, SPAN)

    # --- statements ----------------------------------------------------------------------------

    def body(self, body: Body, frame: Frame, setting: Setting | None, top: bool = False) -> ast.Body:
        """Statements in braces. Norms that are not the one that is set have a setting of their own: at the top where
        all norms of a block or a stage are of it."""
        statements: list[ast.Statement] = []
        own = norms_of(body)
        if top and len(own) == 1 and is_fixed(only := own.pop()) and (setting is None or only[0] != setting[0]):
            setting = only
            statements.append(norm_setting(only))
        for node in body:
            for_library = self.library_setting(node)
            if for_library is not None and setting != for_library:
                setting = for_library
                statements.append(norm_setting(setting))
            needed = norm_of(node)
            if needed is not None and (setting is None or setting[0] != needed[0]):
                setting = (needed[0], tuple(arg for arg in needed[1] if not isinstance(arg[1], (Par, Apply))))
                statements.append(norm_setting(setting))
            statements.append(self.statement(node, frame, setting))
        return ast.Body(tuple(statements), SPAN)

    def library_setting(self, node: Node) -> Setting | None:
        """The norm that must be set where a statement calls a block of the library."""
        words = [step.word for step, _ in called((node,)) if is_block(step.word)] if isinstance(node, Step) else []
        found = [self.blocks[int(str(word)[1:])].setting for word in words]
        return next((setting for setting in found if setting is not None), None)

    def statement(self, node: Node, frame: Frame, setting: Setting | None) -> ast.Statement:
        match node:
            case Step():
                call = self.call(node, frame, setting)
                sides = SIDES if len(node.results) == 2 else tuple(f"part{i + 1}" for i in range(len(node.results)))
                wanted = sides if len(node.results) > 1 else ("",)
                targets = tuple(name(frame.name(result, node, side)) for result, side in zip(node.results, wanted))
                return ast.CallStatement(targets, call, SPAN)
            case Residual():
                condition = None if node.adds is True else expression(node.adds)
                inside = self.body(node.body, frame, setting)
                shortcut = self.body(node.shortcut, frame, setting) if node.shortcut else None
                when = None if node.shortcut_if is True or shortcut is None else expression(node.shortcut_if)
                return ast.Residual(condition, inside, shortcut, when, SPAN)
            case When():
                return ast.When(expression(node.condition), self.body(node.body, frame, setting), None, SPAN)
            case Repeat():
                index = name(node.index) if node.index else None
                return ast.Repeat(expression(node.count), index, self.body(node.body, frame, setting), SPAN)
            case Let():
                return ast.LetStatement(name(node.name), expression(node.value), SPAN)
        raise TypeError(f"{type(node).__name__} can't be written")

    def call(self, step: Step, frame: Frame, setting: Setting | None) -> ast.CallExpr:
        args = [ast.Arg(None, self.operand(each, frame, setting), SPAN) for each in step.tensors]
        if isinstance(step.word, Par):
            word = step.word.name
        elif is_block(step.word):
            word = self.names[str(step.word)]
            self.settings.setdefault(str(step.word), set()).add(setting)
            args += self.block_arguments(step)
        elif is_norm(str(step.word)):
            word = "norm"
            said = dict(setting[1]) if setting is not None else {}
            differ = [(key, value) for key, value in step.args if said.get(key) != value]
            args += [ast.Arg(name(key), expression(value), SPAN) for key, value in differ]
        else:
            word = str(step.word)
            args += operator_arguments(step)
        if step.source != HERE:
            args.append(ast.Arg(name("from"), self.operand(step.source, frame, setting), SPAN))
        return ast.CallExpr(name(word), tuple(args), SPAN)

    def block_arguments(self, step: Step) -> list[ast.Arg]:
        """Sizes without a default by their order, everything else by its name."""
        block = self.blocks[int(str(step.word)[1:])]
        given = dict(step.args)
        made: list[ast.Arg] = []
        in_order = not step.tensors or block.tensors == len(step.tensors)
        required = [p for p in block.parameters if p.default is REQUIRED]
        for parameter in block.parameters:
            value = given[parameter.name]
            if parameter.default is not REQUIRED and same_value(value, told_by(parameter.default, given)):
                in_order = False
                continue
            by_order = in_order and parameter in required and (parameter.type == "channels" or len(required) == 1)
            in_order = by_order
            made.append(ast.Arg(None if by_order else name(parameter.name), expression(value), SPAN))
        return made

    def operand(self, operand: Operand, frame: Frame, setting: Setting | None) -> ast.Expression:
        match operand:
            case Here():
                return name("here")
            case Ref(key):
                return name(frame.name(key))
            case Step():
                call = self.call(operand, frame, setting)
                return call if call.args else call.name
        raise TypeError(f"{type(operand).__name__} can't be written")


@dataclass(slots=True)
class Frame:
    """The names of a body's tensors, by their key."""

    tensors: dict[str | int, str]
    taken: set[str]

    def parameter(self, number: int, count: int) -> str:
        return self.give(number, "x" if count == 1 or number == 0 else f"x{number + 1}")

    def name(self, key: str | int, step: Step | None = None, wanted: str = "") -> str:
        if key in self.tensors:
            return self.tensors[key]
        if wanted:
            return self.give(key, wanted)
        own = "" if step is None else attribute(step.place)
        word = "" if step is None or not isinstance(step.word, str) or is_block(step.word) else step.word
        return self.give(key, own or (f"{word}_out" if word else "") or "t")

    def give(self, key: str | int, wanted: str) -> str:
        made = free_name(snake(wanted), self.taken)
        self.tensors[key] = made
        self.taken.add(made)
        return made


def operator_arguments(step: Step) -> list[ast.Arg]:
    """The first parameter by its place where it has no default, all others by their names."""
    word = str(step.word)
    signature = operator_of(word).signature
    given = dict(step.args)
    made: list[ast.Arg] = []
    for number, parameter in enumerate(signature.parameters):
        if parameter.name not in given or same_value(given[parameter.name], parameter.default):
            continue
        by_order = number == 0 and parameter.default is REQUIRED and not step.tensors
        by_order = by_order and (parameter.type == "channels" or not operator_of(word).layer)
        made.append(
            ast.Arg(None if by_order else name(parameter.name), argument(given[parameter.name], parameter.type), SPAN)
        )
    return made


def argument(value: Argument, type: object) -> ast.Expression:
    if type == "text" and isinstance(value, str):
        return ast.Text(value, SPAN)
    return expression(value)


def told_by(default: object, given: Mapping[str, Argument]) -> object:
    """A default that may read the other arguments; a word of the library's own stands for itself."""
    value = evaluated(default, given)
    return value.name if isinstance(value, Par) and value == default else value


def same_value(value: object, default: object) -> bool:
    return type(value) is type(default) and value == default


def norm_of(node: Node) -> Setting | None:
    """The setting that a statement needs which is a norm."""
    if isinstance(node, Step) and isinstance(node.word, str) and not is_block(node.word) and is_norm(node.word):
        return node.word, node.args
    return None


def is_fixed(setting: Setting) -> bool:
    return not any(isinstance(value, (Par, Apply)) for _, value in setting[1])


def norms_of(body: Body) -> set[Setting]:
    """The norms that stand in a body itself, not in the blocks that it calls."""
    return {needed for step, _ in called(body) if (needed := norm_of(step)) is not None}


def common_setting(network: Network) -> Setting | None:
    """The norm that is set for the whole network: the one that most operations have."""
    counts: Counter[Setting] = Counter()
    for operation in network.operations:
        if is_norm(operation.operator):
            counts[operation.operator, arguments(operation, network.shapes)] += 1
    return counts.most_common(1)[0][0] if counts else None


def norm_setting(setting: Setting) -> ast.NormSetting:
    kind, args = setting
    defaults = operator_of(kind).signature.defaults
    differ = [(key, value) for key, value in args if value != defaults.get(key)]
    given = tuple(ast.Arg(name(key), expression(value), SPAN) for key, value in differ)
    return ast.NormSetting(ast.CallExpr(name(norm_word(kind)), given, SPAN), SPAN)


def predicts(kind: OutputKind, count: int) -> ast.PredictsStatement:
    """`classes 10`, `classes 21 each pixel`, `restores image(3)`."""
    value = expression(count)
    if kind.call:
        value = ast.CallExpr(name(kind.call), (ast.Arg(None, value, SPAN),), SPAN)
    return ast.PredictsStatement(name(kind.word), value, name(kind.each) if kind.each else None, SPAN)


def with_count(body: Body, word: str, count: int, blocks: Sequence[Block]) -> Body:
    """The head whose last statement says how many is predicted by its name: `linear(classes)`."""
    for number in range(len(body) - 1, -1, -1):
        node = body[number]
        if not isinstance(node, Step):
            return body
        types = types_of(node, blocks)
        args = tuple(
            (key, Par(word) if types[key] == "channels" and value == count else value) for key, value in node.args
        )
        if args != node.args:
            return (*body[:number], replace(node, args=args), *body[number + 1 :])
        if "channels" in types.values():
            return body
    return body


def types_of(step: Step, blocks: Sequence[Block]) -> dict[str, object]:
    word = cast(str, step.word)
    if is_block(word):
        return {p.name: p.type for p in blocks[int(word[1:])].parameters}
    return {key: type_of(word, key) for key, _ in step.args}
