"""What every script stands on: its processes, its flags, what it reports, and how it is stopped."""
