"""What a project runs that does not depend on its network, copied from specc: a folder a subject.

    net      the network: plans, extraction, fused sub-networks
    layers   the elastic layers
    space    choices, costs and budgets
    data     data sets and batches
    train    what training stands on: trainer, optimizers, checkpoints, evaluation
    outputs  what networks predict: losses, distances, metrics
    search   the search for the Pareto front
    latency  latencies, measured and predicted
    deploy   static networks, programs and bundles
    run      processes, flags, progress
    files    files that are there whole or not at all

A project has those of the files that its scripts import, and what these import.
"""
