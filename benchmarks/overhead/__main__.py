"""Runs the benchmark."""

from benchmarks.overhead.command import main

if __name__ == "__main__":
    main()
