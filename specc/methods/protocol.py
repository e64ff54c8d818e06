"""What the compiler knows of a sampling method, and what the methods' folders share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from specc.diagnostics import Rule
from specc.frozen import frozen
from specc.ir.graph import Graph
from specc.ir.parameter import Call, Parameter, Signature


class Report(Protocol):
    """Takes one diagnostic about the method's call, at the argument named `at` or at the whole call."""

    def __call__(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant at the top of train.py, which the method's lines read.

    `value` is plain data: text, numbers, yes or no, tuples of such; in it a sub-network is "max", "min" or
    `Call("at", ((choice, option), ...))`.
    """

    name: str
    value: object
    comment: str


class Method(Protocol):
    """One way of training sub-networks together. Stateless; one instance, `METHOD`, in each folder of specc/methods.

    In a method's call an `assignment` argument is "max", "min" or `Call("at", ((choice, option), ...))`,
    which stands for the largest sub-network with these choices set.

    `Basics` has what most methods answer. Beside `METHOD` the folder holds `step.py`, which stands in projects beside
    train.py under the method's name, and templates: `loop.jinja` and what `HOOKS` lists.
    """

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> Signature: ...

    @property
    def draws(self) -> bool:
        """Whether a step draws sub-networks at random."""
        ...

    @property
    def calibrates(self) -> bool:
        """Whether a sub-network's norms are measured anew before it is evaluated, unless the spec says otherwise."""
        ...

    @property
    def learns_levels(self) -> bool:
        """Whether it learns every level of the labels, and not the finest alone."""
        ...

    def distils(self, graph: Graph, call: Call) -> bool:
        """Whether a step compares outputs of sub-networks with those of a teacher."""
        ...

    @property
    def needs_slices(self) -> bool:
        """Whether slice i of every feature map has to depend on slices up to i only (`specc.passes.slices`)."""
        ...

    @property
    def elastic(self) -> str:
        """What `specc elastify --method` makes elastic for it, in the words of `--elastic`; "" where people say so."""
        ...

    @property
    def elastic_call(self) -> str:
        """The call that it then writes for the method, "" for the method's name alone."""
        ...

    @property
    def banks(self) -> str:
        """ "skip" where `specc elastify --method` gives every norm a bank for each state of its stage's skippable
        sub-path; "" otherwise."""
        ...

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        """How many sub-networks run forward and backward in one step; `specc plan` prints it."""
        ...

    def lists(self, call: Call) -> tuple[object, ...]:
        """The sub-networks of every step that the call alone tells, as `assignment` arguments; () where it tells none.

        `norm(bank=subnet)` has a bank for each of them, and options that none of them sets have no bank.
        """
        ...

    def listed(self, graph: Graph, call: Call) -> tuple[object, ...] | None:
        """The sub-networks that are trained, as `assignment` arguments, where these are the same few in every step.

        None where steps draw from all there are, so that every option of every choice is trained. Whatever is not
        listed, search.py and export.py mark as not trained.
        """
        ...

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        """Reports what the method needs and the network lacks. `graph` is complete: its choices are final."""
        ...

    def asks(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        """The analyses that `check_found` is to judge by, as calls: `Call("importance", ...)`."""
        ...

    def check_found(self, graph: Graph, call: Call, found: Found, report: Report) -> None:
        """Reports what the answers of these analyses say against training. Called where `check` found no error."""
        ...

    def prepared(self, graph: Graph, call: Call) -> Graph:
        """The finished graph with what the method adds to its operations: weights that no spec writes down."""
        ...

    def recipe(self, graph: Graph, call: Call, train: Call) -> Call:
        """The settings of `train { }` with what the method adds where the spec says nothing."""
        ...

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        """What train.py names at its top."""
        ...

    def requests(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        """The analyses that the pipeline is to run for `files`, as calls: `Call("importance", ...)`."""
        ...

    def files(self, graph: Graph, call: Call, found: Found) -> Mapping[str, str]:
        """More files of the project, by path. `found` has the answers to `requests`, by the analysis's name."""
        ...


Found: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The answers of analyses as plain data: what `specc importance --json` prints, under the name `importance`."""

HOOKS: Final = ("memory", "setup", "epoch", "validated", "validate", "finish")
"""Templates that a method's folder may hold beside `loop.jinja`; each adds lines to train.py.

memory   in `build_trainer`, 4 columns in: sets `trainer.memory`, something with `state()` and `restore(state)` that
         lasts between steps and is saved in checkpoints
setup    in `train`, 4 columns in, before the first epoch: names that the loop reads
epoch    in `train`, 12 columns in, before an epoch's batches
validated  in `validate`, 4 columns in: sets `subnets`, the assignments to evaluate by name, instead of the largest
         and the smallest
validate   in `validate`, 4 columns in: its whole body, which returns scores by name
finish   at the end of `main`, 4 columns in, before the processes part
"""


@frozen
class Basics:
    """The answers that most methods give. A method is a class over this, made with its signature and what differs:
    `METHOD = Adn(SIGNATURE, draws=False)`. What the fields say stands at `Method`."""

    signature: Signature
    draws: bool = True
    calibrates: bool = True
    learns_levels: bool = False
    needs_slices: bool = False
    elastic: str = ""
    elastic_call: str = ""
    banks: str = ""

    @property
    def name(self) -> str:
        return self.signature.name

    def distils(self, graph: Graph, call: Call) -> bool:
        return False

    def lists(self, call: Call) -> tuple[object, ...]:
        return ()

    def listed(self, graph: Graph, call: Call) -> tuple[object, ...] | None:
        return self.lists(call) or None

    def asks(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        return ()

    def check_found(self, graph: Graph, call: Call, found: Found, report: Report) -> None:
        return None

    def prepared(self, graph: Graph, call: Call) -> Graph:
        return graph

    def recipe(self, graph: Graph, call: Call, train: Call) -> Call:
        return train

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        return ()

    def requests(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        return ()

    def files(self, graph: Graph, call: Call, found: Found) -> Mapping[str, str]:
        return {}


NOTHING_ELASTIC: Final = Rule(
    "E601",
    "nothing-elastic",
    "a method that trains several sub-networks needs a network with choices",
    "The sandwich rule and its relatives train the largest, the smallest and some other sub-networks together.\n"
    "A network without a range, a set, a `skippable` or a `width` setting has one sub-network only.\n\n"
    "Wrong:  supernet net { ... conv(64) ... }   method us_net\n"
    "Right:  supernet net { width uniform 0.5..1.0 step 0.25; ... conv(64) ... }   method us_net\n"
    "Right:  supernet net { ... conv(64) ... }   method independent\n",
)

TOO_FEW_SUBNETS: Final = Rule(
    "E602",
    "too-few-subnets",
    "the sandwich rule needs at least two sub-networks a step",
    "Each step trains the largest and the smallest sub-network and n - 2 others, so n is 2 or more.\n\n"
    "Wrong:  method us_net(subnets=1)\n"
    "Right:  method us_net(subnets=4)\n",
)

NO_SUCH_SUBNET: Final = Rule(
    "E603",
    "no-such-subnet",
    "a listed sub-network sets an unknown choice, or a value that is none of its options",
    "`at(choice=option, ...)` names choices of the network; those it leaves out are at their largest option.\n"
    "`specc space` lists the choices and their options.\n\n"
    "Wrong:  width uniform {0.5, 1.0} ...  method independent(subnets=[max, at(width=0.7)])\n"
    "Right:  width uniform {0.5, 1.0} ...  method independent(subnets=[max, at(width=0.5)])\n",
)

LEVELS_UNTRAINED: Final = Rule(
    "E644",
    "levels-untrained",
    "the method trains only the finest label level, and the network classifies more",
    "Classifiers of coarser levels learn under methods that sum over levels: early_exit, inclusive, inclusive_sparse.\n"
    'Wrong:  labels { fine = classes; coarse = 20 from "coarse.csv" } ..   method us_net\n'
    'Right:  labels { fine = classes; coarse = 20 from "coarse.csv" } ..   method early_exit',
)

SAME_SUBNET: Final = Rule(
    "W106",
    "same-subnet",
    "a step trains one sub-network more than once",
    "Training a sub-network twice in a step costs its time and trains nothing else.\n"
    "Wrong:  width uniform {0.5, 1.0} ...  method independent(subnets=[max, at(width=1.0)])\n"
    "Right:  width uniform {0.5, 1.0} ...  method independent(subnets=[max, min])",
)

ONE_SUBNET: Final = Rule(
    "W107",
    "one-subnet-trained",
    "a network has choices, but training runs only one sub-network",
    "Sub-networks that no step runs are not trained: their norms and heads, and the weights that only they use.\n"
    "A spec without `method` trains the largest sub-network alone.\n"
    "Wrong:  width uniform {0.5, 1.0} ...  data digits\n"
    "Right:  width uniform {0.5, 1.0} ...  data digits; method us_net(subnets=4)",
)

ONE_ALONE: Final = "training runs one sub-network alone, and no step trains the others"

RULES: Final = (LEVELS_UNTRAINED, NOTHING_ELASTIC, TOO_FEW_SUBNETS, NO_SUCH_SUBNET)


def needs_choices(graph: Graph, method: str, report: Report) -> None:
    """Reports a network in which nothing can be chosen."""
    if not any(len(choice.options) > 1 for choice in graph.choices):
        report(
            NOTHING_ELASTIC,
            f"`{method}` trains several sub-networks together, and this network has only one",
            help="make something elastic (a `width` setting, a `skippable`, a range), or write `method independent`",
        )


def subnets_parameter(default: int, doc: str) -> Parameter:
    """`subnets=n`, the parameter most methods have."""
    return Parameter("subnets", "integer", default, doc)
