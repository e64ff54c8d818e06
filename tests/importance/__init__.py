"""The importance analysis against naive references, its invariants, its command."""
