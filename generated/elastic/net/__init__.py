"""The network: plans that say which sub-network runs, and the ways to run one - sliced, extracted, fused."""
