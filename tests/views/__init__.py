"""Questions in SQL and pictures."""
