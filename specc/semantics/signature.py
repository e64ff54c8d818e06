"""Arguments against signatures: which argument is meant for which parameter."""

from __future__ import annotations

from collections.abc import Callable

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import parameter_elsewhere
from specc.diagnostics.near import near
from specc.ir.parameter import Parameter, Signature
from specc.source import Span
from specc.syntax import ast

MISSING_ARGUMENT = Rule(
    "E221",
    "missing-argument",
    "an argument without a default is not given",
    "A parameter without a default must be given.\nWrong:  conv(64)\nRight:  conv(64, kernel=3)",
)
EXTRA_ARGUMENT = Rule(
    "E222",
    "extra-argument",
    "an argument that the call does not have",
    "Only the parameters of an operator, block or setting can be given, each once; unnamed ones in their order.\n"
    "Wrong:  relu(3)    conv(64, kernel=3, size=5)\n"
    "Right:  relu       conv(64, kernel=3)",
)


def tensor_in_parentheses(
    signature: Signature, args: tuple[ast.Arg, ...], is_tensor: Callable[[ast.Expression], bool]
) -> ast.Arg | None:
    """The tensor that a call reads instead of what arrives, as in `silu(x)` and `relu(conv(64, kernel=3))`: the first
    unnamed argument of an operator that needs none. `from=x` says the same, and of every operator."""
    if not args or signature.required or any(arg.name is not None and arg.name.name == "from" for arg in args):
        return None
    first = args[0]
    return first if first.name is None and is_tensor(first.value) else None


def bind_arguments(
    signature: Signature, args: tuple[ast.Arg, ...], span: Span, findings: Findings, also: tuple[str, ...] = ()
) -> dict[str, ast.Arg]:
    """The argument of each parameter that is given one. `also` names arguments beside the signature's (`width`,
    `connect`)."""
    parameters = signature.parameters
    bound: dict[str, ast.Arg] = {}
    unknown = False
    several = bool(parameters) and parameters[0].type == "tensors"
    for index, arg in enumerate(args):
        if arg.name is None and several:
            bound.setdefault(parameters[0].name, arg)
            continue
        if arg.name is None:
            if index >= len(parameters):
                takes = "takes no arguments" if not parameters else f"takes at most {len(parameters)} unnamed arguments"
                findings.report(EXTRA_ARGUMENT, arg.span, f"`{signature.name}` {takes}", help=listed(parameters))
                continue
            name = parameters[index].name
        else:
            name = arg.name.name
            if name not in also and name not in signature.names:
                names = [p.name for p in parameters]
                unknown = True
                known = listed(parameters)
                near_by = known if findings.many else near(name, names) or known
                findings.report(
                    EXTRA_ARGUMENT,
                    arg.name.span,
                    f"`{signature.name}` has no parameter `{name}`",
                    help=parameter_elsewhere(name, signature.names) or near_by,
                )
                continue
        if name in bound:
            findings.report(
                EXTRA_ARGUMENT,
                arg.span,
                f"`{name}` is given twice",
                secondary=[(bound[name].span, "the first time is here")],
                help=f"in their order they are: {', '.join(p.name for p in parameters)}",
            )
            continue
        bound[name] = arg
    for parameter in () if unknown else signature.required:  # what is unknown may be what is missing
        if parameter.name not in bound:
            findings.report(
                MISSING_ARGUMENT,
                span,
                f"`{signature.name}` needs `{parameter.name}`" + (f": {parameter.doc}" if parameter.doc else ""),
                help=listed(parameters),
            )
    return bound


def listed(parameters: tuple[Parameter, ...]) -> str:
    """The names of parameters in their order, for a help line."""
    return f"it has: {', '.join(p.name for p in parameters)}" if parameters else "it takes no arguments"
