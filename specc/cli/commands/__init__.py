"""One file a command: `SUMMARY`, `arguments(parser)` and `run(args, terminal) -> exit code`."""
