"""What networks predict: for each kind of output the losses, the distance to a teacher, and the metric."""
