"""Code that both the compiler and generated projects use, besides `specc.space`: a folder for each room of `elastic/`
that it goes to. It needs the standard library only."""
