"""The command line. Every file of `commands/` is a command; `main` finds the one that was asked for and imports only that."""
