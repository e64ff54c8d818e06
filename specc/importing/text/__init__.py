"""The writer: a recognised network as a spec that a person could have written."""
