"""Explains a rule, an operator, a block of the library or a method.

E212, unknown-name        a rule: why it exists, and a wrong and a right example
conv                      an operator: its parameters, how it is elastic, an example
mb_v3, std.mobilenet_v3   blocks of the library: their parameters and what they are made of
us_net                    a method and its parameters
operators, limits         all operators; what the language cannot say
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common
from specc.cli.failure import Failure
from specc.cli.terminal import Terminal

SUMMARY = "explain a rule, an operator, a library block or a method"


def arguments(parser: ArgumentParser) -> None:
    text = "a rule's code or name, an operator, a block such as std.mobilenet_v3.mb_v3, a method, operators or limits"
    parser.add_argument("topic", metavar="TOPIC", help=text)
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.diagnostics.catalogue import all_rules

    rules = all_rules()
    for rule in rules:
        if args.topic.lower() in (rule.code.lower(), rule.name):
            if args.json:
                from specc.schemas.told import ExplainedRule

                terminal.json(
                    ExplainedRule(code=rule.code, name=rule.name, summary=rule.summary, explanation=rule.explanation)
                )
            else:
                terminal.data(f"{rule.code} {rule.name}: {rule.summary}\n\n{rule.explanation.strip()}\n")
            return 0
    from specc.cli.topics import explained, topics

    text = explained(args.topic)
    if text is not None:
        if args.json:
            from specc.schemas.told import ExplainedTopic

            terminal.json(ExplainedTopic(topic=args.topic, text=text))
        else:
            terminal.data(text)
        return 0
    from specc.diagnostics.elsewhere import operator_elsewhere
    from specc.diagnostics.near import near

    known = [rule.code for rule in rules] + [rule.name for rule in rules] + list(topics())
    listed = "`specc rules` lists the rules, `specc explain operators` the operators"
    help = operator_elsewhere(args.topic) or near(args.topic, known, least=0.5) or listed
    raise Failure(f"there is nothing called `{args.topic}` to explain", help)
