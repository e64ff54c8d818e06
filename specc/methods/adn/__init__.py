"""ADN (Kang and Lee, 2024): the network with all its skippable sub-paths teaches the one without any."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from specc.diagnostics import Rule
from specc.ir.expr import free
from specc.ir.graph import Graph, Scope
from specc.ir.parameter import Call, Parameter, Signature, Words
from specc.methods.protocol import Basics, Constant, Method, Report

SIGNATURE: Final = Signature(
    "adn",
    (
        Parameter("alpha", "number", Fraction(1, 2), "the share of the labels' loss; the rest is distillation (Eq. 8)"),
        Parameter(
            "features",
            Words(("stages", "pyramid", "none")),
            "stages",
            "whose pooled features are distilled: the stages that skip, or a detector's pyramid behind them",
        ),
        Parameter("logits", "flag", True, "whether the super-net's logits are distilled"),
        Parameter(
            "specialize",
            "flag",
            True,
            "`no`: both sub-networks learn only the labels, with half the loss each (Table 3)",
        ),
        Parameter("temperature", "number", 1, "of every softmax in the distillation", above=0),
    ),
    "the super-net and the base-net, with self-distillation of logits and features",
)

NO_SKIPPABLES: Final = Rule(
    "E604",
    "no-skippables",
    "adaptive depth needs sub-paths that can be skipped",
    "`adn` trains two sub-networks: the one that runs every `skippable` sub-path and the one that runs none.\n"
    "Wrong:  stage s1 { repeat 1..3 { bottleneck(64) } }   method adn\n"
    "Right:  stage s1 { bottleneck(64); skippable { repeat 2 { bottleneck(64) } } }   method adn",
)
NO_STAGE_FEATURES: Final = Rule(
    "E605",
    "no-stage-features",
    "feature distillation needs a stage with a skippable sub-path, or a pyramid behind such stages",
    "Eq. 8 compares what a stage gives with and without its own skippable sub-path; of a detector (section 4.5) what\n"
    "the stages of its pyramid give, which stand behind them and skip nothing.\n"
    "Wrong:  stem { skippable { .. } }   method adn(features=stages)\n"
    "Right:  stage s1 { .. skippable { .. } }   method adn(features=stages)\n"
    "Right:  stage s1 { .. skippable { .. } } stage p1 { .. }   method adn(features=pyramid)",
)
SEVERAL_OUTPUTS: Final = Rule(
    "E609",
    "several-outputs",
    "adaptive depth compares one output, and the network has several",
    "A step of `adn` asks for one output and for the features of the stages, and compares those of the base-net with\n"
    "the super-net's (Eq. 8).\n"
    "Wrong:  output boxes { .. }; output scores { .. } ...  method adn\n"
    "Right:  output boxes { .. }; output scores { .. } ...  method us_net",
)
UNTRAINED: Final = Rule(
    "E606",
    "untrained-choice",
    "the method would never train some options of a choice",
    "`adn` runs the super-net and the base-net alone, so nothing but skippable sub-paths may be elastic: other\n"
    "widths, depths or resolutions would be sub-networks that no step has trained.\n"
    "Wrong:  width uniform 0.5..1.0 step 0.25 .. skippable { .. }   method adn\n"
    "Right:  the same with `method us_net`, or without the `width` setting",
)
NOTHING_TEACHES: Final = Rule(
    "E607",
    "nothing-teaches",
    "the base-net has no loss: no features, no logits and no labels",
    "The base-net learns from the super-net's logits, from its features, or from both: without, it would not learn.\n"
    "Wrong:  method adn(features=none, logits=no)\n"
    "Right:  method adn(specialize=no)     both learn the labels",
)
BAD_SHARE: Final = Rule(
    "E608",
    "share-out-of-range",
    "a share of a loss is not in [0, 1], or a temperature is 0",
    "`alpha` is the labels' share of the loss, the rest is distillation's; logits are divided by `temperature`.\n"
    "Wrong:  method adn(alpha=2)\n"
    "Right:  method adn(alpha=0.5)",
)


class Adn(Basics):
    """Each step: the super-net on the labels, the base-net on the super-net's logits and stage features."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return bool(call["specialize"] and call["logits"])

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return 2

    def lists(self, call: Call) -> tuple[object, ...]:
        return "max", "min"

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        heads = tuple(output.name for output in graph.outputs if output.kind == "head")[:1]
        features = compared_stages(graph, call)
        of = "pyramid's stages" if call["features"] == "pyramid" else "stages that can skip"
        comment = f"The outputs of the two sub-networks: the logits, then the features of the {of}."
        return (Constant("OUTPUTS", (*heads, *features), comment),)

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        skips = [choice.name for choice in graph.choices if choice.kind == "skip"]
        others = [choice.name for choice in graph.choices if choice.kind != "skip" and len(choice.options) > 1]
        if not skips:
            report(
                NO_SKIPPABLES,
                "`adn` trains a network with and without its skippable sub-paths, and this one has none",
                help="put the blocks that only refine a stage's features into `skippable { }`",
            )
        elif call["specialize"] and call["features"] != "none" and not compared_stages(graph, call):
            pyramid = call["features"] == "pyramid"
            report(
                NO_STAGE_FEATURES,
                "no stage stands behind those that skip, so there is no pyramid to compare"
                if pyramid
                else "no stage has a skippable sub-path, so no features can be compared",
                at="features",
                help="write `features=stages`, or add the pyramid's stages"
                if pyramid
                else "put the sub-paths into stages, or write `features=none`",
            )
        if skips and others:
            report(
                UNTRAINED,
                f"`adn` trains depth alone; `{others[0]}` would have options that no step trains",
                help="fix it, or write `method us_net`, which draws every choice",
            )
        outputs = [output.name for output in graph.outputs if output.kind == "head"]
        if graph.predicts.kind == "free" and len(outputs) > 1:
            names = " and ".join(f"`{name}`" for name in outputs)
            message = f"`adn` asks for one output beside the features of the stages, and this network has {names}"
            report(SEVERAL_OUTPUTS, message, help="join the outputs in one, or write `method us_net`")
        if call["specialize"] and call["features"] == "none" and not call["logits"]:
            report(NOTHING_TEACHES, "the base-net would have no loss", at="logits", help="write `specialize=no`")
        alpha, temperature = call["alpha"], call["temperature"]
        assert isinstance(alpha, (int, Fraction))
        assert isinstance(temperature, (int, Fraction))
        if alpha > 1:
            report(BAD_SHARE, f"alpha is {float(alpha):g}, above 1", at="alpha", help="0.5 is the paper's")
        if temperature == 0:
            report(BAD_SHARE, "the temperature is 0", at="temperature", help="1 is the paper's")


