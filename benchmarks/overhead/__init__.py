"""What a search costs beyond the trainings in it: `python -m benchmarks.overhead`."""
