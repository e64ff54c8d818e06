"""The text of a forward computes what its statements say, whatever variables it reuses and overwrites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from specc.codegen.model.flow import Branch, Select, Statement, Step
from specc.codegen.model.forward import forward_body
from specc.ir.expr import Expr, Var, apply, evaluate

FLAGS = ("k", "h")


@dataclass(eq=False)
class Value:
    """A symbolic tensor that can be overwritten: what was read before must not change."""

    text: str
    uses: list[str] = field(default_factory=list)

    def __add__(self, other: Value) -> Value:
        return Value(f"({self.text}+{other.text})")

    def __iadd__(self, other: Value) -> Value:
        self.text = f"({other.text}+{self.text})"
        return self


@dataclass(eq=False)
class View(Value):
    """A part of a tensor: it changes with the whole, and must not be overwritten."""

    whole: Value | None = None

    def __getattribute__(self, name: str) -> Any:
        if name != "text":
            return super().__getattribute__(name)
        assert self.whole is not None
        return f"{super().__getattribute__('text')}({self.whole.text})"

    def __iadd__(self, other: Value) -> Value:
        raise AssertionError("a view is overwritten")


class Net:
    """`self` of a forward: every attribute is a layer that wraps its input's text."""

    def split(self, x: Value) -> tuple[View, View]:
        return View("l", whole=x), View("r", whole=x)

    def join(self, *parts: Value) -> Value:
        return Value(f"join({', '.join(part.text for part in parts)})")

    def __getattr__(self, name: str) -> Any:
        def layer(x: Value) -> Value:
            return Value(f"{name}({x.text})")

        def overwrite(x: Value) -> Value:
            assert not isinstance(x, View)
            x.text = f"{name.removesuffix('_')}({x.text})"
            return x

        return overwrite if name.endswith("_") else layer


@dataclass(eq=False)
class Program:
    """Statements being drawn, and the tensors that can be read where drawing stands."""

    draw: Any
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def steps(self, seen: list[str], depth: int) -> list[Statement]:
        statements: list[Statement] = []
        for _ in range(self.draw(st.integers(1, 4))):
            kind = self.draw(st.sampled_from(["layer", "layer", "act", "add", "skip", "either", "split", "join"]))
            if kind in ("skip", "either") and depth == 0:
                kind = "act"
            last, other = seen[-1], self.draw(st.sampled_from(seen))
            if kind in ("layer", "act"):
                out = self.name()
                source = last if kind == "act" else self.draw(st.sampled_from([last, last, other]))
                act = kind == "act"
                statements.append(
                    Step(
                        f"self.{kind}{out}({{0}})",
                        (source,),
                        (out,),
                        inplace=f"self.{kind}{out}_({{0}})" if act else "",
                        overwritable=not act,
                        nests=act,
                    )
                )
            elif kind == "split":
                first, out = self.name(), self.name()
                statements.append(Step("self.split({0})", (last,), (first, out)))
                seen.append(first)
            elif kind == "join":
                out = self.name()
                parts = (last, other, self.draw(st.sampled_from(seen)))
                statements.append(Step("self.join({0}, {1}, {2})", parts, (out,), overwritable=True))
            elif kind == "add":
                out = self.name()
                update = "{0} += {1}" if last != other else ""
                statements.append(
                    Step("{1} + {0}", (last, other), (out,), update=update, overwritable=True, nests=True)
                )
            else:
                guard: Expr = Var(self.draw(st.sampled_from(FLAGS)))
                old = last
                body = self.steps([*seen], depth - 1)
                inner = output_of(body)
                statements.append(Branch(words(guard), guard, tuple(body)))
                if kind == "either":
                    other_body = self.steps([*seen], depth - 1)
                    against = apply("not", guard)
                    statements.append(Branch(words(against), against, tuple(other_body)))
                    old = output_of(other_body)
                out = self.name()
                statements.append(Select((inner, old), out, (words(guard), "True"), (guard, 1)))
            seen.append(out)
        return statements


def output_of(statements: list[Statement]) -> str:
    last = statements[-1]
    assert not isinstance(last, Branch)
    return last.output if isinstance(last, Select) else last.outputs[-1]


def words(guard: Expr) -> str:
    return f"p.{guard.choice}" if isinstance(guard, Var) else f"not p.{guard.args[0].choice}"  # type: ignore[union-attr]