def compared_stages(graph: Graph, call: Call) -> tuple[str, ...]:
    """The stages whose features are distilled, as these are named among the outputs."""
    skipping = stages_that_skip(graph)
    if not call["specialize"] or call["features"] == "none":
        return ()
    if call["features"] == "stages" or not skipping:
        return skipping
    stages = [name for name, _ in stages_with_features(graph)]
    return tuple(stages[stages.index(skipping[-1]) + 1 :])


def stages_that_skip(graph: Graph) -> tuple[str, ...]:
    """The stages that hold a skippable sub-path."""
    skips = {choice.name for choice in graph.choices if choice.kind == "skip"}
    return tuple(
        name
        for name, stage in stages_with_features(graph)
        if any(free(scope.guard) & skips for scope in stage.scopes())
    )


def stages_with_features(graph: Graph) -> list[tuple[str, Scope]]:
    """The stages in their order, of those whose features are outputs."""
    features = {output.name for output in graph.outputs if output.kind == "features"}
    stages = (scope for scope in graph.root.items if isinstance(scope, Scope) and scope.kind == "stage")
    return [(stage.name, stage) for stage in stages if stage.name in features]


METHOD: Final[Method] = Adn(SIGNATURE, draws=False, calibrates=False, elastic="skippable halves", banks="skip")
