"""Code that both the compiler and generated projects use: numpy and the standard library only."""
