"""A trained PyTorch network becomes a spec: what was traced and recognised, and the text that is written of it."""
