"""Choices, costs and budgets, which the compiler computes with too: numpy and the standard library only."""
