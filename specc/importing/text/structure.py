"""From a graph of operations to statements: residuals and joins by dominance, calls of modules by the module stack.

A vertex is an operation, a call of a module, or a region that was found: everything between a tensor and the operation
where all ways from it meet again, if nothing else leaves or enters. A region is a vertex with one input and one output
in turn, so that whatever is around it is found in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from specc.importing.network import Network, Operation
from specc.importing.text.asking import arguments, channels, is_layer, operator_of, takes_tensors
from specc.importing.text.modules import Item, Module, module_tree, operations_of
from specc.importing.text.opened import opened_classes
from specc.importing.text.tree import (
    HERE,
    Body,
    Group,
    Here,
    Node,
    Operand,
    Ref,
    Residual,
    Step,
    nodes,
    operands,
)

Emit = Callable[[str | None], list[Node]]
"""The statements of a vertex, given the tensor that arrives where they stand; None where that is none it knows."""


@dataclass(eq=False, slots=True)
class Vertex:
    """What is executed as one: what it reads and gives, and how it is written.

    call    as a call in a tensor's place, given what arrives; None where it is none
    sums    whether it is a sum of its inputs
    size    how many operations it holds
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    emit: Emit
    call: Callable[[str | None], Step | Group] | None
    place: str
    size: int = 1
    sums: bool = False
    joins: bool = False


def structured(network: Network, is_known: Callable[[Sequence[Group]], bool]) -> Body:
    """The whole network as statements; tensors that are read by name are Refs of the network's own names.

    Modules that say nothing by being modules are opened: what they hold stands where they are called. `is_known` says
    of all calls of a class whether they are a block that has a name already.
    """
    network = regrouped(network)
    closed = Structure(network, frozenset()).root()
    return Structure(network, opened_classes(closed, is_known)).root()


def regrouped(network: Network) -> Network:
    """The same network with the joins that a person would write."""
    return at_once(step_by_step(network))


def step_by_step(network: Network) -> Network:
    """Where an operation joins what an earlier one has joined and more, it joins what that one made and the rest: the
    layers of a DenseNet each concatenate all that came before."""
    earlier: dict[tuple[str, tuple[str, ...]], str] = {}
    made: list[Operation] = []
    for operation in network.operations:
        inputs = operation.inputs
        if operator_of(operation.operator).associative:
            for count in range(len(inputs) - 1, 1, -1):
                if (before := earlier.get((operation.operator, inputs[:count]))) is not None:
                    operation = replace(operation, inputs=(before, *inputs[count:]))
                    break
            earlier.setdefault((operation.operator, inputs), operation.outputs[0])
        made.append(operation)
    return replace(network, operations=tuple(made))


def at_once(network: Network) -> Network:
    """Where a sum is of branches, each with a layer, that all begin at one tensor, it is one sum, not sums of sums."""
    makes = {value: operation for operation in network.operations for value in operation.outputs}
    readers = Counter([network.output, *(name for operation in network.operations for name in operation.inputs)])
    sums: dict[str, tuple[str, tuple[str, ...]]] = {}
    made: dict[str, Operation] = {}

    def begins(name: str) -> str | None:
        """Where a branch begins; None for what is none."""
        has_layer = False
        while readers[name] == 1 and (operation := makes.get(name)) is not None and len(operation.inputs) == 1:
            if len(operation.outputs) > 1:
                return None
            has_layer |= is_layer(operation.operator)
            name = operation.inputs[0]
        return name if has_layer else None

    for operation in network.operations:
        if operator_of(operation.operator).sums:
            found = []
            for name in operation.inputs:
                start = begins(name)
                if name in sums and readers[name] == 1:
                    found.append(sums[name])
                elif start is not None:
                    found.append((start, (name,)))
            if len(found) == len(operation.inputs) and len({start for start, _ in found}) == 1:
                for name in operation.inputs:
                    if name in sums:
                        del made[makes[name].name]
                operation = replace(operation, inputs=tuple(leaf for _, leaves in found for leaf in leaves))
                sums[operation.outputs[0]] = (found[0][0], operation.inputs)
        made[operation.name] = operation
    return replace(network, operations=tuple(made.values()))


