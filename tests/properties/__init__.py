"""Specs that a generator writes, held against PyTorch."""
