"""What all tests share: one thread for every numeric library, and the repository's own folders."""

from __future__ import annotations

import os

# Before any test module imports numpy or torch: the workers of pytest-xdist share few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from hypothesis import settings

# The same examples in every run, however slow the machine: `make test` decides, and decides the same way twice.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
