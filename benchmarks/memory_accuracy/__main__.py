"""`python -m benchmarks.memory_accuracy`."""

from benchmarks.memory_accuracy.command import main

if __name__ == "__main__":
    main()
