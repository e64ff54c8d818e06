"""What may be asked of the importance analysis, and what is said where it may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from specc.diagnostics import Findings, Rule, SpecError
from specc.ir.graph import Graph
from specc.ir.parameter import Call
from specc.methods.tips.ranges import out_of_range

NO_SUBNETS: Final = Rule(
    "E711",
    "no-subnets",
    "the importance analysis samples at least one sub-network",
    "TIPS joins the graphs of T sampled sub-networks into one Markov chain, so T is 1 or more; 8 are usually enough.\n"
    "Wrong:  specc importance net.specc --subnets 0\n"
    "Right:  specc importance net.specc --subnets 8",
)
DIRECTED_DAMPING: Final = Rule(
    "E714",
    "directed-needs-damping",
    "directed edges need a damping above 0",
    "Along directed edges everything ends at the heads and never comes back: without a damping above 0 the chain\n"
    "has no stationary distribution but the one that rests there.\n"
    "Wrong:  specc importance net.specc --directed --damping 0\n"
    "Right:  specc importance net.specc --directed --damping 1e-5",
)
NO_SUCH_LENGTH: Final = Rule(
    "E715",
    "no-path-of-length",
    "no path from the input to a head has the number of nodes asked for",
    "`--nodes D` marks the best path of D feature maps, its two ends included. Where there is none, the node counts\n"
    "that paths have are named.\n"
    "Wrong:  specc importance mobilenet_v2_tips.specc --nodes 1000\n"
    "Right:  specc importance mobilenet_v2_tips.specc --nodes 35",
)
TOO_FEW: Final = Rule(
    "E716",
    "too-few-subnets-to-cover",
    "too few sub-networks to include every operation at least once",
    "The sampled sub-networks keep every operation at least once between them, so there must be as many of them as\n"
    "there are operations that exclude one another.\n"
    "Wrong:  when k == 1 { conv(16, kernel=1) } else { conv(16, kernel=3) }     --subnets 1\n"
    "Right:  the same with --subnets 2 or more",
)
NO_PATH: Final = Rule(
    "E717",
    "no-path",
    "no path leads from the input to a head",
    "Importance is that of the operations along paths from an input of the network to one of its heads.\n"
    "Wrong:  a graph whose heads read none of its inputs\n"
    "Right:  stem { conv(16, kernel=3) }; head { pool(avg); linear(classes) }",
)
EXPECTED: Final = Rule(
    "E718",
    "expected-not-known",
    "expected degrees are not available here",
    "`--expected` puts each operation's probability of being sampled instead of samples. That is known for the\n"
    "undirected reading, and where few choices decide together what is present.\n"
    "Wrong:  specc importance net.specc --expected --directed\n"
    "Right:  specc importance net.specc --directed --subnets 64",
)
TOO_MANY: Final = Rule(
    "E719",
    "too-many-states",
    "the sampled sub-networks make a chain of too many states",
    "Every feature map in every sampled sub-network is a state of the chain, held in memory; T = 8 is usually enough.\n"
    "Wrong:  specc importance net.specc --subnets 1000000000\n"
    "Right:  specc importance net.specc --expected     what very many samples would tend to",
)
MOST_STATES: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides an analysis.

    subnets   T, the number of sampled sub-networks          coupling  lambda, between copies of a feature map (Eq. 5)
    damping   kappa, between any two states (Eq. 20)         directed  whether edges go one way only
    expected  whether expected degrees replace samples     nodes     D, the node count of the path that is marked
    seed      decides the samples
    """

    subnets: int = 8
    coupling: float = 1.0
    damping: float = 1e-5
    directed: bool = False
    expected: bool = False
    nodes: int | None = None
    seed: int = 0


def settings_of(
    method: Call,
    subnets: int | None = None,
    coupling: float | None = None,
    damping: float | None = None,
    *,
    directed: bool | None = None,
    expected: bool | None = None,
    nodes: int | None = None,
    seed: int | None = None,
) -> Settings:
    """What is given, else what a spec's method asks for, else the paper's (TIPS, section B.4)."""
    analysis = dict(method.values).get("analysis")
    asked = dict(analysis.values) if isinstance(analysis, Call) and analysis.name == "importance" else {}
    default = Settings()

    def first(given: float | None, name: str) -> float:
        return given if given is not None else cast(float, asked.get(name, getattr(default, name)))

    return Settings(
        subnets=int(first(subnets, "subnets")),
        coupling=float(first(coupling, "coupling")),
        damping=float(first(damping, "damping")),
        directed=bool(first(directed, "directed")),
        expected=bool(first(expected, "expected")),
        nodes=nodes if nodes is not None else cast("int | None", asked.get("nodes")) or None,
        seed=int(first(seed, "seed")),
    )


def check_settings(graph: Graph, settings: Settings) -> None:
    """Raises SpecError where a setting is out of its range."""
    coupling, damping = settings.coupling, settings.damping
    if settings.subnets < 1:
        raise refused(graph, NO_SUBNETS, f"{settings.subnets} sub-networks are too few", "sample 8, as the paper")
    wrong = out_of_range(coupling, damping)
    if wrong is not None:
        raise refused(graph, *wrong)
    if settings.directed and damping == 0:
        message = "the directed chain needs a damping above 0: without it everything ends at the heads"
        raise refused(graph, DIRECTED_DAMPING, message, "1e-5 is the paper's; the undirected reading can do without")
    if settings.directed and settings.expected:
        raise refused(
            graph, EXPECTED, "the directed reading has no expected degrees", "sample more sub-networks instead"
        )


def check_size(graph: Graph, nodes: int, subnets: int) -> None:
    """Raises SpecError where the chain would have too many states."""
    if nodes * subnets > MOST_STATES:
        message = f"{nodes:,} feature maps in {subnets:,} sub-networks are more than {MOST_STATES:,} states"
        raise refused(graph, TOO_MANY, message, f"sample at most {MOST_STATES // nodes:,}")


def refused(graph: Graph, rule: Rule, message: str, help: str = "") -> SpecError:
    """One diagnostic at the supernet's name."""
    findings = Findings()
    findings.report(rule, graph.origin, message, help=help)
    return SpecError(findings.diagnostics)
