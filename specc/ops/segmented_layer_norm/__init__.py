"""Layer norms on channels that come in several runs; the operator `layer_norm` writes them."""
