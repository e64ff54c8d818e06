"""What goes into `elastic/run/` of a project and the compiler reads numbers by, too."""
