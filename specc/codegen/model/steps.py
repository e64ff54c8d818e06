"""A class's forward: its nodes as statements, and the lines they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from specc.codegen.model.flow import Branch, Loop, Select, Statement, Step
from specc.codegen.model.forward import forward_body
from specc.codegen.model.guards import choices_in
from specc.codegen.model.merge import Arm, Guarded, Join, Mask, Node, Place, RoundsDiffer
from specc.codegen.model.naming import tensor_names
from specc.codegen.model.needs import is_elastic
from specc.codegen.model.outputs import WANTED, exit_test, is_rest, wanted_text
from specc.codegen.model.render import condition
from specc.codegen.model.shapes import shape_comment
from specc.codegen.model.structure import OpEntry, Part
from specc.ir.expr import Apply, Expr, Var, apply, evaluate
from specc.ops.writing import Written
from specc.python.layout import WIDTH, call, guarded
from specc.python.literals import quoted

if TYPE_CHECKING:
    from specc.codegen.model.context import Class, Context

INPUT_NAMES: Final = ("x", "y", "z", "u", "v", "w")
FLAG: Final = "%flag."
"""What stands for a flag of the class among the choices of conditions."""


def statements(context: Context, cls: Class) -> list[Statement]:
    """A class's nodes as statements of its forward."""
    from specc.codegen.model.classes import attribute_of, flag_of, is_module, run_of

    def called(choice: str) -> str:
        if choice.startswith(WANTED) and choice in cls.shown:
            return f"p.{cls.shown[choice]} is not None"
        if choice.startswith(FLAG):
            return f"self.{choice.removeprefix(FLAG)}"
        return f"p.{attribute_of(cls, choice)}" if choice in cls.choices else wanted_text(choice, "p.wanted")

    def text_of(guard: Expr, opposite: bool = False) -> str:
        if not is_rest(context.choices, guard):
            return condition(guard, called)
        exits = context.choices[choices_in(guard)[0]]
        at = frozenset(o for o in exits.options if bool(evaluate(guard, {exits.name: o})) is not opposite)
        return exit_test(at, exits, called(exits.name))

    def flag_guard(mask: Mask, arm: Arm | None = None) -> Expr:
        flag, opposite = flag_of(cls, arm or Arm(mask, []))
        return apply("not", Var(FLAG + flag.name)) if opposite else Var(FLAG + flag.name)

    def joining(masks: Sequence[Mask]) -> Expr | None:
        """The condition under which an instance has anything to join; None where all have."""
        somewhere = tuple(any(column) for column in zip(*masks, strict=True))
        if all(somewhere):
            return None
        if somewhere in cls.flags or tuple(not there for there in somewhere) in cls.flags:
            return flag_guard(somewhere)
        return reduce(lambda a, b: apply("or", a, b), [flag_guard(mask) for mask in masks])

    def branch(guard: Expr, statement: Statement) -> Branch:
        return Branch(condition(guard, called), guard, (statement,))

    def convert(nodes: Sequence[Node], last: bool) -> list[Statement]:
        """`last` says that nothing follows these nodes in the forward."""
        found: list[Statement] = []
        skipped: Node | None = None
        for number_, node in enumerate(nodes, 1):
            following = nodes[number_] if number_ < len(nodes) else None
            if node is skipped:
                continue
            run = run_of(node)
            if run:
                if number_ == 1 or run_of(nodes[number_ - 2]) != run:
                    found.append(loop(context, cls, run, [n for n in nodes if run_of(n) == run]))  # type: ignore[misc]
                continue
            match node:
                case Guarded() if node.partial:
                    there = next((place.attribute for place in node.places() if is_module(cls, place)), "")
                    if not there:
                        raise RoundsDiffer(frozenset(part.run for part in cls.merged.parts))
                    body = tuple(convert(node.nodes, False))
                    found.append(Branch(f"p.{there} is not None", Var(f"%there.{there}"), body))
                case Guarded():
                    rest = last and number_ == len(nodes) and is_rest(context.choices, node.guard)
                    body = tuple(convert(node.nodes, rest))
                    unless = text_of(node.guard, True) if rest else ""
                    found.append(Branch(text_of(node.guard), node.guard, body, unless))
                case Arm() if (chosen := either(node, following)) is not None:
                    place, join = chosen
                    made = statement(context, cls, place, text_of)
                    assert isinstance(made, Step)
                    test = condition(flag_guard(node.mask, node), called)
                    call_ = f"{made.call} if {test} else {{{len(made.inputs)}}}"
                    inputs = (*made.inputs, join.inputs[1])
                    found.append(Step(call_, inputs, (join.output,), shape=made.shape, nests=True))
                    skipped = following
                case Arm():
                    guard = flag_guard(node.mask, node)
                    found.append(Branch(condition(guard, called), guard, tuple(convert(node.nodes, False))))
                case Join():
                    known: list[Expr] = []
                    for mask in node.masks[:-1]:
                        known.append(1 if all(mask) else flag_guard(mask))
                    guards = (*known, 1)
                    texts = tuple(condition(g, called) if isinstance(g, (Var, Apply)) else "True" for g in guards)
                    select = Select(node.inputs, node.output, texts, guards)
                    found.append(select if (some := joining(node.masks)) is None else branch(some, select))
                case Place():
                    found.append(statement(context, cls, node, text_of))
        return found

    found = convert(cls.merged.nodes, True)
    kept = {*cls.merged.outputs, *noted_here(context, cls)}
    return folded(found, Counter(read for s in flat(found) for read in s.inputs), kept)


