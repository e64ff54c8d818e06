"""Training: the trainer that every method's step stands on, optimizers, checkpoints, evaluation."""
