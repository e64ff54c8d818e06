"""Making networks elastic."""