def loop(context: Context, cls: Class, run: int, places: Sequence[Place]) -> Loop:
    """The rounds of a repeat. Raises RoundsDiffer where the rounds do not hand on their tensors in one way."""
    first, last = places[0], places[-1]
    ways = set()
    if len({place.first.cls for place in places if isinstance(place.first, Part)}) > 1:
        raise RoundsDiffer(frozenset({run}))
    for before, after in pairwise(places):
        ways.add(tuple(before.outputs.index(t) if t in before.outputs else -1 for t in after.inputs))
        if any(t not in before.outputs and t != first.inputs[i] for i, t in enumerate(after.inputs)):
            raise RoundsDiffer(frozenset({run}))
    (way,) = ways if len(ways) == 1 else (None,)
    used = [] if way is None else [j for j in way if j >= 0]
    if way is None or len(set(used)) < len(used):
        raise RoundsDiffer(frozenset({run}))
    child = context.of(last.first) if isinstance(last.first, Part) else None
    cut = ", p" if child is not None and child.has_plan else ""
    args = ", ".join(f"{{{i}}}" for i in range(len(first.inputs)))
    carried = tuple((i, j) for i, j in enumerate(way) if j >= 0)
    shape = shape_comment(context.structure, cls, last, context.largest)
    return Loop(f"self.{cls.loops[run]}", f"{args}{cut}", first.inputs, last.outputs, carried, shape)


def flat(statements: Iterable[Statement]) -> Iterator[Step | Select | Loop]:
    for statement in statements:
        if isinstance(statement, Branch):
            yield from flat(statement.body)
        else:
            yield statement


def folded(statements: Sequence[Statement], reads: Mapping[str, int], kept: Set[str]) -> list[Statement]:
    """Statements with the calls of parts and layers just before a concatenation as its arguments:
    `torch.cat((x, self.b1(x, p.b1)), 1)`."""
    found: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Branch):
            body = tuple(folded(statement.body, reads, kept))
            found.append(replace(statement, body=body))
        elif isinstance(statement, Step) and statement.absorbs:
            found.append(absorbing(statement, found, reads, kept))
        else:
            found.append(statement)
    return found


def absorbing(step: Step, before: list[Statement], reads: Mapping[str, int], kept: Set[str]) -> Step:
    """A step with those before it that it alone reads, in their order, as far as they fit; takes them from `before`."""
    taken: list[Step] = []
    wanted = [t for t in step.inputs if reads[t] == 1 and t not in kept]
    length = len(step.call)
    while before and wanted:
        last = before[-1]
        if not isinstance(last, Step) or not last.folds or last.outputs != (wanted[-1],):
            break
        length += len(last.call)
        if length > WIDTH - 24:
            break
        taken.insert(0, last)
        before.pop()
        wanted.pop()
    made = {s.outputs[0]: s for s in taken}
    texts: list[str] = []
    inputs: list[str] = []
    for tensor in step.inputs:
        inner = made.get(tensor)
        own = inner.inputs if inner is not None else (tensor,)
        places = [f"{{{len(inputs) + i}}}" for i in range(len(own))]
        texts.append(inner.call.format(*places) if inner is not None else places[0])
        inputs += own
    return replace(step, call=step.call.format(*texts), inputs=tuple(inputs))


def either(arm: Arm, following: Node | None) -> tuple[Place, Join] | None:
    """An arm of one sum, and the join behind it: together `x + y if self.residual else y`."""
    if len(arm.nodes) != 1 or not isinstance(following, Join) or len(following.inputs) != 2:
        return None
    place = arm.nodes[0]
    if not isinstance(place, Place) or not isinstance(place.first, OpEntry) or not place.first.op.operator.sums:
        return None
    return (place, following) if place.outputs[:1] == following.inputs[:1] else None


