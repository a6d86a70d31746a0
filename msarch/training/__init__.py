"""One candidate in training: the step, its schedule, validation, checkpoints."""