class Structure:
    """A network being structured. `flat` are the sums that can be no residual, as their result needs a name; `opened`
    are the classes of modules whose parts stand where they are called."""

    def __init__(self, network: Network, opened: frozenset[str]) -> None:
        self.network = network
        self.opened = opened
        self.shapes = network.shapes
        self.readers: dict[str, set[str]] = {}
        self.flat: set[str] = set()
        for operation in network.operations:
            for name in operation.inputs:
                self.readers.setdefault(name, set()).add(operation.name)

    def root(self) -> Body:
        vertices = self.vertices(module_tree(self.network))
        first = self.network.inputs[0].name if len(self.network.inputs) == 1 else None
        body, _ = self.named(vertices, first, self.network.output)
        return body

    # --- vertices ------------------------------------------------------------------------------

    def vertices(self, items: Iterable[Item]) -> list[Vertex]:
        """The vertices of a module: those of its operations, and one for each module inside that can be called."""
        made: list[Vertex] = []
        for item in items:
            if isinstance(item, Operation):
                made.append(self.of_operation(item))
            else:
                made += self.of_module(item)
        return made

    def of_operation(self, operation: Operation) -> Vertex:
        args = arguments(operation, self.shapes)
        place = operation.stack[-1].path if operation.stack else ""
        joins = takes_tensors(operation.operator)

        def step(here: str | None, given: tuple[Operand, ...] | None = None) -> Step:
            tensors: tuple[Operand, ...] = ()
            source: Operand = HERE
            if joins:
                tensors = given or tuple(reading(name, here) for name in operation.inputs)
            elif operation.inputs:
                source = reading(operation.inputs[0], here)
            return Step(
                operation.operator,
                args,
                tensors,
                source,
                results=operation.outputs,
                arriving=channels(self.shapes[operation.inputs[0]]) if operation.inputs else 0,
                place=place,
                shape=self.shapes[operation.outputs[0]],
                operation=operation.name,
            )

        simple = len(operation.outputs) == 1
        return Vertex(
            operation.inputs,
            operation.outputs,
            lambda here: [step(here)],
            (lambda here: step(here)) if simple else None,
            place,
            sums=operator_of(operation.operator).sums,
            joins=joins,
        )

    def of_module(self, module: Module) -> list[Vertex]:
        """One vertex where the module can be called: it reads tensors and gives one. Else those of its parts.

        A join of what comes in from several places, at its start, is taken out of it where that leaves one tensor.
        """
        inside, ahead = list(module.items), list[Item]()
        while len(inside) == 1 and isinstance(inside[0], Module) and inside[0].is_container:
            inside = list(inside[0].items)
        outer, given = self.border(inside)
        while (len(outer) > 1 or len(given) != 1) and is_join(inside[0]) and len(inside) > 1:
            ahead.append(inside.pop(0))
            outer, given = self.border(inside)
        if len(given) != 1 or not outer or len(inside) == 1:
            return self.vertices(module.items)
        if ahead and len(outer) > 1:
            inside, ahead = [*ahead, *inside], []
            outer, given = self.border(inside)
            if len(given) != 1:
                return self.vertices(module.items)
        vertices = self.vertices(inside)
        return [*self.vertices(ahead), self.callable(module, vertices, outer, given[0])]

    def border(self, items: Sequence[Item]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tensors that a part of the network reads from outside, and those that it gives."""
        held = [operation for item in items for operation in operations_of(item)]
        names = {operation.name for operation in held}
        made = {value for operation in held for value in operation.outputs}
        outer = dict.fromkeys(v for operation in held for v in operation.inputs if v not in made)
        given = [
            value
            for operation in held
            for value in operation.outputs
            if value == self.network.output or not self.readers.get(value, set()) <= names
        ]
        return tuple(outer), tuple(given)

    def callable(self, module: Module, vertices: list[Vertex], outer: tuple[str, ...], output: str) -> Vertex:
        size = sum(vertex.size for vertex in vertices)
        inner: list[tuple[Body, tuple[str, ...]]] = []

        def group(here: str | None) -> Group:
            if not inner:
                inner.append(self.inner_body(vertices, outer, output))
            return self.group(module, *inner[0], outer, output, here)

        def emit(here: str | None) -> list[Node]:
            if not module.is_container and module.type not in self.opened:
                return [group(here)]
            return self.statements(vertices, here, output)

        return Vertex(outer, (output,), emit, group, module.path, size)

    def inner_body(self, vertices: list[Vertex], outer: tuple[str, ...], output: str) -> tuple[Body, tuple[str, ...]]:
        """The statements of a module and its parameters: what it reads by name. Where that is nothing, what arrives
        is all."""
        if len(outer) == 1:
            body, read = self.named(vertices, outer[0], output)
            if outer[0] not in read:
                return numbered(body, ()), ()
        body, _ = self.named(vertices, None, output)
        return numbered(body, outer), outer

    def group(
        self,
        module: Module,
        body: Body,
        parameters: tuple[str, ...],
        outer: tuple[str, ...],
        output: str,
        here: str | None,
    ) -> Group:
        """The call of a module."""
        return Group(
            module.type,
            body,
            len(parameters),
            tuple(reading(name, here) for name in parameters),
            source=HERE if parameters else reading(outer[0], here),
            results=(output,),
            arriving=channels(self.shapes[outer[0]]),
            place=module.path,
            shape=self.shapes[output],
        )

    # --- regions -------------------------------------------------------------------------------

    def regions(self, vertices: list[Vertex], output: str) -> list[Vertex]:
        """The vertices with every region as one, inner ones first."""
        found = list(vertices)
        for vertex in vertices:
            if len(set(vertex.inputs)) > 1:
                region = self.region(found, vertex, output)
                if region is not None:
                    inside, made = region
                    found[found.index(vertex)] = made
                    found = [v for v in found if v not in inside]
        return found

    def region(self, found: list[Vertex], meeting: Vertex, output: str) -> tuple[list[Vertex], Vertex] | None:
        """The region that ends where tensors meet: the vertices before that, and the one that they become."""
        producers = {value: vertex for vertex in found for value in vertex.outputs}
        begin = self.dominator(found, producers, meeting)
        if begin is None:
            return None
        reached = self.between(producers, meeting, begin)
        inside = [vertex for vertex in found if vertex in reached]
        entries = {value for vertex in (*inside, meeting) for value in vertex.inputs} - {
            value for vertex in inside for value in vertex.outputs
        }
        if len(entries) != 1:
            return None
        entry = entries.pop()
        made = {value for vertex in inside for value in vertex.outputs}
        outside = [v for v in found if v not in reached and v is not meeting]
        if output in made or any(value in made for vertex in outside for value in vertex.inputs):
            return None
        return inside, self.of_region(inside, meeting, entry)

    def dominator(self, found: list[Vertex], producers: dict[str, Vertex], meeting: Vertex) -> Vertex | str | None:
        """The last vertex, or tensor from outside, that all ways to a meeting pass: its immediate dominator. A vertex
        of several outputs, as a split, is passed by them together."""
        above: dict[Vertex | str, tuple[Vertex | str | None, int]] = {}

        def meet(left: Vertex | str | None, right: Vertex | str | None) -> Vertex | str | None:
            while left is not right and left is not None and right is not None:
                if above[left][1] >= above[right][1]:
                    left = above[left][0]
                else:
                    right = above[right][0]
            return left if left is right else None

        for vertex in found:
            passed = [producers.get(name, name) for name in dict.fromkeys(vertex.inputs)]
            for name in passed:
                if isinstance(name, str):
                    above.setdefault(name, (None, 0))
            last: Vertex | str | None = passed[0] if passed else None
            for other in passed[1:]:
                last = meet(last, other)
            if vertex is meeting:
                return last
            above[vertex] = (last, 0 if last is None else above[last][1] + 1)
        return None

    def between(self, producers: dict[str, Vertex], meeting: Vertex, begin: Vertex | str) -> set[Vertex]:
        """The vertices on the ways to a meeting. Where several outputs of the first are read, it belongs to them."""
        reached: set[Vertex] = set()
        ahead = list(meeting.inputs)
        while ahead:
            producer = producers.get(ahead.pop())
            if producer is None or producer in reached:
                continue
            if producer is begin and len(producer.outputs) == 1:
                continue
            reached.add(producer)
            if producer is not begin:
                ahead += producer.inputs
        return reached

    def of_region(self, inside: list[Vertex], meeting: Vertex, entry: str) -> Vertex:
        output = meeting.outputs[0]
        parts = self.residual(inside, meeting, entry)
        size = meeting.size + sum(vertex.size for vertex in inside)

        def emit(here: str | None) -> list[Node]:
            if parts is None or here != entry or output in self.flat:
                return self.statements([*inside, meeting], here, output, inner=True)
            (body, end), (shortcut, other) = parts
            step = meeting.emit(None)[0]
            assert isinstance(step, Step)
            made = Residual(
                tuple(self.statements(body, entry, end, inner=True)),
                tuple(self.statements(shortcut, entry, other, inner=True)) if shortcut else (),
                arriving=channels(self.shapes[entry]),
                shape=self.shapes[output],
                operation=step.operation,
                swapped=meeting.inputs[0] == other,
            )
            return [made]

        return Vertex((entry,), (output,), emit, None, meeting.place, size)

    def residual(
        self, inside: list[Vertex], meeting: Vertex, entry: str
    ) -> tuple[tuple[list[Vertex], str], tuple[list[Vertex], str]] | None:
        """The body and the shortcut of a sum, each with the tensor that it ends in. None where it is no residual."""
        if not meeting.sums or len(meeting.inputs) != 2:
            return None
        producers = {value: vertex for vertex in inside for value in vertex.outputs}
        sides = []
        for name in meeting.inputs:
            alone = replace(meeting, inputs=(name,))
            reached = self.between(producers, alone, entry)
            sides.append(([vertex for vertex in inside if vertex in reached], name))
        (left, _), (right, _) = sides
        if set(left) & set(right) or (not left and not right):
            return None
        weight = [sum(vertex.size for vertex in side) for side, _ in sides]
        if weight[0] == weight[1] and all(len(side) == 1 and side[0].call is not None for side in (left, right)):
            return None
        return (sides[0], sides[1]) if weight[0] >= weight[1] else (sides[1], sides[0])

    # --- statements ----------------------------------------------------------------------------

    def named(self, vertices: list[Vertex], here: str | None, output: str) -> tuple[Body, set[str]]:
        """The statements of a body, with names for the tensors that are read by name; and these names.

        A residual gives its result no name: where one needs it, it is written as a sum.
        """
        while True:
            body = tuple(self.statements(vertices, here, output))
            read = names_read(body)
            sums = {name for name in read if name in residual_results(body, self.network)}
            if not sums:
                return with_names(body, read), read
            self.flat |= sums

    def statements(self, vertices: list[Vertex], here: str | None, output: str, inner: bool = False) -> list[Node]:
        """Statements in an order in which as many as possible read what the one before left: what a meeting reads is
        written right before it, branch by branch."""
        found = vertices if inner else self.regions(vertices, output)
        producers = {value: vertex for vertex in found for value in vertex.outputs}
        uses = Counter([output, *(value for vertex in found for value in vertex.inputs)])
        rank = {id(vertex): number for number, vertex in enumerate(found)}
        written: list[Node] = []
        done: set[int] = set()
        ahead = [producers[output]] if output in producers else []
        while ahead:
            vertex = ahead[-1]
            if id(vertex) in done:
                ahead.pop()
                continue
            beside = self.beside(vertex, producers, uses, here)
            needs = [v for name in vertex.inputs for v in (beside[name].inputs if name in beside else (name,))]
            missing = {id(producers[n]): producers[n] for n in needs if n in producers and id(producers[n]) not in done}
            if missing:
                ahead += sorted(missing.values(), key=lambda v: -rank[id(v)])
                continue
            ahead.pop()
            done.add(id(vertex))
            statements = vertex.emit(here)
            if beside:
                statements = [self.with_calls(statements[0], vertex, beside, here)]
            written += statements
            here = vertex.outputs[0] if len(vertex.outputs) == 1 else None
        return written

    def beside(
        self, vertex: Vertex, producers: dict[str, Vertex], uses: Counter[str], here: str | None
    ) -> dict[str, Vertex]:
        """The inputs of a join that are written as calls in their places: each reads a tensor that others read, too,
        and nothing else reads what it gives. All inputs are of that kind, or tensors that others read, or none is."""
        if not vertex.joins:
            return {}
        found = {}
        for name in vertex.inputs:
            producer = producers.get(name)
            simple = producer is not None and producer.call is not None and len(producer.inputs) == 1
            if simple and uses[name] == 1 and uses[producer.inputs[0]] > 1:  # type: ignore[union-attr]
                found[name] = producer
            elif producer is not None and uses[name] == 1:
                return {}
        return found  # type: ignore[return-value]

    def with_calls(self, step: Node, vertex: Vertex, beside: dict[str, Vertex], here: str | None) -> Step:
        assert isinstance(step, Step)
        tensors: list[Operand] = []
        for name in vertex.inputs:
            call = beside[name].call if name in beside else None
            tensors.append(replace(call(here), results=()) if call is not None else reading(name, here))
        return replace(step, tensors=tuple(tensors))


def reading(name: str, here: str | None) -> Here | Ref:
    return HERE if name == here else Ref(name)


def is_join(item: Item) -> bool:
    return isinstance(item, Operation) and takes_tensors(item.operator) and not item.weights


def names_read(body: Body) -> set[str]:
    """The tensors that a body reads by name. Calls of modules have names of their own inside."""
    found: set[str] = set()

    def look(operand: Operand) -> None:
        if isinstance(operand, Ref):
            found.add(str(operand.name))
        elif isinstance(operand, (Step, Group)):
            for inner in operands(operand):
                look(inner)

    for node in nodes(body):
        if isinstance(node, (Step, Group)):
            for operand in operands(node):
                look(operand)
    return found


def residual_results(body: Body, network: Network) -> set[str]:
    sums = {node.operation for node in nodes(body) if isinstance(node, Residual)}
    return {operation.outputs[0] for operation in network.operations if operation.name in sums}


def with_names(body: Body, read: set[str]) -> Body:
    """Statements give a name to what is read by one; a split names all that it gives."""

    def kept(node: Node) -> Node:
        match node:
            case Step() | Group():
                wanted = len(node.results) > 1 or any(name in read for name in node.results)
                return replace(node, results=node.results if wanted else ())
            case Residual():
                return replace(node, body=with_names(node.body, read), shortcut=with_names(node.shortcut, read))
        return node

    return tuple(map(kept, body))


def numbered(body: Body, parameters: tuple[str, ...]) -> Body:
    """A body whose names are numbers, so that those of two calls of one module are equal."""
    numbers: dict[str | int, int] = {name: number for number, name in enumerate(parameters)}

    def number(name: str | int) -> int:
        return numbers.setdefault(name, len(numbers))

    def operand(each: Operand) -> Operand:
        if isinstance(each, Ref):
            return Ref(number(each.name))
        return call(each) if isinstance(each, (Step, Group)) else each

    def call(node: Step | Group) -> Step | Group:
        tensors, source = tuple(map(operand, node.tensors)), operand(node.source)
        return replace(node, tensors=tensors, source=source, results=tuple(map(number, node.results)))

    def statement(node: Node) -> Node:
        match node:
            case Step() | Group():
                return call(node)
            case Residual():
                return replace(
                    node, body=tuple(map(statement, node.body)), shortcut=tuple(map(statement, node.shortcut))
                )
        return node

    return tuple(map(statement, body))
