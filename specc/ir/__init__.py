"""The intermediate representation: expressions over choices, choices, the graph. Knows no syntax and no operator."""
