"""What does not depend on the spec, copied from specc."""
