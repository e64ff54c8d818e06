"""A network as PyTorch's tracing shows it, and how an operator of the language finds itself there. Nothing here knows
torch."""
