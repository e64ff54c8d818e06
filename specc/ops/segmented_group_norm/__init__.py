"""Group norms on channels that come in several runs; the operator `group_norm` writes them."""
