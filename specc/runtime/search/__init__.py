"""The search for the Pareto front, and what shows it."""
