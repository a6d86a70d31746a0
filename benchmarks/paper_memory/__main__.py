"""`python -m benchmarks.paper_memory`."""

from benchmarks.paper_memory.command import main

if __name__ == "__main__":
    main()
