"""What goes into `elastic/net/` of a project and the compiler counts by, too."""
