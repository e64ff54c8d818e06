"""The body of a forward: statements over a few variables, reused as a person would, and regions as `if`s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.codegen.model.flow import (
    Branch,
    Flow,
    Loop,
    Select,
    Statement,
    Step,
    allocate,
    coalesce,
    overwrites,
    read_flow,
    updates,
)
from specc.ir.expr import Apply, Expr, apply
from specc.python.layout import WIDTH, guarded, with_comment


def forward_body(
    statements: Sequence[Statement],
    inputs: Sequence[str],
    outputs: Sequence[str],
    parameters: Sequence[str],
    indent: int,
    noted: Mapping[str, str] | None = None,
    ending: str = "",
    called: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The lines of a forward that takes `inputs` as its `parameters` and returns `outputs`, or the expression `ending`.

    `noted` has text to write before the assignment of some tensors; these are always assigned. `called` says what the
    spec calls tensors.
    """
    flow = read_flow(statements, inputs, outputs)
    flow.kept = frozenset((*outputs, *(noted or {})))
    for tensor in noted or {}:
        if tensor in flow.maker and len(flow.maker[tensor].outputs) > 1:  # noted on a line of its own
            flow.reads.setdefault(tensor, []).insert(0, flow.made[tensor] + 1)
    web = coalesce(flow)
    variables = allocate(flow, web, dict(zip(inputs, parameters, strict=True)), called or {})
    writer = Writer(flow, web, variables, noted or {}, outputs, ending)
    lines = writer.block(statements, indent)
    pad = " " * indent
    if ending:
        lines.extend([*writer.flush(indent), f"{pad}return {ending}"])
    elif not noted and writer.pending is not None and writer.pending.tensors == tuple(outputs):
        lines.extend(guarded([f"{pad}return {writer.pending.text}"]))
    else:
        lines.extend(writer.flush(indent))
        if outputs:
            lines.extend(guarded([f"{pad}return {', '.join(variables[web[t]] for t in outputs)}"]))
    return tuple(lines)


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """An expression that is not written yet; `closed` if it needs no brackets inside another."""

    tensors: tuple[str, ...]
    text: str
    shape: str
    closed: bool