INPUTS = ("first", "second")


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[Statement], list[str]]:
    """Statements over two inputs, and the tensors that they return: the last one, and others made on the way."""
    seen = list(INPUTS)
    statements = Program(draw).steps(seen, 2)
    made = [tensor for tensor in seen if tensor not in INPUTS]
    return statements, [*draw(st.lists(st.sampled_from(made), max_size=2)), output_of(statements)]


def meaning(statements: list[Statement], outputs: list[str], flags: Mapping[str, int]) -> list[str]:
    """What the outputs are, with a name for every tensor."""
    values: dict[str, str] = {name: name for name in INPUTS}

    def run(body: list[Statement] | tuple[Statement, ...]) -> None:
        for statement in body:
            if isinstance(statement, Branch):
                if evaluate(statement.guard, flags):
                    run(statement.body)
            elif isinstance(statement, Select):
                pairs = zip(statement.inputs, statement.guards, strict=True)
                values[statement.output] = next(values[t] for t, guard in pairs if evaluate(guard, flags))
            elif len(statement.outputs) == 2:
                values.update(zip(statement.outputs, (f"{side}({values[statement.inputs[0]]})" for side in "lr")))
            elif len(statement.inputs) == 3:
                values[statement.outputs[0]] = f"join({', '.join(values[t] for t in statement.inputs)})"
            elif len(statement.inputs) == 2:
                first, second = (values[t] for t in statement.inputs)
                values[statement.outputs[0]] = f"({second}+{first})"
            else:
                assert isinstance(statement, Step)
                layer = statement.call.removeprefix("self.").partition("(")[0]
                values[statement.outputs[0]] = f"{layer}({values[statement.inputs[0]]})"

    run(statements)
    return [values[tensor] for tensor in outputs]


@settings(max_examples=300, deadline=None)
@given(programs())
def test_the_text_means_what_the_statements_mean(program: tuple[list[Statement], list[str]]) -> None:
    statements, outputs = program
    lines = forward_body(statements, INPUTS, outputs, ["x", "y"], 4)
    space: dict[str, Any] = {}
    exec("\n".join(["def forward(self, x, y, p):", *lines]), space)
    for values in product((0, 1), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, values, strict=True))
        plan = type("Plan", (), flags)
        given_inputs = [Value(name) for name in INPUTS]
        answers = space["forward"](Net(), *given_inputs, plan)
        found = [value.text for value in (answers if len(outputs) > 1 else [answers])]
        assert found == meaning(statements, outputs, flags), "\n".join(lines)
        assert [value.text for value in given_inputs] == list(INPUTS), "a forward must not overwrite what it is given"


@settings(max_examples=200, deadline=None)
@given(programs())
def test_what_is_noted_is_what_it_was_when_made(program: tuple[list[Statement], list[str]]) -> None:
    """The network's own forward keeps outputs by name while it goes on."""
    statements, (*noted, last) = program
    notes = {tensor: f"found[{tensor!r}] = " for tensor in (*noted, last)}
    lines = forward_body(statements, INPUTS, [last], ["x", "y"], 4, notes)
    space: dict[str, Any] = {}
    exec("\n".join(["def forward(self, x, y, p, found):", *lines]), space)
    for values in product((0, 1), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, values, strict=True))
        found: dict[str, Value] = {}
        space["forward"](Net(), *map(Value, INPUTS), type("Plan", (), flags), found)
        texts = {tensor: found[tensor].text for tensor in notes if tensor in found}
        # the result of a select that shares its operands' variable is noted by none of them
        assert texts == dict(zip(texts, meaning(statements, list(texts), flags))), "\n".join(lines)


def test_a_long_chain_of_skips_takes_linear_time() -> None:
    statements: list[Statement] = []
    before = "input"
    for number in range(5000):
        guard = Var(f"k{number}")
        body = (Step("self.a({0})", (before,), (f"a{number}",)), Step("self.b({0})", (f"a{number}",), (f"b{number}",)))
        statements.append(Branch(f"p.k{number}", guard, body))
        statements.append(Select((f"b{number}", before), f"s{number}", (f"p.k{number}", "True"), (guard, 1)))
        before = f"s{number}"
    lines = forward_body(statements, ["input"], [before], ["x"], 8)
    assert lines[1:3] == ("            x = self.a(x)", "            x = self.b(x)")
    assert len(lines) == 3 * 5000 + 1
