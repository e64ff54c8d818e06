"""What sub-networks cost: a report of one, or functions for any."""

from specc.cost.report import CostReport, cost
from specc.cost.rows import OpRow
from specc.cost.source import CompiledCost, Cost, compile_cost, cost_source
from specc.cost.totals import Count

__all__ = ["CompiledCost", "Cost", "CostReport", "Count", "OpRow", "compile_cost", "cost", "cost_source"]
