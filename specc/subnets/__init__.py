"""The sub-networks of a graph: how many there are, draws from all of them or within budgets, space.py of a project."""
