"""Every `bench_*.py` has `run() -> list[Row]`; `python -m tests.benchmarks` prints them all in one table."""
