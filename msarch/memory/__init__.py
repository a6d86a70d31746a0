"""The memory of a training step, predicted without the hardware that would run it."""