def statement(context: Context, cls: Class, place: Place, text_of: object) -> Statement:
    """An op or part as a call or a select."""
    entry = place.first
    assert callable(text_of)
    if isinstance(entry, OpEntry) and entry.op.operator.selects:
        guards = getattr(entry.op.params, "conditions", ())
        return Select(place.inputs, place.outputs[0], tuple(map(text_of, guards)), guards)
    shape = shape_comment(context.structure, cls, place, context.largest)
    if isinstance(entry, Part):
        child = context.of(entry)
        inputs = [f"{{{i}}}" for i in range(len(place.inputs))]
        more = [f"p.{place.attribute}"] if child.has_plan else []
        args = ", ".join([*inputs, *more, *(["outputs"] if entry.notes and context.outputs else [])])
        alone = len(place.outputs) == 1 and not entry.notes
        return Step(f"self.{place.attribute}({args})", place.inputs, place.outputs, shape=shape, folds=alone)
    if id(place) in cls.functions:
        return Step(f"self.{cls.functions[id(place)]}({{0}})", place.inputs, place.outputs, nests=True, shape=shape)
    return step(context, cls, place, cls.written[id(place)], shape)


def step(context: Context, cls: Class, place: Place, written: Written, shape: str) -> Step:
    """An op as a call: of its layer, or of a function."""
    entry = place.first
    assert isinstance(entry, OpEntry)
    from specc.codegen.model.classes import literal_of

    template, inplace = written.call, written.inplace
    if written.layer:
        cut = f", p.{place.attribute}" if written.planned and context.elastic else ""
        template = (written.call or "{layer}({0}{cut})").replace("{layer}", f"self.{place.attribute}")
        template = template.replace("{cut}", cut)
    if written.number is not None:
        values = written.number.values
        if is_elastic(values):
            text = f"p.{place.attribute}"
        else:
            need = cls.needs[id(place)][-1][1]
            literal = literal_of(need)
            text = literal if literal == cls.sizes.text(need) else f"self.{place.attribute}"
        template, inplace = template.replace("{number}", text), inplace.replace("{number}", text)
    nests = entry.op.operator.nests and not written.layer
    layer = bool(written.layer) and not written.call
    return Step(
        template,
        place.inputs,
        place.outputs,
        inplace,
        written.update,
        written.overwritable,
        nests,
        shape,
        folds=layer,
        absorbs=written.joins,
    )


def forward_lines(context: Context, cls: Class) -> list[str]:
    """`forward` of a block, stage, stem, head or exit."""
    inputs = cls.merged.inputs
    called = tensor_names(context, cls)
    names = input_names(inputs, called)
    more = ["p: Part"] if cls.has_plan else []
    noted = cls.first.notes and context.outputs is not None
    more += ["outputs: dict[str, Tensor]"] if noted else []
    outputs = cls.merged.outputs
    one = "None" if not outputs else "Tensor" if len(outputs) == 1 else f"tuple[{', '.join(['Tensor'] * len(outputs))}]"
    parameters = ["self", *(f"{name}: Tensor" for name in names), *more]
    notes = noted_here(context, cls) if noted else {}
    body = forward_body(statements(context, cls), inputs, outputs, names, 8, notes, called=called)
    return [*guarded(call("def forward", parameters, f") -> {one}:", 4)), *body]


def input_names(inputs: Sequence[str], called: Mapping[str, str]) -> tuple[str, ...]:
    """The parameters of a forward: the spec's names where all inputs have one of their own, else x, y, z."""
    given = tuple(called[tensor] for tensor in inputs if tensor in called)
    if len(set(given)) == len(inputs):
        return given
    many = len(inputs) > len(INPUT_NAMES)
    return tuple(f"x{i + 1}" for i in range(len(inputs))) if many else INPUT_NAMES[: len(inputs)]


def noted_here(context: Context, cls: Class) -> dict[str, str]:
    """What is written before the assignment of a tensor that is an output: of a head or exit that stands in this part,
    in the network itself of a stage, too."""
    part = cls.first
    children = [place.first for place in cls.merged.places() if isinstance(place.first, Part)]
    own = {child.scope.output for child in children}
    others = {p.scope.output for p in context.structure.parts} - own
    root = part.scope.kind == "network"
    names: dict[str, list[str]] = {}
    for output in context.graph.outputs:
        if output.name in own or (root and (output.kind == "features" or output.name not in others)):
            names.setdefault(output.tensor, []).append(output.name)
    called = dict(zip(part.inputs, cls.merged.inputs, strict=True))
    for place in cls.merged.places():
        called.update(zip(place.first.outputs, place.outputs, strict=True))
    return {
        called[tensor]: "".join(f"outputs[{quoted(name)}] = " for name in those)
        for tensor, those in names.items()
        if tensor in called
    }
