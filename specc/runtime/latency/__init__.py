"""Latencies: of whole networks, and of every block for tables that predict."""
