"""The version of specc, which messages, projects and the package itself say."""

__version__ = "0.2.0"
