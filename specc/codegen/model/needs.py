"""The numbers that a class's `__init__` and `plan` need, in the order of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.codegen.model.context import Class, Context
from specc.codegen.model.render import ATOM, Text, number
from specc.codegen.model.sizes import Key, Need, Parameter, at_largest, is_constant
from specc.codegen.model.structure import Entry, OpEntry, Part, Region, is_repeated
from specc.codegen.names import choice_leaf
from specc.ir.expr import Apply, Expr, Option, Var, free
from specc.ops.writing import Arg, Values, varies


def init_needs(context: Context, cls: Class) -> list[Need]:
    """The numbers in `__init__`, in the order of the text."""
    needs: list[Need] = []
    for place, entry in enumerate(cls.rows[0]):
        if isinstance(entry, Part):
            init = context.of(entry).init
            assert init is not None
            needs.extend(child_need(context, entry, cls.column(place), p) for p in init.parameters)
            continue
        written = cls.written.get(place)
        if written is None:
            continue
        needs.extend(op_need(arg) for arg in written.args if not left_out(arg))
        if written.number is not None and not varies(written.number.values):
            needs.append(op_need(written.number))
    return needs


def active_needs(context: Context, cls: Class) -> list[Need]:
    """The numbers in `plan`, in the order of the text: the choices that guards read, then the parts' sizes."""
    needs: list[Need] = []
    columns = zip(*(guard_choices(part) for part in cls.parts), strict=True)
    needs.extend(Need("choice", tuple(map(Var, column)), choice_leaf(column[0])) for column in columns)
    for place, entry in enumerate(cls.rows[0]):
        if isinstance(entry, Part):
            active = context.of(entry).active
            assert active is not None
            needs.extend(child_need(context, entry, cls.column(place), p) for p in active.parameters)
            continue
        written = cls.written.get(place)
        if written is None:
            continue
        needs.extend(op_need(arg) for arg in written.cut or ())
        if written.number is not None and varies(written.number.values):
            needs.append(op_need(written.number))
    return needs


def guard_choices(part: Part) -> tuple[str, ...]:
    """The choices that the part's own regions and selects read, in the order of the text."""
    found: dict[str, None] = {}

    def visit(entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Region):
                found.update(dict.fromkeys(sorted_free(entry.guard)))
                visit(entry.entries)
            elif isinstance(entry, OpEntry) and entry.op.kind == "select":
                for expr in getattr(entry.op.params, "conditions", ()):
                    found.update(dict.fromkeys(sorted_free(expr)))

    visit(part.entries)
    return tuple(found)


def sorted_free(expr: Expr) -> list[str]:
    """The choices of an expression in the order in which it reads them."""
    if isinstance(expr, Apply):
        return list(dict.fromkeys(name for arg in expr.args for name in sorted_free(arg)))
    return sorted(free(expr))


def op_need(arg: Arg) -> Need:
    return Need(role_of(arg.role, arg.values), arg.values, "hidden" if arg.role == "channels" else arg.role)


def child_need(context: Context, child: Part, column: Sequence[Entry], parameter: Parameter) -> Need:
    """A parameter of a child as a number of its parent, called after the choice it is or after both."""
    values = child_values(context, column, parameter)
    first, role = values[0], role_of(parameter.role, values)
    if role == "choice" and isinstance(first, Var):
        return Need(role, values, choice_leaf(first.choice))
    return Need(role, values, f"{child.attribute}_{parameter.name}".rstrip("_"))


def role_of(role: str, values: Values) -> str:
    """A bank that is simply a choice is that choice."""
    return "choice" if role in ("bank", "choice") and all(isinstance(v, Var) for v in values) else role


def left_out(arg: Arg) -> bool:
    """Whether an argument has its default at every instance."""
    return arg.default is not None and all(v == arg.default and type(v) is type(arg.default) for v in arg.values)


def child_values(context: Context, row_entries: Sequence[Entry], parameter: Parameter) -> Values:
    """A child's number at the instances of its parent."""
    return tuple(parameter.values[e.index] for e in row_entries if isinstance(e, Part))


def literals(cls: Class, needs: Sequence[Need], largest: Mapping[str, Option]) -> dict[Key, Text]:
    """The numbers that `__init__` writes out: all in a stage, which stands once; in a block what counts no channels."""
    block = is_repeated(cls.first.scope)
    found: dict[Key, Text] = {}
    for need in needs:
        peak = at_largest(need.values, largest)
        if not block or (need.role != "channels" and is_constant(peak)):
            found[(need.role, need.values)] = number(peak[0]), ATOM
    return found
