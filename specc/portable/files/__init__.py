"""What goes into `elastic/files/` of a project and the compiler reads files by, too."""