class Writer:
    """Writes statements; keeps the last expression back while the next may contain it."""

    def __init__(
        self,
        flow: Flow,
        web: Mapping[str, str],
        variables: Mapping[str, str],
        noted: Mapping[str, str],
        outputs: Sequence[str],
        ending: str,
    ) -> None:
        self.flow, self.web, self.variables, self.noted = flow, web, variables, noted
        self.outputs, self.ending = outputs, ending
        self.bound = {variables[web[tensor]] for tensor, place in flow.made.items() if not place}
        self.pending: Pending | None = None
        self.begun: list[Select] = []

    def variable(self, tensor: str) -> str:
        return self.variables[self.web[tensor]]

    def block(self, statements: Iterable[Statement], indent: int, path: tuple[Expr, ...] = ()) -> list[str]:
        """The lines of statements that stand under the guards of `path`."""
        lines: list[str] = []
        excluded: Expr | None = None
        statements = list(statements)
        for number, statement in enumerate(statements):
            if isinstance(statement, Branch) and statement.unless:
                lines.extend([*self.flush(indent), *self.leave(statement, indent)])
                lines.extend(self.block(statement.body, indent, (*path, statement.guard)))
                continue
            if isinstance(statement, Branch):
                lines.extend(self.flush(indent))
                following = statements[number + 1] if number + 1 < len(statements) else None
                lines.extend(self.begin(statement, following, indent))
                inside = (*path, statement.guard)
                lines.extend(self.stand_ins(statement, inside, indent))
                bound = set(self.bound)
                inner = self.block(statement.body, indent + 4, inside) + self.flush(indent + 4)
                self.bound = bound
                if inner and statement.guard == excluded:
                    lines.extend(otherwise(inner, indent))
                elif inner:
                    lines.extend(guarded([f"{' ' * indent}if {statement.condition}:"]))
                    lines.extend(inner)
                excluded = apply("not", statement.guard) if inner else None
                continue
            excluded = None
            if isinstance(statement, Loop):
                lines.extend([*self.flush(indent), *self.loop(statement, indent)])
            elif isinstance(statement, Select):
                lines.extend(self.flush(indent))
                if statement not in self.begun:
                    lines.extend(self.select(statement, indent))
            else:
                lines.extend(self.step(statement, indent))
        return lines

    def begin(self, branch: Branch, following: Statement | None, indent: int) -> list[str]:
        """`y = x` before a condition under which y becomes something else."""
        if not isinstance(following, Select) or len(following.inputs) != 2 or branch.guard != following.guards[0]:
            return []
        inner, other = following.inputs
        target = self.variable(following.output)
        if inner not in set(made_in(branch.body)) or self.variable(inner) != target or self.variable(other) == target:
            return []
        if any(target == self.variable(t) for t in read_in(branch.body) if t not in set(made_in(branch.body))):
            return []
        self.begun.append(following)
        self.bound.add(target)
        return [f"{' ' * indent}{target} = {self.variable(other)}"]

    def stand_ins(self, branch: Branch, path: tuple[Expr, ...], indent: int) -> list[str]:
        """Values for variables that a region sets and that are handed on after it, also where it is left out: what
        arrives there, which nobody reads then."""
        conditions = {part for guard in path for part in conjuncts(guard)}
        lines: list[str] = []
        for tensor in made_in(branch.body):
            name = self.variable(tensor)
            places = [r for r in self.flow.reads.get(tensor, ()) if r not in self.flow.joins]
            known = [{part for guard in self.flow.at.get(r, ()) for part in conjuncts(guard)} for r in places]
            if name not in self.bound and not all(conditions <= parts for parts in known):
                source = self.variable(first_step(branch.body).inputs[0])
                if source == name:
                    continue
                lines.append(f"{' ' * indent}{name} = {source}  # handed on where this is left out:")
                self.bound.add(name)
        return lines

    def leave(self, branch: Branch, indent: int) -> list[str]:
        """The end of forward where nothing of what follows is wanted. Nobody reads what it returns instead of what is
        not made yet."""
        arriving = self.variable(first_step(branch.body).inputs[0])
        names = [name if name in self.bound else arriving for name in map(self.variable, self.outputs)]
        text = self.ending or ", ".join(names)
        pad = " " * indent
        return [*guarded([f"{pad}if {branch.unless}:"]), *guarded([f"{pad}    return {text}"])]

    def loop(self, loop: Loop, indent: int) -> list[str]:
        """`for layer in self.rounds:`, after what it would overwrite and others read has been copied."""
        pad = " " * indent
        names = [self.variable(t) for t in loop.inputs]
        lines: list[str] = []
        for i, j in loop.carried:
            target = self.variable(loop.outputs[j])
            if names[i] != target:
                lines.append(f"{pad}{target} = {names[i]}")
                names[i] = target
        targets = [self.variable(t) for t in loop.outputs]
        self.bound.update(targets)
        lines.append(with_comment(f"{pad}for layer in {loop.rounds}:", f"to {loop.shape}" if loop.shape else ""))
        return [*lines, *guarded([f"{pad}    {', '.join(targets)} = layer({loop.args.format(*names)})"])]

    def select(self, select: Select, indent: int) -> list[str]:
        names = [self.variable(t) for t in select.inputs]
        target = self.variable(select.output)
        self.bound.add(target)
        if set(names) == {target}:
            return []
        text = names[-1]
        for name, condition in zip(reversed(names[:-1]), reversed(select.conditions[:-1]), strict=True):
            text = f"{name} if {condition} else {text}"
        return list(guarded([f"{' ' * indent}{target} = {text}"]))

    def step(self, step: Step, indent: int) -> list[str]:
        first = step.inputs[0] if step.inputs else ""
        alone = len(self.flow.reads.get(first, ())) == 1 and first not in self.flow.kept
        template = step.inplace if step.inplace and overwrites(self.flow, step) else step.call
        names = {t: self.variable(t) for t in step.inputs}
        lines: list[str] = []
        if updates(self.flow, step) and self.web[step.outputs[0]] == self.web[first]:
            line = f"{' ' * indent}{self.fill(step.update, step.inputs, names)}"
            return [*self.flush(indent), *guarded([line])]
        if self.pending is not None:
            held = self.pending
            nested = self.fill(template, step.inputs, {**names, held.tensors[0]: held.text})
            fits = indent + len(nested) + 7 <= WIDTH and ("({0}" in template or held.closed)
            if step.nests and alone and held.tensors == (first,) and fits:
                self.pending = Pending(step.outputs, nested, held.shape or step.shape, is_closed(template))
                return lines
            lines.extend(self.flush(indent))
        text = self.fill(template, step.inputs, names)
        self.pending = Pending(step.outputs, text, step.shape, is_closed(template))
        return lines

    def fill(self, template: str, inputs: Sequence[str], names: Mapping[str, str]) -> str:
        return template.format(*(names[t] for t in inputs))

    def flush(self, indent: int) -> list[str]:
        if self.pending is None:
            return []
        held, self.pending = self.pending, None
        if not held.tensors:  # a stage of exits alone answers, and hands nothing on
            return list(guarded([f"{' ' * indent}{held.text}"]))
        self.bound.update(map(self.variable, held.tensors))
        targets = f"{', '.join(self.variable(t) for t in held.tensors)} = "
        if len(held.tensors) > 1:
            notes = [f"{' ' * indent}{self.noted[t]}{self.variable(t)}" for t in held.tensors if t in self.noted]
            return [*guarded([with_comment(f"{' ' * indent}{targets}{held.text}", held.shape)]), *notes]
        noted = self.noted.get(held.tensors[0], "")
        read = not noted or held.tensors[0] in self.flow.reads
        line = f"{' ' * indent}{noted}{targets if read else ''}{held.text}"
        return list(guarded([with_comment(line, held.shape)]))


