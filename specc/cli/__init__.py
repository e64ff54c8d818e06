"""The command line. Every file of `commands/` is a command; `main` imports only the one that was asked for."""
