"""What layers are made of; the layers themselves, one a file, come from specc's operators."""