def conjuncts(guard: Expr) -> tuple[Expr, ...]:
    """The conditions of which a guard is the conjunction."""
    if isinstance(guard, Apply) and guard.function == "and":
        return tuple(part for arg in guard.args for part in conjuncts(arg))
    return (guard,)


def made_in(statements: Sequence[Statement]) -> Iterator[str]:
    """The tensors that statements make, in those under conditions too."""
    for statement in statements:
        if isinstance(statement, Branch):
            yield from made_in(statement.body)
        else:
            yield from (statement.output,) if isinstance(statement, Select) else statement.outputs


def read_in(statements: Sequence[Statement]) -> Iterator[str]:
    """The tensors that statements read."""
    for statement in statements:
        if isinstance(statement, Branch):
            yield from read_in(statement.body)
        else:
            yield from statement.inputs


def first_step(statements: Sequence[Statement]) -> Step | Loop:
    """The first call in some statements."""
    for statement in statements:
        if isinstance(statement, Branch):
            return first_step(statement.body)
        if isinstance(statement, (Step, Loop)):
            return statement
    raise ValueError("there is no step")


def is_closed(template: str) -> bool:
    """Whether an expression can stand anywhere without brackets: a call, and no sum."""
    return not template.startswith("{") or template.startswith("{0}.")


def otherwise(inner: list[str], indent: int) -> list[str]:
    """`else:` and its lines, or `elif` where these are one `if` with what belongs to it."""
    pad = " " * (indent + 4)
    outer = [line for line in inner if not line.startswith(f"{pad} ")]
    if outer[0].startswith(f"{pad}if ") and all(line.startswith(f"{pad}el") for line in outer[1:]):
        dedented = [line[4:] for line in inner]
        return [f"{' ' * indent}el{dedented[0].lstrip()}", *dedented[1:]]
    return [f"{' ' * indent}else:", *inner]
