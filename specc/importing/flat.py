"""The plainest text of a network: a named statement for each operation. It stands in where no better text is found."""

from __future__ import annotations

from collections.abc import Mapping

from specc.importing.network import Network, Operation, Written
from specc.importing.predicts import statement as predicts
from specc.importing.text.asking import channels
from specc.ops import find_operator
from specc.portable.run.numerals import written as shown


def write_flat(network: Network) -> Written:
    """The text; its operations stand in the network's own order."""
    names = value_names(network)
    lines = [f"supernet {network.name} {{"]
    for given in network.inputs:
        lines.append(f"  input {names[given.name]} {given.kind}({', '.join(map(str, given.shape))})")
    lines += [f"  {predicts(network.kind, channels(network.shapes[network.output]))}", "", "  head {"]
    norm = ""
    for operation in network.operations:
        operator = find_operator(operation.operator)
        assert operator is not None, operation.operator
        if operator.normalises and not operator.written and norm != operator.signature.name:
            norm = operator.signature.name
            lines.append(f"    norm {norm}")
        lines.append(f"    {statement(operation, names)}")
    return Written("\n".join([*lines, "  }", "}"]) + "\n", tuple(operation.name for operation in network.operations))


def value_names(network: Network) -> dict[str, str]:
    """What its values are called in the text."""
    made = [value for operation in network.operations for value in operation.outputs]
    names = {value: f"v{i}" for i, value in enumerate(made)}
    for i, given in enumerate(network.inputs):
        names[given.name] = "x" if len(network.inputs) == 1 else f"x{i + 1}"
    return names


def operation_of(network: Network, line: str) -> Operation | None:
    """The operation whose statement a line of the text is."""
    names = value_names(network)
    return next((operation for operation in network.operations if statement(operation, names) == line.strip()), None)


def statement(operation: Operation, names: Mapping[str, str]) -> str:
    operator = find_operator(operation.operator)
    assert operator is not None
    word = "norm" if operator.normalises and not operator.written else operator.signature.name
    inputs = [names[value] for value in operation.inputs]
    takes = any(parameter.type == "tensors" for parameter in operator.signature.parameters)
    texts = {parameter.name for parameter in operator.signature.parameters if parameter.type == "text"}
    args = [
        f'{name}="{value}"' if name in texts else f"{name}={value_text(value)}"
        for name, value in operation.parameters.items()
    ]
    args = [*inputs, *args] if takes else [*args, f"from={inputs[0]}"]
    outputs = [names[value] for value in operation.outputs]
    made = outputs[0] if len(outputs) == 1 else f"({', '.join(outputs)})"
    return f"{made} = {word}({', '.join(args)})"


def value_text(value: object) -> str:
    """A value as a spec writes it."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(value_text, value))}]"
    return shown(value)
