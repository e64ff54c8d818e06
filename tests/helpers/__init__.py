"""What tests share: one idea a file. Nothing here is a test."""
