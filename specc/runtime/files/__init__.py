"""Files that are whole or not there, and tensors in files."""
