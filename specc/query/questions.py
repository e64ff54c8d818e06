"""Useful questions, as `specc query SPEC --examples` shows them. The tests ask each of several networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how that is said in SQL."""

    text: str
    sql: str


QUESTIONS = (
    Question(
        "the five cheapest important operations",
        "SELECT name, kind, macs FROM ops WHERE important AND macs > 0 ORDER BY macs, position LIMIT 5",
    ),
    Question(
        "the share of the MACs that is unimportant",
        "SELECT sum(macs) FILTER (WHERE NOT important) * 1.0 / sum(macs) AS unimportant FROM ops",
    ),
    Question(
        "the most expensive stage",
        "SELECT name, macs, share FROM stages ORDER BY macs DESC LIMIT 1",
    ),
    Question(
        "what skipping each skippable sub-path saves",
        "SELECT name, macs_saved, params_saved FROM choices WHERE kind = 'skip' ORDER BY macs_saved DESC",
    ),
    Question(
        "the operations with weights whose width no choice touches",
        "SELECT name, kind, params FROM ops WHERE params > 0\n"
        "  AND name NOT IN (SELECT op FROM reads WHERE how = 'width') ORDER BY position",
    ),
    Question(
        "where parameters and MACs are, by kind of operation",
        "SELECT kind, count(*) AS ops, sum(params) AS params, sum(macs) AS macs FROM ops\n"
        "  GROUP BY kind HAVING sum(params) > 0 ORDER BY macs DESC, kind",
    ),
    Question(
        "the largest feature maps and who writes them",
        "SELECT name, channels, height, width, elements FROM tensors ORDER BY elements DESC, name LIMIT 5",
    ),
    Question(
        "the choices whose first option saves the most MACs",
        "SELECT name, kind, smallest, largest, macs_saved FROM choices ORDER BY macs_saved DESC, name LIMIT 5",
    ),
    Question(
        "the operations that cost most for each parameter",
        "SELECT name, macs, params, macs / params AS reuse FROM ops WHERE macs > 0\n"
        "  ORDER BY reuse DESC, position LIMIT 5",
    ),
    Question(
        "what the smallest network still spends, stage by stage",
        "SELECT name, macs_min, macs_min * 1.0 / nullif(macs, 0) AS of_largest FROM stages ORDER BY position",
    ),
    Question(
        "the feature maps that matter most",
        "SELECT tensor, tas FROM tas ORDER BY tas DESC, tensor LIMIT 5",
    ),
    Question(
        "the operations of the best path and what they cost together, stage by stage",
        "SELECT stage, count(*) AS ops, sum(macs) AS macs FROM steps JOIN edges USING (op)\n"
        "  GROUP BY stage ORDER BY min(place)",
    ),
    Question(
        "how the MACs of the sampled sub-networks spread",
        "SELECT count(*) AS subnets, min(macs) AS least, avg(macs) AS mean, max(macs) AS most FROM subnets",
    ),
)
