"""Python as text: literals, expressions, and lines as a formatter would lay them out."""
