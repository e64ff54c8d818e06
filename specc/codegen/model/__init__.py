"""From a graph to the text of model.py: structure, classes, sizes, statements, layout; the template only prints."""
