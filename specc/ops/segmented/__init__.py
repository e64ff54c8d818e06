"""Layers on channels that come in several runs. No operators of their own: conv, linear and norms write them."""
