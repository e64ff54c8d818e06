"""What does not depend on the network, copied from specc: a folder a subject, with as many of its files as are used.

    net      the network: plans, binding, straight lines of operations
    layers   the elastic layers
    space    choices, costs and budgets
    data     data sets and batches
    train    what training stands on: trainer, optimizers, checkpoints, evaluation
    search   the search for the Pareto front
    latency  latencies, measured and predicted
    deploy   static networks, programs and bundles
    run      processes, flags, progress
    files    files that are whole or not there
"""
