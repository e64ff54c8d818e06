"""ir.json: the graph as data, for programs that want to know the network without PyTorch and without specc."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from specc.ir.choice import Choice, Range
from specc.ir.expr import Apply, Expr, Option, Var
from specc.ir.graph import Graph, LabelLevel, Op, Output, Predicts, Scope, Tensor
from specc.ir.operator import Memory
from specc.space.functions import LARGEST_DENOMINATOR

EFFECTS: Final = ("normalises", "sums", "selects")
"""What an operation is, where programs that read ir.json need to tell it from others."""


def graph_json(graph: Graph, blocks: Mapping[str, Sequence[str]] = MappingProxyType({})) -> str:
    """The graph as JSON, one line an op, a tensor or a choice. Equal graphs give equal text.

    `blocks` are the modules of model.py whose latencies can be tabulated, by path, and the choices that each reads.

    Expressions are numbers, {"choice": name} or [function, arguments...].
    """
    head: dict[str, Any] = {"format": "specc graph 1", "name": graph.name}
    head |= predicted(graph.predicts)
    head |= {"inputs": list(graph.inputs), "answer": graph.prediction()}
    tensors = graph.tensor_table()
    sections: dict[str, list[Any]] = {
        "choices": [choice_data(choice) for choice in graph.choices],
        "tensors": [tensor_data(tensor) for tensor in graph.tensors],
        "ops": [op_data(op, tensors) for op in graph.ops],
        "outputs": [output_data(output) for output in graph.outputs],
        "scopes": scope_rows(graph.root),
    }
    if graph.labels:
        sections["labels"] = [level_data(level) for level in graph.labels]
    if blocks:
        sections["blocks"] = [{"name": path, "choices": [*choices]} for path, choices in blocks.items()]
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, rows in sections.items():
        body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{key}": [\n{body}\n  ]' if rows else f'  "{key}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def predicted(predicts: Predicts) -> dict[str, Any]:
    """What heads and exits predict: `classes` alone, or the kind and how many of it."""
    if predicts.kind == "classes":
        return {"classes": predicts.count}
    scale = {"enlarged": predicts.scale} if predicts.scale > 1 else {}
    return {"predicts": predicts.kind, "count": predicts.count, **scale}


def choice_data(choice: Choice) -> dict[str, Any]:
    data: dict[str, Any] = {"name": choice.name, "kind": choice.kind}
    options = choice.options
    if isinstance(options, Range) and len(options) > 32:
        data["range"] = [option(options.start), option(options.stop), option(options.step)]
    else:
        data["options"] = [bool(o) if choice.kind == "skip" else option(o) for o in options]
    return {**data, "origin": choice.origin.location()}


def output_data(output: Output) -> dict[str, Any]:
    data = {"name": output.name, "tensor": output.tensor, "kind": output.kind}
    return {**data, "level": output.level} if output.level else data


def level_data(level: LabelLevel) -> dict[str, Any]:
    """A level of the labels; `parents` says for each class of the finest which class of this one it belongs to, `of`
    what its file calls these, where it does not number them."""
    data: dict[str, Any] = {"name": level.name, "classes": level.classes}
    data |= {"of": list(level.names)} if level.names else {}
    return data if level.parents is None else {**data, "parents": list(level.parents)}


def tensor_data(tensor: Tensor) -> dict[str, Any]:
    channels = [
        expression(s.size) if s.spread == 1 else [expression(s.size), expression(s.spread)] for s in tensor.channels
    ]
    return {"name": tensor.name, "channels": channels, "space": [expression(s) for s in tensor.space]}


def op_data(op: Op, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    data: dict[str, Any] = {"name": op.name, "kind": op.kind, "inputs": list(op.inputs), "outputs": list(op.outputs)}
    data["params"] = plain(op.params)
    effect = next((name for name in EFFECTS if getattr(op.operator, name)), "")
    if effect:
        data["effect"] = effect
    if op.guard != 1:
        data["guard"] = expression(op.guard)
    if op.connection.kind != "dense":
        data["connection"] = plain(op.connection)
    if op.bank.count > 1:
        data["bank"] = {"count": op.bank.count, "index": expression(op.bank.index)}
    ends = ([tensors[name] for name in names] for names in (op.inputs, op.outputs))
    memory = memory_data(op.operator.memory(op, *ends))
    if memory:
        data["memory"] = memory
    return {**data, "origin": op.origin.location()}


def memory_data(memory: Memory) -> dict[str, Any]:
    """What the peak activation memory is counted from, without what it usually is."""
    usual = Memory()
    named = ((field.name, getattr(memory, field.name)) for field in fields(memory))
    return {name: plain(value) for name, value in named if value != getattr(usual, name)}


def scope_rows(root: Scope) -> list[dict[str, Any]]:
    """The nesting as rows: each scope's path, its place in the nesting, and its guard where it has one."""
    rows: list[dict[str, Any]] = []
    waiting = [(root, 0)]
    while waiting:
        scope, depth = waiting.pop()
        row: dict[str, Any] = {"path": scope.path, "kind": scope.kind, "depth": depth}
        if scope.block:
            row["block"] = scope.block
            row["args"] = {name: plain(value) for name, value in scope.args}
        if scope.guard != 1:
            row["guard"] = expression(scope.guard)
        if scope.output:
            row["output"] = scope.output
        row["ops"] = [item for item in scope.items if isinstance(item, str)]
        rows.append(row)
        waiting.extend((item, depth + 1) for item in reversed(scope.items) if isinstance(item, Scope))
    return rows


def expression(expr: Expr) -> Any:
    match expr:
        case Var():
            return {"choice": expr.choice}
        case Apply():
            return [expr.function, *(expression(arg) for arg in expr.args)]
        case Fraction() if expr.denominator > LARGEST_DENOMINATOR:
            return ["div", expr.numerator, expr.denominator]
    return option(expr)


def option(value: Option) -> Any:
    return float(value) if isinstance(value, Fraction) else value


def plain(value: object) -> Any:
    """An op's params as data."""
    if isinstance(value, (Var, Apply)):
        return expression(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return option(value) if isinstance(value, Fraction) else value
