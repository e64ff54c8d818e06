"""Convolutions whose smaller kernels are learned transforms of larger ones. They are no operators: conv writes them."""
