"""The papers' claims, measured: every script prints our figure beside the paper's.

`python -m tests.claims.tips_stability` and so on run one; RESULTS.md holds what they printed last. They take from
seconds to minutes and are not part of the tests.
"""
